"""Trading days: when the market opened and closed, and which day an instant belongs to.

The sessions are a table shipped beside this file (sessions.csv); what the broker's own calendar said about a day
wins over it. Everything that asks "which day is it?" asks here, with the broker's clock in hand.
"""

from __future__ import annotations

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pipelines.errors import ConfigurationError

NEW_YORK = ZoneInfo("America/New_York")
REGULAR_OPEN = time(9, 30)
REGULAR_CLOSE = time(16)
DAY_BEGINS = time(4)  # pre-market; before it, an instant still belongs to the session before
DAY_ENDS = time(20)  # the end of after-hours trading; what executes later belongs to the next session
#: The rule by which an instant is given a trading date: the clock of New York, a day from 04:00 to 04:00.
TRADING_DATE_RULE = "new_york_0400"

Grade = Literal["PRE_OPEN", "INTRADAY", "POST_CLOSE", "LATE"]
#: The grades of a snapshot that may stand for the end of its day.
END_OF_DAY: tuple[Grade, ...] = ("POST_CLOSE", "LATE")


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day. `open` and `close` are UTC instants; `early` says that it closed before 16:00 New York."""

    date: date
    open: datetime
    close: datetime
    early: bool


@dataclass(frozen=True, slots=True)
class Override:
    """What the broker's calendar says of a day: its hours (aware instants), or None for both: the market was closed."""

    date: date
    open: datetime | None
    close: datetime | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """The trading day that an instant belongs to, and where in that day it lies."""

    trading_date: date
    grade: Grade

    @property
    def eod_eligible(self) -> bool:
        """Whether a snapshot taken at the instant may stand for the end of the day."""
        return self.grade in END_OF_DAY


class TradingCalendar:
    """The sessions from `first` to `last`. Days outside raise ConfigurationError: unknown, not closed."""

    def __init__(self, closes: Mapping[date, time], overrides: Mapping[date, Session | None]) -> None:
        self._closes = closes
        self._overrides = overrides
        closed = {day for day, session in overrides.items() if session is None}
        self._days = sorted((closes.keys() | overrides.keys()) - closed)
        self.first, self.last = min(closes), max(closes)

    @classmethod
    def load(cls, overrides: Iterable[Override] = ()) -> TradingCalendar:
        """The shipped table with the broker's word over it (of two on one day the later one counts).

        An override outside the shipped table is left aside: the days around it would still be unknown.
        """
        return _load(tuple(overrides))

    def is_session(self, day: date) -> bool:
        """Whether the market opened on `day`."""
        self._check(day)
        at = bisect_left(self._days, day)
        return at < len(self._days) and self._days[at] == day

    def session(self, day: date) -> Session:
        """The session of `day`. Raises ConfigurationError where the market was closed."""
        if not self.is_session(day):
            raise ConfigurationError(f"{day} is not a trading day.")
        return self._overrides.get(day) or _regular(day, self._closes.get(day, REGULAR_CLOSE))

    def previous(self, day: date) -> date:
        """The last trading day before `day`, which need not be one itself."""
        self._check(day)
        at = bisect_left(self._days, day)
        if at == 0:
            raise ConfigurationError(f"The shipped sessions begin on {self.first}: none is known before {day}.")
        return self._days[at - 1]

    def next(self, day: date) -> date:
        """The first trading day after `day`, which need not be one itself."""
        self._check(day)
        at = bisect_right(self._days, day)
        if at == len(self._days):
            raise self._beyond(day + timedelta(days=1))
        return self._days[at]

    def sessions(self, start: date, end: date) -> list[Session]:
        """Every session from `start` to `end`, both included, in order; empty where `end` is before `start`."""
        self._check(start)
        self._check(end)
        days = self._days[bisect_left(self._days, start) : bisect_right(self._days, end)]
        return [self.session(day) for day in days]

    def assign(self, instant: datetime) -> Assignment:
        """The trading day of an aware instant: New York's 04:00 to 04:00; closed days belong to the one before."""
        if instant.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        local = instant.astimezone(NEW_YORK)
        day = local.date() if local.time() >= DAY_BEGINS else local.date() - timedelta(days=1)
        if not self.is_session(day):
            return Assignment(self.previous(day), "LATE")
        return Assignment(day, _grade(self.session(day), instant))

    def days_left(self, today: date) -> int:
        """Calendar days from `today` to the last session that is known; negative once it has passed."""
        return (self.last - today).days

    def _check(self, day: date) -> None:
        if day < self.first:
            raise ConfigurationError(f"The shipped sessions begin on {self.first}: {day} is before them.")
        if day > self.last:
            raise self._beyond(day)

    def _beyond(self, day: date) -> ConfigurationError:
        return ConfigurationError(f"The shipped sessions end on {self.last}: {day} is not among them. Update daybook.")


@lru_cache(maxsize=8)  # a service asks for the same one each minute
def _load(overrides: tuple[Override, ...]) -> TradingCalendar:
    closes = _shipped()
    first, last = min(closes), max(closes)
    return TradingCalendar(closes, {each.date: _session(each) for each in overrides if first <= each.date <= last})


def _grade(session: Session, instant: datetime) -> Grade:
    if instant < session.open:
        return "PRE_OPEN"
    if instant < session.close:
        return "INTRADAY"
    return "POST_CLOSE" if instant <= _utc(session.date, DAY_ENDS) else "LATE"


def _session(said: Override) -> Session | None:
    if said.open is None and said.close is None:
        return None
    if said.open is None or said.close is None or not said.open < said.close:
        raise ConfigurationError(f"The market hours of {said.date} need an opening before a close, or neither.")
    early = said.close.astimezone(NEW_YORK) < datetime.combine(said.date, REGULAR_CLOSE, NEW_YORK)
    return Session(said.date, said.open.astimezone(UTC), said.close.astimezone(UTC), early)


@cache
def _regular(day: date, close: time) -> Session:
    return Session(day, _utc(day, REGULAR_OPEN), _utc(day, close), close < REGULAR_CLOSE)


def _utc(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


@cache
def _shipped() -> Mapping[date, time]:
    """The close of every shipped session, in New York time. Sessions are built when asked for: that keeps this fast."""
    with Path(__file__).with_name("sessions.csv").open(encoding="utf-8", newline="") as table:
        rows = csv.reader(line for line in table if not line.startswith("#"))
        next(rows)  # the header
        return {date.fromisoformat(day): time.fromisoformat(close) if close else REGULAR_CLOSE for day, close in rows}
