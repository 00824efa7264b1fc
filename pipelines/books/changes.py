"""Which trading days a build has to look at: those whose inputs changed since the last one. Work grows with the day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import duckdb

from pipelines.books.catalog import Catalog, Table, select_of
from pipelines.calendar import TradingCalendar
from pipelines.warehouse.tables import dates_of

#: The next day that was read, and recovered ones before it, which are counted from the same day before.
_NEXT_KNOWN = """
    with later as (select account_id, trading_date, grade from core.account_eod where trading_date > $day),
    next_read as (
        select account_id, min(trading_date) filter (where grade <> 'RECOVERED') as trading_date
        from later group by account_id
    )
    select distinct later.trading_date from later inner join next_read on later.account_id = next_read.account_id
    where later.trading_date <= coalesce(next_read.trading_date, later.trading_date)
"""

_RECOVERED_BY = """
    select distinct account_eod.trading_date from core.account_eod
    inner join core.calendar on account_eod.trading_date = calendar.trading_date
    where account_eod.grade = 'RECOVERED' and calendar.next_trading_date = $day
"""

#: What a day without a session says counts on the next one.
_BOOKS = """
    select
        coalesce((
            select max(calendar.trading_date) + 1 from core.calendar
            where calendar.trading_date < (select min(run.trading_date) from core.run)
        ), min(trading_date)),
        greatest(max(trading_date), (select max(trading_date) from core.expected_day))
    from core.run
"""

#: The runs that tell of days on which a table is made alone: by whether tables are made anew.
_TELLING = {False: "select run_id from new_run", True: "select run_id from raw.extract_run"}

_POSITIONS_LANDED = """
    select run.trading_date, sum(manifest.rows_landed)::bigint
    from core.run
    inner join raw.extract_manifest as manifest on run.run_id = manifest.run_id
    where run.trading_date between $start and $end and manifest.endpoint = 'positions'
    group by run.trading_date
"""


class Piece(NamedTuple):
    """Days that are built in one go, from the `first` to the `last`, and how many positions were landed for them."""

    first: date
    last: date
    positions: int


def changed_days(con: duckdb.DuckDBPyConnection, catalog: Catalog, *, anew: bool = False) -> list[date]:
    """The trading dates whose inputs changed, without the ones that only follow from them.

    What new runs tell of further days is asked later (`days_alone`); `anew`, what every run tells."""
    con.execute(f"create or replace temporary table new_run as {catalog.new_run}")
    con.execute(f"create or replace temporary table telling_run as {_TELLING[anew]}")
    found = set(dates_of(con, "select distinct trading_date from new_run"))
    books = con.execute(_BOOKS).fetchone()
    if books and books[0]:
        first, last = books
        for query in catalog.changed:  # of a day that nobody fetched too: the next known one covers it
            found.update(day for day in dates_of(con, query) if first <= day <= last)
    con.execute("drop table new_run")
    return sorted(found)


def days_alone(
    con: duckdb.DuckDBPyConnection, table: Table, built: list[tuple[date, date]], calendar: TradingCalendar
) -> list[tuple[date, date]]:
    """The ranges of days on which a table is made again without the others, beside those that were `built`."""
    if table.alone is None:
        return []
    done = {session.date for first, last in built for session in calendar.sessions(first, last)}
    return _ranges(sorted({*dates_of(con, select_of(table.alone))} - done), calendar)


def all_days(con: duckdb.DuckDBPyConnection, calendar: TradingCalendar) -> list[date]:
    """Every session from the first trading date that a run has landed something for to the last: gaps are rows, too."""
    landed = dates_of(con, "select distinct trading_date from raw.extract_run")
    return [session.date for session in calendar.sessions(min(landed), max(landed))] if landed else []


def spans(con: duckdb.DuckDBPyConnection, days: list[date], calendar: TradingCalendar) -> list[tuple[date, date]]:
    """The days to build as ranges: with each changed day (for one without a session, the session after it) the next
    known one, whose P&L starts from it, the recovered one that its fills and splits tell of, and with a new day those
    before it that nobody asked about, which are gaps."""
    if not days:
        return []
    wanted = {calendar.next(day - timedelta(days=1)) for day in days}
    for day in list(wanted):
        wanted.update(dates_of(con, _RECOVERED_BY, {"day": day}))
    for day in sorted({*days, *wanted}):
        wanted.update(dates_of(con, _NEXT_KNOWN, {"day": day}))
    last_known = max(dates_of(con, "select max(trading_date) from core.expected_day"), default=min(wanted))
    if max(wanted) > last_known:
        wanted.update(s.date for s in calendar.sessions(calendar.next(last_known), max(wanted)))
    return _ranges(sorted(wanted), calendar)


def pieces(
    con: duckdb.DuckDBPyConnection, start: date, end: date, calendar: TradingCalendar, rows_at_once: int
) -> list[Piece]:
    """A range of days as consecutive pieces of about `rows_at_once` landed positions each, and never less than a
    day."""
    landed = dict(con.execute(_POSITIONS_LANDED, {"start": start, "end": end}).fetchall())
    cut: list[Piece] = []
    for session in calendar.sessions(start, end):
        day = Piece(session.date, session.date, landed.get(session.date, 0))
        if cut and (not cut[-1].positions or cut[-1].positions + day.positions <= rows_at_once):
            day = Piece(cut[-1].first, day.last, cut[-1].positions + day.positions)
            cut.pop()
        cut.append(day)
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
