"""`daybook dev` and `daybook serve`: Dagster's UI and daemon, to try things and to rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipelines.settings import Settings

Port = Annotated[int, typer.Option(min=1, max=65535, help="Where the UI listens on loopback.")]
Schedules = Annotated[bool, typer.Option("--schedules", help="Have the schedules on.")]
Check = Annotated[bool, typer.Option("--check", help="Start nothing: say how the service is; 1 where it is not well.")]


def dev(*, port: Port = 3000, schedules: Schedules = False) -> int:
    """Run Dagster's UI and daemon on loopback, to try things.

    It prints a link that logs a browser in; keep it to yourself. The schedules are off unless asked for; Ctrl-C ends
    it, and so does the end of one of its processes.

    \b
    Examples:
      daybook dev
      daybook dev --schedules --port 3001
    """
    from dagster_project.services import dev as run
    from daybook.cli.console import say
    from pipelines.settings import Settings

    return run(Settings.from_env(), port, say, schedules=schedules)


def serve(*, port: Port = 3000, check: Check = False) -> int:
    """Keep Dagster's UI, daemon and code server running on loopback, as a service.

    The schedules are on. What ends is started again; `daybook status` says how it is, and --check with an exit code. It
    prints a link that logs a browser in; keep it to yourself. SIGTERM or Ctrl-C ends all of it.

    \b
    Examples:
      daybook serve
      daybook serve --check
    """
    from pipelines.settings import Settings

    settings = Settings.from_env()
    if check:
        return _check(settings)
    from dagster_project.services import serve as run
    from daybook.cli.console import say

    return run(settings, port, say)


def _check(settings: Settings) -> int:
    from datetime import UTC, datetime

    from dagster_project.health import read_service
    from daybook.cli.console import complain, say

    service = read_service(settings)
    if service is None:
        complain(f"No service runs on the books of {settings.home}: `daybook serve` starts one.")
        return 1
    problems = service.problems(datetime.now(UTC))
    for problem in problems:
        complain(problem)
    if not problems:
        say(f"The service is well: process {service.pid}, {service.url}, since {service.since}.")
    return 1 if problems else 0
