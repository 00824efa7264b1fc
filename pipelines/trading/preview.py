"""What a request would do, from a fresh read: what is held, which way it would be traded, what an instruction moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any

from models.trading import UUID
from pipelines.broker.client import BrokerClient
from pipelines.broker.http import Http
from pipelines.broker.read import Read
from pipelines.errors import BrokerError, ConfigurationError
from pipelines.settings import Settings
from pipelines.trading.batch import Wanted, instruction_row, with_keys
from pipelines.trading.effects import Effect, doubts_of, effect_of
from pipelines.trading.prices import Quoted, quoted
from pipelines.trading.requests import TradeRequest, close_position, submit_instructions

Row = dict[str, Any]
#: Types of instruments that nobody exercises. Types that are not known yet are left to the broker.
NO_OPTIONS = ("COMMON_STOCK", "INDEX", "CASH")
#: A price is worth this long a wait.
PRICE_SECONDS = 5.0
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
    contracts: Decimal
    status: str


@dataclass
class Preview:
    """What would happen, line by line, and what the person should know besides."""

    lines: Sequence[Closing | Effect | Cancelling]
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> list[dict[str, str | None]]:
        """Its lines for a record or a script: numbers as text, with all their digits."""
        return [{name: _plain(value) for name, value in asdict(line).items()} for line in self.lines]


def read_positions(client: BrokerClient, account_id: str) -> list[Row]:
    """The account's positions, proven whole. Raises BrokerError where they aren't: nobody knows what would happen."""
    return _whole(client.positions(account_id))


def read_instructions(client: BrokerClient, account_id: str) -> list[Row]:
    """The account's instructions as the broker lists them. Raises BrokerError."""
    return _whole(client.instructions(account_id))


def find_position(positions: Sequence[Row], name: str) -> Row:
    """The position that a UUID or a symbol names. Raises ConfigurationError for none, or for more than one."""
    found = [row for row in positions if _same(row["instrument_id"], name) or _same(row["symbol"], name)]
    if not found:
        raise ConfigurationError(f"The account holds no position in {name!r}.")
    if len({row["instrument_id"] for row in found}) > 1:
        ids = ", ".join(sorted(row["instrument_id"] for row in found))
        raise ConfigurationError(f"The account holds {len(found)} positions called {name!r}: name one of {ids}.")
    return found[0]


def as_held(positions: Sequence[Row], request: TradeRequest) -> TradeRequest:
    """The same request to close one position, which the broker can't take for another than the one that is shown: a
    name that isn't spelt as the broker spells it becomes the position's UUID. Raises ConfigurationError."""
    if request.instrument is None:
        return request
    row = find_position(positions, request.instrument)
    if request.instrument in (row["instrument_id"], row["symbol"]):
        return request
    return replace(close_position(request.account_id, row["instrument_id"]), body=request.body)


def instrument_id_of(positions: Sequence[Row], name: str) -> str:
    """The instrument id that an instruction needs: that of the position of this name, or a UUID as it stands. Raises
    ConfigurationError for a position that is no option."""
    if re.fullmatch(UUID, name) and not any(_same(row["instrument_id"], name) for row in positions):
        return name
    row = find_position(positions, name)
    if row["instrument_type"] in NO_OPTIONS:
        raise ConfigurationError(
            f"{row['symbol']} is {row['instrument_type']}, and instructions are about options: name the contract."
        )
    return str(row["instrument_id"])


def preview_closing(positions: Sequence[Row], request: TradeRequest) -> Preview:
    """What closing one position, or all, would trade. Raises ConfigurationError where the one isn't held."""
    wanted = [find_position(positions, request.instrument)] if request.instrument else positions
    lines = [_closing(row) for row in wanted if row["instrument_type"] != "CASH" and Decimal(row["quantity"])]
    claimed = [line.symbol for line in lines if abs(line.available) < abs(line.quantity)]
    warnings = (
        [f"Not all of {', '.join(claimed)} is free: an order or an instruction has a claim on it."] if claimed else []
    )
    if not lines:
        warnings.append("There is nothing to close.")
    return Preview(lines, warnings)


def preview_instructions(
    client: BrokerClient, positions: Sequence[Row], request: TradeRequest, price_of: PriceOf
) -> Preview:
    """What the instructions would do at today's prices, as far as contracts and prices are known."""
    read = client.option_contracts([row.instrument_id for row in request.rows])
    contracts = {row["id"]: row for row in _rows(read)}
    held = {row["instrument_id"]: row for row in positions}
    underlyings = {
        str(each["underlying_instrument_id"]) for each in contracts.values() if each.get("underlying_instrument_id")
    }
    prices = {each: _price(held.get(each)) or price_of(each) for each in sorted(underlyings)}
    lines = [
        effect_of(row, contracts.get(row.instrument_id), held.get(row.instrument_id), prices) for row in request.rows
    ]
    unread = "The contracts could not be read, so what they would move is unknown"
    warnings = [] if read.complete else [f"{unread}: {read.error}."]
    return Preview(lines, warnings + [each for line in lines for each in doubts_of(line)])


def submission(
    settings: Settings, client: BrokerClient, account_id: str, wanted: Sequence[Wanted], run_id: str
) -> tuple[TradeRequest, Preview]:
    """The request that submits these rows, and what it would do. Symbols of what is held become instrument ids, rows
    without a key get one made of `run_id`. Raises ConfigurationError for a row that can't be used, BrokerError."""
    positions = read_positions(client, account_id)
    rows = [instruction_row(_with_id(positions, each)) for each in with_keys(wanted, run_id)]
    request = submit_instructions(account_id, rows)
    with Http(settings.base_url, settings.reading_key(), secrets=settings.keys, budget=PRICE_SECONDS) as http:
        return request, preview_instructions(client, positions, request, partial(quoted, http))


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


def _with_id(positions: Sequence[Row], wanted: Wanted) -> Wanted:
    """The same, naming its contract by its id."""
    try:
        instrument_id = instrument_id_of(positions, wanted.row["instrument_id"])
    except ConfigurationError as error:
        raise ConfigurationError(f"{wanted.where}{error}") from None
    return replace(wanted, row={**wanted.row, "instrument_id": instrument_id})


def _price(underlying: Row | None) -> Quoted | None:
    """The current price in a position of the underlying."""
    said = (underlying or {}).get("instrument_price")
    return None if said is None else Quoted(Decimal(said), "POSITION")


def _whole(read: Read) -> list[Row]:
    if not read.complete:
        raise BrokerError(f"Nothing was sent, for what is there could not be read: {read.error}.")
    return _rows(read)


def _rows(read: Read) -> list[Row]:
    return [row for batch in read.batches for row in batch]


def _same(symbol: str, name: str) -> bool:
    """Whether two spellings are one name: options are written padded and compact, ids in capitals and not."""
    return symbol.replace(" ", "").upper() == name.replace(" ", "").upper()


def _plain(value: object) -> str | None:
    return f"{value:f}" if isinstance(value, Decimal) else None if value is None else str(value)
