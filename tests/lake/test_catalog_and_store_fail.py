"""The catalog is restarted in the middle of a build, the store is silent or gone: one sentence, exit code 1, nothing
changed, no process left at work; and the next run is exact."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import CATALOG
from pipelines.books import build as building
from pipelines.errors import BuildFailed
from pipelines.ingest.snapshot import take_snapshot
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from tests.lake.conftest import NewLake
from tests.support.broker_server import BrokerServer
from tests.support.command_line import on_lake
from tests.support.desk import FRIDAY, THURSDAY
from tests.support.fault_books import Books, broker, close_day, published, turn
from tests.support.lakes import Bucket, create, new_database, snapshots
from tests.support.postgres import Postgres
from tests.support.postgres import postgres as postgres_server
from tests.support.relay import Relay

OnFriday = tuple[BrokerServer, Settings]


def test_a_catalog_restarted_in_a_build_changes_nothing_and_the_next_build_is_exact(
    tmp_path: Path, undisturbed: tuple[Books, list[Books]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres_server(tmp_path / "passfile") as server, broker(THURSDAY) as at:
        monkeypatch.setenv("PGPASSFILE", str(server.passfile))
        settings = Settings.model_validate(
            {
                "base_url": at.url,
                "home": tmp_path / "home",
                "lake": new_database(server),
                "lake_data": str(tmp_path / "data"),
            }
        )
        create(settings)
        close_day(settings)
        turn(at, FRIDAY)
        before = _killed_while_building(settings, server, monkeypatch)
        assert snapshots(settings) == before
        spent = time.process_time()
        _build(settings)  # in the same process, which once did not come back from it
        assert published(settings) == undisturbed
        assert time.process_time() - spent < 60


def _killed_while_building(settings: Settings, server: Postgres, monkeypatch: pytest.MonkeyPatch) -> int:
    real = building.make_tables

    def restarted(*args: Any) -> bool:
        made = real(*args)
        server.restart("immediate")
        return made

    with warehouse_session(settings) as con:
        take_snapshot(con, settings)
    before = snapshots(settings)
    with monkeypatch.context() as patch:
        patch.setattr(building, "make_tables", restarted)
        with pytest.raises(BuildFailed, match=r"^The build failed and changed nothing: "):
            _build(settings)
    return before


def _build(settings: Settings) -> None:
    with warehouse_session(settings) as con:
        building.build(con, settings, CATALOG)


@pytest.fixture
def behind_relay(
    lake: NewLake, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Relay, Settings]]:
    """A lake in a bucket that is reached through a relay, a Thursday closed and a Friday landed in it."""
    relay = Relay(int(bucket.url.rpartition(":")[2]))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{relay.port}")
    with broker(THURSDAY) as at:
        settings = lake(tmp_path / "home", bucket=bucket, url=at.url)
        close_day(settings)
        turn(at, FRIDAY)
        with warehouse_session(settings) as con:
            take_snapshot(con, settings)
    yield relay, settings
    relay.talk()
    relay.go()


def test_a_store_that_is_silent_is_waited_for_and_one_that_is_gone_is_told_of(
    behind_relay: tuple[Relay, Settings], undisturbed: tuple[Books, list[Books]], monkeypatch: pytest.MonkeyPatch
) -> None:
    relay, settings = behind_relay
    before = snapshots(settings)
    relay.go()
    began = time.monotonic()
    failed = on_lake(settings, "build", timeout=120)
    assert (failed.code, snapshots(settings)) == (1, before), failed
    assert f"The files of the lake in {settings.lake_data}/tables/ can't be reached (" in failed.sentence
    assert time.monotonic() - began < 120
    relay.come_back()

    real = building._build_alone

    def silent_for_a_while(*args: Any) -> None:
        relay.silence()
        threading.Timer(3, relay.talk).start()
        real(*args)

    monkeypatch.setattr(building, "_build_alone", silent_for_a_while)
    _build(settings)
    assert published(settings) == undisturbed
