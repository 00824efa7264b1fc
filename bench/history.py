"""A warehouse with years in it, made in minutes: an evening that was read and built for real, copied to other days.

Every table that a day leaves rows in is copied: dates move to the session, instants by as many days, runs and loads get
ids of their own. So the copies have the very columns and types of what was landed, and lie in the files in date order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

import duckdb

#: Tables that have no rows of their own for each day.
NOT_DAILY = {"raw.option_contracts", "raw.market_hours", "core.calendar", "core.period_lock"}

Column = tuple[str, str]


def run_of(con: duckdb.DuckDBPyConnection, day: date) -> tuple[str, str]:
    """The run and the load that brought a day."""
    row = con.execute("select run_id, _dlt_load_id from raw.extract_run where trading_date = ?", [day]).fetchone()
    assert row
    return row[0], row[1]


def copy_day(con: duckdb.DuckDBPyConnection, day: date, before: date, targets: Iterable[tuple[date, date]]) -> None:
    """Copy `day`, whose session before is `before`, to other sessions, each with the one before it."""
    run_id, load_id = run_of(con, day)
    tables = [(name, _columns(con, name), _of_day(con, name)) for name in _tables(con)]
    for target, target_before in targets:
        values = {
            "day": day,
            "before": before,
            "target": target,
            "target_before": target_before,
            "run_id": run_id,
            "target_run_id": f"{target:%Y%m%d}T213000Z-copied00",
            "load_id": load_id,
            "target_load_id": f"{target:%Y%m%d}.copy",
            "shift": target - day,
        }
        con.execute("begin")
        for name, columns, condition in tables:
            if condition:
                moved = ", ".join(f"{_moved(name, column)} as {column[0]}" for column in columns)
                _run(con, f"insert into {name} by name select {moved} from {name} where {condition}", values)
        con.execute("commit")


def _moved(table: str, column: Column) -> str:
    name, kind = column
    if name.endswith("run_id"):
        return f"case when {name} = $run_id then $target_run_id else {name} end"
    if name in ("_dlt_load_id", "load_id"):
        return "$target_load_id"
    if table == "raw.executions" and name == "id":
        return f"concat({name}, ' ', $target)"
    if kind == "DATE":
        return f"case {name} when $day then $target when $before then $target_before else {name} end"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"case when {name} < timestamptz '9000-01-01 00:00:00+00' then {name} + $shift else {name} end"
    return name


def _tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    rows = con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where schema_name in ('raw', 'core', 'pnl', 'quality') and not temporary order by all"
    ).fetchall()
    return [name for (name,) in rows if name not in NOT_DAILY]


def _of_day(con: duckdb.DuckDBPyConnection, table: str) -> str | None:
    """The condition that finds a day's rows in a table; None where nothing tells the day."""
    names = {name for name, _ in _columns(con, table)}
    if table == "raw._dlt_loads":
        return "load_id = $load_id"
    if table.startswith("raw.") and "run_id" in names:
        return "run_id = $run_id"
    return "trading_date = $day" if "trading_date" in names else None


def _columns(con: duckdb.DuckDBPyConnection, table: str) -> list[Column]:
    return [(row[0], row[1]) for row in con.execute(f"describe {table}").fetchall()]


def _run(con: duckdb.DuckDBPyConnection, statement: str, values: dict[str, Any]) -> None:
    used = set(re.findall(r"\$([a-z_]+)", statement))
    con.execute(statement, {name: value for name, value in values.items() if name in used})
