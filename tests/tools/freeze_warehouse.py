"""Writes a warehouse as SQL text: `python -m tests.tools.freeze_warehouse WAREHOUSE > tests/fixtures/warehouse-N.sql`.

Done once for each schema version, with a small book, before the next one comes: what an earlier daybook left behind is
then there to be opened by every later one (tests/integration/test_migrations.py).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import duckdb

#: Made anew by every build, whoever made them last, and long.
WITHOUT_ROWS = ("core.calendar", "raw_staging._dlt_version")


def frozen(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Statements that make the schemas, tables, rows and views of a warehouse again. Macros are made by the build."""
    con.execute("set TimeZone = 'UTC'")
    schemas = "select schema_name from duckdb_schemas() where not internal and schema_name <> 'main' order by all"
    yield from (f"create schema {schema};" for (schema,) in con.execute(schemas).fetchall())
    tables = con.execute(
        "select schema_name || '.' || table_name, sql from duckdb_tables() where not temporary order by table_oid"
    ).fetchall()
    yield from (statement for _, statement in tables)
    for name, _ in tables:
        if name not in WITHOUT_ROWS:
            rows = con.execute(f"select columns(*)::varchar from {name}").fetchall()
            yield from (f"insert into {name} values ({', '.join(map(_literal, row))});" for row in rows)
    views = con.execute("select sql from duckdb_views() where not internal and not temporary order by all").fetchall()
    yield from _ordered([statement for _, statement in tables], [statement for (statement,) in views], con)


def _ordered(tables: list[str], views: list[str], con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Views read each other: each comes once all that it reads are there."""
    schemas = "select schema_name from duckdb_schemas() where not internal and schema_name <> 'main'"
    with duckdb.connect() as trial:
        trial.execute("".join(f"create schema {schema};" for (schema,) in con.execute(schemas).fetchall()))
        trial.execute("".join(tables))
        while views:
            makes = [view for view in views if _works(trial, view)]
            assert makes, views
            views = [view for view in views if view not in makes]
            yield from makes


def _works(con: duckdb.DuckDBPyConnection, statement: str) -> bool:
    try:
        con.execute(statement)
    except duckdb.CatalogException:
        return False
    return True


def _literal(value: str | None) -> str:
    return "null" if value is None else "'" + value.replace("'", "''") + "'"


if __name__ == "__main__":
    with duckdb.connect(sys.argv[1], read_only=True) as warehouse:
        print("\n".join(frozen(warehouse)))
