"""What tables and columns mean, from one place, and written into the DuckDB files as COMMENT ON.

What a raw column means stands in the models, what a derived one means in the catalogue's columns.toml, what a table is
in the comment on top of its .sql file.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from models.shapes import LANDED
from pipelines.books.catalog import Catalog
from pipelines.broker.columns import RENAMED
from pipelines.warehouse.contents import literal
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS
from pipelines.warehouse.tables import is_lake

_VERSIONS = "Every version of the rows of {}, with the time from which and until which it was known."
_AS_KNOWN = "The rows of {} as they were known at an instant."
_TEXT_OF = "The broker's own text of {} where it is finer than a microsecond, else null"


def describe_table(catalog: Catalog, name: str) -> str:
    """What a table is. Raises KeyError for one that isn't ours."""
    return table_descriptions(catalog)[name]


def describe_column(catalog: Catalog, table: str, column: str) -> str:
    """What a column means: its model says, else its table's section, else its name's. Empty where none does."""
    said = _described(catalog.columns)
    own = _modelled().get(table, {}) | said.get(table.removesuffix("_version"), {})
    return own.get(column) or said["columns"].get(column, "")


def comment(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> int:
    """Write the dictionary into an open warehouse as COMMENT ON, wherever it differs; how many were written. A lake
    keeps no comment of a macro or of a view's column."""
    statements = [*_table_comments(con, catalog), *_column_comments(con, catalog)]
    if not is_lake(con):
        statements += _macro_comments(con)
    if statements:
        con.execute(";\n".join(statements))  # together: half of the time of each is its way there
    return len(statements)


def _table_comments(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> Iterator[str]:
    for name, kind, comment in relations(con, catalog):
        if (said := describe_table(catalog, name)) != comment:
            yield f"comment on {kind} {name} is {literal(said)}"


def _column_comments(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> Iterator[str]:
    views = {name for name, kind, _ in relations(con, catalog) if kind == "view"} if is_lake(con) else set()
    for name, column, _, comment in columns_of(con, catalog):
        if name not in views and (said := describe_column(catalog, name, column)) != comment:
            yield f'comment on column {name}."{column}" is {literal(said)}'


def _macro_comments(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    macros = con.execute(
        """
        select schema_name || '.' || function_name, comment from duckdb_functions()
        where database_name = current_database() and function_type = 'table_macro' and not internal
            and function_name like '%_as_known'
        """
    ).fetchall()
    for name, comment in macros:
        if (said := _AS_KNOWN.format(name.removesuffix("_as_known"))) != comment:
            yield f"comment on macro table {name} is {literal(said)}"


def relations(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> list[tuple[str, str, str | None]]:
    """Our tables and views: name, kind, comment."""
    return _ours(
        con,
        catalog,
        """
        select schema_name || '.' || table_name as name, 'table', comment from duckdb_tables()
        where database_name = current_database() and not temporary
        union all
        select schema_name || '.' || view_name, 'view', comment from duckdb_views()
        where database_name = current_database() and not temporary
        """,
    )


def columns_of(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> list[tuple[str, str, str, str | None]]:
    """The columns of our tables and views: table, name, type, comment."""
    return _ours(
        con,
        catalog,
        """
        select schema_name || '.' || table_name as name, column_name, data_type, comment from duckdb_columns()
        where database_name = current_database() and not internal order by name, column_index
        """,
    )


def _ours(con: duckdb.DuckDBPyConnection, catalog: Catalog, query: str) -> list[Any]:
    """The rows that begin with the name of a table of ours, schema by schema; dlt's own tables are left out."""
    known = table_descriptions(catalog)
    rows = [row for row in con.execute(query).fetchall() if row[0] in known]
    return sorted(rows, key=lambda row: (PUBLISHED_SCHEMAS.index(row[0].partition(".")[0]), row[0].partition(".")[2]))


@cache
def _described(path: Path) -> dict[str, dict[str, str]]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def table_descriptions(catalog: Catalog) -> dict[str, str]:
    """What every published table is, by its name."""
    derived = {table.name: table.description for table in catalog.tables if table.lasts}
    versions = {table.versions: _VERSIONS.format(table.name) for table in catalog.of_kind("versions")}
    landed = {f"raw.{shape.name}": " ".join((inspect.getdoc(shape.model) or "").split()) for shape in LANDED}
    return landed | _described(catalog.columns)["tables"] | derived | versions


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
