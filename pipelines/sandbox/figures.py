"""An account at an instant, valued: what every response about money is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from pipelines.sandbox.ledger import ZERO, HeldPosition


@dataclass(frozen=True, slots=True)
class Valued:
    """A position and its price, USD a share. Values are signed like the quantity; gains are positive."""

    position: HeldPosition
    price: Decimal

    @property
    def value(self) -> Decimal:
        """Market value."""
        return self.position.quantity * self.price * self.position.instrument.multiplier

    @property
    def unrealized(self) -> Decimal:
        """Open P&L since the position was opened."""
        return self.value - self.position.cost.amount

    @property
    def daily_unrealized(self) -> Decimal:
        """Open P&L since the close before, or since the trade for what was traded today."""
        return self.value - self.position.day.amount

    @property
    def day_pnl(self) -> Decimal:
        """What today's trades have made at this price."""
        traded = self.position.traded * self.price * self.position.instrument.multiplier
        return traded - self.position.bought + self.position.sold


@dataclass(frozen=True)
class Figures:
    """An account at an instant, valued. `rows` include what was closed today; `moves` is the cash of today by kind."""

    rows: tuple[Valued, ...] = ()
    cash: Decimal = ZERO
    moves: Mapping[str, Decimal] = field(default_factory=dict)

    @cached_property
    def long(self) -> Decimal:
        """Market value of long positions."""
        return sum((row.value for row in self.rows if row.value > 0), ZERO)

    @cached_property
    def short(self) -> Decimal:
        """Market value of short positions: negative."""
        return sum((row.value for row in self.rows if row.value < 0), ZERO)

    @cached_property
    def equity(self) -> Decimal:
        """Cash and positions together."""
        return self.cash + self.long + self.short

    @cached_property
    def unrealized(self) -> Decimal:
        """Open P&L of all positions."""
        return sum((row.unrealized for row in self.rows), ZERO)

    @cached_property
    def realized(self) -> Decimal:
        """Realized today, measured from cost."""
        return sum((row.position.cost.realized for row in self.rows), ZERO)

    @cached_property
    def daily_realized(self) -> Decimal:
        """Realized today, measured from the close before."""
        return sum((row.position.day.realized for row in self.rows), ZERO)

    @cached_property
    def daily_unrealized(self) -> Decimal:
        """Unrealized today, measured from the close before."""
        return sum((row.daily_unrealized for row in self.rows), ZERO)

    @cached_property
    def day_pnl(self) -> Decimal:
        """What today's trades have made so far."""
        return sum((row.day_pnl for row in self.rows), ZERO)
