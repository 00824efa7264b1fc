"""What an underlying costs now, as well as the broker says: for a preview, never for the books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote

from models.exact import fit_decimal, loads_exact
from models.reading import NotUnderstood
from pipelines.broker.http import GaveUp, Refused, Replies, Reply

#: The broker's last trade, the price in a position that the account holds, or the close of the day before.
Source = Literal["LAST_TRADE", "POSITION", "PREVIOUS_CLOSE"]


@dataclass(frozen=True)
class Quoted:
    """A price per share, where it comes from, and of when it is, as the broker says; None where it doesn't."""

    price: Decimal
    source: Source
    as_of: str | None = None


def quoted(replies: Replies, instrument_id: str) -> Quoted | None:
    """The last trade of an instrument, else its previous close; None where the broker tells neither. Raises
    Unauthorized."""
    last = _ask(replies, "/v1/market-data/snapshot", {"instrument_ids": instrument_id}, _last_trade)
    if last is not None:
        return Quoted(last[0], "LAST_TRADE", last[1])
    close = _ask(replies, f"/v1/instruments/{quote(instrument_id, safe='')}", {}, _previous_close)
    return Quoted(close[0], "PREVIOUS_CLOSE") if close is not None else None


Priced = tuple[Decimal, str | None]


def _ask(replies: Replies, path: str, params: dict[str, str], find: Callable[[Any], tuple[Any, Any]]) -> Priced | None:
    def understand(reply: Reply) -> Priced | None:
        try:
            said, at = find(loads_exact(reply.body)["data"])
            if not isinstance(said, str):
                return None
            return Decimal(fit_decimal(said, "price")[0]), at if isinstance(at, str) else None
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as why:
            raise NotUnderstood(f"no price in it: {why}") from None

    try:
        return replies.fetch(path, params, understand, lambda _: None)
    except (Refused, GaveUp):
        return None  # this key may not see prices, or there are none


def _last_trade(data: Any) -> tuple[Any, Any]:
    trade = (data[0].get("last_trade") or {}) if data else {}
    return trade.get("price"), trade.get("timestamp")


def _previous_close(data: Any) -> tuple[Any, Any]:
    return data.get("previous_close"), None
