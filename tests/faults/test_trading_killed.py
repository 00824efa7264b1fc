"""A trade that is killed with SIGKILL: the record says what is known, nothing is sent twice, and the next sync
finds out."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from pipelines.ingest.snapshot import take_snapshot
from pipelines.sandbox.orders import OrderTimeline
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.trading.journal import Journal, Record
from pipelines.trading.settle import settle
from pipelines.warehouse.session import warehouse_session
from tests.support.command_line import DAYBOOK, KEY, daybook, environment
from tests.support.processes import Process, run
from tests.support.trading_server import Recorder

ACCOUNT = "20517"
NOON = datetime(2005, 2, 3, 18, tzinfo=UTC)
OPTIONS = "20518"
GOOG_CALL = "GOOG  050319C00200000"
SUBMIT = (
    *("instructions", "submit", "--account", OPTIONS, "--yes"),
    *("--type", "EXERCISE", "--instrument", GOOG_CALL, "--quantity", "1"),
)
CLOSE_ALL = ("positions", "close-all", "--account", ACCOUNT, "--yes")
DEADLY = """
import sys
from tests.support.killer import Point, arm
module, name, when, nth, *arguments = sys.argv[1:]
arm(Point(module, name, when, int(nth)))
from daybook.cli.app import main
sys.exit(main(arguments))
"""
JOURNAL, TRADING = "pipelines.trading.journal", "pipelines.trading.send"


@dataclass(frozen=True)
class Killed:
    """Where a trade was killed, and what is known then: the record's state (None: there is none), how often the request
    left, and what the next sync makes of it."""

    module: str
    name: str
    when: str
    nth: int
    state: str | None
    sent: int
    outcome: str | None


POINTS = {
    "before it is prepared": Killed(JOURNAL, "Journal.write", "before", 1, None, 0, None),
    "once it is prepared": Killed(JOURNAL, "Journal.write", "after", 1, "PREPARED", 0, "NEVER_SENT"),
    "while the books are looked at": Killed(TRADING, "_check_books", "after", 1, "PREPARED", 0, "NEVER_SENT"),
    "before the books are read again": Killed(TRADING, "refuse_changed", "before", 1, "PREPARED", 0, "NEVER_SENT"),
    "once the books are read again": Killed(TRADING, "refuse_changed", "after", 1, "PREPARED", 0, "NEVER_SENT"),
    "before sending": Killed("pipelines.trading.http", "TradingHttp.send", "before", 1, "SENT", 0, "NOT_FOUND"),
    "after sending": Killed("pipelines.trading.http", "TradingHttp.send", "after", 1, "SENT", 1, "FOUND"),
    "before the answer is written down": Killed(JOURNAL, "Journal.write", "before", 3, "SENT", 1, "FOUND"),
    "once the answer is written down": Killed(JOURNAL, "Journal.write", "after", 3, "ANSWERED", 1, None),
    "before landing": Killed(TRADING, "land_records", "before", 1, "ANSWERED", 1, None),
    "before dlt lands": Killed("pipelines.trading.landing", "land", "before", 1, "ANSWERED", 1, None),
    "in the middle of landing": Killed("dlt.pipeline.pipeline", "Pipeline.normalize", "after", 1, "ANSWERED", 1, None),
    "after landing": Killed("pipelines.trading.landing", "land", "after", 1, "ANSWERED", 1, None),
}


@contextmanager
def broker(home: Path) -> Iterator[tuple[Sandbox, Recorder, Settings]]:
    with Sandbox(seed=1, short_sales=False) as sandbox, Recorder(sandbox.url) as recorder:
        sandbox.clock.set(NOON)
        yield sandbox, recorder, Settings(base_url=recorder.url, home=home, api_key=KEY)


def record(settings: Settings) -> Record | None:
    journal = Journal(settings)
    found = [journal.read(run) for run in journal.run_ids()]
    assert len(found) < 2
    return found[0] if found else None


def next_sync(sandbox: Sandbox, settings: Settings) -> list[str]:
    sandbox.clock.set(sandbox.clock.now + timedelta(minutes=10))
    with warehouse_session(settings) as con:
        snapshot = take_snapshot(con, settings)
        settled = settle(con, settings)
    return snapshot.alerts + settled


def orders_of_the_trade(settings: Settings) -> int:
    """How many orders the books have of the trade itself, once however often it was landed."""
    with warehouse_session(settings) as con:
        found = con.execute(
            """
            select count(*) from raw.orders
            inner join raw.extract_run as run on orders.run_id = run.run_id
            inner join raw._dlt_loads as committed on run._dlt_load_id = committed.load_id and committed.status = 0
            where run.trigger = 'trading'
            """
        ).fetchone()
    assert found is not None
    return int(found[0])


def run_until_killed(at: Killed, settings: Settings, arguments: tuple[str, ...]) -> None:
    process = run(
        [sys.executable, "-c", DEADLY, at.module, at.name, at.when, str(at.nth), *arguments],
        env=environment(settings.home, settings.base_url),
    )
    assert process.returncode == -signal.SIGKILL, process.stderr


@pytest.mark.parametrize("point", POINTS)
def test_a_trade_that_is_killed_leaves_a_record_of_what_is_known(tmp_path: Path, point: str) -> None:
    at = POINTS[point]
    with broker(tmp_path / "home") as (sandbox, recorder, settings):
        run_until_killed(at, settings, CLOSE_ALL)
        left = record(settings)
        assert (left.state if left else None) == at.state
        assert len(recorder.writes) == at.sent
        next_sync(sandbox, settings)
        after = record(settings)
        assert len(recorder.writes) == at.sent
        resolution = after.resolution if after else None
        assert (resolution.outcome if resolution else None) == at.outcome
        answered = at.state == "ANSWERED"
        assert orders_of_the_trade(settings) == (len(sandbox_orders(sandbox)) if answered else 0)
        assert next_sync(sandbox, settings) == []
        assert len(recorder.writes) == at.sent


@pytest.mark.parametrize("point", ["before sending", "after sending", "before landing"])
def test_a_key_that_was_made_is_on_disk_before_it_leaves_and_the_next_sync_finds_it(tmp_path: Path, point: str) -> None:
    at = POINTS[point]
    with broker(tmp_path / "home") as (sandbox, recorder, settings):
        run_until_killed(at, settings, SUBMIT)
        left = record(settings)
        assert left is not None
        (key,) = left.keys
        assert key == f"{left.run_id}-1"
        sent = [row["client_instruction_id"] for each in recorder.writes for row in orjson.loads(each.body)]
        assert sent == [key] * at.sent
        next_sync(sandbox, settings)
        after = record(settings)
        assert after is not None
        found = after.resolution
        assert (found.outcome if found else None) == at.outcome
        assert found is None or key in found.message or found.outcome == "NOT_FOUND"
        assert len(recorder.writes) == at.sent
        taken = [each for each in sandbox.broker.book(OPTIONS).instructions if each.key == key]
        assert len(taken) == at.sent


@pytest.mark.parametrize(("point", "words"), [("before sending", "not carried out"), ("after sending", "is CANCELLED")])
def test_a_cancellation_that_is_killed_is_told_by_the_state_of_the_instruction(
    tmp_path: Path, point: str, words: str
) -> None:
    at = POINTS[point]
    with broker(tmp_path / "home") as (sandbox, recorder, settings):
        assert daybook(*SUBMIT, home=tmp_path / "another", url=recorder.url).code == 0
        given = sandbox.broker.book(OPTIONS).instructions[-1]
        run_until_killed(at, settings, ("instructions", "cancel", "--account", OPTIONS, "--id", given.id, "--yes"))
        assert len(recorder.writes) == 1 + at.sent
        next_sync(sandbox, settings)
        after = record(settings)
        assert after is not None
        assert after.resolution is not None
        assert after.resolution.outcome == at.outcome
        assert words in after.resolution.message
        assert len(recorder.writes) == 1 + at.sent


def test_a_trade_that_is_killed_while_it_waits_for_the_answer_is_found_out_by_the_next_sync(tmp_path: Path) -> None:
    with broker(tmp_path / "home") as (sandbox, recorder, settings):
        recorder.then = "stall"
        process = Process(
            [DAYBOOK, *CLOSE_ALL],
            env=environment(settings.home, recorder.url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while not recorder.writes and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        process.wait()
        left = record(settings)
        assert left is not None
        assert left.state == "SENT"
        (sentence,) = next_sync(sandbox, settings)
        assert all(order.id in sentence for order in sandbox_orders(sandbox))
        assert len(recorder.writes) == 1


def test_ctrl_c_while_waiting_is_an_unknown_outcome_with_the_commands_that_find_out(tmp_path: Path) -> None:
    with broker(tmp_path / "home") as (_, recorder, settings):
        recorder.then = "stall"
        process = Process(
            [DAYBOOK, *CLOSE_ALL],
            env=environment(settings.home, recorder.url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 60
        while not recorder.writes and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 3
        assert b"OUTCOME UNKNOWN" in err
        assert f"daybook positions list --account {ACCOUNT}" in err.decode()
        left = record(settings)
        assert left is not None
        assert left.state == "UNKNOWN"


def sandbox_orders(sandbox: Sandbox) -> list[OrderTimeline]:
    """The closing orders that the broker made at noon."""
    return [
        order
        for order in sandbox.broker.book(ACCOUNT).orders
        if order.order_type == "MARKET" and order.created_at == NOON
    ]
