"""What things cost when: sessions of the trading calendar, closes of prices.csv, options by the rule of options.py."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from pipelines.calendar import Session, TradingCalendar
from pipelines.sandbox.instruments import Instrument
from pipelines.sandbox.options import CENT, option_price
from pipelines.sandbox.prices import SYMBOLS, Prices

NEW_YORK = ZoneInfo("America/New_York")
# The pre-market opens at four: from then on a snapshot belongs to the new day, and what happened overnight is in it.
ROLL = time(4, 0)


def roll_of(session: Session) -> datetime:
    """The instant at which the books turn to a session: its pre-market open, UTC."""
    return datetime.combine(session.date, ROLL, NEW_YORK).astimezone(UTC)


class Market:
    """Prices of any instrument at the close of a session, before it, and during it."""

    def __init__(self, calendar: TradingCalendar | None = None) -> None:
        self.calendar = calendar or TradingCalendar.load()
        self.prices = Prices()
        self.sessions = self.calendar.sessions(self.prices.first, self.prices.last)
        self._dates = [session.date for session in self.sessions]
        self._rolls = [roll_of(session) for session in self.sessions]

    def session_at(self, now: datetime) -> Session | None:
        """The session that the books are in: nights, weekends and holidays still belong to the one before."""
        index = bisect_right(self._rolls, now) - 1
        return self.sessions[index] if index >= 0 else None

    def index(self, day: date) -> int:
        """Where a session stands in `sessions`. KeyError for a day that isn't one."""
        index = bisect_right(self._dates, day) - 1
        if index < 0 or self._dates[index] != day:
            raise KeyError(day)
        return index

    def last_session(self, option: Instrument) -> date:
        """The last day on which an option trades: the last session not after its expiry."""
        return self._dates[bisect_right(self._dates, option.expiry) - 1]

    def close(self, instrument: Instrument, day: date) -> Decimal:
        """The closing price of a session, USD a share."""
        if instrument.underlying is None:
            return self.prices.close(instrument.symbol, day)
        return self._option(instrument, self.close(instrument.underlying, day), day)

    def prior_close(self, instrument: Instrument, day: date) -> Decimal:
        """The close of the session before `day`, in the shares of `day`: a split on `day` is already in it."""
        before = self._dates[max(self.index(day) - 1, 0)]
        return self.close(instrument, before) / self.split_factor(instrument, day)

    def knows(self, instrument: Instrument) -> bool:
        """Whether there are prices for an instrument: made-up ones have none."""
        return instrument.base.symbol in SYMBOLS

    def split_factor(self, instrument: Instrument, day: date) -> Decimal:
        """Shares for one old share at the open of `day`; 1 on nearly every day."""
        return self.prices.on(day, "SPLIT").get(instrument.symbol, Decimal(1))

    def mark(self, instrument: Instrument, session: Session, now: datetime) -> Decimal:
        """The price that values a position: the close once there is one, until then the close before."""
        closed = now >= session.close
        return self.close(instrument, session.date) if closed else self.prior_close(instrument, session.date)

    def traded_at(self, instrument: Instrument, session: Session, at: datetime) -> Decimal:
        """A price for a fill: on the straight line from the close before to the close, half-even to the cent."""
        part = Decimal((at - session.open).total_seconds()) / Decimal((session.close - session.open).total_seconds())
        start, end = self.prior_close(instrument.base, session.date), self.close(instrument.base, session.date)
        spot = (start + (end - start) * part).quantize(CENT, ROUND_HALF_EVEN)
        return spot if instrument.underlying is None else self._option(instrument, spot, session.date)

    def _option(self, option: Instrument, spot: Decimal, day: date) -> Decimal:
        days = (self.last_session(option) - day).days
        return option_price(option.contract_type, spot, option.strike, days)
