"""Upgrades: books that an earlier daybook wrote are opened by today's, after a backup, and go on where they stopped."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from pipelines.ingest.snapshot import Snapshot
from pipelines.settings import Settings
from pipelines.warehouse.backup import restore, verify_backup
from pipelines.warehouse.connect import SCHEMA_VERSION, remembered
from pipelines.warehouse.migrations import KEY, STEPS
from pipelines.warehouse.published import publish_if_behind
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer
from tests.support.care import NOBODY
from tests.support.desk import FRIDAY, shares
from tests.support.fault_books import close_day, published
from tests.support.processes import run

#: Warehouses as earlier versions left them, by their version.
FROZEN = sorted((Path(__file__).parents[1] / "fixtures").glob("warehouse-*.sql"))


def thawed(path: Path, home: Path) -> Settings:
    """A home whose warehouse an earlier daybook wrote."""
    home.mkdir(mode=0o700)
    with duckdb.connect(home / "warehouse.duckdb") as con:
        con.execute(path.read_text(encoding="utf-8"))
    return Settings(base_url=NOBODY, home=home)


def close_friday(settings: Settings) -> Snapshot:
    """Friday's evening, with a broker that holds on to what it had."""
    friday = {100: [shares("100", "152.25", cost="14500.00", day="2025-10-31")]}
    with BrokerServer(accounts=[100], positions=friday, instructions={}) as server:
        server.now = datetime.fromisoformat(FRIDAY)
        return close_day(Settings(base_url=server.url, home=settings.home))


def gains(settings: Settings) -> list[Decimal | None]:
    """By how much the position gained in value on each day, as published."""
    with duckdb.connect(settings.published, read_only=True) as con:
        found = con.execute("select unrealized_change from pnl.position_daily order by trading_date").fetchall()
        return [gain for (gain,) in found]


Rows = list[tuple[object, ...]]


def versions(con: duckdb.DuckDBPyConnection, columns: list[str] | None = None) -> tuple[Rows, list[str]]:
    """What was said of Thursday first, and in which columns; but for when that ended, and the type that changes."""
    names = columns or [
        row[0] for row in con.execute("describe pnl.position_daily_version").fetchall()
        if row[0] not in ("multiplier", "known_to")
    ]  # fmt: skip
    query = (
        f"select {', '.join(names)} from pnl.position_daily_version where trading_date = '2025-10-30' and version = 1"
    )
    return con.execute(query).fetchall(), names


def rows(con: duckdb.DuckDBPyConnection, table: str, *but: str) -> Rows:
    columns = [row[0] for row in con.execute(f"describe {table}").fetchall() if row[0] not in but]
    return con.execute(f"select {', '.join(columns)} from {table} order by all").fetchall()


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.stem)
def test_books_of_an_earlier_daybook_go_on_where_they_stopped(path: Path, tmp_path: Path) -> None:
    settings = thawed(path, tmp_path / "home")
    with duckdb.connect(settings.warehouse) as con:
        before = rows(con, "raw.positions"), rows(con, "raw.extract_manifest")
        said, columns = versions(con)
    snapshot = close_friday(settings)
    assert snapshot.is_complete
    assert snapshot.alerts == []
    with warehouse_session(settings, wait=5) as con:
        assert remembered(con, KEY) == str(STEPS[-1].version)
        assert set(before[0]) < set(rows(con, "raw.positions"))
        assert set(before[1]) < set(rows(con, "raw.extract_manifest"))
        assert versions(con, columns)[0] == said
        kind = "select data_type from duckdb_columns() where table_name = 'position_daily_version' and column_name = $1"
        assert con.execute(kind, ["multiplier"]).fetchone() == ("DECIMAL(12,4)",)
    books, _ = published(settings)
    assert [(str(row[0]), row[1]) for row in books["quality.day"]] == [
        ("2025-10-30", "COMPLETE"), ("2025-10-31", "COMPLETE"),
    ]  # fmt: skip
    assert gains(settings) == [None, Decimal(175)]


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.stem)
def test_before_a_migration_there_is_a_backup_and_it_can_be_restored(path: Path, tmp_path: Path) -> None:
    settings = thawed(path, tmp_path / "home")
    with duckdb.connect(settings.warehouse, read_only=True) as con:
        was = rows(con, "pnl.position_daily_version")
    with warehouse_session(settings, wait=5):
        pass
    (folder,) = settings.backups.iterdir()
    assert folder.name.endswith(f"-version-{path.stem.rpartition('-')[2]}")
    verify_backup(folder)
    other = Settings(base_url=NOBODY, home=tmp_path / "restored")
    restore(folder, other)
    with duckdb.connect(other.warehouse, read_only=True) as con:
        assert rows(con, "pnl.position_daily_version") == was
        assert con.execute("select value from main.daybook_meta where key = ?", [KEY]).fetchone() == (
            path.stem.rpartition("-")[2],
        )
    with warehouse_session(settings, wait=5):  # nothing is due any more, and no backup is made of it
        pass
    assert list(settings.backups.iterdir()) == [folder]


#: A process that opens the books of an earlier daybook and dies after one of the migration's functions.
DEADLY = """
import os, signal, sys
from pathlib import Path
from pipelines.warehouse.session import warehouse_session
from pipelines.settings import Settings
from pipelines.warehouse import migrations
real = getattr(migrations, sys.argv[2])
def deadly(*args, **kwargs):
    real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(migrations, sys.argv[2], deadly)
with warehouse_session(Settings(base_url="http://127.0.0.1:1", home=Path(sys.argv[1]))):
    pass
"""


@pytest.mark.kill
@pytest.mark.parametrize("point", ["make_backup", "remember", "_apply"])  # backed up; changed, uncommitted; done
def test_a_migration_that_is_killed_is_taken_up_by_the_next_command(point: str, tmp_path: Path) -> None:
    settings = thawed(FROZEN[0], tmp_path / "home")
    with duckdb.connect(settings.warehouse, read_only=True) as con:
        was = rows(con, "raw.positions"), versions(con)
    killed = run([sys.executable, "-c", DEADLY, settings.home, point])
    assert killed.returncode == -signal.SIGKILL
    time.sleep(1)  # backups are named by the second
    with warehouse_session(settings, wait=5) as con:
        assert remembered(con, KEY) == str(STEPS[-1].version)
        assert (rows(con, "raw.positions"), versions(con)) == was
    assert close_friday(settings).is_complete


def test_every_version_has_a_step_and_those_before_it_a_warehouse_that_was_kept() -> None:
    assert [step.version for step in STEPS] == list(range(2, SCHEMA_VERSION + 1))
    assert [path.stem for path in FROZEN] == [f"warehouse-{version}" for version in range(1, SCHEMA_VERSION)]


def test_a_table_or_view_of_a_newer_daybook_is_published_though_no_figure_changed(
    home_of_two_evenings: Path, tmp_path: Path
) -> None:
    shutil.copytree(home_of_two_evenings, tmp_path / "home")
    settings = Settings(base_url=NOBODY, home=tmp_path / "home")
    with warehouse_session(settings, wait=5) as con:
        assert not publish_if_behind(con, settings)
        con.execute("create view quality.seen_by_a_newer_daybook as select 1 as one")
        assert publish_if_behind(con, settings)
        assert not publish_if_behind(con, settings)
