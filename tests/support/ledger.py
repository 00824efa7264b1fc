"""A small true ledger at average cost, and what a broker would show of it: what random books are grown from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from pipelines.calendar import Session
from tests.support.facts import Adjustment, Contract, Event, Instruction, Position, Segment, SignedFill

ZERO = Decimal(0)
CENT = Decimal("0.01")


@dataclass(frozen=True)
class LedgerInstrument:
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
class Lot:
    """Quantity and its cost, both signed."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO


@dataclass(frozen=True)
class World:
    """A market of two stocks and up to two options on the first, and how the broker keeps books of it."""

    sessions: tuple[Session, ...]
    instruments: dict[str, LedgerInstrument]
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

    def stocks(self) -> list[LedgerInstrument]:
        return [each for each in self.instruments.values() if each.contract is None]

    def options(self) -> list[LedgerInstrument]:
        return [each for each in self.instruments.values() if each.contract is not None]


@dataclass
class LedgerAccount:
    """One account's true ledger and what it left behind."""

    world: World
    name: str
    lots: dict[str, Lot] = field(default_factory=dict)
    fills: list[SignedFill] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    evenings: list[dict[str, Position]] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    realized: dict[str, Decimal] = field(default_factory=dict)
    before: dict[str, tuple[Lot, Decimal]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)

    def lot(self, instrument: str) -> Lot:
        return self.lots.setdefault(instrument, Lot())

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


def is_over(instrument: LedgerInstrument, day: date) -> bool:
    return instrument.contract is not None and instrument.contract.expiry < day


def take_out(account: LedgerAccount, option: LedgerInstrument, contracts: Decimal) -> Decimal:
    """Take contracts out at nothing; their cost."""
    lot = account.lot(option.id)
    cost = (lot.cost * contracts / lot.quantity).quantize(CENT)
    account.trade(option.id, -contracts, ZERO)
    return cost


def deliver(account: LedgerAccount, option: LedgerInstrument, contracts: Decimal) -> None:
    contract = option.contract
    assert contract is not None
    premium = take_out(account, option, contracts)
    shares = contracts * contract.multiplier * (1 if contract.contract_type == "CALL" else -1)
    money = shares * contract.strike + (premium if account.world.rolls_premium else ZERO)
    account.trade(contract.underlying_instrument_id, shares, money)


def price_of(world: World, instrument: str, day: int) -> Decimal:
    return world.instruments[instrument].prices[max(day, 0)]


def snapshot(account: LedgerAccount, day: int, said: str) -> dict[str, Position]:
    shown = {}
    for instrument, lot in sorted(account.lots.items()):
        if lot.quantity != 0 or (said != "none" and instrument in account.realized):
            shown[instrument] = _position(account, account.world.instruments[instrument], lot, day, said)
    return shown


def _position(account: LedgerAccount, instrument: LedgerInstrument, lot: Lot, day: int, said: str) -> Position:
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


def _daily(account: LedgerAccount, instrument: str, said: str) -> tuple[Decimal | None, Decimal | None]:
    """What a broker might say of the day; whether it is right is not the oracle's concern."""
    if said == "none":
        return None, None
    realized = account.realized.get(instrument, ZERO).quantize(CENT)
    lot = account.lot(instrument)
    before, price = account.before.get(instrument, (Lot(), ZERO))
    return realized, ((lot.quantity - before.quantity) * price).quantize(CENT) if lot.quantity else None


def close_day(account: LedgerAccount, day: int) -> None:
    """The broker's own history of the day, near the truth."""
    held = account.evenings[day].values()
    unrealized = sum((position.unrealized_pnl or ZERO for position in held), ZERO)
    realized = sum(account.realized.values(), ZERO)
    money = Decimal("1e-10")
    segment = Segment(account.world.sessions[day].date, realized.quantize(money), unrealized.quantize(money))
    account.segments.append(segment)


def fills_seen(account: LedgerAccount, since: datetime, at: datetime) -> tuple[SignedFill, ...]:
    return tuple(fill for fill in account.fills if since <= fill.at <= at)


def instructions_seen(account: LedgerAccount, at: datetime) -> tuple[Instruction, ...]:
    """As they stand at `at`: accepted only once they are."""
    return tuple(
        each
        if each.updated_at <= at
        else replace(each, status="SENT", accepted_quantity=None, updated_at=each.created_at)
        for each in account.instructions
        if each.created_at <= at
    )


def splits_on(world: World, instrument: str, day: date) -> bool:
    return any(split.instrument_id == instrument and split.day == day for split in world.splits)


def open_day(account: LedgerAccount, day: int) -> None:
    """Forget yesterday's doings, and remember where the day began."""
    account.realized, account.touched = {}, set()
    account.before = {
        instrument: (replace(lot), price_of(account.world, instrument, day - 1))
        for instrument, lot in account.lots.items()
    }


def split(account: LedgerAccount, day: int) -> None:
    for split in account.world.splits:
        if split.day == account.world.sessions[day].date and split.ratio is not None:
            lot = account.lot(split.instrument_id)
            lot.quantity *= split.ratio
