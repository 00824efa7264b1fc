"""Progress: a bar that counts accounts, pages and positions on a terminal, and nothing of the kind in a pipe."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.broker_server import BrokerServer, position
from tests.support.command_line import DAYBOOK, EVENING, KEY, Ended, daybook, environment

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(*arguments: str, home: Path, url: str | None = None) -> Ended:
    """A command whose stderr is a terminal and whose stdout is a pipe; what it drew, with the drawing taken out."""
    ours, theirs = pty.openpty()
    settings = environment(home, url, TERM="xterm-256color", COLUMNS="160")
    with subprocess.Popen([DAYBOOK, *arguments], env=settings, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        drawn = b""
        while True:
            try:
                heard = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not heard:
                break
            drawn += heard
        out, _ = process.communicate(timeout=60)
    os.close(ours)
    return Ended(process.returncode, out.decode(), ESCAPE.sub("", drawn.decode()))


@pytest.fixture
def broker() -> BrokerServer:
    """Two accounts; one has three positions on one page, the other has none."""
    held = {100001: [position(100001, number) for number in (1, 2, 3)], 100002: []}
    return BrokerServer(accounts=[100001, 100002], positions=held, instructions={}, now=EVENING)


@pytest.mark.parametrize("command", ["sync", "eod"])
def test_a_terminal_sees_a_bar_of_accounts_pages_and_positions(
    tmp_path: Path, broker: BrokerServer, command: str
) -> None:
    with broker as server:
        ended = on_terminal(command, home=tmp_path, url=server.url)
    assert ended.code == 0, ended.err
    assert KEY not in ended.out + ended.err
    assert "2 of 2 accounts, 2 pages, 3 positions" in ended.err
    assert "━" in ended.err
    assert "━" not in ended.out


def test_a_pipe_gets_no_drawing(tmp_path: Path, broker: BrokerServer) -> None:
    with broker as server:
        for command in ("eod", "sync", "build", "report", "status"):
            ended = daybook(command, home=tmp_path, url=server.url)
            assert ended.code == 0, ended.err
            assert "\x1b" not in ended.out + ended.err, command
            assert "━" not in ended.out + ended.err, command


def test_the_demo_counts_its_days_on_a_terminal(tmp_path: Path) -> None:
    ended = on_terminal("demo", "--days", "2", home=tmp_path)
    assert ended.code == 0, ended.err
    assert "2005-02-02" in ended.err
    assert "2/2" in ended.err
