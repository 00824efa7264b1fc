"""The four requests that trade, exactly as they will go out. Made and checked here, sent elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from models.trading import NIL, UUID, InstructionRow, Operation
from pipelines.errors import ConfigurationError

#: What a symbol may look like: stocks such as BRK.B or BRK/B, options padded or not.
SYMBOL = r"[A-Za-z0-9][A-Za-z0-9 ./^-]{0,31}"
MOST_ACCOUNT = 2**63 - 1


@dataclass(frozen=True)
class TradeRequest:
    """One request. `path` is percent-encoded, `body` what goes out byte for byte (empty: none).

    `instrument` is the UUID of what is closed and `symbol` what it is called, `instruction_id` the server's id of what
    is cancelled.
    """

    operation: Operation
    account_id: str
    method: str
    path: str
    body: bytes = b""
    instrument: str | None = None
    symbol: str | None = None
    instruction_id: str | None = None
    rows: tuple[InstructionRow, ...] = ()

    @property
    def keys(self) -> list[str]:
        """The idempotency keys of its rows."""
        return [row.client_instruction_id for row in self.rows]


def close_position(
    account_id: str, instrument_id: str, *, symbol: str | None = None, cancel_orders: bool | None = None
) -> TradeRequest:
    """Close one position, named by its UUID alone: what a symbol means is the broker's to decide, and may change.

    `symbol` is for people. None leaves it to the broker what becomes of its open orders. Raises ConfigurationError for
    anything but a UUID: `..` would close the whole account.
    """
    if not re.fullmatch(UUID, instrument_id):
        raise ConfigurationError(
            f"The id of {symbol or 'the instrument'}, {instrument_id!r}, is no UUID, so it can't be closed by it."
        )
    path, body = f"{_positions(account_id)}/{instrument_id}", _closing(cancel_orders)
    return TradeRequest("close_position", account_id, "DELETE", path, body, instrument=instrument_id, symbol=symbol)


def close_positions(account_id: str, *, cancel_orders: bool | None = None) -> TradeRequest:
    """Close every position of an account."""
    return TradeRequest("close_positions", account_id, "DELETE", _positions(account_id), _closing(cancel_orders))


def submit_instructions(account_id: str, rows: Sequence[InstructionRow]) -> TradeRequest:
    """Submit instructions, all in one request. Raises ConfigurationError for none, or for a key that occurs twice."""
    keys = [row.client_instruction_id for row in rows]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if not rows:
        raise ConfigurationError("There is no instruction to submit.")
    if repeated:
        raise ConfigurationError(f"The key {repeated[0]!r} is on more than one row: each needs its own.")
    body = orjson.dumps([row.model_dump() for row in rows])
    path = f"{_positions(account_id)}/instructions"
    return TradeRequest("submit_position_instructions", account_id, "POST", path, body, rows=tuple(rows))


def cancel_instruction(account_id: str, instruction_id: str) -> TradeRequest:
    """Cancel an instruction by the server's id (`id` in the list; not the caller's key)."""
    if not re.fullmatch(UUID, instruction_id):
        raise ConfigurationError(
            f"{instruction_id!r} is not the id of an instruction: it is the broker's, in the column id of "
            "`daybook instructions list`, not your own key."
        )
    if instruction_id == NIL:
        raise ConfigurationError("The id of zeros is that of rows which were never accepted: nothing can be cancelled.")
    path = f"{_positions(account_id)}/instructions/{instruction_id}"
    return TradeRequest("cancel_position_instruction", account_id, "DELETE", path, instruction_id=instruction_id)


def checked_account(account_id: str) -> str:
    """An account id as it may stand in a path. Raises ConfigurationError for anything but a whole number."""
    if not re.fullmatch(r"[0-9]{1,19}", account_id) or int(account_id) > MOST_ACCOUNT:
        raise ConfigurationError(f"{account_id!r} is not an account id: it is a whole number, such as 19816.")
    return account_id


def checked_instrument(name: str) -> str:
    """A UUID or symbol as a person may write it. Raises ConfigurationError."""
    if not (re.fullmatch(UUID, name) or re.fullmatch(SYMBOL, name)):
        raise ConfigurationError(f"{name!r} is neither an instrument's UUID nor a symbol.")
    return name


def _positions(account_id: str) -> str:
    return f"/v1/accounts/{checked_account(account_id)}/positions"


def _closing(cancel_orders: bool | None) -> bytes:  # noqa: FBT001
    return orjson.dumps({} if cancel_orders is None else {"cancel_orders": cancel_orders})
