"""The data dictionary: nothing undescribed, nothing described that isn't there, and the page is up to date."""

from __future__ import annotations

import tomllib

import duckdb
import pytest

from assets import dictionary
from assets.catalog import CATALOG
from assets.dictionary_page import PAGE, page
from pipelines.books.comments import comment, describe_column, describe_table
from pipelines.books.dictionary import entries, make_empty_books


def test_no_table_and_no_column_lacks_a_description() -> None:
    assert [name for name, entry in entries(CATALOG).items() if not entry.description] == []
    assert [
        f"{name}.{c.name}" for name, entry in entries(CATALOG).items() for c in entry.columns if not c.description
    ] == []


def test_no_description_lacks_its_column() -> None:
    said = tomllib.loads(CATALOG.columns.read_text(encoding="utf-8"))
    general, tables = said.pop("columns"), said.pop("tables")
    there = {name: {column.name for column in entry.columns} for name, entry in entries(CATALOG).items()}
    assert set(tables) <= set(there)
    for table, described in said.items():
        assert set(described) <= there[table] | there.get(f"{table}_version", set()), table
    used = {
        column
        for table, names in there.items()
        for column in names
        if describe_column(CATALOG, table, column) == general.get(column)
    }
    assert set(general) == used


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m assets.dictionary_page` and commit the page"


def test_what_is_shipped_is_up_to_date() -> None:
    assert dictionary.FILE.read_text(encoding="utf-8") == dictionary.as_file(entries(CATALOG)), (
        "run `python -m assets.dictionary_page` and commit the file"
    )
    assert dictionary.entries() == entries(CATALOG)


def test_the_page_has_a_section_for_every_table_and_a_line_for_every_column() -> None:
    lines = page().splitlines()
    for name, entry in entries(CATALOG).items():
        start = lines.index(f"### {name}")
        section = "\n".join(lines[start : start + 12 + len(entry.columns)])
        for column in entry.columns:
            assert f"| `{column.name}` | {column.type} |" in section


def test_a_column_has_its_type_and_its_table_wins_over_its_name() -> None:
    found = {column.name: column for column in entries(CATALOG)["pnl.position_daily"].columns}
    assert found["total_pnl"].type == "DECIMAL(28,10)"
    assert found["known_from"].type == "TIMESTAMPTZ"
    assert describe_column(CATALOG, "pnl.firm_daily", "total_pnl") != describe_column(
        CATALOG, "pnl.position_daily", "total_pnl"
    )
    assert describe_column(CATALOG, "raw.accounts", "account_id") != ""
    assert describe_column(CATALOG, "raw.executions", "transaction_time_text").startswith("The broker's own text of")
    assert describe_column(CATALOG, "pnl.position_daily", "no_such_column") == ""
    with pytest.raises(KeyError):
        describe_table(CATALOG, "pnl.no_such_table")


@pytest.fixture
def books() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    make_empty_books(con, CATALOG)
    return con


def test_a_build_leaves_the_dictionary_in_the_file(books: duckdb.DuckDBPyConnection) -> None:
    missing = (
        "select * from duckdb_columns() where comment is null and schema_name in ('raw', 'core', 'pnl', 'quality')"
    )
    assert books.execute(f"{missing} and table_name not like '\\_dlt%' escape '\\'").fetchall() == []
    query = "select comment from duckdb_columns() where table_name = ? and column_name = ?"
    said = books.execute(query, ["position_daily", "total_pnl"]).fetchone()
    assert said == (describe_column(CATALOG, "pnl.position_daily", "total_pnl"),)
    said = books.execute("select comment from duckdb_views() where view_name = 'day'").fetchone()
    assert said == (describe_table(CATALOG, "quality.day"),)
    said = books.execute(
        "select comment from duckdb_functions() where function_name = 'position_daily_as_known'"
    ).fetchone()
    assert said == ("The rows of pnl.position_daily as they were known at an instant.",)


def test_comments_are_written_once_and_again_where_they_differ(books: duckdb.DuckDBPyConnection) -> None:
    assert comment(books, CATALOG) == 0  # the build has written them
    books.execute("comment on column core.calendar.market is 'something else'")
    books.execute("comment on table core.calendar is null")
    assert comment(books, CATALOG) == 2
    assert comment(books, CATALOG) == 0


def test_a_warehouse_with_less_in_it_is_commented_as_far_as_it_goes() -> None:
    con = duckdb.connect()
    assert comment(con, CATALOG) == 0
    con.execute("create schema core; create table core.calendar (market varchar, of_a_newer_daybook integer)")
    con.execute("create schema other; create table other.calendar (market varchar)")
    assert comment(con, CATALOG) == 3  # the table and both columns; what nobody described is said to be nothing
