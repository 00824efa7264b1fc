"""On a lake the archive of a run is where it belongs before its rows are landed, whatever dies in between."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.archive.places import place_of, runs_of
from pipelines.archive.read import archived_runs
from pipelines.errors import StoreAway
from pipelines.ingest.landing import TABLES
from pipelines.ingest.replay import replay
from pipelines.ingest.retention import prune
from pipelines.ingest.snapshot import take_snapshot
from pipelines.ingest.upkeep import maintain
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from pipelines.warehouse.verify import verify_home
from tests.lake.conftest import NewLake
from tests.support.broker_server import BrokerServer, Fault
from tests.support.desk import FRIDAY, MONDAY, THURSDAY, shares
from tests.support.kill import kill
from tests.support.lakes import Bucket

Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def broker() -> Iterator[BrokerServer]:
    positions = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")]}
    with BrokerServer(accounts=[100], positions=positions, instructions={}) as serving:
        yield serving


def sync(settings: Settings, broker: BrokerServer, at: str) -> None:
    broker.now = datetime.fromisoformat(at)
    with warehouse_session(settings) as con:
        assert take_snapshot(con, settings).alerts == []


def landed(settings: Settings) -> Rows:
    """Every row of raw.*, by table."""
    with warehouse_session(settings) as con:
        return {
            name: con.execute(f"select * exclude (_dlt_load_id) from raw.{name} order by all").fetchall()
            for name in TABLES
        }


def days(rows: Rows) -> list[str]:
    return sorted(str(row[1]) for row in rows["extract_run"])


def test_a_store_that_is_away_loses_nothing_and_an_empty_machine_has_the_runs_from_there(
    lake: NewLake, broker: BrokerServer, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = lake(tmp_path / "home", bucket=bucket, url=broker.url)
    with socket.socket() as nobody, monkeypatch.context() as patch:
        nobody.bind(("127.0.0.1", 0))
        elsewhere = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        # the store goes away while the broker is asked
        broker.faults.append(Fault("accounts", then=lambda _: patch.setenv("AWS_ENDPOINT_URL", elsewhere)))
        with pytest.raises(StoreAway) as refused:
            sync(settings, broker, THURSDAY)
    assert str(refused.value) == (
        f"The archive {place_of(settings)} can't be read (Could not connect to server): look at its server and the "
        f"AWS_* variables. What was read stays in {settings.home}: the next run sends it and lands it, before anything "
        "else."
    )
    (waiting,) = archived_runs(settings.archive)
    assert waiting.is_sealed
    assert runs_of(settings) == [waiting]
    sync(settings, broker, FRIDAY)
    rows = landed(settings)
    assert days(rows) == ["2025-10-30", "2025-10-31"]
    assert archived_runs(settings.archive) == []
    assert [run.run_id for run in runs_of(settings)] == sorted(row[0] for row in rows["extract_run"])

    elsewhere_too = settings.model_copy(update={"home": tmp_path / "another machine"})
    with warehouse_session(elsewhere_too, rebuilding=True) as con:
        done = replay(con, elsewhere_too)
        assert (len(done.landed), len(done.replaced), done.damaged) == (2, 2, [])
        assert verify_home(con, elsewhere_too).problems == []
    assert maintain(settings, timedelta(0), least_age=timedelta(0)).files_deleted > 5
    assert landed(settings) == rows


def test_a_run_that_is_killed_on_the_way_is_landed_by_the_next_and_never_before_its_archive_is_there(
    lake: NewLake, broker: BrokerServer, tmp_path: Path
) -> None:
    settings = lake(tmp_path / "home", url=broker.url)
    broker.now = datetime.fromisoformat(THURSDAY)
    kill("after the pages are sent", settings, "sync")
    assert len(archived_runs(settings.archive)) == len(runs_of(settings)) == 1
    broker.now = datetime.fromisoformat(FRIDAY)
    kill("after the archive is sent", settings, "sync")
    assert archived_runs(settings.archive) == []
    assert days(landed(settings)) == ["2025-10-30"]  # by the run that was killed: first what was waiting
    assert len(runs_of(settings)) == 2
    sync(settings, broker, MONDAY)
    assert days(landed(settings)) == ["2025-10-30", "2025-10-31", "2025-11-03"]
    with warehouse_session(settings) as con:
        pruned = prune(settings, con, datetime.fromisoformat(FRIDAY).date())
        assert (len(pruned.runs), pruned.kept) == (1, [])
        assert (len(runs_of(settings)), verify_home(con, settings).problems) == (2, [])
    shutil.rmtree(Path(place_of(settings)))
    with warehouse_session(settings) as con:
        (lost,) = verify_home(con, settings).problems
    assert lost.startswith("2 runs are in the books and not in the archive")
