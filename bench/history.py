"""A warehouse with years in it, made in minutes: evenings that were read and built for real, copied to other days.

Every table that a day leaves rows in is copied: dates move to the session, instants by as many days, runs and loads get
ids of their own. So the copies have the very columns and types of what was landed, and lie in the files in date order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from bench.landing import broker
from pipelines.books.build import Built, build
from pipelines.calendar import TradingCalendar
from pipelines.ingest.snapshot import take_snapshot
from pipelines.settings import Settings
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish
from pipelines.warehouse.session import warehouse_session

#: The sessions of a history, from its first on.
SESSIONS = [session.date for session in TradingCalendar.load().sessions(date(2024, 6, 3), date(2026, 6, 1))]
#: The first evening is an opening. Those after it are of two kinds (bench/book.py), and so are the copies.
REAL = 3
#: So many days are committed together.
AT_ONCE = 10
#: Tables that have no rows of their own for each day.
NOT_DAILY = {"raw.option_contracts", "raw.market_hours", "core.calendar", "core.period_lock"}

Column = tuple[str, str]


def home(folder: Path) -> Settings:
    """A home whose broker is on loopback, and away."""
    return Settings(base_url="http://127.0.0.1:9", home=folder)


def make_history(folder: Path, accounts: int, positions: int, days: int, *, published: bool = False) -> Settings:
    """A home in `folder` that knows so many days of a book (at least three), built; published where asked."""
    settings = home(folder)
    for day in SESSIONS[:REAL]:
        with broker(accounts, positions, day) as (url, _):
            one_evening(Settings(base_url=url, home=folder), day)
    with warehouse_session(settings) as con:
        fill(con, REAL, days)
        if published:
            publish(con, settings.published, PUBLISHED_SCHEMAS)
    return settings


def one_evening(settings: Settings, day: date) -> Built:
    """Land a day from the broker and build it."""
    with warehouse_session(settings) as con:
        assert take_snapshot(con, settings, partition=day).is_complete
        return build(con, settings, CATALOG)


def fill(con: duckdb.DuckDBPyConnection, filled: int, days: int) -> None:
    """Copy the last two of the `filled` sessions to those after them, in turn, until there are `days` of them."""
    tables = [(name, _columns(con, name), _of_day(con, name)) for name in _tables(con)]
    for number in range(filled, days):
        if (number - filled) % AT_ONCE == 0:
            con.execute("begin")
        original = filled - 2 + (number - filled) % 2
        _copy_day(con, tables, _values(con, SESSIONS[original - 1 : original + 1], SESSIONS[number - 1 : number + 1]))
        if (number - filled) % AT_ONCE == AT_ONCE - 1 or number == days - 1:
            con.execute("commit")
    con.execute("checkpoint")


def _values(con: duckdb.DuckDBPyConnection, days: Sequence[date], targets: Sequence[date]) -> dict[str, Any]:
    """What moves one day to another; each is given with the session before it."""
    (before, day), (target_before, target) = days, targets
    found = con.execute("select run_id, _dlt_load_id from raw.extract_run where trading_date = ?", [day]).fetchone()
    assert found
    return {
        "day": day,
        "before": before,
        "target": target,
        "target_before": target_before,
        "run_id": found[0],
        "target_run_id": f"{target:%Y%m%d}T213000Z-copied00",
        "load_id": found[1],
        "target_load_id": f"{target:%Y%m%d}.copy",
        "shift": target - day,
    }


def _copy_day(
    con: duckdb.DuckDBPyConnection, tables: Sequence[tuple[str, list[Column], str | None]], values: dict[str, Any]
) -> None:
    for name, columns, condition in tables:
        if condition:
            moved = ", ".join(f"{_moved(name, column)} as {column[0]}" for column in columns)
            _run(con, f"insert into {name} by name select {moved} from {name} where {condition}", values)


def _moved(table: str, column: Column) -> str:
    name, kind = column
    if name.endswith("run_id"):
        return f"case when {name} = $run_id then $target_run_id else {name} end"
    if name in ("_dlt_load_id", "load_id"):
        return "$target_load_id"
    if table in ("raw.executions", "core.fill") and name == "id":
        return f"concat({name}, ' ', $target)"
    if kind == "DATE":
        return f"case {name} when $day then $target when $before then $target_before else {name} end"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"case when {name} < timestamptz '9000-01-01 00:00:00+00' then {name} + $shift else {name} end"
    return name


def _tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    rows = con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where list_contains($1, schema_name) and not temporary order by all",
        [PUBLISHED_SCHEMAS],
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
