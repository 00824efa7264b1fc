"""The data dictionary: every published table and column with its type and meaning.

It is read from books without a row, as a first evening would make them. From here it goes into docs/data-dictionary.md
and into the file that Dagster's column metadata comes from (assets/dictionary_page.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from pipelines.books.build import build
from pipelines.books.catalog import Catalog
from pipelines.books.comments import columns_of, describe_column, describe_table, relations
from pipelines.settings import Settings

_SHORT = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}


@dataclass(frozen=True)
class ColumnEntry:
    """A column: its name, its SQL type, and what it means, with unit and sign."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class TableEntry:
    """A table or a view (`kind`) under its full name, such as pnl.position_daily, with its columns in order."""

    name: str
    kind: str
    description: str
    columns: tuple[ColumnEntry, ...]


@cache
def entries(catalog: Catalog) -> dict[str, TableEntry]:
    """Every published table by its name, schema by schema."""
    with duckdb.connect() as con:
        make_empty_books(con, catalog)
        found: dict[str, list[ColumnEntry]] = {}
        for name, column, sql_type, _ in columns_of(con, catalog):
            described = ColumnEntry(column, _SHORT.get(sql_type, sql_type), describe_column(catalog, name, column))
            found.setdefault(name, []).append(described)
        kinds = {name: kind for name, kind, _ in relations(con, catalog)}
    return {name: TableEntry(name, kinds[name], describe_table(catalog, name), tuple(found[name])) for name in found}


def make_empty_books(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Every table and view without rows, as a first evening would make them: raw, and a build of nothing on it."""
    # Imported here: the raw tables bring dlt, which no build needs.
    from pipelines.ingest.landing import TABLES as RAW

    con.execute("create schema raw")
    for name, (_, nothing) in RAW.items():
        con.register("nothing", nothing)
        con.execute(f"create table raw.{name} as select *, null::varchar as _dlt_load_id from nothing")  # noqa: S608  (our names)
        con.unregister("nothing")
    con.execute("create table raw._dlt_loads (load_id varchar, status bigint)")
    with TemporaryDirectory() as home:
        build(con, Settings(home=Path(home)), catalog)
