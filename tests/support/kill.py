"""Has a process of daybook killed at a named point (tests/support/killer.py)."""

from __future__ import annotations

import signal
import sys

from pipelines.settings import Settings
from tests.support.command_line import environment, lake_variables
from tests.support.processes import run


def kill(point: str, settings: Settings, *commands: str) -> None:
    """Run commands (by default those that close the day and report it) in a process that is killed at the point."""
    process = run(
        [sys.executable, "-m", "tests.support.killer", point, *(commands or ("sync", "build", "report"))],
        env=environment(settings.home, settings.base_url, **lake_variables(settings)),
    )
    assert process.returncode == -signal.SIGKILL, f"{point} was never reached: {process.stdout!r}{process.stderr!r}"
