"""What the accounts really made, worked out apart from the books: by counting shares and cash.

`total` is price P&L only: what a position is worth, less what it was worth at the close before, plus the cash of its
trades, less value that moved in without P&L. Dividends and fees are cash of the account and stand beside it.
An option that is exercised or assigned hands its value at the close before to the shares that replace it (its premium
rolls into their basis): its own realized, unrealized_change and total are 0 for those contracts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from pipelines.sandbox.account_book import AccountBook, AccountSession
from pipelines.sandbox.facts import CashMove, Delivery, Fact, Fill, Split
from pipelines.sandbox.instruments import Instrument
from pipelines.sandbox.market import Market

ZERO = Decimal(0)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PositionTruth:
    """One instrument on one day, USD, gains positive; `quantity`, `value` and `cost` (signed alike) at the close."""

    symbol: str
    quantity: Decimal
    value: Decimal
    cost: Decimal
    realized: Decimal
    unrealized_change: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class AccountTruth:
    """One account on one day, USD. `dividends`, `fees` and `flow`: cash effects (paid: negative), not in `total`."""

    date: date
    realized: Decimal
    unrealized_change: Decimal
    total: Decimal
    dividends: Decimal
    fees: Decimal
    flow: Decimal
    sod_equity: Decimal
    equity: Decimal
    positions: dict[str, PositionTruth]


class Truth:
    """The P&L of every account and session, from the facts of its book and the prices alone."""

    def __init__(self, books: Iterable[AccountBook], market: Market) -> None:
        self._days = {str(book.profile.id): _days(book, market) for book in books}

    @property
    def accounts(self) -> tuple[str, ...]:
        """Account ids, as text."""
        return tuple(self._days)

    def day(self, account_id: str, day: date) -> AccountTruth:
        """One day of one account. KeyError where it had none."""
        return self._days[account_id][day]

    def days(self, account_id: str) -> list[AccountTruth]:
        """All days of an account, in order, from its first."""
        return list(self._days[account_id].values())


def _days(book: AccountBook, market: Market) -> dict[date, AccountTruth]:
    tally = _Tally(Decimal(book.profile.brought))
    return {day.session.date: tally.day(day, market) for day in book.days}


@dataclass(slots=True)
class _Count:
    """What is counted of one instrument in a day: what it was at the close before, what it is, what came and went."""

    instrument: Instrument
    quantity_before: Decimal = ZERO
    value_before: Decimal = ZERO
    cost_before: Decimal = ZERO
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    cash: Decimal = ZERO
    moved: Decimal = ZERO
    moved_cost: Decimal = ZERO

    def tomorrow(self, value: Decimal) -> _Count:
        return _Count(self.instrument, self.quantity, value, self.cost, self.quantity, self.cost)

    def exchange(self, signed: Decimal, paid: Decimal, rolled: Decimal = ZERO) -> None:
        """`signed` units for `paid` cash, with `rolled` premium in their basis."""
        held, price = self.quantity, paid + rolled
        self.cash -= paid
        self.quantity += signed
        if held * signed >= 0:
            self.cost += price
        elif abs(signed) <= abs(held):
            relieved = _part(self.cost, -signed, held)
            self.realized -= price + relieved
            self.cost -= relieved
        else:
            opening = price - _part(price, -held, signed)
            self.realized += opening - price - self.cost
            self.cost = opening

    def seen(self, value: Decimal) -> PositionTruth:
        unrealized = (value - self.cost) - (self.value_before - self.cost_before) - (self.moved - self.moved_cost)
        total = value - self.value_before + self.cash - self.moved
        return PositionTruth(self.instrument.symbol, self.quantity, value, self.cost, self.realized, unrealized, total)


class _Tally:
    """One account's counts, carried from day to day."""

    def __init__(self, brought: Decimal) -> None:
        self.cash = self.equity = brought
        self.counts: dict[str, _Count] = {}
        self.moves: dict[str, Decimal] = {}

    def day(self, day: AccountSession, market: Market) -> AccountTruth:
        self.moves = {}
        for fact in (*day.overnight, *day.facts):
            self._note(fact)
        values = {key: count.quantity * _price(count, day.session.date, market) for key, count in self.counts.items()}
        seen = {key: count.seen(values[key]) for key, count in self.counts.items()}
        before, self.equity = self.equity, self.cash + sum(values.values(), ZERO)
        self.counts = {key: count.tomorrow(values[key]) for key, count in self.counts.items() if count.quantity}
        return AccountTruth(
            date=day.session.date,
            realized=sum((row.realized for row in seen.values()), ZERO),
            unrealized_change=sum((row.unrealized_change for row in seen.values()), ZERO),
            total=sum((row.total for row in seen.values()), ZERO),
            dividends=self.moves.get("DIVIDEND", ZERO),
            fees=self.moves.get("FEE", ZERO),
            flow=self.moves.get("FLOW", ZERO),
            sod_equity=before,
            equity=self.equity,
            positions=seen,
        )

    def _of(self, instrument: Instrument) -> _Count:
        return self.counts.setdefault(instrument.id, _Count(instrument))

    def _note(self, fact: Fact) -> None:
        match fact:
            case Fill():
                paid = fact.signed * fact.price * fact.instrument.multiplier
                self._of(fact.instrument).exchange(fact.signed, paid)
                self.cash -= paid
            case Split():
                self._of(fact.instrument).quantity *= fact.factor
            case CashMove():
                self.cash += fact.amount
                self.moves[fact.kind] = self.moves.get(fact.kind, ZERO) + fact.amount
            case Delivery():
                self._deliver(fact)

    def _deliver(self, delivery: Delivery) -> None:
        option, contracts = self._of(delivery.option), delivery.contracts
        if not delivery.shares:
            option.exchange(-contracts, ZERO)
            return
        premium = _part(option.cost, contracts, option.quantity)
        value = option.value_before * contracts / option.quantity_before
        option.quantity -= contracts
        option.cost -= premium
        option.moved -= value
        option.moved_cost -= premium
        paid = delivery.shares * delivery.option.strike
        stock = self._of(delivery.option.base)
        stock.exchange(delivery.shares, paid, premium)
        stock.moved += value
        stock.moved_cost += premium
        self.cash -= paid


def _price(count: _Count, day: date, market: Market) -> Decimal:
    """The closing value of one unit; what isn't held any more needs none."""
    return market.close(count.instrument, day) * count.instrument.multiplier if count.quantity else ZERO


def _part(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The share of a cost that goes with `part` of `whole`, half-even to the cent: the stand-in's average cost."""
    return amount if part == whole else (amount * part / whole).quantize(_CENT, ROUND_HALF_EVEN)
