"""A slow, plain second opinion on the P&L: one account, one day, one instrument at a time, in exact decimals.

Written from the definitions (what a measure is, which evidence goes first, when nothing is known), not from the
selects, so that a mistake would have to be made twice. It reads what the broker answered each evening and tells what
the books must say once all of it is in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from pipelines.calendar import NEW_YORK, TradingCalendar

ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")
SHARE_OF_MONEY = Decimal("1e-10")


@dataclass(frozen=True)
class Position:
    """A row of a positions listing; None: the broker said null."""

    instrument_id: str
    symbol: str
    instrument_type: str
    quantity: Decimal
    market_value: Decimal
    cost_basis: Decimal | None = None
    avg_price: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    closing_price: Decimal | None = None
    closing_price_date: date | None = None
    instrument_price: Decimal | None = None
    daily_realized_pnl: Decimal | None = None
    daily_unrealized_pnl: Decimal | None = None
    underlying_instrument_id: str | None = None


@dataclass(frozen=True)
class Fill:
    """An execution; `quantity` is signed here (bought +, sold -), `price` None where the broker gave none."""

    id: str
    instrument_id: str
    quantity: Decimal
    price: Decimal | None
    at: datetime
    underlying_instrument_id: str | None = None


@dataclass(frozen=True)
class Contract:
    """An option contract."""

    id: str
    symbol: str
    underlying_instrument_id: str
    contract_type: str
    strike: Decimal
    expiry: date
    multiplier: Decimal


@dataclass(frozen=True)
class Instruction:
    """An exercise instruction as it stands when it is read."""

    id: str
    instrument_id: str
    instruction_type: str
    quantity: Decimal
    status: str
    accepted_quantity: Decimal | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Event:
    """A split (`ratio` new shares for one old) or a dividend (`amount` a share) on `day`."""

    instrument_id: str
    day: date
    ratio: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True)
class Adjustment:
    """A line of adjustments.csv."""

    day: date
    account_id: str
    kind: str
    instrument_id: str
    to_instrument_id: str | None = None
    quantity: Decimal | None = None
    cash: Decimal | None = None
    value: Decimal | None = None
    cost_basis: Decimal | None = None


@dataclass(frozen=True)
class Segment:
    """A day of portfolio-history."""

    day: date
    realized: Decimal | None
    unrealized: Decimal | None


@dataclass(frozen=True)
class Answer:
    """What the broker answered of one account on one evening; None: it could not be read. `whole` is False where the
    positions came but not all of them. `fills` are those from `fills_since` until the evening."""

    positions: tuple[Position, ...] | None
    fills_since: datetime
    whole: bool = True
    fills: tuple[Fill, ...] | None = None
    instructions: tuple[Instruction, ...] | None = ()
    history: tuple[Segment, ...] | None = None
    daily_pnl: Decimal | None = None


@dataclass(frozen=True)
class Evening:
    """One run: the broker's clock, each expected account's answer, and what is asked once for all accounts."""

    at: datetime
    answers: Mapping[str, Answer]
    contracts: tuple[Contract, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Book:
    """Everything that happened: the evenings in order, adjustments.csv as it is in the end, DAYBOOK_REALIZED."""

    evenings: tuple[Evening, ...]
    adjustments: tuple[Adjustment, ...] = ()
    realized: str = "auto"


@dataclass
class Row:
    """What the books must say of an instrument on a day. None: unknown. `open_change` is U1 - U0 also where no total is
    known. `moved`: an event or a person moved quantity or value here, so position_pnl and day_pnl need not add up."""

    status: str
    quantity_prev: Decimal | None
    quantity: Decimal
    realized_pnl: Decimal | None = None
    unrealized_change: Decimal | None = None
    total_pnl: Decimal | None = None
    position_pnl: Decimal | None = None
    day_pnl: Decimal | None = None
    income_estimate: Decimal | None = None
    total_source: str | None = None
    open_change: Decimal | None = None
    moved: bool = False


@dataclass
class AccountDay:
    """What the books must say of an account on a day."""

    realized_pnl: Decimal | None
    unrealized_change: Decimal | None
    total_pnl: Decimal | None
    unattributed_pnl: Decimal | None
    positions_unknown: int


@dataclass
class Result:
    """The oracle's books: rows by (account, instrument, day), accounts and gaps by (account, day)."""

    rows: dict[tuple[str, str, date], Row] = field(default_factory=dict)
    accounts: dict[tuple[str, date], AccountDay] = field(default_factory=dict)
    gaps: dict[tuple[str, date], str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Held:
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
class _Eod:
    """The end of an account's day."""

    captured_at: datetime
    held: Mapping[str, _Held]


@dataclass(frozen=True)
class _Move:
    """Quantity, cash, value and basis that an event or a person moved, in +, out -. None: unknown."""

    quantity: Decimal = ZERO
    cash: Decimal = ZERO
    value: Decimal = ZERO
    basis: Decimal | None = ZERO


@dataclass(frozen=True)
class _Gone:
    """Contracts (signed like the position) that left it without a trade, and the instructions that were accepted."""

    held: _Held
    contract: Contract
    contracts: Decimal
    instructed: Mapping[str, Decimal]
    in_the_money: bool | None

    @property
    def lapses(self) -> bool:
        return self.contracts > 0 and "DO_NOT_EXERCISE" in self.instructed

    def part(self, amount: Decimal | None, contracts: Decimal) -> Decimal | None:
        """The share of an amount of the whole position that `contracts` of it have."""
        return None if amount is None else _money(amount * contracts / self.held.quantity)


@dataclass(frozen=True)
class _Span:
    """The days that one row covers: after `prev` (None: the account's first day) up to `day`."""

    account: str
    prev: date | None
    day: date
    start: _Eod
    end: _Eod
    sessions: tuple[date, ...]
    loaded: bool


_NOTHING = _Eod(datetime.max.replace(tzinfo=UTC), {})


def consult(book: Book) -> Result:
    """What the books must say at the end."""
    return _Oracle(book).result()


class _Oracle:
    def __init__(self, book: Book) -> None:
        self.book = book
        self.calendar = TradingCalendar.load()
        self.contracts = {each.id: each for evening in book.evenings for each in evening.contracts}
        self.events = {each for evening in book.evenings for each in evening.events}
        self.days: dict[date, list[Evening]] = {}
        self.spent: dict[tuple[str, str], date] = {}
        self.runs: dict[date, list[Evening]] = {}
        self.eods: dict[tuple[str, date], _Eod] = {}
        for evening in book.evenings:
            assigned = self.calendar.assign(evening.at)
            self.runs.setdefault(assigned.trading_date, []).append(evening)
            if assigned.eod_eligible:
                self.days.setdefault(assigned.trading_date, []).append(evening)

    def result(self) -> Result:
        result = Result()
        sessions = self.calendar.sessions(min(self.days), max(self.days))
        for account, day, evenings in self._expected([session.date for session in sessions]):
            eod = self._end_of_day(account, day, evenings)
            if eod is None:
                result.gaps[account, day] = _gap(account, evenings)
            else:
                self.eods[account, day] = eod
        previous: dict[str, date] = {}
        for account, day in self.eods:
            self._fill_day(result, self._span(account, previous.get(account), day))
            previous[account] = day
        return result

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

    # ---- the end of a day

    def _end_of_day(self, account: str, day: date, evenings: Iterable[Evening]) -> _Eod | None:
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
        return _Eod(book.at, held)

    def _has_rolled(self, evening: Evening, account: str, day: date) -> bool:
        """Whether daily figures that were there earlier in the day are gone: the broker has begun the next one."""
        seen = [e for e in self.runs[day] if e.at < evening.at and account in e.answers]
        return not _speaks_of_today(evening, account) and any(_speaks_of_today(each, account) for each in seen)

    def _held(self, position: Position, day: date, captured_at: datetime) -> _Held:
        multiplier = self._multiplier(position)
        cost = position.cost_basis
        if cost is None and position.avg_price is not None:
            cost = position.quantity * position.avg_price * multiplier
        unrealized = position.unrealized_pnl
        if unrealized is None and cost is not None:
            unrealized = position.market_value - cost
        if position.quantity == 0:
            cost = unrealized = ZERO
        price = self._price(position, day, captured_at, multiplier)
        return _Held(position, multiplier, price, cost, unrealized)

    def _price(self, position: Position, day: date, captured_at: datetime, multiplier: Decimal) -> Decimal | None:
        if position.closing_price is not None and position.closing_price_date == day:
            return position.closing_price
        if position.instrument_price is not None and captured_at >= self.calendar.session(day).close:
            return position.instrument_price
        if position.quantity != 0:
            return position.market_value / (position.quantity * multiplier)
        return position.closing_price

    def _multiplier(self, position: Position) -> Decimal:
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

    # ---- evidence

    def _answers(self, account: str) -> Iterable[tuple[datetime, Answer]]:
        for evening in self.book.evenings:
            if account in evening.answers:
                yield evening.at, evening.answers[account]

    def _span(self, account: str, prev: date | None, day: date) -> _Span:
        start = self.eods[account, prev] if prev else _NOTHING
        end = self.eods[account, day]
        sessions = self.calendar.sessions(prev, day)[1:] if prev else self.calendar.sessions(day, day)
        since = self._post_close(prev) if prev else end.captured_at
        loaded = any(
            answer.fills is not None and answer.fills_since <= since and at >= end.captured_at
            for at, answer in self._answers(account)
        )
        return _Span(account, prev, day, start, end, tuple(each.date for each in sessions), loaded)

    def _post_close(self, day: date) -> datetime:
        return datetime.combine(day, time(20), NEW_YORK)

    def _fills(self, span: _Span) -> dict[str, list[Fill]]:
        """Each instrument's fills that traded in the span, as last seen."""
        since = self._post_close(span.prev or self.calendar.previous(span.day))
        seen = {fill.id: fill for _, answer in self._answers(span.account) for fill in answer.fills or ()}
        found: dict[str, list[Fill]] = {}
        for fill in seen.values():
            if since < fill.at <= self._post_close(span.day):
                found.setdefault(fill.instrument_id, []).append(fill)
        return found

    def _ratio(self, instrument: str, span: _Span, after: datetime | None = None) -> Decimal:
        """What one share of the span's beginning (or of a fill at `after`) is at its end."""
        ratio = ONE
        for event in self.events:
            if event.instrument_id != instrument or event.ratio is None or event.day not in _dates(span):
                continue
            if after is None or self._trading_date(after, span) < event.day:
                ratio *= event.ratio
        return ratio

    def _trading_date(self, at: datetime, span: _Span) -> date:
        return min(day for day in span.sessions if at <= self._post_close(day))

    def _history(self, span: _Span) -> Decimal | None:
        """The broker's gross P&L of the span; None where a day of it is missing."""
        said = {segment.day: segment for _, answer in self._answers(span.account) for segment in answer.history or ()}
        total = ZERO
        for day in span.sessions:
            segment = said.get(day)
            if segment is None or segment.realized is None or segment.unrealized is None:
                return None
            total += segment.realized + segment.unrealized
        return total

    def _since_cost(self, span: _Span) -> bool:
        """Whether daily_realized_pnl is measured from cost: as set, else by the reading that alone gives the broker's
        own total of the account, in balances or in its history."""
        if self.book.realized != "auto" or span.prev is None:
            return self.book.realized == "since_cost"
        readings = self._readings(span)
        if readings is None:
            return False
        from_cost, from_close, tolerance = readings
        said = [
            answer.daily_pnl
            for evening in self.days[span.day]
            if (answer := evening.answers.get(span.account)) and answer.daily_pnl is not None
        ]
        for total in (said[-1] if said else None, self._history(span) if len(span.sessions) == 1 else None):
            if total is not None:
                cost_fits, close_fits = abs(from_cost - total) <= tolerance, abs(from_close - total) <= tolerance
                if cost_fits != close_fits:
                    return cost_fits
        return False

    def _readings(self, span: _Span) -> tuple[Decimal, Decimal, Decimal] | None:
        """The account's day in both readings, and how near is near; None where a row doesn't say."""
        from_cost = from_close = ZERO
        rows = self._rows_without_totals(span)
        for instrument, change in rows.items():
            held = span.end.held.get(instrument)
            realized, unrealized = _daily(held.position) if held else (None, None)
            if realized is None or change is None:
                return None
            from_cost += realized + change
            from_close += realized + (unrealized or ZERO)
        return from_cost, from_close, max(Decimal("0.05"), CENT * len(rows))

    # ---- events that move value

    def _said(self, span: _Span) -> list[Adjustment]:
        return [line for line in self.book.adjustments if line.account_id == span.account and line.day in span.sessions]

    def _moves(self, span: _Span, fills: Mapping[str, list[Fill]]) -> dict[str, list[_Move]]:
        moves: dict[str, list[_Move]] = {}
        for line in self._said(span):
            for instrument, move in _adjusted(line, span):
                moves.setdefault(instrument, []).append(move)
        gone: dict[str, list[_Gone]] = {}
        for instrument, held in sorted(span.start.held.items()):
            contract = self._contract(held.position)
            side = ONE if held.quantity > 0 else -ONE
            left = (held.quantity - self._unmoved(span, fills, moves, instrument)) * side
            if contract is not None and 0 < left <= abs(held.quantity):
                money = self._in_the_money(span, contract)
                each = _Gone(held, contract, side * left, self._accepted(span, instrument), in_the_money=money)
                gone.setdefault(contract.underlying_instrument_id, []).append(each)
        for stock, options in gone.items():
            unexplained = self._unmoved(span, fills, moves, stock) - (
                _quantity(span.start.held.get(stock)) * self._ratio(stock, span)
            )
            ends = self._ends(span, options, unexplained)
            for instrument, move in self._legs(span, fills, stock, ends):
                moves.setdefault(instrument, []).append(move)
        return moves

    def _in_the_money(self, span: _Span, contract: Contract) -> bool | None:
        """By the stock's price when the option was last held, if it has expired, else by today's; None: no price."""
        assert span.prev is not None
        expiry = min(max(span.prev, contract.expiry), span.day)
        days = (expiry, span.prev, span.day) if contract.expiry <= span.day else (span.day,)
        prices = [
            held.price
            for day in days
            for (_, of), eod in self.eods.items()
            if of == day and (held := eod.held.get(contract.underlying_instrument_id)) and held.price is not None
        ]
        if not prices:
            return None
        return prices[0] > contract.strike if contract.contract_type == "CALL" else prices[0] < contract.strike

    def _contract(self, position: Position) -> Contract | None:
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
            self._multiplier(position),
        )

    def _ends(self, span: _Span, options: list[_Gone], unexplained: Decimal) -> list[tuple[_Gone, str, Decimal]]:
        """What became of contracts that left without a trade, all of them on one stock: exercised as instructed;
        exercised or assigned as the stock's own move shows; or expired, if that is all that can have happened."""
        ends: list[tuple[_Gone, str, Decimal]] = []
        rest: list[tuple[_Gone, Decimal]] = []
        for each in options:
            asked = min(each.instructed.get("EXERCISE", ZERO), each.contracts) if each.contracts > 0 else ZERO
            if asked:
                ends.append((each, "DELIVERED", asked))
                unexplained -= _deliverable(each.contract, asked)
            if each.contracts != asked:
                rest.append((each, each.contracts - asked))
        delivered = self._delivered(span, rest, unexplained)
        for each, contracts in rest:
            if each in delivered:
                ends.append((each, "DELIVERED", contracts))
            elif self._has_expired(span, each, stock_is_explained=bool(delivered) or unexplained == 0):
                ends.append((each, "EXPIRED", contracts))
        return ends

    def _delivered(self, span: _Span, rest: list[tuple[_Gone, Decimal]], unexplained: Decimal) -> list[_Gone]:
        """Those whose shares make up the stock's move: all in the money, or the only one that fits, or all."""
        possible = [
            (each, _deliverable(each.contract, contracts))
            for each, contracts in rest
            if contracts < 0 or each.contract.expiry <= span.day or span.loaded
        ]
        ripe = [(each, shares) for each, shares in possible if each.in_the_money and not each.lapses]
        if unexplained == 0:  # a spread in the money on both legs delivers to itself
            ripe = [(each, shares) for each, shares in ripe if self._is_over(span, each)]
            return [each for each, _ in ripe] if sum(shares for _, shares in ripe) == 0 else []
        fitting = [(each, shares) for each, shares in possible if shares == unexplained]
        for some in (ripe, fitting if len(fitting) == 1 else [], possible):
            if some and sum(shares for _, shares in some) == unexplained:
                return [each for each, _ in some]
        return []

    def _is_over(self, span: _Span, each: _Gone) -> bool:
        """Expired, and not sold before: held at the close of its last session, or every fill is known."""
        return each.contract.expiry <= span.day and (self._was_last(span, each) or span.loaded)

    def _was_last(self, span: _Span, each: _Gone) -> bool:
        expiry = each.contract.expiry
        assert span.prev is not None
        return span.prev >= (expiry if self.calendar.is_session(expiry) else self.calendar.previous(expiry))

    def _has_expired(self, span: _Span, each: _Gone, *, stock_is_explained: bool) -> bool:
        """Nobody delivers stock for what closed out of the money; else the stock's move has to be explained."""
        is_worthless = self._was_last(span, each) and each.in_the_money is False
        return self._is_over(span, each) and (stock_is_explained or is_worthless)

    def _legs(
        self, span: _Span, fills: Mapping[str, list[Fill]], stock: str, ends: list[tuple[_Gone, str, Decimal]]
    ) -> Iterable[tuple[str, _Move]]:
        """Both legs of every exercise or assignment: stock against the strike, and the premium with it unless the
        stock's own cost shows the strike alone. What expired leaves at nothing."""
        delivered = [(each, contracts) for each, how, contracts in ends if how == "DELIVERED"]
        shares = sum((_deliverable(each.contract, contracts) for each, contracts in delivered), ZERO)
        strike = sum((_deliverable(e.contract, contracts) * e.contract.strike for e, contracts in delivered), ZERO)
        premiums = [self._basis(span, fills, each, contracts) for each, contracts in delivered]
        known = [each for each in premiums if each is not None]
        premium = sum(known, ZERO) if known else None
        alone = self._shows_strike_alone(span, fills, stock, shares, strike, premium)
        for each, how, contracts in ends:
            option = each.held.position.instrument_id
            if how == "EXPIRED" or alone:
                yield option, _Move(-contracts)
            else:
                value = each.part(each.held.value, contracts) or ZERO
                basis = self._basis(span, fills, each, contracts)
                yield option, _Move(-contracts, ZERO, -value, None if basis is None else -basis)
                yield stock, _Move(ZERO, ZERO, value, basis)
            if how == "DELIVERED":
                moved = _deliverable(each.contract, contracts)
                yield stock, _Move(moved, -moved * each.contract.strike)

    def _basis(self, span: _Span, fills: Mapping[str, list[Fill]], each: _Gone, contracts: Decimal) -> Decimal | None:
        """What contracts that went had cost: where nothing else happened, by how much the position's cost fell."""
        option = each.held.position.instrument_id
        after = span.end.held.get(option)
        if not fills.get(option) and contracts == each.held.quantity - _quantity(after):
            spent = _cost(after)
            return None if spent is None or each.held.cost is None else each.held.cost - spent
        return each.part(each.held.cost, contracts)

    def _unmoved(
        self, span: _Span, fills: Mapping[str, list[Fill]], moves: Mapping[str, list[_Move]], instrument: str
    ) -> Decimal:
        """Today's quantity less what known trades and adjustments brought."""
        traded = ZERO
        for fill in fills.get(instrument, ()):
            traded += fill.quantity * self._ratio(instrument, span, fill.at)
        moved = sum((move.quantity for move in moves.get(instrument, ())), ZERO)
        return _quantity(span.end.held.get(instrument)) - traded - moved

    def _accepted(self, span: _Span, option: str) -> dict[str, Decimal]:
        """Contracts of instructions accepted within the last five sessions, by type, as last seen; each is spent on the
        first evening that shows fewer contracts."""
        seen = {
            instruction.id: instruction
            for _, answer in self._answers(span.account)
            for instruction in answer.instructions or ()
        }
        assert span.prev is not None
        first = span.prev
        for _ in range(5):
            first = self.calendar.previous(first)
        accepted: dict[str, Decimal] = {}
        for each in seen.values():
            in_time = self.calendar.session(first).close <= each.updated_at <= span.end.captured_at
            if each.instrument_id != option or each.status != "ACCEPTED" or not in_time:
                continue
            if self.spent.setdefault((span.account, each.id), span.day) == span.day:
                quantity = each.accepted_quantity or ZERO
                accepted[each.instruction_type] = accepted.get(each.instruction_type, ZERO) + quantity
        return accepted

    def _shows_strike_alone(
        self,
        span: _Span,
        fills: Mapping[str, list[Fill]],
        stock: str,
        shares: Decimal,
        strike: Decimal,
        premium: Decimal | None,
    ) -> bool:
        """Only stock that grew by nothing else tells: its cost grew by the strike, or by strike and premium."""
        before, after = span.start.held.get(stock), span.end.held.get(stock)
        if after is None or after.quantity * shares <= 0 or _quantity(before) * shares < 0:
            return False
        is_alone = not fills.get(stock) and all(line.instrument_id != stock for line in self._said(span))
        if after.cost is None or _cost(before) is None or not is_alone:
            return False
        grown = after.cost - (_cost(before) or ZERO)
        apart = abs(grown - strike)
        return apart < CENT if premium is None else apart < abs(grown - strike - premium)

    # ---- the measures

    def _fill_day(self, result: Result, span: _Span) -> None:
        if span.prev is None:
            rows = {instrument: self._opening(instrument, span) for instrument in self._first_seen(span)}
        else:
            rows = self._rows(span)
            _give_residual(rows, self._history(span))
        for instrument, row in rows.items():
            result.rows[span.account, instrument, span.day] = row
        result.accounts[span.account, span.day] = _account(
            rows.values(), self._history(span), is_opening=span.prev is None
        )

    def _first_seen(self, span: _Span) -> set[str]:
        """What is held, was closed, traded or moved on an account's first day."""
        closed = {i for i, held in span.end.held.items() if held.quantity != 0 or held.position.daily_realized_pnl}
        said = {each.instrument_id for each in self._said(span)}
        return closed | said | self._fills(span).keys()

    def _opening(self, instrument: str, span: _Span) -> Row:
        """The first day is an opening balance; only the broker's own daily fields say what the day brought."""
        held = span.end.held.get(instrument)
        row = Row("OPENING", None, _quantity(held))
        is_paid = any(e.instrument_id == instrument and e.amount and e.day == span.day for e in self.events)
        row.income_estimate = None if is_paid else ZERO
        realized, change = _daily(held.position) if held else (None, None)
        if realized is None or (self._since_cost(span) and realized != 0):
            return row
        change = change or ZERO
        row.realized_pnl, row.unrealized_change, row.total_pnl = realized, change, realized + change
        row.total_source = "REPORTED"
        return row

    def _rows(self, span: _Span) -> dict[str, Row]:
        since_cost = self._since_cost(span)
        return {known.instrument: self._row(span, known, since_cost=since_cost) for known in self._known(span)}

    def _rows_without_totals(self, span: _Span) -> dict[str, Decimal | None]:
        return {known.instrument: known.unrealized_change for known in self._known(span)}

    def _known(self, span: _Span) -> list[_Known]:
        """Everything held at either end, traded, moved, or closed within the day as the broker's figure tells."""
        fills = self._fills(span)
        moves = self._moves(span, fills)
        today = {i for i, h in span.end.held.items() if h.quantity != 0 or h.position.daily_realized_pnl}
        before = {i for i, h in span.start.held.items() if h.quantity != 0}
        return [
            _Known(self, span, instrument, fills.get(instrument, []), moves.get(instrument, []))
            for instrument in sorted(today | before | fills.keys() | moves.keys())
        ]

    def _row(self, span: _Span, known: _Known, *, since_cost: bool) -> Row:
        before, q1 = _quantity(known.start), _quantity(known.end)
        row = Row(_status(before, q1), before, q1, moved=bool(known.moves))
        known.measure(row, before * known.ratio, q1, since_cost=since_cost)
        known.split_by_time(row, before * known.ratio, self._other_price(span, known.instrument))
        row.income_estimate = self._income(span, known.instrument, before)
        return row

    def _other_price(self, span: _Span, instrument: str) -> Decimal | None:
        """The day's official price of an instrument, from any account that still holds it."""
        for (_, day), eod in self.eods.items():
            held = eod.held.get(instrument)
            if day == span.day and held is not None and held.position.closing_price_date == day:
                return held.position.closing_price
        return None

    def _income(self, span: _Span, instrument: str, quantity: Decimal) -> Decimal:
        return sum(
            (
                quantity * event.amount
                for event in self.events
                if event.instrument_id == instrument and event.amount is not None and event.day in _dates(span)
            ),
            ZERO,
        )


class _Known:
    """What is known about one row, and the measures that follow from it."""

    def __init__(self, oracle: _Oracle, span: _Span, instrument: str, fills: list[Fill], moves: list[_Move]) -> None:
        self.span = span
        self.instrument = instrument
        self.ratio = oracle._ratio(instrument, span)
        self.start, self.end = span.start.held.get(instrument), span.end.held.get(instrument)
        contract = oracle.contracts.get(instrument)
        held = next((h for h in (self.end, self.start) if h and h.quantity != 0), self.end)
        unheld = contract.multiplier if contract else _usual_multiplier(fills)
        self.multiplier = held.multiplier if held else unheld
        self.fills = fills if span.loaded else []
        self.half_known = bool(fills) and not span.loaded
        self.priced = all(fill.price is not None for fill in self.fills)
        self.traded = sum((f.quantity * oracle._ratio(instrument, span, f.at) for f in self.fills), ZERO)
        self.moves = moves
        self.moved = sum((move.quantity for move in moves), ZERO)
        self.value = sum((move.value for move in moves), ZERO)
        bases = [move.basis for move in moves]
        self.basis = None if None in bases else sum((basis for basis in bases if basis is not None), ZERO)
        self.cash = sum((move.cash for move in moves), ZERO)

    @property
    def cost_change(self) -> Decimal | None:
        b0, b1 = _cost(self.start), _cost(self.end)
        return None if b0 is None or b1 is None or self.basis is None else b1 - b0 - self.basis

    @property
    def unrealized_change(self) -> Decimal | None:
        u0, u1 = _unrealized(self.start), _unrealized(self.end)
        return None if u0 is None or u1 is None or self.basis is None else u1 - u0 - (self.value - self.basis)

    def measure(self, row: Row, q0: Decimal, q1: Decimal, *, since_cost: bool) -> None:
        """The best evidence that there is, or none."""
        rolls = q0 + self.traded + self.moved == q1
        known = self.cost_change is not None and self.unrealized_change is not None
        row.open_change = self.unrealized_change
        if self.span.loaded and rolls and self.priced and known:
            spent = sum((f.quantity * (f.price or ZERO) for f in self.fills), ZERO) * self.multiplier
            self._set(row, "EXECUTIONS", self.cash - spent + (self.cost_change or ZERO), self.unrealized_change)
        elif self._reported(row, q1, since_cost=since_cost):
            pass
        elif self.span.loaded and not rolls:
            if self._is_split_suspect(q0, q1):
                self._set(row, "SNAPSHOT", ZERO, self.unrealized_change)
        elif not self.half_known and self.moves and rolls and self.priced and known:
            self._set(row, "SNAPSHOT", self.cash + (self.cost_change or ZERO), self.unrealized_change)
        elif self._only_grew(q0, q1) or self._is_split_suspect(q0, q1):
            self._set(row, "SNAPSHOT", ZERO, self.unrealized_change)

    def _set(self, row: Row, source: str, realized: Decimal, change: Decimal | None) -> None:
        if change is not None:
            row.realized_pnl, row.unrealized_change, row.total_pnl = realized, change, realized + change
            row.total_source = source

    def _reported(self, row: Row, q1: Decimal, *, since_cost: bool) -> bool:
        if self.end is None or len(self.span.sessions) != 1:
            return False
        realized, change = _daily(self.end.position)
        if realized is None or (change is None and q1 != 0):
            return False
        self._set(row, "REPORTED", realized, self.unrealized_change if since_cost else change or ZERO)
        return row.total_source is not None

    def _is_split_suspect(self, q0: Decimal, q1: Decimal) -> bool:
        same_cost = _cost(self.start) is not None and _cost(self.start) == _cost(self.end)
        is_untouched = not self.fills and not self.half_known and not self.moves
        return is_untouched and q0 * q1 > 0 and q0 != q1 and same_cost

    def _only_grew(self, q0: Decimal, q1: Decimal) -> bool:
        """Nothing is known to have been closed, so nothing was realized."""
        reduced = any(fill.quantity * q1 <= 0 for fill in self.fills) or q0 * self.moved < 0
        if self.moves and q0 + self.moved == q1:
            return False
        return not self.half_known and not reduced and not _shrank(q0 + self.moved, q1)

    def split_by_time(self, row: Row, q0: Decimal, other_price: Decimal | None) -> None:
        """What was carried in moved with the price; what was traded moved from its own price."""
        p0 = self.start.price if self.start else None
        p1 = self.end.price if self.end and self.end.price is not None else other_price
        if q0 == 0:
            row.position_pnl = ZERO
        elif p0 is not None and p1 is not None:
            row.position_pnl = (q0 * p1 - q0 / self.ratio * p0) * self.multiplier
        rolls = q0 + self.traded + self.moved == row.quantity
        spent = sum((f.quantity * (f.price or ZERO) for f in self.fills), ZERO)
        if not self.span.loaded:
            row.day_pnl = ZERO if q0 == row.quantity and not self.half_known else None
        elif rolls and self.priced and self.traded == 0:
            row.day_pnl = -spent * self.multiplier
        elif rolls and self.priced and p1 is not None:
            row.day_pnl = (self.traded * p1 - spent) * self.multiplier


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


def _daily(position: Position) -> tuple[Decimal | None, Decimal | None]:
    """daily_realized and daily_unrealized: both or neither, but of a flat position the first is enough."""
    realized, change = position.daily_realized_pnl, position.daily_unrealized_pnl
    if realized is None or (change is None and position.quantity != 0):
        return None, None
    return realized, change


def _adjusted(line: Adjustment, span: _Span) -> Iterable[tuple[str, _Move]]:
    if line.kind == "ID_CHANGE":
        held = span.start.held.get(line.instrument_id)
        if held is not None and line.to_instrument_id is not None:
            cost = held.cost
            yield line.instrument_id, _Move(-held.quantity, ZERO, -held.value, None if cost is None else -cost)
            yield line.to_instrument_id, _Move(held.quantity, ZERO, held.value, cost)
        return
    yield (
        line.instrument_id,
        _Move(line.quantity or ZERO, line.cash or ZERO, line.value or ZERO, line.cost_basis or ZERO),
    )


def _deliverable(contract: Contract, quantity: Decimal) -> Decimal:
    """Shares that come in (+) or go out (-) when `quantity` contracts, short ones negative, are exercised."""
    return quantity * contract.multiplier * (1 if contract.contract_type == "CALL" else -1)


def _shrank(q0: Decimal, q1: Decimal) -> bool:
    return q0 != 0 and (q0 * q1 < 0 or abs(q1) < abs(q0))


def _status(q0: Decimal, q1: Decimal) -> str:
    if q0 == 0:
        return "OPENED" if q1 != 0 else "INTRADAY_ROUND_TRIP"
    if q1 == 0:
        return "CLOSED"
    return "HELD" if q0 * q1 > 0 else "FLIPPED"


def _quantity(held: _Held | None) -> Decimal:
    return held.quantity if held else ZERO


def _cost(held: _Held | None) -> Decimal | None:
    return held.cost if held else ZERO


def _unrealized(held: _Held | None) -> Decimal | None:
    return held.unrealized if held else ZERO


def _dates(span: _Span) -> set[date]:
    return set(span.sessions)


def _give_residual(rows: Mapping[str, Row], history: Decimal | None) -> None:
    """One unknown row is what the broker's own total leaves over."""
    unknown = [row for row in rows.values() if row.total_pnl is None]
    if history is None or len(unknown) != 1 or unknown[0].open_change is None:
        return
    row, change = unknown[0], unknown[0].open_change
    row.total_pnl = history - sum((each.total_pnl for each in rows.values() if each.total_pnl is not None), ZERO)
    row.unrealized_change, row.realized_pnl = change, row.total_pnl - change
    row.total_source = "ACCOUNT_RESIDUAL"


def _account(rows: Iterable[Row], history: Decimal | None, *, is_opening: bool) -> AccountDay:
    """The sum, or where a row is unknown the broker's own total; a flat account's first day is unknown too."""
    rows = list(rows)
    known = [row.total_pnl for row in rows if row.total_pnl is not None]
    unknown = len(rows) - len(known)
    if unknown or (is_opening and not rows):
        left = None if history is None else history - sum(known, ZERO)
        return AccountDay(None, None, history, left, unknown)
    realized = sum((row.realized_pnl for row in rows if row.realized_pnl is not None), ZERO)
    return AccountDay(realized, sum(known, ZERO) - realized, sum(known, ZERO), ZERO, 0)


def _usual_multiplier(fills: Iterable[Fill]) -> Decimal:
    return Decimal(100) if any(fill.underlying_instrument_id for fill in fills) else ONE


def _whole(number: Decimal) -> Decimal:
    return number.quantize(ONE, ROUND_HALF_EVEN)


def _money(amount: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return amount.quantize(SHARE_OF_MONEY)
