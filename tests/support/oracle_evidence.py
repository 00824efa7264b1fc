"""What the oracle knows before it reckons: ends of days, what they span, and what was said to have happened between.

Only evidence is weighed here; `oracle_lifecycle` says what became of options, `oracle_row` what a row's P&L is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from pipelines.calendar import NEW_YORK, TradingCalendar
from tests.support.facts import AccountAnswer, Adjustment, Book, Contract, Evening, Position, SignedFill

ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Held:
    """A position at the end of a day, with everything that is known about it worked out; `is_late`: its mark is one of
    the night."""

    position: Position
    multiplier: Decimal
    price: Decimal | None
    cost: Decimal | None
    unrealized: Decimal | None
    is_late: bool = False

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


Splits = tuple[tuple[date, Decimal], ...]


@dataclass(frozen=True)
class Way:
    """How a position rolled: the fills that count, the splits with the day each takes effect, and whether that agrees
    with what was held (`fits`) and with the price too (`matched`)."""

    fills: tuple[SignedFill, ...]
    splits: Splits
    matched: bool = True
    fits: bool = True

    def ratio(self, after: date | None, until: date = date.max) -> Decimal:
        """What one share of before (of `after`, the date of a fill) is on `until`."""
        ratio = ONE
        for day, each in self.splits:
            if (after is None or after < day) and day <= until:
                ratio *= each
        return ratio


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
        self._ways: dict[tuple[str, date, str], Way] = {}
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
        whose prices are all of the day, else of the last one. One of the night tells the day's close alone."""
        whole = [e for e in evenings if (a := e.answers.get(account)) and a.positions is not None and a.whole]
        if not whole:
            return None
        after_close = [e for e in whole if self.calendar.assign(e.at).grade == "POST_CLOSE"]
        book = (after_close or whole)[-1]
        final = [e for e in whole if all(p.closing_price_date == day for p in _rows(e, account))]
        marks = (final or whole)[-1]
        marked = {p.instrument_id: p for p in _rows(marks, account)}
        marks_are_late = marks not in after_close
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
            late = book not in after_close
            if (
                other is not None
                and other.quantity == own.quantity
                and (not marks_are_late or (other.closing_price is not None and other.closing_price_date == day))
            ):
                own, late = _remarked(own, other), marks_are_late
            held[position.instrument_id] = self._held(own, day, late=late)
        return Eod(book.at, held)

    def _has_rolled(self, evening: Evening, account: str, day: date) -> bool:
        """Whether daily figures that were there earlier in the day are gone: the broker has begun the next one."""
        seen = [e for e in self.runs[day] if e.at < evening.at and account in e.answers]
        return not _speaks_of_today(evening, account) and any(_speaks_of_today(each, account) for each in seen)

    def _held(self, position: Position, day: date, *, late: bool) -> Held:
        multiplier = self.multiplier(position)
        cost = position.cost_basis
        if cost is None and position.avg_price is not None:
            cost = position.quantity * position.avg_price * multiplier
        if cost is None and position.unrealized_pnl is not None:
            cost = position.market_value - position.unrealized_pnl
        if late and position.closing_price is not None and position.closing_price_date == day:
            at_close = position.quantity * position.closing_price * multiplier
            if abs(position.market_value - at_close) > CENT:
                position = replace(position, market_value=at_close, unrealized_pnl=None)
        unrealized = position.unrealized_pnl
        if unrealized is None and cost is not None:
            unrealized = position.market_value - cost
        if position.quantity == 0:
            cost = unrealized = ZERO
        price = _price(position, day, multiplier, late=late)
        return Held(position, multiplier, price, cost, unrealized, is_late=late)

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
        since = self.calendar.session(prev or self.calendar.previous(day)).close
        loaded = any(
            answer.fills is not None and answer.fills_since <= since and at >= end.captured_at
            for at, answer in self.answers(account)
        )
        return Span(account, prev, day, start, end, tuple(each.date for each in sessions), loaded)

    def post_close(self, day: date) -> datetime:
        return datetime.combine(day, time(20), NEW_YORK)

    def standing(self, account: str) -> list[SignedFill]:
        """Fills as last seen, without those that a later list, which covers their time, has no longer."""
        seen: dict[str, SignedFill] = {}
        for at, answer in self.answers(account):
            if answer.fills is not None:
                listed = {fill.id: fill for fill in answer.fills}
                kept = {i: f for i, f in seen.items() if i in listed or not answer.fills_since <= f.at <= at}
                seen = kept | listed
        return list(seen.values())

    def fills(self, span: Span) -> dict[str, list[SignedFill]]:
        """Each instrument's fills that count in the span."""
        found = {fill.instrument_id for fill in self.standing(span.account)}
        counted = {instrument: list(self.way(span, instrument).fills) for instrument in found}
        return {instrument: fills for instrument, fills in counted.items() if fills}

    def way(self, span: Span, instrument: str) -> Way:
        """How the position rolled: the first way that its quantities agree with, else splits and fills as dated."""
        key = (span.account, span.day, instrument)
        if key not in self._ways:
            self._ways[key] = self._find_way(span, instrument)
        return self._ways[key]

    def _find_way(self, span: Span, instrument: str) -> Way:
        fills = [fill for fill in self.standing(span.account) if fill.instrument_id == instrument]
        covering, near = self._splits(span, instrument)
        choices = [covering, *[(one,) for one in near], *([()] if near else [])]
        apart = [self._price_apart(span, instrument, splits) for splits in choices]
        nearest = min((each for each in apart if each is not None), default=None)
        ways = []
        for splits, distance in zip(choices, apart, strict=True):
            agrees = None if distance is None or nearest is None else distance <= nearest + 1e-6
            for by_time in ((True, True), (False, False), (True, False), (False, True)):
                way = Way(tuple(f for f in fills if self._is_in(span, f, *by_time)), splits)
                rolls = abs(self._missing(span, instrument, way)) < Decimal("1e-6")
                fits = rolls and (splits is covering or span.loaded or bool(agrees))
                ways.append(replace(way, matched=not near or (fits and agrees is not False), fits=fits))
        return next((way for way in ways if way.fits), ways[0])

    def _is_in(self, span: Span, fill: SignedFill, start_by_time: bool, end_by_time: bool) -> bool:
        traded = self.trading_date(fill.at)
        after = traded >= span.sessions[0]
        if start_by_time and span.prev:
            after = fill.at > span.start.captured_at
        return after and (fill.at <= span.end.captured_at if end_by_time else traded <= span.day)

    def _missing(self, span: Span, instrument: str, way: Way) -> Decimal:
        said = ZERO
        for line in self.said(span):
            if line.kind == "ID_CHANGE":
                moved = quantity_of(span.start.held.get(line.instrument_id))
                said += moved * ((line.to_instrument_id == instrument) - (line.instrument_id == instrument))
            elif line.instrument_id == instrument:
                said += line.quantity or ZERO
        traded = sum((f.quantity * way.ratio(self.trading_date(f.at)) for f in way.fills), ZERO)
        before = quantity_of(span.start.held.get(instrument)) * way.ratio(None)
        return quantity_of(span.end.held.get(instrument)) - before - traded - said

    def _price_apart(self, span: Span, instrument: str, splits: Splits) -> float | None:
        start, end = span.start.held.get(instrument), span.end.held.get(instrument)
        if start is None or end is None or not start.price or not end.price:
            return None
        return abs(math.log(end.price / start.price) + math.log(Way((), splits).ratio(None)))

    def _splits(self, span: Span, instrument: str) -> tuple[Splits, Splits]:
        """Splits dated in the span, and those up to two sessions off too, each with the day it takes effect; not one
        that was in the book before the span began."""
        if span.prev is None:
            return (), ()
        covering: list[tuple[date, Decimal]] = []
        near: list[tuple[date, Decimal]] = []
        for event in sorted(self.events, key=lambda each: each.day):
            if event.instrument_id != instrument or event.ratio is None:
                continue
            if event.day in span.sessions:
                covering.append((event.day, event.ratio))
            elif event.day > span.day and len(self.calendar.sessions(span.day, event.day)) <= 3:
                near.append((span.day, event.ratio))
            elif (
                event.day < span.sessions[0]
                and len(self.calendar.sessions(event.day, span.sessions[0])) <= 3
                and not self._was_shown(span, instrument, event.day, event.ratio)
            ):
                near.append((span.sessions[0], event.ratio))
        return tuple(covering), tuple(covering + near)

    def _was_shown(self, span: Span, instrument: str, day: date, ratio: Decimal) -> bool:
        ends = [eod for (account, each), eod in self.eods.items() if account == span.account and each < day]
        then = quantity_of(ends[-1].held.get(instrument)) if ends else ZERO
        now = quantity_of(span.start.held.get(instrument))
        if then == 0 or now == 0:
            return False
        grown = math.log(abs(now / then))
        return abs(grown - math.log(ratio)) <= abs(grown)

    def ratio(self, instrument: str, span: Span, after: datetime | None = None) -> Decimal:
        """What one share of the span's beginning (or of a fill at `after`) is at its end."""
        return self.way(span, instrument).ratio(None if after is None else self.trading_date(after))

    def trading_date(self, at: datetime) -> date:
        day = at.astimezone(NEW_YORK).date()
        return self.calendar.next(day - timedelta(days=1 if at <= self.post_close(day) else 0))

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


def _price(position: Position, day: date, multiplier: Decimal, *, late: bool) -> Decimal | None:
    """The day's close, else a last price that was one of the day, else what the value says."""
    if position.closing_price is not None and position.closing_price_date == day:
        return position.closing_price
    if position.instrument_price is not None and not late:
        return position.instrument_price
    if position.quantity != 0:
        return position.market_value / (position.quantity * multiplier)
    return position.closing_price


def _remarked(position: Position, marks: Position) -> Position:
    return replace(
        position,
        market_value=marks.market_value,
        unrealized_pnl=marks.unrealized_pnl if marks.cost_basis == position.cost_basis else None,
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
