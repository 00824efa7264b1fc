"""Sixteen parts of an evening, landed in a lake by four processes at once; killed ones, and one rate over all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import CATALOG
from daybook.demo_script import INCIDENTS, runs_of
from pipelines.books.build import build
from pipelines.broker.http import GaveUp, Http
from pipelines.errors import LockedOut
from pipelines.ingest.part_session import part_session
from pipelines.ingest.parts import PARTS, part_of
from pipelines.ingest.snapshot import take_part, take_plan, take_snapshot
from pipelines.ingest.upkeep import maintain
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.warehouse.pending_packages import count_entries, packages_waiting
from pipelines.warehouse.session import warehouse_session
from tests.lake.conftest import NewLake
from tests.support.broker_server import BrokerServer, Fault, position
from tests.support.lakes import new_database
from tests.support.postgres import Postgres
from tests.support.same_books import different

WORKERS = 4
ACCOUNT, EVENING = "100001", datetime(2025, 10, 31, 20, 20, tzinfo=UTC)
PART = part_of(ACCOUNT)
#: The parts that the accounts of the demo are in.
HELD = sorted({part_of(account) for account in ("20517", "20518", "205170")})
_LANDED = """
    select
        (
            select count(*) from raw.extract_run as run
            inner join raw._dlt_loads as loads on run._dlt_load_id = loads.load_id
            where run.accounts_complete = 1
        ),
        (select count(*) from raw.positions as p inner join raw._dlt_loads as loads on p._dlt_load_id = loads.load_id)
"""


def read_part(settings: Settings, part: int) -> str | None:
    """What a worker does; the run that it landed."""
    with part_session(settings, part) as (con, mine):
        read = take_part(con, mine, part)
    return read.run_id if read else None


@contextmanager
def at_once() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.heavy
def test_parts_of_four_processes_are_the_books_of_whole_evenings_with_readers_and_upkeep_meanwhile(
    lake: NewLake, tmp_path: Path
) -> None:
    with Sandbox(days=2, incidents=INCIDENTS) as sandbox, at_once() as pool, reading() as readers:
        parted = lake(tmp_path / "lake", url=sandbox.url)
        whole = Settings.model_validate({"base_url": sandbox.url, "home": tmp_path / "file", "api_key": "any"})
        for evening, day in enumerate(sandbox.days):
            for at in runs_of(sandbox, day):
                sandbox.clock.set(at)
                with warehouse_session(whole) as con:
                    take_snapshot(con, whole)
                    build(con, whole, CATALOG)
                with warehouse_session(parted) as con:
                    take_plan(con, parted)
                wanted = range(PARTS) if evening == 0 else HELD  # one of no account lands nothing, and takes a second
                landing = [pool.submit(read_part, parted, part) for part in wanted]
                kept = upkeep_until(parted, landing)
                assert kept > 0
                runs = [each.result() for each in landing]
                assert len({run for run in runs if run}) == len(HELD)
                with warehouse_session(parted) as con:
                    build(con, parted, CATALOG)
                readers.begin(parted)
        said = readers.end()
    assert (said["errors"], said["torn"]) == ([], [])
    assert min(said["asked"]) > 0
    assert different(whole.warehouse, parted) == []


def upkeep_until(settings: Settings, landing: list[Future[str | None]]) -> int:
    """Keep a lake tidy, again and again, until everything is landed; how often it was done in full."""
    done = 0
    while wait(landing, timeout=3).not_done:  # it takes a core that landing needs
        maintain(settings, timedelta(0))
        done += 1
    return done


class Readers:
    """Eight readers in a process of their own, from the first evening that is built."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def begin(self, settings: Settings) -> None:
        """Have them read a lake, unless they do."""
        if self._process is None:
            command = [sys.executable, "-m", "tests.support.lake_readers", str(settings.lake), str(settings.lake_data)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert self._process.stdout is not None
            assert self._process.stdout.readline() == "reading\n"

    def end(self) -> dict[str, Any]:
        """What they have seen."""
        assert self._process is not None
        said, _ = self._process.communicate(timeout=120)
        return dict(json.loads(said))

    def kill(self) -> None:
        """They are gone, whatever they are at."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@contextmanager
def reading() -> Iterator[Readers]:
    readers = Readers()
    try:
        yield readers
    finally:
        readers.kill()


@pytest.fixture
def planned(lake: NewLake, tmp_path: Path) -> Iterator[tuple[BrokerServer, Settings]]:
    """A broker with one account, and a lake in which its evening is planned."""
    server = BrokerServer(
        accounts=[ACCOUNT],
        positions={ACCOUNT: [position(ACCOUNT, number) for number in range(50)]},
        instructions={},
        now=EVENING,
    )
    with server:
        settings = lake(tmp_path / "home", url=server.url)
        with warehouse_session(settings) as con:
            take_plan(con, settings)
        yield server, settings


def killed_when(ready: Callable[[], bool], settings: Settings) -> None:
    """Begin to read the account's part in a process of its own, and kill that when it has come so far."""
    worker = get_context("spawn").Process(target=read_part, args=(settings, PART))
    worker.start()
    deadline = time.monotonic() + 120
    while not ready():
        assert worker.is_alive(), "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join(30)
    assert worker.exitcode == -signal.SIGKILL


def landed(settings: Settings) -> tuple[int, int]:
    """How many runs of the part there are, and rows of positions, of loads that were committed."""
    with warehouse_session(settings) as con:
        row = con.execute(_LANDED).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_part_whose_worker_is_killed_while_it_reads_is_read_again_and_lands_once(
    planned: tuple[BrokerServer, Settings],
) -> None:
    server, settings = planned
    asked = threading.Event()
    server.faults = [Fault("positions", then=lambda _: asked.set(), drip=0.5)]
    killed_when(asked.is_set, settings)
    assert landed(settings) == (0, 0)
    assert read_part(settings, PART) is not None  # its lock was free at once
    assert landed(settings) == (1, 50)
    assert read_part(settings, PART) is None


def test_a_part_whose_worker_is_killed_while_it_lands_is_landed_by_the_next_one_and_not_read_again(
    planned: tuple[BrokerServer, Settings],
) -> None:
    server, settings = planned
    dlt = settings.home / "parts" / f"{PART:02}" / "dlt"
    killed_when(lambda: count_entries(dlt / "daybook" / "load" / "normalized") > 0, settings)
    server.requests.clear()
    assert packages_waiting(dlt) > 0
    assert read_part(settings, PART) is None
    assert [request.path for request in server.requests if "/accounts" in request.path] == []
    assert landed(settings) == (1, 50)


def test_a_part_is_read_by_one_worker_at_a_time_and_parts_beside_each_other(
    planned: tuple[BrokerServer, Settings],
) -> None:
    _, settings = planned
    with part_session(settings, PART):
        with part_session(settings, (PART + 1) % PARTS):
            pass
        with (
            pytest.raises(LockedOut, match=rf"in use by process {os.getpid()} of host "),
            part_session(settings, PART, wait=0),
        ):
            pass


def ask(url: str, lake: str, rate: float, times: int) -> None:
    """A worker with four threads that asks as often as it may."""
    with Http(url, None, requests_per_second=rate, lake=lake) as http, ThreadPoolExecutor(4) as threads:
        for reply in threads.map(lambda _: http.get("/v1/clock", {}, time.monotonic() + 60), range(times)):
            assert reply.status == 200


def test_four_workers_never_ask_more_than_the_limit_in_any_second(postgres: Postgres) -> None:
    rate, times = 25.0, 25
    came: list[float] = []
    catalog = new_database(postgres)

    def now() -> datetime:
        came.append(time.monotonic())
        return EVENING

    with BrokerServer(now=now) as server, at_once() as pool:
        list(pool.map(int, range(WORKERS)))  # they are there
        for asking in [pool.submit(ask, server.url, catalog, rate, times) for _ in range(WORKERS)]:
            asking.result()
    came.sort()
    assert len(came) == WORKERS * times
    assert max(sum(since <= each < since + 1 for each in came) for since in came) <= rate
    assert came[-1] - came[0] < WORKERS * times / rate * 2  # and it is made use of


def test_a_rate_that_can_not_be_kept_is_a_read_that_failed_in_a_sentence() -> None:
    with (
        BrokerServer() as server,
        Http(server.url, None, requests_per_second=5, lake="postgresql://daybook@127.0.0.1:1/none") as http,
        pytest.raises(GaveUp, match="the rate that all workers share can't be kept"),
    ):
        http.get("/v1/clock", {}, time.monotonic() + 60)
    assert server.requests == []
