"""Which trading days a build has to look at: those whose inputs changed since the last one. Work grows with the day."""

from __future__ import annotations

from datetime import date

import duckdb

from pipelines.calendar import TradingCalendar
from pipelines.warehouse.tables import days_of

_NEW_RUNS = """
    create or replace temporary table new_run as
    select extract_run.run_id, extract_run.trading_date, extract_run.finished_at
    from raw.extract_run
    inner join raw._dlt_loads as committed
        on extract_run._dlt_load_id = committed.load_id and committed.status = 0
    where extract_run.run_id not in (select run_id from core.run)
"""

#: Each finds days, other than a new run's own, that a new run said something new about.
_SAID_ANEW = {
    "fills first seen now, or seen in another form": """
        select distinct calendar.trading_date
        from (
            select account_id, id, instrument_id, side, quantity, price, transaction_time
            from raw.executions where run_id in (select run_id from new_run)
            except
            select account_id, id, instrument_id, side, quantity, price, transaction_time
            from raw.executions
            where run_id not in (select run_id from new_run)
                and transaction_time >= (
                    select min(transaction_time) from raw.executions where run_id in (select run_id from new_run)
                )
        ) as fill
        inner join core.calendar
            on fill.transaction_time > calendar.owns_from and fill.transaction_time <= calendar.post_close
    """,
    "days whose fills were missing until now": """
        select distinct account_eod.trading_date
        from raw.extract_manifest as manifest
        inner join new_run on manifest.run_id = new_run.run_id
        inner join core.account_eod on manifest.account_id = account_eod.account_id
        left join core.calendar as before on account_eod.prev_trading_date = before.trading_date
        where manifest.endpoint = 'executions' and manifest.complete and not account_eod.executions_loaded
            and manifest.window_from <= coalesce(before.post_close, account_eod.captured_at)
    """,
    "the broker's history of earlier days, where it differs": """
        select distinct broker_day.trading_date
        from raw.portfolio_history as history
        inner join new_run on history.run_id = new_run.run_id
        inner join raw.extract_manifest as manifest
            on history.run_id = manifest.run_id and history.account_id = manifest.account_id
                and manifest.endpoint = 'portfolio_history' and manifest.complete
        inner join core.broker_day
            on history.account_id = broker_day.account_id and history.date = broker_day.trading_date
        where (history.realized_pnl, history.unrealized_pnl, history.net_pnl, history.day_pnl, history.position_pnl,
               history.sod_equity, history.eod_equity)
            is distinct from
            (broker_day.realized_pnl, broker_day.unrealized_pnl, broker_day.net_pnl, broker_day.day_pnl,
             broker_day.position_pnl, broker_day.sod_equity, broker_day.eod_equity)
    """,
    "corporate events learnt late": """
        select distinct event.event_date
        from (
            select instrument_id, event_type, event_date, numerator, denominator, dividend_amount
            from raw.corporate_events where run_id in (select run_id from new_run)
            except
            select instrument_id, event_type, event_date, numerator, denominator, dividend_amount
            from raw.corporate_events where run_id not in (select run_id from new_run)
        ) as event
        inner join core.position_eod
            on event.instrument_id = position_eod.instrument_id and event.event_date = position_eod.trading_date
    """,
    "adjustments that were added, changed or taken back": """
        select distinct trading_date from (
            (select * from input_adjustment except select * from core.position_adjustment)
            union all
            (select * from core.position_adjustment except select * from input_adjustment)
        ) as changed
    """,
}

_NEXT_KNOWN = """
    select distinct min(trading_date) from core.account_eod where trading_date > $day group by account_id
"""

_POSITIONS_LANDED = """
    select run.trading_date, sum(manifest.rows_landed)::bigint
    from core.run
    inner join raw.extract_manifest as manifest on run.run_id = manifest.run_id
    where run.trading_date between $start and $end and manifest.endpoint = 'positions'
    group by run.trading_date
"""


def changed_days(con: duckdb.DuckDBPyConnection) -> list[date]:
    """The trading dates whose inputs changed, without the ones that only follow from them."""
    con.execute(_NEW_RUNS)
    found = set(days_of(con, "select distinct trading_date from new_run"))
    books = con.execute("select min(trading_date), max(trading_date) from core.account_eod").fetchone()
    if books and books[0]:
        first, last = books
        for query in _SAID_ANEW.values():  # of a day that nobody fetched too: the next known one covers it
            found.update(day for day in days_of(con, query) if first <= day <= last)
    con.execute("drop table new_run")
    return sorted(found)


def landed_days(con: duckdb.DuckDBPyConnection) -> list[date]:
    """Every trading date that a run has landed something for."""
    return days_of(con, "select distinct trading_date from raw.extract_run")


def spans(con: duckdb.DuckDBPyConnection, days: list[date], calendar: TradingCalendar) -> list[tuple[date, date]]:
    """The days to build as ranges: with each changed day the next known one, whose P&L starts from it, and with a new
    day the ones before it that nobody asked about, which are gaps."""
    if not days:
        return []
    wanted = {day for day in days if calendar.is_session(day)}
    for day in days:
        wanted.update(days_of(con, _NEXT_KNOWN, {"day": day}))
    last_known = days_of(con, "select max(trading_date) from core.expected_day")
    if last_known and wanted and max(wanted) > last_known[0]:
        beginning = min(day for day in wanted if day > last_known[0])
        wanted.update(s.date for s in calendar.sessions(calendar.next(last_known[0]), beginning))
    return _ranges(sorted(wanted), calendar)


def pieces(
    con: duckdb.DuckDBPyConnection, start: date, end: date, calendar: TradingCalendar, rows_at_once: int
) -> list[tuple[date, date]]:
    """A range of days as consecutive ones of about `rows_at_once` landed positions each, and never less than a day."""
    landed = dict(con.execute(_POSITIONS_LANDED, {"start": start, "end": end}).fetchall())
    cut: list[tuple[date, date]] = []
    rows = 0
    for session in calendar.sessions(start, end):
        more = landed.get(session.date, 0)
        if not cut or (rows and rows + more > rows_at_once):
            cut.append((session.date, session.date))
            rows = 0
        cut[-1] = (cut[-1][0], session.date)
        rows += more
    return cut


def _ranges(days: list[date], calendar: TradingCalendar) -> list[tuple[date, date]]:
    """Ascending days as few ranges: those at most three sessions apart are built in one."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and len(calendar.sessions(ranges[-1][1], day)) <= 4:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges
