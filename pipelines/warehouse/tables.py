"""How derived tables are written: whole, a range of days replaced, or versions added. Each from one select;
values are always bound."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import duckdb

from pipelines.errors import BuildFailed

_PARAMETER = re.compile(r"\$([a-z_]+)")
_COMMENT = re.compile(r"--[^\n]*")
#: Identifiers may be formatted into SQL only after this check; they come from our own file names.
_NAME = re.compile(r"^[a-z_]+(\.[a-z_]+)?$")

#: Columns of a row that tell of where it came from: another origin of the same values is no new version.
_ORIGIN = ("inputs_known_at", "run_id", "semantics_source")
OPEN_END = "9999-12-31 00:00:00+00"


def run(con: duckdb.DuckDBPyConnection, statement: str, values: Mapping[str, Any] | None = None) -> Any:
    """Execute one statement with those of `values` that it names (DuckDB refuses extra ones)."""
    used = set(_PARAMETER.findall(_COMMENT.sub("", statement)))
    return con.execute(statement, {name: (values or {})[name] for name in used})


def make_temporary(con: duckdb.DuckDBPyConnection, name: str, select: str, values: Mapping[str, Any]) -> None:
    """A temporary table with the rows of a select."""
    run(con, f"create or replace temporary table {_checked(name)} as {select}", values)


def make_shape(con: duckdb.DuckDBPyConnection, name: str, select: str, values: Mapping[str, Any]) -> None:
    """A temporary table with the columns of a select and no rows: nothing is read for it."""
    run(con, f"create or replace temporary table {_checked(name)} as ({select}) with no data", values)


def make_view(con: duckdb.DuckDBPyConnection, name: str, select: str) -> None:
    """A view of a select that takes no values."""
    con.execute(f"create or replace view {_checked(name)} as {select}")


def make_empty(con: duckdb.DuckDBPyConnection, name: str, select: str, values: Mapping[str, Any]) -> bool:
    """A table with a select's columns and no rows, where there is none, or one with other columns: whether it was so.

    What is derived can be derived again, so a table of an earlier daybook gives way to one with today's columns.
    """
    make_shape(con, "shape", select, values)
    wanted, found = _shape(con, "shape"), _shape(con, name) if exists(con, _checked(name)) else None
    if wanted != found:
        # "with no data": DuckDB 1.5.5 loses rows put into a table that an empty select made in the same transaction
        con.execute(f"create or replace table {name} as (select * from shape) with no data")
    con.execute("drop table shape")
    return found is not None and wanted != found


def make_kept(con: duckdb.DuckDBPyConnection, name: str, select: str) -> None:
    """A table that nothing derives, where there is none yet."""
    con.execute(f"create table if not exists {_checked(name)} as ({select}) with no data")


def replace_days(con: duckdb.DuckDBPyConnection, name: str, select: str, values: Mapping[str, Any]) -> None:
    """Replace a table's rows of the trading dates `from_date` to `to_date` by those of a select.

    The select may read the table's own earlier days; what it would find of these days is gone by then.
    """
    run(con, f"delete from {_checked(name)} where trading_date between $from_date and $to_date", values)
    (made,) = run(con, f"insert into {name} by name ({select})", values).fetchone()
    count = f"select count(*) from {name} where trading_date between $from_date and $to_date"
    _all_there(name, made, *run(con, count, values).fetchone())


def replace_whole(con: duckdb.DuckDBPyConnection, name: str, select: str, values: Mapping[str, Any]) -> None:
    """Replace all rows of a small table."""
    make_temporary(con, "replacement", select, values)
    con.execute(f"delete from {_checked(name)}")
    con.execute(f"insert into {name} by name select * from replacement")
    con.execute("drop table replacement")


def add_versions(
    con: duckdb.DuckDBPyConnection,
    name: str,
    fresh: str,
    key: tuple[str, ...],
    reason: str,
    values: Mapping[str, Any],
) -> int:
    """Add a version of each row of `fresh` whose values differ from the current version of it; the number of versions.

    `name` is the version table, `fresh` a temporary table of the same columns plus `inputs_known_at`; `reason`
    is an SQL
    expression over `fresh` and `current_version`. A version is known from its newest input where that is newer than the
    version before it, else from `built_at`, and never before the one that it follows. A row that `fresh` no longer has
    ends without a successor. `run_id` and `semantics_source` tell where values came from and are no values themselves.
    """
    make_version_table(con, name, fresh)
    columns = [column for column in _columns(con, fresh) if column not in _ORIGIN]
    differs = " or ".join(f"fresh.{column} is distinct from current_version.{column}" for column in columns)
    same = " and ".join(f"fresh.{column} = current_version.{column}" for column in key)
    run(
        con,
        f"""
        create or replace temporary table changed as
        with current_version as (
            select * from {_checked(name)}
            where trading_date between $from_date and $to_date and known_to = timestamptz '{OPEN_END}'
        )
        select
            coalesce(fresh.{key[0]}, current_version.{key[0]}) as {key[0]},
            {", ".join(f"coalesce(fresh.{column}, current_version.{column}) as {column}" for column in key[1:])},
            fresh.rowid as fresh_row,
            coalesce(current_version.version, 0) + 1 as version,
            case
                when current_version.known_from is null then coalesce(fresh.inputs_known_at, $built_at)
                when fresh.inputs_known_at > current_version.known_from then fresh.inputs_known_at
                else greatest($built_at, current_version.known_from + interval 1 microsecond)
            end as known_from,
            case when current_version.version is not null then {reason} end as reason
        from {_checked(fresh)} as fresh
        full join current_version on {same}
        where {differs}
        """,
        values,
    )
    found = con.execute("select count(*) from changed").fetchone()
    if found and found[0]:
        _write_versions(con, name, fresh, key, values)
    con.execute("drop table changed")
    return int(found[0]) if found else 0


def _write_versions(
    con: duckdb.DuckDBPyConnection, name: str, fresh: str, key: tuple[str, ...], values: Mapping[str, Any]
) -> None:
    same = " and ".join(f"changed.{column} = stored.{column}" for column in key)
    run(
        con,
        f"""
        update {name} as stored set known_to = changed.known_from from changed
        where {same} and stored.trading_date between $from_date and $to_date
            and stored.known_to = timestamptz '{OPEN_END}'
        """,
        values,
    )
    con.execute(
        f"""
        insert into {name} by name
        select fresh.* exclude (inputs_known_at),
            changed.version,
            changed.known_from,
            timestamptz '{OPEN_END}' as known_to,
            changed.reason
        from {fresh} as fresh
        inner join changed on fresh.rowid = changed.fresh_row
        """
    )
    counts = f"""
        select (select count(*) from {fresh}),
            (
                select count(*) from {name}
                where trading_date between $from_date and $to_date and known_to = timestamptz '{OPEN_END}'
            )
    """
    _all_there(name, *run(con, counts, values).fetchone())


def _all_there(name: str, made: int, found: int) -> None:
    """Money is at stake, and a database has lost rows without a word before (1.5.5, into a table made in the same
    transaction)."""
    if made != found:
        raise BuildFailed(
            f"The build failed and changed nothing: {made} rows were written to {name} and {found} are there. "
            "`daybook doctor` looks at the file; please report it."
        )


def make_version_table(con: duckdb.DuckDBPyConnection, name: str, fresh: str) -> None:
    """The version table for rows like those of `fresh`. One of an earlier daybook gets the columns that it lacks: its
    versions are what was said, and are never made again."""
    if not exists(con, _checked(name)):
        con.execute(
            f"""
            create table {name} as
            select * exclude (inputs_known_at), 0::integer as version, now() as known_from, now() as known_to,
                ''::varchar as reason
            from {_checked(fresh)} with no data
            """
        )
        return
    known = {column for column, _ in _shape(con, name)}
    for column, kind in _shape(con, fresh):
        if column not in known and column != "inputs_known_at":
            con.execute(f"alter table {name} add column {_checked(column)} {kind}")


def days_of(con: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, Any] | None = None) -> list[date]:
    """The dates in the first column of a query."""
    return [row[0] for row in run(con, query, values).fetchall() if row[0] is not None]


def _columns(con: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    return [column for column, _ in _shape(con, name)]


def _shape(con: duckdb.DuckDBPyConnection, name: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in con.execute(f"describe {_checked(name)}").fetchall()]


def exists(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether there is a table `schema.name`."""
    schema, _, table = name.partition(".")
    found = con.execute(
        "select 1 from duckdb_tables() where schema_name = ? and table_name = ?", [schema, table]
    ).fetchone()
    return found is not None


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is not a name of ours")
    return name
