"""What the oracle knows before it reckons: ends of days, what they span, and what was said to have happened between.

Only evidence is weighed here; `oracle_lifecycle` says what became of options, `oracle_row` what a row's P&L is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal

from pipelines.calendar import NEW_YORK, TradingCalendar
from tests.support.facts import AccountAnswer, Adjustment, Book, Contract, Evening, Position, SignedFill

ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Held:
    """A position at the end of a day, with everything that is known about it worked out."""

    position: Position
    multiplier: Decimal
    price: Decimal | None
    cost: Decimal | None
    unrealized: Decimal | None

    @property
    def quantity(self) -> Decimal:
        return self.position.quantity

    @property
    def value(self) -> Decimal:
        return self.position.market_value


@dataclass(frozen=True)
class Eod:
    """The end of an account's day."""

    captured_at: datetime
    held: Mapping[str, Held]


@dataclass(frozen=True)
class Span:
    """The days that one row covers: after `prev` (None: the account's first day) up to `day`."""

    account: str
    prev: date | None
    day: date
    start: Eod
    end: Eod
    sessions: tuple[date, ...]
    loaded: bool


_NOTHING = Eod(datetime.max.replace(tzinfo=UTC), {})


class Evidence:
    """A book, ordered: `eods` by (account, day) once `settle` has found them."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.calendar = TradingCalendar.load()
        self.contracts = {each.id: each for evening in book.evenings for each in evening.contracts}
        self.events = {each for evening in book.evenings for each in evening.events}
        self.runs: dict[date, list[Evening]] = {}
        self.days: dict[date, list[Evening]] = {}
        self.eods: dict[tuple[str, date], Eod] = {}
        self.gaps: dict[tuple[str, date], str] = {}
        for evening in book.evenings:
            assigned = self.calendar.assign(evening.at)
            self.runs.setdefault(assigned.trading_date, []).append(evening)
            if assigned.eod_eligible:
                self.days.setdefault(assigned.trading_date, []).append(evening)
        self._settle()

    def _settle(self) -> None:
        """Every expected account's end of each day, or why there is none."""
        sessions = self.calendar.sessions(min(self.days), max(self.days))
        for account, day, evenings in self._expected([session.date for session in sessions]):
            eod = self._end_of_day(account, day, evenings)
            if eod is None:
                self.gaps[account, day] = _gap(account, evenings)
            else:
                self.eods[account, day] = eod

    def _expected(self, days: Iterable[date]) -> Iterable[tuple[str, date, list[Evening]]]:
        """The accounts of each day: those that were asked for, or on a day when nobody asked those of the day
        before."""
        roster: list[str] = []
        for day in days:
            evenings = self.days.get(day, [])
            if evenings:
                roster = sorted({account for evening in evenings for account in evening.answers})
            for account in roster:
                yield account, day, evenings

    def _end_of_day(self, account: str, day: date, evenings: Iterable[Evening]) -> Eod | None:
        """Quantities, cost and daily fields of the last snapshot between the close and 20:00; marks of the last one
        whose prices are all of the day, else of the last one."""
        whole = [e for e in evenings if (a := e.answers.get(account)) and a.positions is not None and a.whole]
        if not whole:
            return None
        after_close = [e for e in whole if self.calendar.assign(e.at).grade == "POST_CLOSE"]
        book = (after_close or whole)[-1]
        final = [e for e in whole if all(p.closing_price_date == day for p in _rows(e, account))]
        marks = (final or whole)[-1]
        marked = {p.instrument_id: p for p in _rows(marks, account)}
        unrolled = [evening for evening in after_close if not self._has_rolled(evening, account, day)]
        daily = {p.instrument_id: p for p in _rows(unrolled[-1], account)} if unrolled else {}
        held = {}
        for position in _rows(book, account):
            said = daily.get(position.instrument_id)
            own = replace(
                position,
                daily_realized_pnl=said.daily_realized_pnl if said else None,
                daily_unrealized_pnl=said.daily_unrealized_pnl if said else None,
            )
            other = marked.get(position.instrument_id)
            if other is not None and other.quantity == own.quantity:
                own = _remarked(own, other)
            held[position.instrument_id] = self._held(own, day, marks.at)
        return Eod(book.at, held)

    def _has_rolled(self, evening: Evening, account: str, day: date) -> bool:
        """Whether daily figures that were there earlier in the day are gone: the broker has begun the next one."""
        seen = [e for e in self.runs[day] if e.at < evening.at and account in e.answers]
        return not _speaks_of_today(evening, account) and any(_speaks_of_today(each, account) for each in seen)

    def _held(self, position: Position, day: date, captured_at: datetime) -> Held:
        multiplier = self.multiplier(position)
        cost = position.cost_basis
        if cost is None and position.avg_price is not None:
            cost = position.quantity * position.avg_price * multiplier
        unrealized = position.unrealized_pnl
        if unrealized is None and cost is not None:
            unrealized = position.market_value - cost
        if position.quantity == 0:
            cost = unrealized = ZERO
        price = self._price(position, day, captured_at, multiplier)
        return Held(position, multiplier, price, cost, unrealized)

    def _price(self, position: Position, day: date, captured_at: datetime, multiplier: Decimal) -> Decimal | None:
        if position.closing_price is not None and position.closing_price_date == day:
            return position.closing_price
        if position.instrument_price is not None and captured_at >= self.calendar.session(day).close:
            return position.instrument_price
        if position.quantity != 0:
            return position.market_value / (position.quantity * multiplier)
        return position.closing_price

    def multiplier(self, position: Position) -> Decimal:
        """Shares have none. A contract is of whole units, whatever rounding its cost went through."""
        contract = self.contracts.get(position.instrument_id)
        if contract is not None:
            return contract.multiplier
        if position.instrument_type != "OPTION":
            return ONE
        price = position.closing_price or position.instrument_price
        if position.quantity and position.avg_price and position.cost_basis is not None:
            return _whole(position.cost_basis / (position.quantity * position.avg_price))
        if position.quantity and price:
            return _whole(position.market_value / (position.quantity * price))
        return Decimal(100)

    def answers(self, account: str) -> Iterable[tuple[datetime, AccountAnswer]]:
        for evening in self.book.evenings:
            if account in evening.answers:
                yield evening.at, evening.answers[account]

    def span(self, account: str, prev: date | None, day: date) -> Span:
        start = self.eods[account, prev] if prev else _NOTHING
        end = self.eods[account, day]
        sessions = self.calendar.sessions(prev, day)[1:] if prev else self.calendar.sessions(day, day)
        since = self.post_close(prev) if prev else end.captured_at
        loaded = any(
            answer.fills is not None and answer.fills_since <= since and at >= end.captured_at
            for at, answer in self.answers(account)
        )
        return Span(account, prev, day, start, end, tuple(each.date for each in sessions), loaded)

    def post_close(self, day: date) -> datetime:
        return datetime.combine(day, time(20), NEW_YORK)

    def fills(self, span: Span) -> dict[str, list[SignedFill]]:
        """Each instrument's fills that traded in the span, as last seen."""
        since = self.post_close(span.prev or self.calendar.previous(span.day))
        seen = {fill.id: fill for _, answer in self.answers(span.account) for fill in answer.fills or ()}
        found: dict[str, list[SignedFill]] = {}
        for fill in seen.values():
            if since < fill.at <= self.post_close(span.day):
                found.setdefault(fill.instrument_id, []).append(fill)
        return found

    def ratio(self, instrument: str, span: Span, after: datetime | None = None) -> Decimal:
        """What one share of the span's beginning (or of a fill at `after`) is at its end."""
        ratio = ONE
        for event in self.events:
            if event.instrument_id != instrument or event.ratio is None or event.day not in span.sessions:
                continue
            if after is None or self._trading_date(after, span) < event.day:
                ratio *= event.ratio
        return ratio

    def _trading_date(self, at: datetime, span: Span) -> date:
        return min(day for day in span.sessions if at <= self.post_close(day))

    def history(self, span: Span) -> Decimal | None:
        """The broker's gross P&L of the span; None where a day of it is missing."""
        said = {segment.day: segment for _, answer in self.answers(span.account) for segment in answer.history or ()}
        total = ZERO
        for day in span.sessions:
            segment = said.get(day)
            if segment is None or segment.realized is None or segment.unrealized is None:
                return None
            total += segment.realized + segment.unrealized
        return total

    def said(self, span: Span) -> list[Adjustment]:
        return [line for line in self.book.adjustments if line.account_id == span.account and line.day in span.sessions]

    def contract(self, position: Position) -> Contract | None:
        """The contract, from the broker or, without it, from the symbol."""
        known = self.contracts.get(position.instrument_id)
        if known is not None or position.instrument_type != "OPTION":
            return known
        stem, strike = position.symbol[:-8], position.symbol[-8:]
        return Contract(
            position.instrument_id,
            position.symbol,
            position.underlying_instrument_id or "",
            "CALL" if stem[-1] == "C" else "PUT",
            Decimal(strike) / 1000,
            datetime.strptime(stem[-7:-1], "%y%m%d").date(),  # noqa: DTZ007  (a day, not an instant)
            self.multiplier(position),
        )


def _rows(evening: Evening, account: str) -> list[Position]:
    """The account's positions; cash is none."""
    return [p for p in evening.answers[account].positions or () if p.instrument_type != "CASH"]


def _speaks_of_today(evening: Evening, account: str) -> bool:
    return any(p.daily_realized_pnl or p.daily_unrealized_pnl for p in _rows(evening, account))


def _remarked(position: Position, marks: Position) -> Position:
    return replace(
        position,
        market_value=marks.market_value,
        unrealized_pnl=marks.unrealized_pnl,
        closing_price=marks.closing_price,
        closing_price_date=marks.closing_price_date,
        instrument_price=marks.instrument_price,
    )


def _gap(account: str, evenings: Iterable[Evening]) -> str:
    answers = [evening.answers[account] for evening in evenings if account in evening.answers]
    if not answers:
        return "NO_SNAPSHOT"
    return "FETCH_FAILED" if answers[-1].positions is None else "INCOMPLETE_SNAPSHOT"


def quantity_of(held: Held | None) -> Decimal:
    return held.quantity if held else ZERO


def cost_of(held: Held | None) -> Decimal | None:
    return held.cost if held else ZERO


def unrealized_of(held: Held | None) -> Decimal | None:
    return held.unrealized if held else ZERO


def _whole(number: Decimal) -> Decimal:
    return number.quantize(ONE, ROUND_HALF_EVEN)
