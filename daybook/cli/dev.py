"""`daybook dev`: Dagster's UI and daemon."""

from __future__ import annotations

from typing import Annotated

import typer


def dev(
    *, port: Annotated[int, typer.Option(min=1, max=65535, help="Where the UI listens on loopback.")] = 3000
) -> int:
    """Run Dagster's UI and daemon on loopback.

    It prints a link that logs a browser in; keep it to yourself. The schedules are on; Ctrl-C ends it.

    \b
    Examples:
      daybook dev
      daybook dev --port 3001
    """
    from dagster_project.services import dev as run
    from daybook.cli.console import say
    from pipelines.settings import Settings

    return run(Settings.from_env(), port, say)
