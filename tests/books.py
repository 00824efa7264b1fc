"""Random books: what a broker would answer, evening by evening, of accounts that trade, split, exercise and fail.

A small true ledger (average cost) moves first; what the broker shows of it comes after, with holes, gaps and late marks.
Values are consistent (value is quantity by price by multiplier), because what isn't is another test's concern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from hypothesis import strategies as st

from pipelines.calendar import NEW_YORK, Session, TradingCalendar
from tests.oracle import (
    Adjustment,
    Answer,
    Book,
    Contract,
    Evening,
    Event,
    Fill,
    Instruction,
    Position,
    Segment,
)

ZERO = Decimal(0)
CENT = Decimal("0.01")
CALENDAR = TradingCalendar.load()
#: Summer time ends, Thanksgiving and its half day, Independence Day and its half day.
STARTS = (date(2025, 10, 29), date(2025, 11, 25), date(2025, 7, 1))
RATIOS = tuple(map(Decimal, ("4", "2", "1.5", "0.5", "0.1")))
HOLES = (
    (),
    ("unrealized_pnl",),
    ("cost_basis",),
    ("avg_price",),
    ("unrealized_pnl", "cost_basis"),
    ("cost_basis", "avg_price"),
    ("unrealized_pnl", "cost_basis", "avg_price"),
    ("closing_price",),
    ("daily_realized_pnl",),
    ("daily_unrealized_pnl",),
)


def _id(number: int) -> str:
    """Numbers ending in 1 and 2 are the stocks of a market, 5 and 6 its options."""
    return f"b0000000-0000-4000-8000-{number:012}"


@dataclass(frozen=True)
class _Instrument:
    id: str
    symbol: str
    prices: tuple[Decimal, ...]
    multiplier: Decimal = Decimal(1)
    contract: Contract | None = None

    @property
    def kind(self) -> str:
        return "OPTION" if self.contract else "COMMON_STOCK"

    @property
    def underlying(self) -> str | None:
        return self.contract.underlying_instrument_id if self.contract else None


@dataclass
class _Lot:
    """Quantity and its cost, both signed."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO


@dataclass(frozen=True)
class _World:
    """A market of two stocks and up to two options on the first, and how the broker keeps books of it."""

    sessions: tuple[Session, ...]
    instruments: dict[str, _Instrument]
    splits: tuple[Event, ...]
    events: tuple[Event, ...]
    in_cents: bool
    rolls_premium: bool
    books_at_once: bool
    shows_contracts: bool
    reads_fills: str
    shows_cash: bool
    has_history: bool

    @property
    def is_spread(self) -> bool:
        """Whether its two options expire together and are of one kind."""
        kinds = [(o.contract.expiry, o.contract.contract_type, o.multiplier) for o in self.options() if o.contract]
        return len(kinds) == 2 and len(set(kinds)) == 1

    def stocks(self) -> list[_Instrument]:
        return [each for each in self.instruments.values() if each.contract is None]

    def options(self) -> list[_Instrument]:
        return [each for each in self.instruments.values() if each.contract is not None]


@dataclass
class _Account:
    """One account's true ledger and what it left behind."""

    world: _World
    name: str
    lots: dict[str, _Lot] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    evenings: list[dict[str, Position]] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    realized: dict[str, Decimal] = field(default_factory=dict)
    before: dict[str, tuple[_Lot, Decimal]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)

    def lot(self, instrument: str) -> _Lot:
        return self.lots.setdefault(instrument, _Lot())

    def trade(self, instrument: str, quantity: Decimal, money: Decimal) -> None:
        """Take `quantity` in (+) or out (-) at a cost of `money` (of the same sign), at average cost."""
        lot = self.lot(instrument)
        if lot.quantity * quantity >= 0:
            lot.quantity, lot.cost = lot.quantity + quantity, self._round(lot.cost + money)
            return
        closed = min(abs(quantity), abs(lot.quantity)) / abs(quantity)
        released = lot.cost * closed * abs(quantity) / abs(lot.quantity)
        self._realize(instrument, -money * closed - self._round(released))
        lot.quantity += quantity
        same_side = lot.quantity != 0 and abs(quantity) * closed < abs(quantity)
        lot.cost = self._round(money * (1 - closed)) if same_side else lot.cost - self._round(released)
        if lot.quantity == 0:
            lot.cost = ZERO

    def _realize(self, instrument: str, amount: Decimal) -> None:
        self.realized[instrument] = self.realized.get(instrument, ZERO) + amount

    def _round(self, amount: Decimal) -> Decimal:
        return amount.quantize(CENT if self.world.in_cents else Decimal("1e-10"), ROUND_HALF_EVEN)


Draw = Callable[[st.SearchStrategy[Any]], Any]


@st.composite
def books(draw: Draw, markets: int = 2) -> Book:
    """A book of two to six sessions in up to so many markets, each with one account or two."""
    start = draw(st.sampled_from(STARTS))
    sessions = tuple(CALENDAR.sessions(start, start + timedelta(days=20))[: draw(st.integers(2, 6))])
    said = draw(st.sampled_from(("none", "since_cost", "since_prior_close", "auto")))
    accounts = []
    for number in range(draw(st.integers(1, markets))):
        world = draw(_worlds(sessions, number * 10))
        for name in draw(st.sampled_from(((100,), (100, 105)))):
            accounts.append(_Account(world, str(name + 10 * number)))
    for account in accounts:
        _open(draw, account)
    for day in range(len(sessions)):
        for account in accounts:
            _live(draw, account, day)
            account.evenings.append(_snapshot(account, day, said))
            _close_day(account, day)
    realized = said if said.startswith("since") else draw(st.sampled_from(("auto", "since_cost")))
    evenings = _evenings(draw, sessions, accounts)
    adjustments = tuple(line for account in accounts for line in account.adjustments)
    return Book(evenings, adjustments, realized)


# ---- the market


@st.composite
def _worlds(draw: Draw, sessions: tuple[Session, ...], number: int) -> _World:
    splits = _splits(draw, number, sessions)
    first = _stock(draw, number + 1, "XYZ", sessions, ())
    second = _stock(draw, number + 2, "ABC", sessions, splits)
    options = _options(draw, first, number, sessions)
    announced = splits if draw(st.sampled_from((True, True, False))) else ()
    return _World(
        sessions=sessions,
        instruments={each.id: each for each in (first, second, *options)},
        splits=splits,
        events=(*announced, *_dividends(draw, number, sessions)),
        in_cents=draw(st.booleans()),
        rolls_premium=draw(st.booleans()),
        books_at_once=draw(st.sampled_from((False, False, True))),
        shows_contracts=draw(st.booleans()),
        reads_fills=draw(st.sampled_from(("always", "always", "never", "sometimes"))),
        shows_cash=draw(st.booleans()),
        has_history=draw(st.booleans()),
    )


def _splits(draw: Draw, number: int, sessions: tuple[Session, ...]) -> tuple[Event, ...]:
    days = draw(st.sets(st.integers(1, len(sessions) - 1), max_size=1))
    return tuple(Event(_id(number + 2), sessions[day].date, ratio=draw(st.sampled_from(RATIOS))) for day in days)


def _dividends(draw: Draw, number: int, sessions: tuple[Session, ...]) -> tuple[Event, ...]:
    days = draw(st.sets(st.integers(1, len(sessions) - 1), max_size=1))
    paying = draw(st.sampled_from((1, 2)))
    return tuple(Event(_id(number + paying), sessions[day].date, amount=Decimal("0.35")) for day in days)


def _stock(draw: Draw, number: int, symbol: str, sessions: tuple[Session, ...], splits: Iterable[Event]) -> _Instrument:
    cents = draw(st.integers(2000, 30000))
    moves = draw(st.lists(st.integers(-900, 900), min_size=len(sessions), max_size=len(sessions)))
    prices = []
    for session, move in zip(sessions, moves, strict=True):
        cents += move
        price = Decimal(cents) / 100
        for split in splits:
            price = price if session.date < split.day else (price / (split.ratio or 1)).quantize(CENT)
        prices.append(price)
    return _Instrument(_id(number), symbol, tuple(prices))


def _options(draw: Draw, stock: _Instrument, market: int, sessions: tuple[Session, ...]) -> list[_Instrument]:
    """One or two options; they expire on one of the sessions, a day when the market is closed, or long after."""
    made = []
    for number in range(draw(st.integers(0, 2))):
        last = draw(st.integers(0, len(sessions)))
        kind = draw(st.sampled_from(("CALL", "PUT")))
        if made and draw(st.booleans()):  # a spread
            first = made[0].contract
            last, kind = next((i for i, s in enumerate(sessions) if s.date == first.expiry), last), first.contract_type
        expiry = sessions[last].date if last < len(sessions) else date(2026, 3, 20)
        strike = stock.prices[min(last, len(sessions) - 1)] + Decimal(draw(st.sampled_from((-6, -5, 5, 6))))
        strike = strike.quantize(Decimal("0.5")) + Decimal("0.25")
        symbol = f"XYZ{expiry:%y%m%d}{kind[0]}{int(strike * 1000):08}"
        prices = draw(st.lists(st.integers(5, 1500), min_size=len(sessions), max_size=len(sessions)))
        multiplier = Decimal(draw(st.sampled_from((100, 100, 150))))
        option = _id(market + 5 + number)
        contract = Contract(option, symbol, stock.id, kind, strike, expiry, multiplier)
        if all(other.symbol != symbol for other in made):
            quotes = tuple(Decimal(price) / 100 for price in prices)
            made.append(_Instrument(option, symbol, quotes, multiplier, contract))
    return made


# ---- a day in an account


def _open(draw: Draw, account: _Account) -> None:
    lots = 0
    for instrument in account.world.instruments.values():
        is_spread = (
            instrument.contract is not None
            and account.world.is_spread
            and instrument.id == account.world.options()[-1].id
        )
        lots = -lots if is_spread else draw(st.integers(-4, 6))
        quantity = Decimal(lots if instrument.contract else lots * 10)
        price = (instrument.prices[0] * Decimal(draw(st.sampled_from(("0.8", "1", "1.1"))))).quantize(CENT)
        account.trade(instrument.id, quantity, quantity * price * instrument.multiplier)


def _live(draw: Draw, account: _Account, day: int) -> None:
    """One session: the night's lifecycle and splits first, then trades, then transfers."""
    account.realized, account.touched = {}, set()
    account.before = {
        instrument: (replace(lot), _price(account.world, instrument, day - 1))
        for instrument, lot in account.lots.items()
    }
    _split(account, day)
    if not account.world.books_at_once and day > 0:
        _expire(draw, account, day - 1)
    _exercise_early(draw, account, day)
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2)))):
        _trade(draw, account, day)
    if draw(st.integers(0, 11)) == 0:
        _transfer(draw, account, day)
    if account.world.books_at_once:
        _expire(draw, account, day)


def _split(account: _Account, day: int) -> None:
    for split in account.world.splits:
        if split.day == account.world.sessions[day].date and split.ratio is not None:
            lot = account.lot(split.instrument_id)
            lot.quantity *= split.ratio


def _trade(draw: Draw, account: _Account, day: int) -> None:
    """Add, reduce, close, flip or a round trip, in one fill or two."""
    world = account.world
    instrument = draw(st.sampled_from(sorted(world.instruments.values(), key=lambda each: each.id)))
    if instrument.id in account.touched or _is_over(instrument, world.sessions[day].date):
        return
    held = account.lot(instrument.id).quantity
    size = Decimal(draw(st.integers(1, 8))) * (1 if instrument.contract else draw(st.sampled_from((10, 1))))
    kind = draw(st.sampled_from(("add", "reduce", "close", "flip", "round")))
    side = -1 if held < 0 else 1
    if held == 0:
        side = draw(st.sampled_from((1, -1)))
    signed = {
        "add": side * size,
        "reduce": -side * min(size, abs(held)),
        "close": -held,
        "flip": -held - side * size,
        "round": side * size,
    }[kind]
    parts = [signed - signed // 2, signed // 2] if draw(st.booleans()) and abs(signed) > 1 else [signed]
    parts += [-signed] if kind == "round" else []
    for part in parts:
        if part:
            _fill(draw, account, instrument, day, part)


def _fill(draw: Draw, account: _Account, instrument: _Instrument, day: int, quantity: Decimal) -> None:
    session = account.world.sessions[day]
    offset = Decimal(draw(st.integers(-150, 150))) / 100
    price = max(instrument.prices[day] + offset, CENT)
    after = draw(st.sampled_from((0, 0, 0, 1)))
    yesterday = session.date - timedelta(days=1)
    at = (
        datetime.combine(yesterday, time(20, 30), NEW_YORK)
        if after and not _splits_on(account.world, instrument.id, session.date)
        else session.open + timedelta(minutes=5 + len(account.fills))
    )
    account.fills.append(
        Fill(
            id=f"f{account.name:0>7}-0000-4000-8000-{len(account.fills):012}",
            instrument_id=instrument.id,
            quantity=quantity,
            price=price if draw(st.integers(0, 29)) else None,
            at=at,
            underlying_instrument_id=instrument.underlying,
        )
    )
    account.trade(instrument.id, quantity, quantity * price * instrument.multiplier)


def _splits_on(world: _World, instrument: str, day: date) -> bool:
    return any(split.instrument_id == instrument and split.day == day for split in world.splits)


def _transfer(draw: Draw, account: _Account, day: int) -> None:
    """Shares journaled in at today's price or out at yesterday's; sometimes nobody writes it down."""
    world = account.world
    stock = draw(st.sampled_from(world.stocks()))
    if stock.id in account.touched or day == 0 or _splits_on(world, stock.id, world.sessions[day].date):
        return
    lot = account.lot(stock.id)
    quantity = Decimal(draw(st.sampled_from((20, -10))))
    if quantity < 0:
        if lot.quantity < 10:
            return
        cost = (lot.cost * quantity / lot.quantity).quantize(CENT)
        value = quantity * stock.prices[day - 1]
    else:
        if lot.quantity < 0:
            return
        cost = quantity * (stock.prices[day] * Decimal("0.9")).quantize(CENT)
        value = quantity * stock.prices[day]
    lot.quantity += quantity
    lot.cost = ZERO if lot.quantity == 0 else lot.cost + cost
    if draw(st.sampled_from((True, True, False))):
        line = Adjustment(world.sessions[day].date, account.name, "TRANSFER", stock.id)
        account.adjustments.append(replace(line, quantity=quantity, value=value, cost_basis=cost))


# ---- options end


def _is_over(instrument: _Instrument, day: date) -> bool:
    return instrument.contract is not None and instrument.contract.expiry < day


def _expire(draw: Draw, account: _Account, day: int) -> None:
    """Contracts that expired on session `day` and are still held: exercised, assigned, lapsed or worthless."""
    world = account.world
    for option in world.options():
        contract = option.contract
        lot = account.lot(option.id)
        if contract is None or contract.expiry != world.sessions[day].date or lot.quantity == 0:
            continue
        account.touched |= {option.id, contract.underlying_instrument_id}
        spot = world.instruments[contract.underlying_instrument_id].prices[day]
        in_the_money = spot > contract.strike if contract.contract_type == "CALL" else spot < contract.strike
        if not in_the_money:
            _gone(account, option, lot.quantity)
        elif lot.quantity > 0:
            how = draw(st.sampled_from(("instructed", "exception", "lapse")))
            if how != "exception":
                kind = "EXERCISE" if how == "instructed" else "DO_NOT_EXERCISE"
                _instruct(account, option, kind, lot.quantity, lot.quantity, day)
            if how == "lapse":
                _gone(account, option, lot.quantity)
            else:
                _deliver(account, option, lot.quantity)
        else:
            _deliver(account, option, lot.quantity)


def _exercise_early(draw: Draw, account: _Account, day: int) -> None:
    """A long option exercised yesterday by instruction (perhaps in part), or a short one assigned, before it
    expires."""
    world = account.world
    for option in world.options():
        lot = account.lot(option.id)
        if day == 0 or lot.quantity == 0 or option.contract is None or option.id in account.touched:
            continue
        if option.contract.expiry <= world.sessions[day].date or draw(st.integers(0, 5)):
            continue
        underlying = option.contract.underlying_instrument_id
        if underlying in account.touched:
            continue
        account.touched |= {option.id, underlying}
        wanted = abs(lot.quantity)
        accepted = min(wanted, Decimal(draw(st.integers(1, 3)))) * (1 if lot.quantity > 0 else -1)
        if lot.quantity > 0:
            _instruct(account, option, "EXERCISE", wanted, accepted, day - 1)
        _deliver(account, option, accepted)


def _instruct(account: _Account, option: _Instrument, kind: str, wanted: Decimal, accepted: Decimal, day: int) -> None:
    session = account.world.sessions[day]
    wait = timedelta(minutes=10) if account.world.books_at_once else timedelta(hours=1)
    account.instructions.append(
        Instruction(
            id=f"9{account.name:0>7}-0000-4000-8000-{len(account.instructions):012}",
            instrument_id=option.id,
            instruction_type=kind,
            quantity=wanted,
            status="ACCEPTED",
            accepted_quantity=accepted,
            created_at=session.open + timedelta(hours=1),
            updated_at=session.close + wait,
        )
    )


def _gone(account: _Account, option: _Instrument, contracts: Decimal) -> Decimal:
    """Take contracts out at nothing; their cost."""
    lot = account.lot(option.id)
    cost = (lot.cost * contracts / lot.quantity).quantize(CENT)
    account.trade(option.id, -contracts, ZERO)
    return cost


def _deliver(account: _Account, option: _Instrument, contracts: Decimal) -> None:
    contract = option.contract
    assert contract is not None
    premium = _gone(account, option, contracts)
    shares = contracts * contract.multiplier * (1 if contract.contract_type == "CALL" else -1)
    money = shares * contract.strike + (premium if account.world.rolls_premium else ZERO)
    account.trade(contract.underlying_instrument_id, shares, money)


# ---- what the broker shows


def _price(world: _World, instrument: str, day: int) -> Decimal:
    return world.instruments[instrument].prices[max(day, 0)]


def _snapshot(account: _Account, day: int, said: str) -> dict[str, Position]:
    shown = {}
    for instrument, lot in sorted(account.lots.items()):
        if lot.quantity != 0 or (said != "none" and instrument in account.realized):
            shown[instrument] = _position(account, account.world.instruments[instrument], lot, day, said)
    return shown


def _position(account: _Account, instrument: _Instrument, lot: _Lot, day: int, said: str) -> Position:
    price = instrument.prices[day]
    value = lot.quantity * price * instrument.multiplier
    whole = lot.quantity * instrument.multiplier
    realized, change = _daily(account, instrument.id, said)
    return Position(
        instrument_id=instrument.id,
        symbol=instrument.symbol,
        instrument_type=instrument.kind,
        quantity=lot.quantity,
        market_value=value,
        cost_basis=lot.cost,
        avg_price=(lot.cost / whole).quantize(Decimal("1e-8"), ROUND_HALF_EVEN) if whole else ZERO,
        unrealized_pnl=value - lot.cost,
        closing_price=price,
        closing_price_date=account.world.sessions[day].date,
        instrument_price=price,
        daily_realized_pnl=realized,
        daily_unrealized_pnl=change,
        underlying_instrument_id=instrument.underlying,
    )


def _daily(account: _Account, instrument: str, said: str) -> tuple[Decimal | None, Decimal | None]:
    """What a broker might say of the day; whether it is right is not the oracle's concern."""
    if said == "none":
        return None, None
    realized = account.realized.get(instrument, ZERO).quantize(CENT)
    lot = account.lot(instrument)
    before, price = account.before.get(instrument, (_Lot(), ZERO))
    return realized, ((lot.quantity - before.quantity) * price).quantize(CENT) if lot.quantity else None


def _close_day(account: _Account, day: int) -> None:
    """The broker's own history of the day, near the truth."""
    held = account.evenings[day].values()
    unrealized = sum((position.unrealized_pnl or ZERO for position in held), ZERO)
    realized = sum(account.realized.values(), ZERO)
    money = Decimal("1e-10")
    segment = Segment(account.world.sessions[day].date, realized.quantize(money), unrealized.quantize(money))
    account.segments.append(segment)


# ---- evenings


def _evenings(draw: Draw, sessions: tuple[Session, ...], accounts: list[_Account]) -> tuple[Evening, ...]:
    """A run after each close, but for a few that nobody made; and now and then one at 03:30 with better marks."""
    newcomer = draw(st.sampled_from((0, 0, 1, 2))) if len(accounts) > 1 else 0
    worlds = list({id(account.world): account.world for account in accounts}.values())
    contracts = tuple(o.contract for w in worlds if w.shows_contracts for o in w.options() if o.contract)
    events = tuple(event for world in worlds for event in world.events)
    last_complete: dict[str, date] = {}
    made: list[Evening] = []
    for day, session in enumerate(sessions):
        if day and draw(st.integers(0, 5)) == 0:
            continue
        kind = draw(st.sampled_from(("close", "close", "close", "evening", "night")))
        at = _run_at(session, kind)
        if made and draw(st.integers(0, 7)) == 0:
            made.append(_intraday(made[-1], session))
        answers = {}
        for account in accounts if day >= newcomer else accounts[:-1]:
            answer = _answer(draw, account, day, at, last_complete.get(account.name))
            answers[account.name] = answer
            if answer.positions is not None and answer.whole:
                last_complete[account.name] = session.date
        made.append(Evening(at, answers, contracts, events))
        if kind != "night" and draw(st.integers(0, 4)) == 0:
            made.append(_corrected(draw, accounts, made[-1], day, last_complete))
    return tuple(made)


def _run_at(session: Session, kind: str) -> datetime:
    """Half an hour after the close, at 19:55, or only at 03:30 when the trading day is nearly over."""
    if kind == "evening":
        return datetime.combine(session.date, time(19, 55), NEW_YORK)
    return _night(session) if kind == "night" else session.close + timedelta(minutes=30)


def _night(session: Session) -> datetime:
    return datetime.combine(session.date + timedelta(days=1), time(3, 30), NEW_YORK)


def _answer(draw: Draw, account: _Account, day: int, at: datetime, last_complete: date | None) -> Answer:
    world = account.world
    session = world.sessions[day]
    readable = world.reads_fills == "always" or (world.reads_fills == "sometimes" and draw(st.booleans()))
    fate = draw(st.sampled_from(("fine",) * 8 + ("refused", "torn")))
    positions = _with_hole(draw, account.evenings[day].values())
    positions += [_cash(len(account.fills))] if world.shows_cash else []
    since = _two_before(last_complete or session.date)
    return Answer(
        positions=None if fate == "refused" else tuple(positions[1:] if fate == "torn" else positions),
        fills_since=since,
        whole=fate != "torn",
        fills=_fills(account, since, at) if readable else None,
        instructions=_instructions(account, at),
        history=tuple(each for each in account.segments if each.day <= session.date) if world.has_history else None,
        daily_pnl=_balance(draw, account, positions, day),
    )


def _balance(draw: Draw, account: _Account, positions: Iterable[Position], day: int) -> Decimal | None:
    """The broker's total of the day: of one reading of its daily fields, of the other, or of neither."""
    kind = draw(st.sampled_from((None, None, "since_cost", "since_prior_close", "neither")))
    if kind is None:
        return None
    total = Decimal(7) if kind == "neither" else ZERO
    before = account.evenings[day - 1] if day else {}
    for position in positions:
        start = before.get(position.instrument_id)
        change = (position.unrealized_pnl or ZERO) - (start.unrealized_pnl or ZERO if start else ZERO)
        total += position.daily_realized_pnl or ZERO
        total += change if kind == "since_cost" else position.daily_unrealized_pnl or ZERO
    return total.quantize(CENT)


def _cash(amount: int) -> Position:
    """Cash comes in the same listing, and is no position."""
    worth = Decimal(10000 + amount)
    return Position(_id(999), "USD", "CASH", worth, worth, worth, Decimal(1), ZERO, Decimal(1), None, Decimal(1))


def _fills(account: _Account, since: datetime, at: datetime) -> tuple[Fill, ...]:
    return tuple(fill for fill in account.fills if since <= fill.at <= at)


def _instructions(account: _Account, at: datetime) -> tuple[Instruction, ...]:
    """As they stand at `at`: accepted only once they are."""
    return tuple(
        each
        if each.updated_at <= at
        else replace(each, status="SENT", accepted_quantity=None, updated_at=each.created_at)
        for each in account.instructions
        if each.created_at <= at
    )


def _two_before(day: date) -> datetime:
    for _ in range(2):
        day = CALENDAR.previous(day)
    return CALENDAR.session(day).close


def _with_hole(draw: Draw, positions: Iterable[Position]) -> list[Position]:
    rows = list(positions)
    if not rows or draw(st.integers(0, 3)):
        return rows
    index = draw(st.integers(0, len(rows) - 1))
    rows[index] = replace(rows[index], **dict.fromkeys(draw(st.sampled_from(HOLES))))
    return rows


def _corrected(
    draw: Draw, accounts: list[_Account], evening: Evening, day: int, last_complete: dict[str, date]
) -> Evening:
    """The 03:30 run: the same books with some prices put right."""
    at = _night(accounts[0].world.sessions[day])
    cents = Decimal(draw(st.integers(-80, 80))) / 100
    answers = {}
    for account in accounts:
        answer = evening.answers.get(account.name)
        if answer is None:
            continue
        positions = answer.positions
        if positions is not None:
            positions = tuple(_remark(position, cents) for position in positions)
            since = _two_before(last_complete.get(account.name, account.world.sessions[day].date))
            fills = None if answer.fills is None else _fills(account, since, at)
            answer = replace(answer, positions=positions, fills_since=since, fills=fills)
        answers[account.name] = replace(answer, instructions=_instructions(account, at))
    return replace(evening, at=at, answers=answers)


def _intraday(last: Evening, session: Session) -> Evening:
    """A run in mid-session: the books of the evening before, which stand for nothing."""
    at = session.open + timedelta(hours=2)
    answers = {name: replace(answer, fills=None, instructions=None) for name, answer in last.answers.items()}
    return replace(last, at=at, answers=answers)


def _remark(position: Position, cents: Decimal) -> Position:
    if position.closing_price is None or position.quantity == 0 or position.instrument_type == "CASH":
        return position
    price = max(position.closing_price + cents, CENT)
    worth = position.market_value / position.closing_price
    value = worth * price
    change = value - position.market_value
    unrealized = None if position.unrealized_pnl is None else position.unrealized_pnl + change
    return replace(position, closing_price=price, instrument_price=price, market_value=value, unrealized_pnl=unrealized)
