"""What a DuckDB file holds, read to the last row: tells that a file can be read, and that two are the same books."""

from __future__ import annotations

import duckdb

#: Rows and a fingerprint of them, in any order, by table; and how views, macros and comments read, by name.
Contents = dict[str, tuple[int, str]]

_TABLES = """
    select schema_name, table_name, case when $2 then coalesce(comment, '') else '' end from duckdb_tables()
    where database_name = $1 and not internal and not temporary order by all
"""
_WORDS = """
    select
        'view ' || schema_name || '.' || view_name,
        coalesce(sql, '') || case when $2 then coalesce(comment, '') else '' end
    from duckdb_views() where database_name = $1 and not internal and not temporary
    union all
    select 'macro ' || schema_name || '.' || function_name, parameters::varchar || coalesce(macro_definition, '')
    from duckdb_functions() where database_name = $1 and not internal and function_type in ('macro', 'table_macro')
    union all
    select
        'column ' || schema_name || '.' || table_name || '.' || column_name,
        data_type || case when $2 then coalesce(comment, '') else '' end
    from duckdb_columns() where database_name = $1 and not internal
"""


def contents(con: duckdb.DuckDBPyConnection, database: str | None = None, *, comments: bool = True) -> Contents:
    """The contents of an attached database, by default the current one; with `comments` or without. Reads every row;
    raises duckdb.Error where it can't."""
    if database is None:
        database = str((con.execute("select current_database()").fetchone() or ("",))[0])
    found: Contents = {}
    for schema, table, comment in con.execute(_TABLES, [database, comments]).fetchall():
        name = ".".join(quoted_identifier(part) for part in (database, schema, table))
        row = con.execute(f"select count(*), coalesce(sum(hash(t)), 0) from {name} as t").fetchone()  # noqa: S608
        rows, fingerprint = row or (0, 0)
        found[f"{schema}.{table}"] = rows, f"{fingerprint} {comment}"
    for name, words in con.execute(_WORDS, [database, comments]).fetchall():
        found[name] = 0, words
    return found


def row_counts(found: Contents) -> dict[str, int]:
    """The number of rows of each table."""
    return {name: rows for name, (rows, _) in found.items() if " " not in name}


def differences(one: Contents, other: Contents) -> list[str]:
    """The names of what is not the same in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def quoted_identifier(identifier: str) -> str:
    """An identifier as SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: object) -> str:
    """A text as SQL, where no value can be bound."""
    return "'" + str(text).replace("'", "''") + "'"
