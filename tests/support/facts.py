"""What a broker answered, as plain facts: what the oracle reads, what random books are made of, what landing lands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any


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
class SignedFill:
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
    net: Decimal | None = None
    sod_equity: Decimal | None = None
    eod_equity: Decimal | None = None


@dataclass(frozen=True)
class AccountAnswer:
    """What the broker answered of one account on one evening; None: it could not be read. `whole` is False where the
    positions came but not all of them. `fills` are those from `fills_since` until the evening."""

    positions: tuple[Position, ...] | None
    fills_since: datetime
    whole: bool = True
    fills: tuple[SignedFill, ...] | None = None
    instructions: tuple[Instruction, ...] | None = ()
    history: tuple[Segment, ...] | None = None
    daily_pnl: Decimal | None = None
    currency: str = "USD"


@dataclass(frozen=True)
class Evening:
    """One run: the broker's clock, each expected account's answer, and what is asked once for all accounts. `closed`
    accounts are listed as closed, each with its closing date."""

    at: datetime
    answers: Mapping[str, AccountAnswer]
    contracts: tuple[Contract, ...] = ()
    events: tuple[Event, ...] = ()
    closed: Mapping[str, date | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Book:
    """Everything that happened: the evenings in order, adjustments.csv as it is in the end, DAYBOOK_REALIZED."""

    evenings: tuple[Evening, ...]
    adjustments: tuple[Adjustment, ...] = ()
    realized: str = "auto"

    def __repr__(self) -> str:
        return f"<{len(self.evenings)} evenings up to {self.evenings[-1].at:%Y-%m-%d}, realized {self.realized}>"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Hypothesis prints the books of a test, and these are thousands of facts."""
        printer.text(repr(self))
