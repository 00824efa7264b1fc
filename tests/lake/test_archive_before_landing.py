"""On a lake a run's archive is in the bucket before its rows are landed, and the books come from there again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import CATALOG
from pipelines.archive.bucket import Bucket
from pipelines.archive.places import place_of, runs_of
from pipelines.books.build import build
from pipelines.ingest.snapshot import take_snapshot
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer
from tests.support.desk import FRIDAY, THURSDAY, shares
from tests.support.lakes_of_a import new_lake, servers


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with servers(tmp_path_factory.mktemp("servers")) as made:
        yield made


def evening(settings: Settings, broker: BrokerServer, at: str) -> None:
    broker.now = datetime.fromisoformat(at)
    with warehouse_session(settings) as con:
        take_snapshot(con, settings)
        build(con, settings, CATALOG)


def test_x(both: Any, tmp_path: Path) -> None:
    import time
    positions = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")]}
    with BrokerServer(accounts=[100], positions=positions, instructions={}) as broker:
        t = time.time()
        settings = new_lake(*both, tmp_path / "home", broker.url)
        print("create", time.time() - t)
        for at in (THURSDAY, FRIDAY):
            t = time.time()
            evening(settings, broker, at)
            print("evening", time.time() - t)
    print([run.place for run in runs_of(settings)])
    print(list((tmp_path/"home").rglob("*")))
    with warehouse_session(settings) as con:
        print(con.execute("select * from pnl.account_daily").fetchall())
    assert 0
