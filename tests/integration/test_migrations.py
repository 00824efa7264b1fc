"""Migrations: steps are taken after a backup and whole or not at all, and later rows land in the new columns."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pipelines.errors import DaybookError, WrongWarehouse
from pipelines.ingest.landing import TABLES, broker_source, land
from pipelines.ingest.snapshot import Snapshot
from pipelines.settings import Settings
from pipelines.warehouse.connect import SCHEMA_VERSION, remembered
from pipelines.warehouse.dlt_pipeline import open_pipeline
from pipelines.warehouse.migrations import KEY, Step, migrate
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer
from tests.support.care import NOBODY, days_in
from tests.support.desk import FRIDAY, shares
from tests.support.fault_books import close_day

NEXT = SCHEMA_VERSION + 1
#: What a later daybook may bring: a field of the broker's, and a column of the versions.
LATER = (
    Step(
        NEXT,
        "positions get what the broker says of their settlement",
        (
            "alter table raw.positions add column settlement_note varchar",
            "alter table pnl.position_daily_version add column settlement_note varchar",
        ),
    ),
)
BROKEN = (replace(LATER[-1], statements=(*LATER[-1].statements, "alter table raw.nowhere add column x integer")),)


@pytest.fixture
def settings(home_of_two_evenings: Path, tmp_path: Path) -> Settings:
    """A home with two evenings in it, as of today's version."""
    shutil.copytree(home_of_two_evenings, tmp_path / "home")
    return Settings(base_url=NOBODY, home=tmp_path / "home")


def close_friday(settings: Settings) -> Snapshot:
    """Friday's evening, with a broker that holds on to what it had."""
    friday = {100: [shares("100", "152.25", cost="14500.00", day="2025-10-31")]}
    with BrokerServer(accounts=[100], positions=friday, instructions={}) as server:
        server.now = datetime.fromisoformat(FRIDAY)
        return close_day(Settings(base_url=server.url, home=settings.home))


def rows(con: duckdb.DuckDBPyConnection, table: str, *but: str) -> list[tuple[object, ...]]:
    columns = [row[0] for row in con.execute(f"describe {table}").fetchall() if row[0] not in but]
    return con.execute(f"select {', '.join(columns)} from {table} order by all").fetchall()


def test_books_that_nobody_has_filled_need_no_migration(tmp_path: Path) -> None:
    settings = Settings(base_url=NOBODY, home=tmp_path / "home")
    with warehouse_session(settings, wait=5) as con:
        assert migrate(con, settings, steps=LATER) is None
    assert list(settings.backups.iterdir()) == []


def test_a_column_that_is_new_in_the_models_needs_a_step_and_lands_after_it(settings: Settings) -> None:
    with warehouse_session(settings, wait=5) as con:
        later = positions_of(con).append_column("settlement_note", pa.array(["T+1"], pa.string()))
        with pytest.raises(DaybookError, match="could not be loaded"):
            land(open_pipeline(con, settings.dlt), {"positions": [later]})
        assert "settlement_note" not in columns_of(con)
        was = rows(con, "raw.positions")
        assert migrate(con, settings, steps=LATER) is not None
        assert remembered(con, KEY) == str(NEXT)
        assert rows(con, "raw.positions", "settlement_note") == was
        land(open_pipeline(con, settings.dlt), {"positions": [later]})
        notes = con.execute("select settlement_note, count(*) from raw.positions group by all order by all").fetchall()
        assert notes == [("T+1", 1), (None, 2)]
        assert columns_of(con).count("settlement_note") == 1


def positions_of(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """One position, in the types that are landed, of a run of its own."""
    schema = TABLES["positions"][1].schema
    found = con.execute(f"select {', '.join(schema.names)} from raw.positions limit 1").to_arrow_table()
    names = pa.array(["20251103T213000Z-00000000"])
    return found.set_column(0, "run_id", names).cast(schema)


def columns_of(con: duckdb.DuckDBPyConnection) -> list[str]:
    return [row[0] for row in con.execute("describe raw.positions").fetchall()]


def test_what_was_read_and_not_loaded_yet_is_loaded_before_its_tables_change(settings: Settings) -> None:
    with warehouse_session(settings, wait=5) as con:
        pipeline = open_pipeline(con, settings.dlt)
        pipeline.extract(broker_source({"positions": [positions_of(con)]}), loader_file_format="parquet")
        pipeline.normalize()
        assert pipeline.has_pending_data
        migrate(con, settings, steps=LATER)
        assert not open_pipeline(con, settings.dlt).has_pending_data
        assert len(rows(con, "raw.positions")) == 3
    assert not (settings.home / "quarantine").exists()


def test_a_step_that_fails_changes_nothing_and_names_the_backup(settings: Settings) -> None:
    with warehouse_session(settings, wait=5) as con:
        before = rows(con, "raw.positions"), columns_of(con)
        with pytest.raises(DaybookError, match="could not be brought to version") as failed:
            migrate(con, settings, steps=BROKEN)
        (backup,) = settings.backups.iterdir()
        assert str(backup) in str(failed.value)
        assert (rows(con, "raw.positions"), columns_of(con)) == before
        assert remembered(con, KEY) == str(SCHEMA_VERSION)
    days = days_in(settings.published)
    assert close_friday(settings).is_complete
    assert days_in(settings.published) == days


def test_books_of_a_newer_daybook_are_refused_before_anything_is_touched(settings: Settings) -> None:
    with warehouse_session(settings, wait=5) as con:
        migrate(con, settings, steps=LATER)
        with pytest.raises(WrongWarehouse, match="newer daybook"):
            migrate(con, settings, steps=[Step(SCHEMA_VERSION, "nothing changes", ())])
    assert len(list(settings.backups.iterdir())) == 1
