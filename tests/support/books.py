"""Random books: what a broker would answer, evening by evening, of accounts that trade, split, exercise and fail.

A small true ledger (ledger.py) moves first; what the broker shows of it comes after, with holes, gaps and late
marks. Values are consistent (value is quantity by price by multiplier): what isn't is another test's concern.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from pipelines.calendar import NEW_YORK, Session, TradingCalendar
from tests.support.book_evenings import Draw, evenings_of, rarely
from tests.support.facts import Adjustment, Book, Contract, Event, Instruction, SignedFill
from tests.support.ledger import (
    CENT,
    ZERO,
    LedgerAccount,
    LedgerInstrument,
    World,
    close_day,
    deliver,
    is_over,
    open_day,
    snapshot,
    split,
    splits_on,
    take_out,
)

CALENDAR = TradingCalendar.load()
#: Summer time ends, Thanksgiving and its half day, Independence Day and its half day.
STARTS = (date(2025, 10, 29), date(2025, 11, 25), date(2025, 7, 1))
RATIOS = tuple(map(Decimal, ("4", "2", "1.5", "0.5", "0.1")))


def _id(number: int) -> str:
    """Numbers ending in 1 and 2 are the stocks of a market, 5 and 6 its options."""
    return f"b0000000-0000-4000-8000-{number:012}"


@st.composite
def books(draw: Draw, markets: int = 2) -> Book:
    """A book of two to six sessions in up to so many markets, each with one account or two."""
    start = draw(st.sampled_from(STARTS))
    sessions = tuple(CALENDAR.sessions(start, start + timedelta(days=20))[: draw(st.integers(2, 6))])
    said = draw(st.sampled_from(("none", "since_cost", "since_prior_close", "auto")))
    accounts = []
    for number in range(draw(st.integers(1, markets))):
        world = draw(_worlds(sessions, number * 10))
        names = draw(st.sampled_from(((100,), (100, 105))))
        accounts += [LedgerAccount(world, str(name + 10 * number)) for name in names]
    for account in accounts:
        _open(draw, account)
    for day in range(len(sessions)):
        for account in accounts:
            _live(draw, account, day)
            account.evenings.append(snapshot(account, day, said))
            close_day(account, day)
    realized = said if said.startswith("since") else draw(st.sampled_from(("auto", "since_cost")))
    evenings = evenings_of(draw, sessions, accounts)
    adjustments = tuple(line for account in accounts for line in account.adjustments)
    return Book(evenings, adjustments, realized)


@st.composite
def _worlds(draw: Draw, sessions: tuple[Session, ...], number: int) -> World:
    splits = _splits(draw, number, sessions)
    first = _stock(draw, number + 1, "XYZ", sessions, ())
    second = _stock(draw, number + 2, "ABC", sessions, splits)
    options = _options(draw, first, number, sessions)
    announced = splits if draw(st.sampled_from((True, True, False))) else ()
    return World(
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


def _stock(
    draw: Draw, number: int, symbol: str, sessions: tuple[Session, ...], splits: Iterable[Event]
) -> LedgerInstrument:
    cents = draw(st.integers(2000, 30000))
    moves = draw(st.lists(st.integers(-900, 900), min_size=len(sessions), max_size=len(sessions)))
    prices = []
    for session, move in zip(sessions, moves, strict=True):
        cents = max(cents + move, 100)
        price = Decimal(cents) / 100
        for event in splits:
            price = price if session.date < event.day else (price / (event.ratio or 1)).quantize(CENT)
        prices.append(price)
    return LedgerInstrument(_id(number), symbol, tuple(prices))


def _options(draw: Draw, stock: LedgerInstrument, market: int, sessions: tuple[Session, ...]) -> list[LedgerInstrument]:
    """One or two options; they expire on one of the sessions, a day when the market is closed, or long after."""
    made: list[LedgerInstrument] = []
    for number in range(draw(st.integers(0, 2))):
        last = draw(st.integers(0, len(sessions)))
        kind = draw(st.sampled_from(("CALL", "PUT")))
        first = made[0].contract if made and draw(st.booleans()) else None
        if first is not None:  # a spread
            last = next((i for i, s in enumerate(sessions) if s.date == first.expiry), len(sessions))
            kind = first.contract_type
        expiry = sessions[last].date if last < len(sessions) else date(2026, 3, 20)
        strike = stock.prices[min(last, len(sessions) - 1)] + Decimal(draw(st.sampled_from((-6, -5, 5, 6))))
        strike = max(strike.quantize(Decimal("0.5")), ZERO) + Decimal("0.25")
        symbol = f"XYZ{expiry:%y%m%d}{kind[0]}{int(strike * 1000):08}"
        prices = draw(st.lists(st.integers(5, 1500), min_size=len(sessions), max_size=len(sessions)))
        multiplier = Decimal(draw(st.sampled_from((100, 100, 150))))
        option = _id(market + 5 + number)
        contract = Contract(option, symbol, stock.id, kind, strike, expiry, multiplier)
        if all(other.symbol != symbol for other in made):
            quotes = tuple(Decimal(price) / 100 for price in prices)
            made.append(LedgerInstrument(option, symbol, quotes, multiplier, contract))
    return made


def _open(draw: Draw, account: LedgerAccount) -> None:
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


def _live(draw: Draw, account: LedgerAccount, day: int) -> None:
    """One session: the night's lifecycle and splits first, then trades, then transfers."""
    open_day(account, day)
    split(account, day)
    if not account.world.books_at_once and day > 0:
        _expire(draw, account, day - 1)
    _exercise_early(draw, account, day)
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2)))):
        _trade(draw, account, day)
    if rarely(draw, 12):
        _transfer(draw, account, day)
    if account.world.books_at_once:
        _expire(draw, account, day)


def _trade(draw: Draw, account: LedgerAccount, day: int) -> None:
    """Add, reduce, close, flip or a round trip, in one fill or two."""
    world = account.world
    instrument = draw(st.sampled_from(sorted(world.instruments.values(), key=lambda each: each.id)))
    if instrument.id in account.touched or is_over(instrument, world.sessions[day].date):
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


def _fill(draw: Draw, account: LedgerAccount, instrument: LedgerInstrument, day: int, quantity: Decimal) -> None:
    session = account.world.sessions[day]
    offset = Decimal(draw(st.integers(-150, 150))) / 100
    price = max(instrument.prices[day] + offset, CENT)
    after = draw(st.sampled_from((0, 0, 0, 1)))
    yesterday = session.date - timedelta(days=1)
    at = (
        datetime.combine(yesterday, time(20, 30), NEW_YORK)
        if after and not splits_on(account.world, instrument.id, session.date)
        else session.open + timedelta(minutes=5 + len(account.fills))
    )
    account.fills.append(
        SignedFill(
            id=f"f{account.name:0>7}-0000-4000-8000-{len(account.fills):012}",
            instrument_id=instrument.id,
            quantity=quantity,
            price=None if rarely(draw, 30) else price,
            at=at,
            underlying_instrument_id=instrument.underlying,
        )
    )
    account.trade(instrument.id, quantity, quantity * price * instrument.multiplier)


def _transfer(draw: Draw, account: LedgerAccount, day: int) -> None:
    """Shares journaled in at today's price or out at yesterday's; sometimes nobody writes it down."""
    world = account.world
    stock = draw(st.sampled_from(world.stocks()))
    if stock.id in account.touched or day == 0 or splits_on(world, stock.id, world.sessions[day].date):
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


def _expire(draw: Draw, account: LedgerAccount, day: int) -> None:
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
            take_out(account, option, lot.quantity)
        elif lot.quantity > 0:
            how = draw(st.sampled_from(("instructed", "exception", "lapse")))
            if how != "exception":
                kind = "EXERCISE" if how == "instructed" else "DO_NOT_EXERCISE"
                _instruct(account, option, kind, lot.quantity, lot.quantity, day)
            if how == "lapse":
                take_out(account, option, lot.quantity)
            else:
                deliver(account, option, lot.quantity)
        else:
            deliver(account, option, lot.quantity)


def _exercise_early(draw: Draw, account: LedgerAccount, day: int) -> None:
    """A long option exercised yesterday by instruction (perhaps in part), or a short one assigned, before it
    expires."""
    world = account.world
    for option in world.options():
        lot = account.lot(option.id)
        if day == 0 or lot.quantity == 0 or option.contract is None or option.id in account.touched:
            continue
        if option.contract.expiry <= world.sessions[day].date or not rarely(draw, 6):
            continue
        underlying = option.contract.underlying_instrument_id
        if underlying in account.touched:
            continue
        account.touched |= {option.id, underlying}
        wanted = abs(lot.quantity)
        accepted = min(wanted, Decimal(draw(st.integers(1, 3)))) * (1 if lot.quantity > 0 else -1)
        if lot.quantity > 0:
            _instruct(account, option, "EXERCISE", wanted, accepted, day - 1)
        deliver(account, option, accepted)


def _instruct(
    account: LedgerAccount, option: LedgerInstrument, kind: str, wanted: Decimal, accepted: Decimal, day: int
) -> None:
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
