"""The data dictionary: every table and column with its type and meaning, from one place.

What a raw column means stands in the models, what a derived one means in columns.toml, what a table is in the comment on
top of its .sql file. From here it goes into docs/data-dictionary.md (`python -m assets.dictionary` writes it), into the
DuckDB files as COMMENT ON, and into Dagster as column metadata.
"""

from __future__ import annotations

import inspect
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from assets.build import build
from assets.catalog import TABLES
from models.shapes import LANDED
from pipelines.broker.columns import RENAMED
from pipelines.broker.source import TABLES as RAW
from pipelines.settings import Settings

DOCUMENT = Path(__file__).parents[1] / "docs" / "data-dictionary.md"
SCHEMAS = {
    "raw": "What the broker said, as it said it: facts, append-only.",
    "core": "One row per account, instrument or trading day, derived from the snapshots that speak for it.",
    "pnl": "Daily P&L, versioned.",
    "quality": "How far the books can be trusted, day by day.",
}
_VERSIONS = "Every version of {name}, with the time it was known: the table itself shows those that stand now."
_TEXT_OF = "The broker's own text of {name} where it is finer than a microsecond, else null"


@dataclass(frozen=True)
class Column:
    """A column: its name, its SQL type, and what it means (with unit and sign)."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Entry:
    """A table or view (`kind`) under its full name, such as pnl.position_daily, with its columns in order."""

    name: str
    kind: str
    description: str
    columns: tuple[Column, ...]


@cache
def entries() -> dict[str, Entry]:
    """Every published table by name, schema by schema. Raises KeyError for a column that nobody described."""
    with duckdb.connect() as con:
        _make_empty_books(con)
        found = {name: Entry(name, kind, _describe(name), ()) for name, kind in _tables(con).items()}
        for schema, table, column, sql_type in _columns(con):
            name = f"{schema}.{table}"
            entry = Column(column, _short(sql_type), describe_column(name, column))
            found[name] = Entry(name, found[name].kind, found[name].description, (*found[name].columns, entry))
    return found


def columns(table: str) -> tuple[Column, ...]:
    """The columns of a table, in order."""
    return entries()[table].columns


def describe_column(table: str, column: str) -> str:
    """What a column means: said by its model, else for its table, else for its name. KeyError where nobody did."""
    modelled = _modelled().get(table, {})
    if column in modelled:
        return modelled[column]
    said = _said()
    own = said.get(table.removesuffix("_version"), {})
    return own.get(column) or said["columns"][column]


def comment(con: duckdb.DuckDBPyConnection) -> int:
    """Write the descriptions into an open warehouse as COMMENT ON, where they differ; how many were written."""
    statements = [*_table_comments(con), *_column_comments(con), *_macro_comments(con)]
    for statement in statements:
        con.execute(statement)
    return len(statements)


def markdown() -> str:
    """The dictionary as a page."""
    lines = ["# Data dictionary", "", _PREFACE]
    for schema, meaning in SCHEMAS.items():
        lines += ["", f"## {schema}", "", meaning]
        for entry in entries().values():
            if entry.name.startswith(f"{schema}."):
                lines += ["", f"### {entry.name}", "", *_section(entry)]
    return "\n".join(lines) + "\n"


_PREFACE = """\
Every table of the published copy (`daybook.duckdb`), column by column. This page is written by
`python -m assets.dictionary` from the models, the `.sql` files and `assets/columns.toml`; the same text is inside the file
(`select * from duckdb_columns()`, column `comment`) and beside every asset in Dagster. Don't edit it here.

Quantities and prices are `DECIMAL(24,8)`, money is `DECIMAL(28,10)` in the account's currency, instants are
`TIMESTAMPTZ`, dates are New York trading dates. A gain is positive, a short position is negative, and null is unknown, never zero."""


def _section(entry: Entry) -> list[str]:
    rows = [f"| `{c.name}` | {c.type} | {c.description.replace('|', chr(92) + '|')} |" for c in entry.columns]
    known = [f"`{entry.name}_as_known(ts)` gives these rows as they were known at an instant.", ""]
    macro = known if f"{entry.name}_version" in entries() else []
    kind = "A view. " if entry.kind == "view" else ""
    return [f"{kind}{entry.description}", "", *macro, "| column | type | meaning |", "|---|---|---|", *rows]


def _make_empty_books(con: duckdb.DuckDBPyConnection) -> None:
    """Raw tables without rows and a build of nothing on them: all tables and views, as a first evening would make them."""
    con.execute("set TimeZone = 'UTC'")
    con.execute("create schema raw")
    for name, (_, nothing) in RAW.items():
        con.register("nothing", nothing)
        con.execute(f"create table raw.{name} as select *, null::varchar as _dlt_load_id from nothing")
        con.unregister("nothing")
    con.execute("create table raw._dlt_loads (load_id varchar, status bigint)")
    build(con, Settings(home=Path("/nonexistent")))


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Our tables and views with their kind, schema by schema."""
    rows = con.execute(
        """
        select schema_name || '.' || table_name, 'table' from duckdb_tables() where not temporary
        union all
        select schema_name || '.' || view_name, 'view' from duckdb_views() where not internal and not temporary
        """
    ).fetchall()
    order = list(SCHEMAS)
    ours = [(name, kind) for name, kind in rows if name.partition(".")[0] in order and "._" not in name]
    return dict(sorted(ours, key=lambda row: (order.index(row[0].partition(".")[0]), row[0])))


def _columns(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str]]:
    ours = _tables(con)
    rows = con.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() order by all(column_index)"
        if False
        else "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where not internal order by schema_name, table_name, column_index"
    ).fetchall()
    return [row for row in rows if f"{row[0]}.{row[1]}" in ours]
