"""What an account holds and has instructed, read whole or not at all, and what a name means among it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from models.trading import UUID
from pipelines.broker.client import BrokerClient
from pipelines.broker.read import Read
from pipelines.errors import BrokerError, ConfigurationError

Row = dict[str, Any]
#: Types of instruments that nobody exercises. Types that are not known yet are left to the broker.
NO_OPTIONS = ("COMMON_STOCK", "INDEX", "CASH")


def read_positions(client: BrokerClient, account_id: str) -> list[Row]:
    """The account's positions, proven whole. Raises BrokerError where they aren't: nobody knows what would happen."""
    return _whole(client.positions(account_id))


def read_instructions(client: BrokerClient, account_id: str) -> list[Row]:
    """The account's instructions as the broker lists them. Raises BrokerError."""
    return _whole(client.instructions(account_id))


def find_position(positions: Sequence[Row], name: str) -> Row:
    """The position that a UUID or a symbol names.

    Raises ConfigurationError for none, and, with the candidates, for a name that may mean more than one: two positions
    of one symbol, or a UUID, written or found, that is the symbol of another instrument.
    """
    found = [row for row in positions if _same(row["instrument_id"], name) or _same(row["symbol"], name)]
    if not found:
        raise ConfigurationError(f"The account holds no position in {name!r}.")
    sent = str(found[0]["instrument_id"])
    candidates = found + [row for row in positions if row not in found and _same(row["symbol"], sent)]
    if len(candidates) > 1 or (_is_uuid(name) and not _same(sent, name)):
        held = ", ".join(sorted(f"{row['instrument_id']} ({row['symbol']}: {row['quantity']})" for row in candidates))
        raise ConfigurationError(
            f"{name!r} may mean more than one instrument. The account holds {held}: name one by an id that is no "
            "other's symbol."
        )
    return found[0]


def instrument_id_of(positions: Sequence[Row], name: str) -> str:
    """The instrument id that an instruction needs: that of the position of this name, or a UUID as it stands. Raises
    ConfigurationError for a name that may mean more than one, and for a position that is no option."""
    if _is_uuid(name) and not any(_same(row["instrument_id"], name) or _same(row["symbol"], name) for row in positions):
        return name
    row = find_position(positions, name)
    if row["instrument_type"] in NO_OPTIONS:
        raise ConfigurationError(
            f"{row['symbol']} is {row['instrument_type']}, and instructions are about options: name the contract."
        )
    return str(row["instrument_id"])


def age_of_values(positions: Sequence[Row]) -> list[str]:
    """Of when the closes are that positions are valued beside, in a sentence; nothing where the broker names none."""
    closes = sorted({str(row["closing_price_date"]) for row in positions if row.get("closing_price_date")})
    return (
        [f"Market values are the broker's; the oldest official close among them is of {closes[0]}."] if closes else []
    )


def rows_of(read: Read) -> list[Row]:
    """The rows that were read, whole or not."""
    return [row for batch in read.batches for row in batch]


def _whole(read: Read) -> list[Row]:
    if not read.complete:
        raise BrokerError(f"Nothing was sent, for what is there could not be read: {read.error}.")
    return rows_of(read)


def _is_uuid(name: str) -> bool:
    return re.fullmatch(UUID, name) is not None


def _same(symbol: str, name: str) -> bool:
    """Whether two spellings are one name: options are written padded and compact, ids in capitals and not. Capitals are
    those of ASCII: in Unicode letters that only look like it become an S or a K, and one may become two."""
    return _spelt(symbol) == _spelt(name)


def _spelt(name: str) -> bytes:
    return name.replace(" ", "").encode("utf-8", "surrogatepass").upper()
