"""What a build reads besides raw: the sessions, adjustments.csv, and its own earlier days, as temporary tables
named input_*."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from functools import lru_cache

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.books.adjustments import adjustment_table, read_adjustments
from pipelines.calendar import NEW_YORK, Override, Session, TradingCalendar
from pipelines.ingest.warehouse_state import broker_overrides
from pipelines.settings import Settings


def load_inputs(con: duckdb.DuckDBPyConnection, settings: Settings) -> TradingCalendar:
    """Make the input tables that don't depend on the days built; the calendar with the broker's word over the
    shipped one."""
    overrides = tuple(broker_overrides(con))
    _register(con, "input_session", _session_table(overrides))
    _register(con, "input_adjustment", adjustment_table(read_adjustments(settings.adjustments)))
    return TradingCalendar.load(overrides)


@lru_cache(maxsize=2)
def _session_table(overrides: tuple[Override, ...]) -> pa.Table:
    """All sessions. Those that the broker says nothing of are the same in every build, and made once."""
    calendar, shipped, whole = TradingCalendar.load(overrides), TradingCalendar.load(), _shipped_table()
    said = {each.date for each in overrides if calendar.first <= each.date <= calendar.last}
    told = [calendar.session(day) for day in sorted(said) if calendar.is_session(day)]
    conflicts = [not (shipped.is_session(each.date) and shipped.session(each.date) == each) for each in told]
    unsaid = whole.filter(pc.invert(pc.is_in(whole["trading_date"], pa.array(said, pa.date32()))))
    return pa.concat_tables([unsaid, _table_of(told, "API", conflicts)]).sort_by("trading_date")


@lru_cache(maxsize=1)
def _shipped_table() -> pa.Table:
    shipped = TradingCalendar.load()
    sessions = shipped.sessions(shipped.first, shipped.last)
    return _table_of(sessions, "LIBRARY", [False] * len(sessions))


def _table_of(sessions: Sequence[Session], source: str, conflicts: Sequence[bool]) -> pa.Table:
    utc = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "trading_date": pa.array([each.date for each in sessions], pa.date32()),
            "pre_open": pa.array([_new_york(each.date, time(4)) for each in sessions], utc),
            "regular_open": pa.array([each.open for each in sessions], utc),
            "regular_close": pa.array([each.close for each in sessions], utc),
            "post_close": pa.array([_new_york(each.date, time(20)) for each in sessions], utc),
            "early_close": pa.array([each.early for each in sessions], pa.bool_()),
            "source": pa.array([source] * len(sessions), pa.string()),
            "conflict": pa.array(conflicts, pa.bool_()),
        }
    )


def _new_york(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK)


def load_earlier(
    con: duckdb.DuckDBPyConnection,
    from_date: date,
    *,
    known_days: str = "core.account_eod",
    expected: str = "core.expected_day",
) -> None:
    """Make the input tables that tell a build what its own tables say of the days before `from_date`.

    `known_days` and `expected` are the relations that have each account's known days, and the accounts of each day.
    """
    con.execute(
        f"""
        create or replace temporary table input_earlier_eod as
        select
            account_id,
            max(trading_date) as trading_date,
            max(trading_date) filter (where grade <> 'RECOVERED') as anchor_date
        from {known_days}
        where trading_date < $1 group by account_id
        """,
        [from_date],
    )
    con.execute(
        f"""
        create or replace temporary table input_earlier_roster as
        select account_id, trading_date from {expected}
        where trading_date = (select max(trading_date) from {expected} where trading_date < $1)
        """,
        [from_date],
    )
    con.execute(
        """
        create or replace temporary table input_earlier_verdict as
        select account_id, max_by(proven_semantics, trading_date) as proven_semantics from pnl.pnl_semantics
        where trading_date < $1 and proven_semantics is not null group by account_id
        """,
        [from_date],
    )


def account_in_turn(con: duckdb.DuckDBPyConnection, day: date) -> str | None:
    """The account whose periods are proven with a day: another one each session, so that all have their turn.
    None where nobody read any."""
    found = con.execute(
        """
        with listed as (
            select distinct manifest.account_id
            from raw.extract_manifest as manifest
            inner join core.run on manifest.run_id = run.run_id
            where run.trading_date = $1 and manifest.endpoint = 'positions'
        ),
        turns as (
            select account_id, row_number() over (order by account_id) - 1 as turn, count(*) over () as accounts
            from listed
        )
        select turns.account_id from turns
        inner join core.calendar on calendar.trading_date = $1 and turns.turn = calendar.session_number % turns.accounts
        """,
        [day],
    ).fetchone()
    return found[0] if found else None


def no_earlier(con: duckdb.DuckDBPyConnection) -> None:
    """The same tables without rows: what a warehouse that was never built has to say."""
    con.execute(
        "create or replace temporary table input_earlier_eod (account_id varchar, trading_date date, anchor_date date)"
    )
    con.execute("create or replace temporary table input_earlier_roster (account_id varchar, trading_date date)")
    con.execute(
        "create or replace temporary table input_earlier_verdict (account_id varchar, proven_semantics varchar)"
    )


def _register(con: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    con.register("registered_input", table)
    con.execute(f"create or replace temporary table {name} as select * from registered_input")
    con.unregister("registered_input")
