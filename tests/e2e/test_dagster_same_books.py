"""However the day is closed, by command, by Dagster's own command or by a scheduled run: the same books."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dagster_project.instance import prepare_instance
from pipelines.errors import ConfigurationError
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from tests.support.dagster_ui import Dev, daybook_dev, wait_for

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

DAYS = 2
KEY = "key-that-must-never-be-seen-4711"
#: Runs have names of their own and take their time to read; everything else is the same, knowledge times included.
BOOKS = {
    "pnl.position_daily_version": "* exclude (run_id)",
    "pnl.account_daily_version": "* exclude (run_id)",
    "core.position_eod": "*",
    "core.account_eod": "* exclude (run_id, marks_run_id, daily_fields_run_id, captured_at)",
    "quality.day": "*",
    "quality.finding": "* exclude (run_id)",
    "raw.positions": "* exclude (run_id, _dlt_load_id)",
}
Close = Callable[[Sandbox, date], None]


def environment(sandbox: Sandbox, home: Path) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CLEAR_STREET", "DA"))}
    broker = {"CLEAR_STREET_BASE_URL": sandbox.url, "CLEAR_STREET_API_KEY": KEY}
    return {**mine, **broker, "DAYBOOK_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}


def replay(sandbox: Sandbox, home: Path, close: Close) -> dict[str, list[tuple[Any, ...]]]:
    """Close every day in one way; the books at the end."""
    for day in sandbox.days:
        sandbox.clock.set(sandbox.after_close(day))
        close(sandbox, day)
    with open_published(Settings(home=home).published) as con:
        return {
            table: con.execute(f"select {columns} from {table} order by all").fetchall()
            for table, columns in BOOKS.items()
        }


def by_command(tmp_path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """`daybook eod`."""
    home = tmp_path / "command"

    def close(sandbox: Sandbox, _: date) -> None:
        command: list[str | Path] = [Path(sys.executable).with_name("daybook"), "eod"]
        ended = subprocess.run(command, env=environment(sandbox, home), capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert "COMPLETE" in ended.stdout
        assert "Traceback" not in ended.stderr
        assert "Warning" not in ended.stderr

    with Sandbox(days=DAYS) as sandbox:
        return replay(sandbox, home, close)


def by_dagster(tmp_path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """`dagster job execute`."""
    home = tmp_path / "dagster"

    def close(sandbox: Sandbox, day: date) -> None:
        tags = json.dumps({"dagster/partition": day.isoformat()})
        module = ["-m", "dagster_project.definitions", "-j", "end_of_day"]
        command = [sys.executable, "-m", "dagster", "job", "execute", *module, "--tags", tags]
        ended = subprocess.run(command, env=environment(sandbox, home), capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert KEY not in ended.stdout + ended.stderr

    with Sandbox(days=DAYS) as sandbox, pytest.MonkeyPatch.context() as patch:
        for name in ("DAGSTER_HOME", "DAYBOOK_HOME", "DAGSTER_DISABLE_TELEMETRY"):
            patch.setenv(name, "restored afterwards")
        prepare_instance(Settings(home=home))
        return replay(sandbox, home, close)


def by_schedule(tmp_path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The run that the schedule asks for, through the queue of a real daemon; and what a failed one leads to."""
    home = tmp_path / "schedule"
    with Sandbox(days=DAYS) as sandbox, daybook_dev(environment(sandbox, home), tmp_path / "dev.log") as dev:
        assert set(dev.schedules().values()) == {"STOPPED"}  # a stand-in's

        def close(_: Sandbox, day: date) -> None:
            tags = dev.tick("after_close", sandbox.after_close(day).timestamp())
            assert {"key": "dagster/partition", "value": day.isoformat()} in tags
            assert dev.end_of(dev.launch("end_of_day", tags)) == "SUCCESS"

        books = replay(sandbox, home, close)
        _a_failed_run_is_heard_of(dev, sandbox, home)
        assert dev.stop(signal.SIGINT) == 0
    assert KEY.encode() not in (tmp_path / "dev.log").read_bytes()
    return books


def _a_failed_run_is_heard_of(dev: Dev, sandbox: Sandbox, home: Path) -> None:
    past = sandbox.days[0].isoformat()
    run = dev.launch("end_of_day", [{"key": "dagster/partition", "value": past}])
    assert dev.end_of(run) == "FAILURE"
    log = home / "alerts.log"
    (line,) = wait_for(lambda: log.read_text().splitlines() if log.exists() else None, 90)
    alert = json.loads(line)
    assert alert["sentence"].startswith(
        f"The run end_of_day failed: The broker's clock is in the trading day {sandbox.days[1]}"
    )
    assert (alert["trading_date"], alert["run"]) == (past, run)
    assert alert["todo"] == ConfigurationError.todo  # a day that can't be read is not to be tried again before 04:00


def test_three_ways_to_close_a_day_give_the_same_books(tmp_path: Path) -> None:
    command = by_command(tmp_path)
    assert len(command["quality.day"]) == DAYS
    assert command["pnl.position_daily_version"]
    assert by_dagster(tmp_path) == command
    assert by_schedule(tmp_path) == command
