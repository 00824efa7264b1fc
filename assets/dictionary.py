"""The data dictionary: every table and column with its type and meaning, from one place.

What a raw column means stands in the models, what a derived one means in columns.toml, what a table is in the comment
on top of its .sql file. From here it goes into the DuckDB files as COMMENT ON, into docs/data-dictionary.md
(assets/dictionary_page.py), and into Dagster as column metadata.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from assets.catalog import TABLES
from models.shapes import LANDED
from pipelines.broker.columns import RENAMED
from pipelines.settings import Settings

#: The schemas that are published, in the order of their making.
SCHEMAS = ("raw", "core", "pnl", "quality")
_VERSIONS = "Every version of the rows of {}, with the time from which and until which it was known."
_AS_KNOWN = "The rows of {} as they were known at an instant."
_TEXT_OF = "The broker's own text of {} where it is finer than a microsecond, else null"
_SHORT = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}


@dataclass(frozen=True)
class Column:
    """A column: its name, its SQL type, and what it means, with unit and sign."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Entry:
    """A table or a view (`kind`) under its full name, such as pnl.position_daily, with its columns in order."""

    name: str
    kind: str
    description: str
    columns: tuple[Column, ...]


@cache
def entries() -> dict[str, Entry]:
    """Every published table by its name, schema by schema."""
    with duckdb.connect() as con:
        _make_empty_books(con)
        found: dict[str, list[Column]] = {}
        for name, column, sql_type, _ in _columns(con):
            described = Column(column, _SHORT.get(sql_type, sql_type), describe_column(name, column))
            found.setdefault(name, []).append(described)
        kinds = {name: kind for name, kind, _ in _relations(con)}
    return {name: Entry(name, kinds[name], describe_table(name), tuple(found[name])) for name in found}


def columns(table: str) -> tuple[Column, ...]:
    """The columns of a table, in order."""
    return entries()[table].columns


def describe_table(name: str) -> str:
    """What a table is. Raises KeyError for one that isn't ours."""
    return _table_descriptions()[name]


def describe_column(table: str, column: str) -> str:
    """What a column means: its model says, else its table's section, else its name's. Empty where none does."""
    said = _said()
    own = _modelled().get(table, {}) | said.get(table.removesuffix("_version"), {})
    return own.get(column) or said["columns"].get(column, "")


def comment(con: duckdb.DuckDBPyConnection) -> int:
    """Write the dictionary into an open warehouse as COMMENT ON, wherever it differs; how many were written."""
    statements = [*_table_comments(con), *_column_comments(con), *_macro_comments(con)]
    for statement in statements:
        con.execute(statement)
    return len(statements)


def _table_comments(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for name, kind, comment in _relations(con):
        if (said := describe_table(name)) != comment:
            yield f"comment on {kind} {name} is {_literal(said)}"


def _column_comments(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for name, column, _, comment in _columns(con):
        if (said := describe_column(name, column)) != comment:
            yield f'comment on column {name}."{column}" is {_literal(said)}'


def _macro_comments(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    macros = con.execute(
        """
        select schema_name || '.' || function_name, comment from duckdb_functions()
        where function_type = 'table_macro' and not internal and function_name like '%_as_known'
        """
    ).fetchall()
    for name, comment in macros:
        if (said := _AS_KNOWN.format(name.removesuffix("_as_known"))) != comment:
            yield f"comment on macro table {name} is {_literal(said)}"


def _relations(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str | None]]:
    """Our tables and views: name, kind, comment."""
    return _ours(
        con,
        """
        select schema_name || '.' || table_name as name, 'table', comment from duckdb_tables() where not temporary
        union all
        select schema_name || '.' || view_name, 'view', comment from duckdb_views() where not temporary
        """,
    )


def _columns(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str | None]]:
    """The columns of our tables and views: table, name, type, comment."""
    return _ours(
        con,
        """
        select schema_name || '.' || table_name as name, column_name, data_type, comment from duckdb_columns()
        where not internal order by name, column_index
        """,
    )


def _ours(con: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    """The rows that begin with the name of a table of ours, schema by schema; dlt's own tables are left out."""
    known = _table_descriptions()
    rows = [row for row in con.execute(query).fetchall() if row[0] in known]
    return sorted(rows, key=lambda row: (SCHEMAS.index(row[0].partition(".")[0]), row[0].partition(".")[2]))


def _make_empty_books(con: duckdb.DuckDBPyConnection) -> None:
    """Every table and view without rows, as a first evening would make them: raw, and a build of nothing on it."""
    # Imported here: a build writes its comments with this module, and the raw tables bring dlt, which no build needs.
    from assets.build import build
    from pipelines.broker.source import TABLES as RAW

    con.execute("create schema raw")
    for name, (_, nothing) in RAW.items():
        con.register("nothing", nothing)
        con.execute(f"create table raw.{name} as select *, null::varchar as _dlt_load_id from nothing")  # noqa: S608  (our names)
        con.unregister("nothing")
    con.execute("create table raw._dlt_loads (load_id varchar, status bigint)")
    with TemporaryDirectory() as home:
        build(con, Settings(home=Path(home)))


@cache
def _said() -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name("columns.toml").read_text(encoding="utf-8"))


@cache
def _table_descriptions() -> dict[str, str]:
    derived = {table.name: table.description for table in TABLES if table.lasts}
    versions = {table.versions: _VERSIONS.format(table.name) for table in TABLES if table.kind == "versions"}
    landed = {f"raw.{shape.name}": " ".join((inspect.getdoc(shape.model) or "").split()) for shape in LANDED}
    return landed | _said()["tables"] | derived | versions


@cache
def _modelled() -> dict[str, dict[str, str]]:
    """What the models say of raw columns, under the names that the tables give them."""
    found: dict[str, dict[str, str]] = {}
    for shape in LANDED:
        names = RENAMED.get(shape.name, {})
        described = {names.get(column.name, column.name): column.description for column in shape.columns}
        texts = {f"{c.name}_text": _TEXT_OF.format(c.name) for c in shape.columns if c.kind == "instant"}
        found[f"raw.{shape.name}"] = described | texts
    return found


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
