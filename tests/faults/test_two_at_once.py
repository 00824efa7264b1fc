"""F3, F12: several runs and a stranger at once: one after the other, each whole, and the books those of a
quiet evening."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import DAYBOOK, daybook, environment
from tests.support.fault_books import close_day, friday, published
from tests.support.processes import Process

HOLD = """
import duckdb, sys
con = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("ready", flush=True); sys.stdin.readline()
"""


def test_runs_started_at_once_take_turns_and_the_books_are_those_of_one_after_the_other(
    home_of_thursday: Path, tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "together") as (server, settings):
        environ = environment(settings.home, server.url)
        commands = [["sync"], ["sync"], ["build"], ["sync"]]
        runs = [
            Process([DAYBOOK, *command, "--wait", "100"], env=environ, stderr=subprocess.PIPE) for command in commands
        ]
        for run in runs:
            _, said = run.communicate(timeout=120)
            assert run.returncode == 0, said
        assert daybook("build", home=settings.home).code == 0
        together, landed = published(settings)
    with friday(home_of_thursday, tmp_path / "alone") as (_, settings):
        close_day(settings)
        alone, (_, once) = published(settings)
    assert together == alone
    assert landed[1:] == [once] * 3
    assert not list((tmp_path / "together").rglob("new_jobs/*"))


@pytest.mark.parametrize("way", ["read", "write"])
def test_a_stranger_in_the_warehouse_costs_an_evening_nothing_but_time(
    way: str, home_of_thursday: Path, tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (server, settings):
        command = [sys.executable, "-c", HOLD, str(settings.warehouse), way]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stranger:
            assert stranger.stdin is not None
            assert stranger.stdout is not None
            assert stranger.stdout.readline() == "ready\n"
            ended = daybook("sync", "--wait", "0.5", home=settings.home, url=server.url)
            assert ended.code == 2
            assert str(stranger.pid) in ended.err
            assert server.requests == []  # nothing was read that could be lost
            stranger.stdin.close()
            stranger.wait(10)
        assert close_day(settings).is_complete
        books, _ = published(settings)
        assert [(str(row[0]), row[1]) for row in books["quality.day"]] == [
            ("2025-10-30", "COMPLETE"),
            ("2025-10-31", "COMPLETE"),
        ]
