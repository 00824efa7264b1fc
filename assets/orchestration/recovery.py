"""The evening that nobody read, and the morning that makes up for it: which session a run before the next close is for.

In: the books, or the published copy. Out: a trading day. How a day is recovered is SQL (core.stand_in,
core.recovered_position) and no concern of this module.
"""

from dataclasses import dataclass
from datetime import date

import duckdb

from assets.catalog import CATALOG
from pipelines.settings import Books
from pipelines.warehouse.connect import open_published

_BEFORE = """
    select before.trading_date, before.accounts_expected, before.accounts_known, before.accounts_recovered
    from core.calendar as today
    inner join quality.day as before on today.prev_trading_date = before.trading_date
    left join quality.day as closed on today.trading_date = closed.trading_date
    where today.trading_date = ? and closed.trading_date is null
"""
_EVENING = """
    select status, accounts_expected, accounts_known, accounts_recovered from quality.day where trading_date = ?
"""
_FIRST = "select min(trading_date) from core.run where is_end_of_day(grade)"


@dataclass(frozen=True)
class MissedEvening:
    """A session of which not every account's end was read. `recovered` accounts are told by the session after it,
    `unknown` ones by nothing."""

    day: date
    recovered: int
    unknown: int


def evening_before(con: duckdb.DuckDBPyConnection, day: date) -> MissedEvening | None:
    """The session before `day`, where its evening was missed and `day` has not closed yet."""
    row = con.execute(_BEFORE, [day]).fetchone()
    if row is None:
        return None
    missed = MissedEvening(row[0], row[3], row[1] - row[2])
    return missed if missed.recovered or missed.unknown else None


def reason_not_to_recover(published: Books, day: date) -> str | None:
    """Why there is nothing to recover of `day` in the published books; None where its evening is missing. Raises as
    `open_published`."""
    with open_published(published) as con:
        con.execute(CATALOG.functions)
        first = con.execute(_FIRST).fetchone()
        row = con.execute(_EVENING, [day]).fetchone()
    if first is None or first[0] is None or day < first[0]:
        return f"No end of day is due for {day} in these books."
    if row is None:
        return None
    status, expected, known, recovered = row
    if known < expected:
        return None
    return f"{day} was recovered already." if recovered else f"The end of {day} was read: it is {status}."
