"""`daybook explore`: the published books in a browser."""

from __future__ import annotations

import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from pipelines.errors import ConfigurationError

HOST = "127.0.0.1"
Port = Annotated[int, typer.Option(min=1, max=65535, help="Where it listens on loopback.")]
Headless = Annotated[bool, typer.Option("--headless", help="Print the address and open no browser.")]


def explore(*, port: Port = 2718, headless: Headless = False) -> int:
    """Look through the books in a browser.

    Choose accounts and days, see the P&L, go down to positions and readings, compare what was known at two instants.
    Reads the published copy and changes nothing. The address has a token, for a loopback port is open to every user of
    this machine. Needs the extra `explore` (`make explore`). Ctrl-C ends it.

    \b
    Examples:
      daybook explore
      daybook explore --port 2719 --headless
    """
    from daybook.explore.questions import PublishedBooks
    from pipelines.settings import Settings, without_secrets

    if find_spec("marimo") is None:
        raise ConfigurationError(
            "The explorer is not installed: `make explore`, or install daybook with its extra `explore`."
        )
    settings = Settings.from_env()
    PublishedBooks(settings.books).extent()  # raises with a sentence where there is nothing to look at
    _refuse_port_in_use(port)
    app = Path(__file__).parents[1] / "explore" / "app.py"
    command = [sys.executable, "-P", "-m", "marimo", "run", str(app), "--host", HOST, "--port", str(port), "--token"]
    environment = {**without_secrets(os.environ), "DAYBOOK_HOME": str(settings.home), "MARIMO_SKIP_UPDATE_CHECK": "1"}
    os.chdir(app.parent)  # marimo reads its settings from the working folder and those above it
    arguments = [*command, *(["--headless"] if headless else [])]
    os.execve(sys.executable, arguments, environment)  # noqa: S606  (it takes our place: no child is left behind)


def _refuse_port_in_use(port: int) -> None:
    """Raises ConfigurationError: the explorer would take the next port that is free without a word."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} can't be used ({error.strerror}): give another one with --port."
            ) from error
