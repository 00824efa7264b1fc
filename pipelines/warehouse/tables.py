"""How derived tables are written: whole, a range of days replaced, or versions added. Each from one select;
values are always bound."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import BuildFailed
from pipelines.warehouse.contents import literal
from pipelines.warehouse.limits import ROWS_A_THREAD

#: A parameter; or a comment or a text, in which there is none.
_PARAMETER = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\$([a-z_]+)")
#: Identifiers may be formatted into SQL only after this check; they come from our own file names.
_NAME = re.compile(r"^[a-z_]+(\.[a-z_]+)?$")

#: Columns of a row that tell of where it came from: another origin of the same values is no new version.
_ORIGIN = ("inputs_known_at", "run_id", "semantics_source")
#: No two working files of a process have the same name.
_numbers = count()
OPEN_END = "9999-12-31 00:00:00+00"
#: What is current of the days that are built.
_CURRENT = f"trading_date between $from_date and $to_date and known_to = timestamptz '{OPEN_END}'"

#: When the day of a row was closed last, whoever's clock is ahead: the machine's, or the broker's.
_CLOSED_AT = """(
    select max(period_lock.locked_at) from core.period_lock
    where fresh.trading_date <= period_lock.locked_through
        and (period_lock.account_id is null or period_lock.account_id = fresh.account_id)
)"""


def run_statement(con: duckdb.DuckDBPyConnection, statement: str, values: Mapping[str, Any] | None = None) -> Any:
    """Execute one statement with those of `values` that it names (DuckDB refuses extra ones)."""
    used = {name for name in _PARAMETER.findall(statement) if name}
    return con.execute(statement, {name: (values or {})[name] for name in used})


def rows_of(
    con: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rows of a query, each by the names of its columns."""
    answer = run_statement(con, query, values)
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def make_temporary(con: duckdb.DuckDBPyConnection, name: str, select: str, values: Mapping[str, Any]) -> None:
    """A temporary table with the rows of a select."""
    run_statement(con, f"create or replace temporary table {_checked(name)} as {select}", values)


def make_working(
    con: duckdb.DuckDBPyConnection, name: str, folder: Path, select: str, values: Mapping[str, Any]
) -> None:
    """A temporary view of the rows of a select, which lie in a file of `folder` until the next ones of that name.

    DuckDB keeps a temporary table that was replaced, whole, until the transaction ends; a file it does not. Nothing is
    packed: the file is read within seconds. Each has a name of its own: DuckDB keeps what it read of a file, and was
    seen to answer with it after the file had been written again.
    """
    former = list(folder.glob(f"{_checked(name)}.*.parquet"))
    file = literal(str(folder / f"{name}.{next(_numbers)}.parquet"))
    plain = "format parquet, compression uncompressed, dictionary_size_limit 1"
    run_statement(con, f"copy ({select}) to {file} ({plain}, row_group_size {ROWS_A_THREAD})", values)
    make_working_view(con, name, f"select * from read_parquet({file})")
    for path in former:
        path.unlink()


def make_working_view(con: duckdb.DuckDBPyConnection, name: str, select: str) -> None:
    """A temporary view of the rows of a select of files."""
    con.execute(f"create or replace temporary view {_checked(name)} as {select}")


def make_shape(con: duckdb.DuckDBPyConnection, name: str, select: str, values: Mapping[str, Any]) -> None:
    """A temporary table with the columns of a select and no rows: nothing is read for it."""
    run_statement(con, f"create or replace temporary table {_checked(name)} as ({select}) with no data", values)


def make_view(con: duckdb.DuckDBPyConnection, name: str, select: str) -> None:
    """A view of a select that takes no values."""
    con.execute(f"create or replace view {_checked(name)} as {select}")


def drop_view(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Take a view away, or the table that an earlier daybook had under its name."""
    con.execute(f"drop {'table' if exists(con, _checked(name)) else 'view'} if exists {name}")


def make_empty(con: duckdb.DuckDBPyConnection, name: str, select: str, values: Mapping[str, Any]) -> bool:
    """A table with a select's columns and no rows, where there is none, or one with other columns: whether it was so,
    and its rows have to be derived.

    What is derived can be derived again, so a table of an earlier daybook gives way to one with today's columns.
    """
    make_shape(con, "shape", select, values)
    wanted, found = _shape(con, "shape"), _shape(con, name) if exists(con, _checked(name)) else None
    if wanted != found:
        # "with no data": DuckDB 1.5.5 loses rows put into a table that an empty select made in the same transaction
        con.execute(f"create or replace table {name} as (select * from shape) with no data")
    con.execute("drop table shape")
    return wanted != found


def make_kept(con: duckdb.DuckDBPyConnection, name: str, select: str) -> None:
    """A table that nothing derives, where there is none yet."""
    con.execute(f"create table if not exists {_checked(name)} as ({select}) with no data")


def replace_days(con: duckdb.DuckDBPyConnection, name: str, select: str, values: Mapping[str, Any]) -> None:
    """Replace a table's rows of the trading dates `from_date` to `to_date` by those of a select.

    The select may read the table's own earlier days; what it would find of these days is gone by then.
    """
    run_statement(con, f"delete from {_checked(name)} where trading_date between $from_date and $to_date", values)
    (made,) = run_statement(con, f"insert into {name} by name ({select})", values).fetchone()
    count = f"select count(*) from {name} where trading_date between $from_date and $to_date"
    _all_there(name, made, *run_statement(con, count, values).fetchone())


def replace_whole(con: duckdb.DuckDBPyConnection, name: str, select: str, values: Mapping[str, Any]) -> None:
    """Replace all rows of a small table, where they are others than it has: DuckDB reads past what was deleted until
    the file is written anew, and the calendar is asked for in most selects of a build."""
    make_temporary(con, "replacement", select, values)
    columns = ", ".join(_columns(con, "replacement"))
    there, come = (f"select {columns} from {table}" for table in (_checked(name), "replacement"))
    others = f"select exists (({there}) except all ({come})), (select count(*) from {name}), count(*) from replacement"
    is_other, had, has = con.execute(others).fetchone() or (True, 0, 0)
    if is_other or had != has:
        con.execute(f"delete from {name}")
        con.execute(f"insert into {name} by name {come}")
    con.execute("drop table replacement")


def add_versions(
    con: duckdb.DuckDBPyConnection,
    name: str,
    fresh: str,
    key: tuple[str, ...],
    reason: str,
    values: Mapping[str, Any],
) -> int:
    """Add a version of each row of `fresh` whose values differ from the current version of it; how many rows changed.

    `name` is the version table, `fresh` a working table of the same columns plus `inputs_known_at`; `reason` is an
    SQL expression over `fresh` and `current_version`. A version is known from its newest input where that is newer than
    the version before it, else from `built_at`, and never before the one that it follows, nor before its day was
    closed (`_CLOSED_AT`): what a period was closed with is told by time. A row that `fresh` no longer has ends
    without a successor. `run_id` and `semantics_source` tell where values came from and are no values
    themselves.
    """
    make_version_table(con, name, fresh)
    count = f"select count(*) from {name} where {_CURRENT}"
    (known,) = run_statement(con, count, values).fetchone()
    added = _insert_changed(con, name, fresh, key, reason, values)
    gone = _end_former(con, name, fresh, key, values) if known else 0
    (made,) = con.execute(f"select count(*) from {fresh}").fetchone() or (0,)
    _all_there(name, made, *run_statement(con, count, values).fetchone())
    return added + gone


def _insert_changed(
    con: duckdb.DuckDBPyConnection,
    name: str,
    fresh: str,
    key: tuple[str, ...],
    reason: str,
    values: Mapping[str, Any],
) -> int:
    """Insert the rows of `fresh` that are new or differ from their current version, each as a version; how many."""
    columns = [column for column in _columns(con, fresh) if column not in _ORIGIN]
    compared = ", ".join(f"fresh.{column}" for column in columns)
    current = ", ".join(f"current_version.{column}" for column in columns)
    (added,) = run_statement(
        con,
        f"""
        insert into {name} by name
        with current_version as (
            select * from {name} where {_CURRENT}
        )
        select
            fresh.* exclude (inputs_known_at),
            coalesce(current_version.version, 0) + 1 as version,
            greatest(
                case
                    when current_version.known_from is null then coalesce(fresh.inputs_known_at, $built_at)
                    when fresh.inputs_known_at > current_version.known_from then fresh.inputs_known_at
                    else greatest($built_at, current_version.known_from + interval 1 microsecond)
                end,
                {_CLOSED_AT} + interval 1 microsecond
            ) as known_from,
            timestamptz '{OPEN_END}' as known_to,
            case when current_version.version is not null then {reason} end as reason
        from {_checked(fresh)} as fresh
        left join current_version on {_same(key, "fresh", "current_version")}
        where current_version.version is null or row({compared}) is distinct from row({current})
        """,
        values,
    ).fetchone()
    return int(added)


def _end_former(
    con: duckdb.DuckDBPyConnection, name: str, fresh: str, key: tuple[str, ...], values: Mapping[str, Any]
) -> int:
    """End the versions that now have a successor, and those whose row is gone; how many rows are gone."""
    run_statement(
        con,
        f"""
        update {name} as former set known_to = later.known_from
        from (select * from {name} where {_CURRENT} and version > 1) as later
        where {_same(key, "former", "later")} and former.version + 1 = later.version
            and former.trading_date between $from_date and $to_date
            and former.known_to = timestamptz '{OPEN_END}'
        """,
        values,
    )
    (gone,) = run_statement(
        con,
        f"""
        update {name} as former set known_to = greatest($built_at, former.known_from + interval 1 microsecond)
        where {_CURRENT} and not exists (select 1 from {fresh} as fresh where {_same(key, "fresh", "former")})
        """,
        values,
    ).fetchone()
    return int(gone)


def _same(key: tuple[str, ...], one: str, other: str) -> str:
    return " and ".join(f"{one}.{column} = {other}.{column}" for column in key)


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


def dates_of(con: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, Any] | None = None) -> list[date]:
    """The dates in the first column of a query."""
    return [row[0] for row in run_statement(con, query, values).fetchall() if row[0] is not None]


def _columns(con: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    return [column for column, _ in _shape(con, name)]


def _shape(con: duckdb.DuckDBPyConnection, name: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in con.execute(f"describe {_checked(name)}").fetchall()]


def exists(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether there is a table `schema.name` in the current database."""
    schema, _, table = name.partition(".")
    found = con.execute(
        """
        select 1 from duckdb_tables()
        where database_name = current_database() and schema_name = ? and table_name = ?
        """,
        [schema, table],
    ).fetchone()
    return found is not None


def is_lake(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the current database is a lake: it has no file to checkpoint or copy, and not everything a comment."""
    query = "select 1 from duckdb_databases() where database_name = current_database() and type = 'ducklake'"
    return con.execute(query).fetchone() is not None


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is not a name of ours")
    return name
