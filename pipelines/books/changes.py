"""Which trading days a build has to look at: those whose inputs changed since the last one. Work grows with the day."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb

from pipelines.books.catalog import Catalog
from pipelines.calendar import TradingCalendar
from pipelines.warehouse.tables import dates_of

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


def changed_days(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> list[date]:
    """The trading dates whose inputs changed, without the ones that only follow from them."""
    con.execute(f"create or replace temporary table new_run as {catalog.new_run}")
    found = set(dates_of(con, "select distinct trading_date from new_run"))
    books = con.execute("select min(trading_date), max(trading_date) from core.run").fetchone()
    if books and books[0]:
        first, last = books
        for query in catalog.changed:  # of a day that nobody fetched too: the next known one covers it
            found.update(day for day in dates_of(con, query) if first <= day <= last)
    con.execute("drop table new_run")
    return sorted(found)


def all_days(con: duckdb.DuckDBPyConnection, calendar: TradingCalendar) -> list[date]:
    """Every session from the first trading date that a run has landed something for to the last: gaps are rows, too."""
    landed = dates_of(con, "select distinct trading_date from raw.extract_run")
    return [session.date for session in calendar.sessions(min(landed), max(landed))] if landed else []


def spans(con: duckdb.DuckDBPyConnection, days: list[date], calendar: TradingCalendar) -> list[tuple[date, date]]:
    """The days to build as ranges: with each changed day (for one without a session, the session after it) the next
    known one, whose P&L starts from it, and with a new day those before it that nobody asked about, which are gaps."""
    if not days:
        return []
    wanted = {calendar.next(day - timedelta(days=1)) for day in days}
    for day in days:
        wanted.update(dates_of(con, _NEXT_KNOWN, {"day": day}))
    last_known = dates_of(con, "select max(trading_date) from core.expected_day")
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
