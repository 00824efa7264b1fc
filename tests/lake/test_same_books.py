"""The books on a lake are those in a file: every table and view, its columns and their types, row by row."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.session import warehouse_session
from tests.support.lakes import exported


def test_the_books_of_a_lake_equal_those_of_a_file_table_by_table(
    home_of_week: Path, lake_of_week: Settings, tmp_path: Path
) -> None:
    with warehouse_session(lake_of_week) as con:
        on_lake = exported(con, "lake", tmp_path / "lake")
    with duckdb.connect(home_of_week / "warehouse.duckdb", read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        in_file = exported(con, "warehouse", tmp_path / "file")
    assert on_lake == in_file  # the same tables, columns and types
    assert len(in_file) > 45
    assert not [name for name in in_file if _differ(tmp_path, name)]


def _differ(folder: Path, name: str) -> bool:
    """Whether a row is in one and not in the other, or not as often."""
    one, other = (f"select * from read_parquet('{folder / side / name}.parquet')" for side in ("lake", "file"))
    count = f"select count(*) from (({one} except all {other}) union all ({other} except all {one}))"
    return duckdb.sql(count).fetchall() != [(0,)]


def test_a_lake_leaves_no_database_file_in_the_home(lake_of_week: Settings) -> None:
    assert not list(lake_of_week.home.rglob("*.duckdb*"))


def test_what_is_committed_is_published(lake_of_week: Settings) -> None:
    with open_published(lake_of_week.books) as con:
        days = con.execute("select status, count(*) from quality.day group by all order by all").fetchall()
    assert days == [("COMPLETE", 4), ("INCOMPLETE", 1)]
