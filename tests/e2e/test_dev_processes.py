"""`daybook dev` is three processes that end together."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.test_loopback import family_of
from tests.support.command_line import environment
from tests.support.dagster_ui import daybook_dev, wait_for

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]


def running(process: int, what: str) -> bool:
    """Whether a process is there and runs this."""
    path = Path(f"/proc/{process}/cmdline")
    return path.exists() and what.encode() in path.read_bytes()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this machine doesn't list its processes")
@pytest.mark.parametrize(
    ("what", "name"),
    [("dagster_project.web.server", "web pages"), ("dagster._daemon", "daemon"), ("code-server", "code server")],
)
def test_when_one_of_them_ends_by_itself_all_end_and_it_is_said(tmp_path: Path, what: str, name: str) -> None:
    log = tmp_path / "dev.log"
    with daybook_dev(environment(tmp_path / "home"), log) as dev:
        family = family_of(dev.process.pid)
        (one,) = [process for process in family if running(process, what)]
        os.kill(one, signal.SIGKILL)
        assert dev.process.wait(120) == 1
        # the server in the code server notices within half a minute that nobody speaks to it any more
        wait_for(lambda: not [each for each in family if running(each, "dagster")] or None, 90)
    assert f"Dagster's {name} ended by itself (code -9), so the rest was ended." in log.read_text()
