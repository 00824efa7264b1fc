"""What a request would do, from a fresh read: what is held, which way it would be traded, what an instruction moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal

from models.trading import InstructionRow
from pipelines.broker.client import BrokerClient
from pipelines.errors import ConfigurationError
from pipelines.trading.effects import Effect, age_of, doubts_of, effect_of
from pipelines.trading.held import Row, age_of_values, rows_of
from pipelines.trading.prices import Quoted
from pipelines.trading.requests import TradeRequest

#: States of an instruction in which it will never do anything.
WITHOUT_EFFECT = ("REJECTED", "ENGINE_REJECTED", "CANCELLED")
#: What an instrument costs, where it can be told.
PriceOf = Callable[[str], Quoted | None]


@dataclass(frozen=True)
class Closing:
    """A position that would be closed. `quantity` and `market_value` are negative when short; `available` is the part
    that the broker calls free to act on, `side` that of the closing order."""

    symbol: str
    instrument_id: str
    quantity: Decimal
    available: Decimal
    side: str
    market_value: Decimal


@dataclass(frozen=True)
class Cancelling:
    """An instruction that would be cancelled."""

    id: str
    key: str | None
    instruction_type: str
    symbol: str | None
    instrument_id: str
    contracts: Decimal
    status: str


Line = Closing | Effect | Cancelling


@dataclass
class Preview:
    """What would happen, line by line, and what the person should know besides."""

    lines: Sequence[Line]
    warnings: list[str] = field(default_factory=list)
    #: Of when the prices are that lines are valued at.
    ages: list[str] = field(default_factory=list)

    def as_json(self) -> list[dict[str, str | None]]:
        """Its lines for a record or a script: numbers as text, with all their digits."""
        return [{name: _plain(value) for name, value in asdict(line).items()} for line in self.lines]


def preview_closing(positions: Sequence[Row], request: TradeRequest) -> Preview:
    """What closing one position, or all, would trade: nothing where there is none to close."""
    one = request.instrument
    wanted = positions if one is None else [row for row in positions if row["instrument_id"] == one]
    lines = [_closing(row) for row in wanted if row["instrument_type"] != "CASH" and Decimal(row["quantity"])]
    claimed = [line.symbol for line in lines if abs(line.available) < abs(line.quantity)]
    warnings = (
        [f"Not all of {', '.join(claimed)} is free: an order or an instruction has a claim on it."] if claimed else []
    )
    if not lines:
        warnings.append("There is nothing to close.")
    return Preview(lines, warnings, age_of_values(wanted) if lines else [])


def preview_instructions(
    client: BrokerClient,
    positions: Sequence[Row],
    instructions: Sequence[Row],
    request: TradeRequest,
    price_of: PriceOf,
) -> Preview:
    """What the instructions would do at today's prices, as far as contracts and prices are known, beside those that
    the account has given already."""
    read = client.option_contracts([row.instrument_id for row in request.rows])
    contracts = {row["id"]: row for row in rows_of(read)}
    held = {row["instrument_id"]: row for row in positions}
    underlyings = {
        str(each["underlying_instrument_id"]) for each in contracts.values() if each.get("underlying_instrument_id")
    }
    prices = {each: _price(held.get(each)) or price_of(each) for each in sorted(underlyings)}
    lines = [
        effect_of(
            row, contracts.get(row.instrument_id), held.get(row.instrument_id), prices, _standing(instructions, row)
        )
        for row in request.rows
    ]
    unread = "The contracts could not be read, so what they would move is unknown"
    warnings = [] if read.complete else [f"{unread}: {read.error}."]
    warnings += [each for line in lines for each in doubts_of(line)]
    return Preview(lines, warnings, [each for line in lines for each in age_of(line)])


def preview_cancelling(instructions: Sequence[Row], request: TradeRequest) -> Preview:
    """The instruction that would be cancelled. Raises ConfigurationError where the broker doesn't list it."""
    row = next((row for row in instructions if row["id"] == request.instruction_id), None)
    if row is None:
        raise ConfigurationError(
            f"The broker lists no instruction {request.instruction_id} for account {request.account_id}: "
            f"`daybook instructions list --account {request.account_id}` shows what there is."
        )
    line = Cancelling(
        id=row["id"],
        key=row.get("client_instruction_id"),
        instruction_type=row["instruction_type"],
        symbol=row.get("symbol"),
        instrument_id=row["instrument_id"],
        contracts=Decimal(row["quantity"]),
        status=row["status"],
    )
    final = row["status"] in ("ACCEPTED", "REJECTED", "CANCELLED")
    return Preview([line], [f"It is {row['status']}, which is final: the broker will refuse."] if final else [])


def _closing(row: Row) -> Closing:
    quantity = Decimal(row["quantity"])
    return Closing(
        symbol=row["symbol"],
        instrument_id=row["instrument_id"],
        quantity=quantity,
        available=Decimal(row["available_quantity"]),
        side="SELL" if quantity > 0 else "BUY",
        market_value=Decimal(row["market_value"]),
    )


def _standing(instructions: Sequence[Row], wanted: InstructionRow) -> str | None:
    """What was instructed already of the same contract, and not refused or cancelled; None where nothing was."""
    standing = [
        f"{row['instruction_type']} of {Decimal(row['quantity']).normalize():f} is {row['status']}"
        for row in sorted(instructions, key=lambda row: str(row["id"]))
        if row["instrument_id"].lower() == wanted.instrument_id.lower() and row["status"] not in WITHOUT_EFFECT
    ]
    return "; ".join(standing) or None


def _price(underlying: Row | None) -> Quoted | None:
    """The current price in a position of the underlying."""
    said = (underlying or {}).get("instrument_price")
    return None if said is None else Quoted(Decimal(said), "POSITION")


def _plain(value: object) -> str | None:
    return f"{value:f}" if isinstance(value, Decimal) else None if value is None else str(value)
