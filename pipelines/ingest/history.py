"""The broker's history of years past: which days of an account are still to be asked for, and reading them.

In: the trailing portfolio-history of each account, as it was just read, and what the warehouse lacks. Out: the same
reads with the years that came whole, and a finding that names the days that did not: the next evening asks for those.
It comes last, within a budget of its own, for no history is worth an account's day; and accounts whose years did not
come the evening before come after the others, for years that always time out would use up every evening's budget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.broker.budget import is_shared
from pipelines.broker.client import NOT_OFFERED, BrokerClient
from pipelines.broker.read import Finding, Read, merge
from pipelines.calendar import NEW_YORK

#: Days were asked for and did not come; and none were asked for, because the evening's budget was used up.
NOT_READ = "history_not_read"
NOT_REACHED = "history_not_reached"
#: So many years of an account may fail in an evening: a broker that hangs takes a minute for each.
FAILURES = 2
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Days:
    """Days from the first to the last, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}/{self.last}"

    def years(self) -> Iterator[Days]:
        """The same days, a calendar year at a time, the latest first."""
        for year in range(self.last.year, self.first.year - 1, -1):
            yield Days(max(self.first, date(year, 1, 1)), min(self.last, date(year, 12, 31)))


@dataclass
class PastRead:
    """The years of an account that came whole, and the days that are left; why, for each year that did not come."""

    whole: list[Read[pa.Table]] = field(default_factory=list)
    since: date | None = None
    left: list[Days] = field(default_factory=list)
    why: list[str] = field(default_factory=list)


def days_from(text: str) -> list[Days]:
    """Days as they are written into a finding. Raises ValueError."""
    pairs = (each.split("/") for each in text.split(", ") if each)
    return [Days(date.fromisoformat(first), date.fromisoformat(last)) for first, last in pairs]


def days_to_read(
    before: date, left: Sequence[Days] | None, opened: date | None, earliest: date, history_from: date | None
) -> list[Days]:
    """The days to ask for before those that every evening asks for (`before`), the latest first.

    `left` is what earlier evenings left, None where they never asked; `history_from` has all days read again from then.
    """
    last = before - DAY
    if left is None:
        left = [Days(max(opened or earliest, earliest), last)]
    if history_from is not None:
        again = max(history_from, earliest)
        older = (Days(each.first, min(each.last, again - DAY)) for each in left if each.first < again)
        left = [Days(again, last), *older]
    return [each for each in left if each.first <= each.last]


def read_years(
    client: BrokerClient[pa.Table], account: str, days: Sequence[Days], history_from: date | None = None
) -> PastRead:
    """Ask for days, a year at a time, the latest first. Before a year without a row the broker has no more: the rest of
    those days is not asked for, but for what people want again (`history_from`)."""
    past = PastRead()
    stopped = False
    for span in days:
        for year in span.years():
            if stopped:
                past.left.append(year)
                continue
            read = client.past_history(account, year.first, year.last)
            problem = _problem(read, year)
            if problem is None:
                past.whole.append(read)
                past.since = year.first
                if not read.rows and (history_from is None or year.first <= history_from):
                    break
                continue
            past.left.append(year)
            if is_shared(problem):
                stopped = True
                continue
            past.why.append(problem)
            stopped = len(past.why) == FAILURES or read.http_status in NOT_OFFERED
    return past


def _problem(read: Read[pa.Table], days: Days) -> str | None:
    """Why a read does not tell of these days; None where it does."""
    if not read.complete:
        return read.error or "it was not asked for"
    dates = [each for batch in read.batches for each in (pc.min(batch["date"]).as_py(), pc.max(batch["date"]).as_py())]
    if all(each is None or days.first <= each <= days.last for each in dates):
        return None
    return f"portfolio-history of account {read.account_id}: the broker answered with days that were not asked for"


def with_past(trailing: Read[pa.Table], past: PastRead) -> Read[pa.Table]:
    """The read of an evening with the years that came whole; what did not is a finding."""
    read = replace(
        merge(trailing.endpoint, [trailing, *past.whole]),
        account_id=trailing.account_id,
        total_items=trailing.total_items,
    )
    if past.left:
        read.findings = [*read.findings, _left_over(past)]
    return read


def _left_over(past: PastRead) -> Finding:
    days = ", ".join(map(str, _joined(past.left)))
    if past.why:
        message = f"portfolio-history of {days} could not be read ({past.why[0]}): the next evening asks for it again"
        return Finding(NOT_READ, "WARN", message, value=days)
    message = f"portfolio-history of {days} was not asked for, because the evening's budget for it was used up: "
    return Finding(NOT_REACHED, "WARN", message + "the next evening begins with it", value=days)


def asked_last(accounts: Sequence[str | None], failed: Collection[str]) -> list[int]:
    """The places of reads, each of an account, in the order in which what is older is asked for: accounts that `failed`
    last, go last."""
    return sorted(range(len(accounts)), key=lambda place: accounts[place] in failed)


def _joined(days: Iterable[Days]) -> list[Days]:
    """The same days in as few spans as there can be, the latest first."""
    joined: list[Days] = []
    for each in sorted(days, key=lambda each: each.first):
        if joined and joined[-1].last + DAY >= each.first:
            joined[-1] = Days(joined[-1].first, max(joined[-1].last, each.last))
        else:
            joined.append(each)
    return joined[::-1]


def begin_of(day: date) -> datetime:
    """The first instant of a day in New York."""
    return datetime.combine(day, time(), NEW_YORK)
