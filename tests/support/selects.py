"""A single select of the books, asked of a few rows that stand in the places of the tables that it reads."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from pipelines.books.catalog import select_of
from pipelines.warehouse.tables import run_statement

ASSETS = Path(__file__).parents[2] / "assets"
DAYS = {
    "from_date": date(2026, 11, 2),
    "to_date": date(2026, 11, 6),
    "realized": "auto",
    "account_in_turn": "A",
    "day": date(2026, 11, 2),
    "known_at": datetime(2026, 11, 3, tzinfo=UTC),
}
CALENDAR = {
    """core.calendar(session_number, prev_trading_date, trading_date, pre_open, owns_from, regular_close,
    post_close)""": """
    (1, null::date, '2026-10-30'::date, '2026-10-30 08:00:00'::timestamptz, '2026-10-30 00:00:00'::timestamptz,
     '2026-10-30 20:00:00'::timestamptz, '2026-10-31 00:00:00'::timestamptz),
    (2, '2026-10-30', '2026-11-02', '2026-11-02 09:00:00', '2026-10-31 00:00:00', '2026-11-02 21:00:00',
     '2026-11-03 01:00:00'),
    (3, '2026-11-02', '2026-11-03', '2026-11-03 09:00:00', '2026-11-03 01:00:00', '2026-11-03 21:00:00',
     '2026-11-04 01:00:00')
    """
}
NEW_RUN = {
    "new_run(run_id, trading_date, finished_at)": "('r2', '2026-11-03'::date, '2026-11-03 22:00:00'::timestamptz)"
}
RUNS = {
    "core.run(run_id, trading_date, grade, finished_at)": """
    ('r1', '2026-11-02'::date, 'POST_CLOSE', '2026-11-02 22:00:00'::timestamptz),
    ('r2', '2026-11-03', 'POST_CLOSE', '2026-11-03 22:00:00')
    """
}


def answer(path: str, columns: str, tables: dict[str, str]) -> list[tuple[Any, ...]]:
    """Some columns of what a select of `assets` says of tables, each given as `name(columns)` and its rows: what is a
    part of the select is a table here, too."""
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("set timezone = 'UTC'")
        con.execute(CATALOG.functions)
        for schema in ("raw", "core", "pnl", "quality"):
            con.execute(f"create schema {schema}")
        for head, rows in tables.items():
            name, _, names = head.partition("(")
            con.execute(f"create table {name} as select * from (values {rows}) as told({names}")
        select = select_of(ASSETS / f"{path}.sql")
        return sorted(run_statement(con, f"select {columns} from ({select})", DAYS).fetchall(), key=repr)


def days(path: str, tables: dict[str, str]) -> list[str]:
    """The trading dates that a select of `changed` finds."""
    return [day for (day,) in answer(f"changed/{path}", "trading_date::text", tables)]
