"""What each fill of a day realized, where the position proves it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

_PLACES = Decimal("0.0000000001")
#: So near must the fills of a position come to what it realized: cents of an average cost that was rounded.
_TOLERANCE = Decimal("0.01")

Rows = Sequence[dict[str, Any]]


def realized_of(fills: Rows) -> list[Decimal | None]:
    """What each fill realized before fees, against the average cost that the position had at that moment.

    None for the fills of a position whose sum is not what the books say that it realized: another lot method, a split,
    an exercise, a fill that counts on another day. Fills are in the order of their trading.
    """
    realized: dict[tuple[str, str], Decimal | None] = {}
    by_position = sorted(enumerate(fills), key=lambda each: (*_position(each[1]), each[0]))
    for _, group in groupby(by_position, key=lambda each: _position(each[1])):
        rows = [row for _, row in group]
        amounts = _walk(rows)
        told = rows[0]["realized_of_position"]
        is_proven = amounts is not None and told is not None and abs(sum(amounts) - told) <= _TOLERANCE
        for at, row in enumerate(rows):
            realized[row["account_id"], row["id"]] = amounts[at] if amounts and is_proven else None
    return [realized[row["account_id"], row["id"]] for row in fills]


def _position(row: dict[str, Any]) -> tuple[str, str]:
    return str(row["account_id"]), str(row["instrument_id"])


def _walk(fills: Sequence[dict[str, Any]]) -> list[Decimal] | None:
    """What each fill realized, from the quantity and the cost before the first; None where one of them is not known."""
    quantity = fills[0]["quantity_prev"]
    cost = Decimal(0) if quantity == 0 else fills[0]["cost_prev"]
    if quantity is None or cost is None:
        return None
    amounts = []
    for fill in fills:
        if fill["price"] is None or fill["multiplier"] is None or fill["side"] not in ("BUY", "SELL", "SELL_SHORT"):
            return None
        signed = fill["quantity"] if fill["side"] == "BUY" else -fill["quantity"]
        value = fill["price"] * fill["multiplier"]
        closed = min(abs(quantity), abs(signed)) if quantity * signed < 0 else Decimal(0)
        average = cost / quantity if quantity else Decimal(0)
        towards = Decimal(1) if quantity > 0 else Decimal(-1)
        amounts.append((towards * closed * (value - average)).quantize(_PLACES) if closed else Decimal(0))
        cost -= towards * closed * average
        quantity += signed
        opened = abs(signed) - closed
        cost += (Decimal(1) if signed > 0 else Decimal(-1)) * opened * value
    return amounts
