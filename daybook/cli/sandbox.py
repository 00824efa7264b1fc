"""`daybook sandbox`: the stand-in broker alone."""

from __future__ import annotations

from typing import Annotated

import typer

from daybook.cli import console


def sandbox(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where to listen on loopback; 0 is any free port.")
    ] = 8005,
    days: Annotated[
        int, typer.Option(min=1, help="How many trading days from 2005-02-01; it stands on the last.")
    ] = 28,
    seed: Annotated[int, typer.Option(help="Which pseudo-random books.")] = 1,
) -> int:
    """Serve a stand-in broker on loopback.

    Its books are on real prices of early 2005. It prints its address and serves until Ctrl-C. Any key will do.

    \b
    Examples:
      daybook sandbox --days 10
    and in another terminal
      export DAYBOOK_HOME=try CLEAR_STREET_BASE_URL=http://127.0.0.1:8005 CLEAR_STREET_API_KEY=any
      daybook sync
    """
    from pipelines.sandbox.server import serve

    def say_so() -> None:
        console.notice(
            "The stand-in broker serves until Ctrl-C. With any CLEAR_STREET_API_KEY, point CLEAR_STREET_BASE_URL at:"
        )

    serve(port, days, seed, on_listening=say_so)
    return 0
