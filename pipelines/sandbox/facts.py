"""What happened in an account, without any money worked out: the one input that the books and the truth share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from pipelines.sandbox.instruments import Instrument


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade: `quantity` is positive, `side` says which way, `price` is USD a share."""

    at: datetime
    instrument: Instrument
    side: str
    quantity: Decimal
    price: Decimal
    id: str
    order_id: str

    @property
    def signed(self) -> Decimal:
        """Bought +, sold -."""
        return self.quantity if self.side == "BUY" else -self.quantity


@dataclass(frozen=True, slots=True)
class Delivery:
    """Contracts that went overnight. `contracts` has the sign they were held with; `shares` came in (+) or went out (-)
    at the strike, none for an EXPIRY. The premium rolls into the shares' basis: the option itself realizes nothing."""

    on: date
    option: Instrument
    kind: str
    contracts: Decimal
    shares: Decimal


@dataclass(frozen=True, slots=True)
class Split:
    """`factor` shares for one at the open of `on`; cost stays."""

    on: date
    instrument: Instrument
    factor: Decimal


@dataclass(frozen=True, slots=True)
class CashMove:
    """Money alone, received +: kind DIVIDEND, FEE or FLOW (deposits and withdrawals, which are no P&L)."""

    at: datetime
    kind: str
    amount: Decimal


Fact = Fill | Delivery | Split | CashMove
