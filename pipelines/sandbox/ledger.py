"""Average-cost accounting in exact decimals; relieved cost is rounded half-even to the cent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal

from pipelines.sandbox.facts import CashMove, Delivery, Fact, Fill, Split
from pipelines.sandbox.instruments import Instrument
from pipelines.sandbox.options import CENT

ZERO = Decimal(0)


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """`part / whole` of an amount: all of it exactly, anything less half-even to the cent."""
    if part == whole:
        return amount
    return (amount * part / whole).quantize(CENT, ROUND_HALF_EVEN) if part else ZERO


@dataclass(slots=True)
class Basis:
    """What a quantity stands at (signed like it), and what has been realized against that since the morning."""

    amount: Decimal = ZERO
    realized: Decimal = ZERO

    def trade(self, held: Decimal, signed: Decimal, value: Decimal) -> None:
        """`signed` comes to `held` for `value` (paid +): what closes relieves its share, the rest is added."""
        closing = min(abs(held), abs(signed)) if held * signed < 0 else ZERO
        relieved = share(self.amount, closing, abs(held)) if closing else ZERO
        given = share(value, closing, abs(signed)) if closing else ZERO
        self.realized -= given + relieved
        self.amount += value - given - relieved


@dataclass(slots=True)
class HeldPosition:
    """A holding in two ledgers: `cost` since it was opened, `day` since the close before."""

    instrument: Instrument
    quantity: Decimal = ZERO
    cost: Basis = field(default_factory=Basis)
    day: Basis = field(default_factory=Basis)
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    traded: Decimal = ZERO

    def trade(self, signed: Decimal, cost: Decimal, day: Decimal) -> None:
        """A quantity comes (+) or goes (-) for these values in the two ledgers."""
        self.cost.trade(self.quantity, signed, cost)
        self.day.trade(self.quantity, signed, day)
        self.quantity += signed

    def give(self, contracts: Decimal) -> tuple[Decimal, Decimal]:
        """Takes contracts out without P&L; returns the values that leave with them, by cost and by the close before."""
        parts = share(self.cost.amount, contracts, self.quantity), share(self.day.amount, contracts, self.quantity)
        self.trade(-contracts, -parts[0], -parts[1])
        return parts

    def copy(self) -> HeldPosition:
        """An independent copy."""
        return replace(self, cost=replace(self.cost), day=replace(self.day))


@dataclass(slots=True)
class State:
    """An account at an instant: cash, positions, and what has happened since the morning."""

    cash: Decimal = ZERO
    positions: dict[str, HeldPosition] = field(default_factory=dict)
    moves: dict[str, Decimal] = field(default_factory=dict)

    def copy(self) -> State:
        """An independent copy."""
        return State(self.cash, {key: position.copy() for key, position in self.positions.items()}, dict(self.moves))

    def held(self) -> list[HeldPosition]:
        """Positions that aren't zero: the others are gone from every listing."""
        return [position for position in self.positions.values() if position.quantity]

    def of(self, instrument: Instrument) -> HeldPosition:
        """The position in an instrument, made if there is none."""
        return self.positions.setdefault(instrument.id, HeldPosition(instrument))

    def morning(self, values: dict[str, Decimal]) -> State:
        """What the next day begins with: closed positions dropped, the day's ledgers at yesterday's market values."""
        kept = {
            position.instrument.id: HeldPosition(
                position.instrument,
                position.quantity,
                Basis(position.cost.amount),
                Basis(values[position.instrument.id]),
            )
            for position in self.held()
        }
        return State(self.cash, kept, {})

    def apply(self, fact: Fact) -> None:
        """Books one fact."""
        match fact:
            case Fill():
                self._fill(fact)
            case Delivery():
                self._deliver(fact)
            case Split():
                self.of(fact.instrument).quantity *= fact.factor
            case CashMove():
                self.cash += fact.amount
                self.moves[fact.kind] = self.moves.get(fact.kind, ZERO) + fact.amount

    def _fill(self, fill: Fill) -> None:
        value = fill.signed * fill.price * fill.instrument.multiplier
        position = self.of(fill.instrument)
        position.trade(fill.signed, value, value)
        position.traded += fill.signed
        position.bought += max(value, ZERO)
        position.sold -= min(value, ZERO)
        self.cash -= value

    def _deliver(self, delivery: Delivery) -> None:
        option = self.of(delivery.option)
        if not delivery.shares:
            option.trade(-delivery.contracts, ZERO, ZERO)
            return
        cost, day = option.give(delivery.contracts)
        paid = delivery.shares * delivery.option.strike
        self.of(delivery.option.base).trade(delivery.shares, paid + cost, paid + day)
        self.cash -= paid
