"""The book that is measured: accounts that hold the same instruments, 98 of 100 of them options, in rows of 540 bytes.

Every number follows from the account's and the instrument's own, so that two processes agree on it without talking.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import orjson

from pipelines.calendar import TradingCalendar

#: The day that is served unless another is asked for.
DAY = date(2025, 11, 3)
PAGE = 1_000
#: One stock and its options: so many instruments in a row have the same underlying.
FAMILY = 50

Row = dict[str, Any]


def account_ids(accounts: int) -> list[int]:
    """The accounts of the book."""
    return [100_001 + number for number in range(accounts)]


def instrument_id(number: int) -> str:
    """The id of an instrument, of the length that the broker's have."""
    return f"0190c5a2-7e00-7000-8000-{number:012d}"


@cache
def prices_rise(day: date) -> bool:
    """Whether prices rise on a day. They fall back on the next session, so days are of two kinds, and any day can be
    followed by a copy of an earlier one of the other kind."""
    calendar = TradingCalendar.load()
    return len(calendar.sessions(calendar.first, day)) % 2 == 0


def position(account: int, number: int, day: date = DAY) -> Row:
    """A position as the broker states it at the end of a day. Prices move with the day, quantities stay."""
    is_option = number % FAMILY != 0
    quantity = (account % 97 + number % 41 + 1) * (-1 if number % 5 == 3 else 1)
    step = Decimal(number % 7) / 100
    low = Decimal(number % 9_000 + account % 13) / 100 + 1
    price = low + step if prices_rise(day) else low
    cost = low - Decimal(number % 50) / 100
    multiplier = 100 if is_option else 1
    value, basis = quantity * price * multiplier, quantity * cost * multiplier
    row: Row = {
        "account_id": account,
        "instrument_id": instrument_id(number),
        "symbol": f"S{number // FAMILY:05d}" + (f"260116C{number % FAMILY * 1000:08d}" if is_option else ""),
        "instrument_type": "OPTION" if is_option else "COMMON_STOCK",
        "position_type": "SHORT" if quantity < 0 else "LONG",
        "quantity": str(quantity),
        "available_quantity": str(quantity),
        "market_value": f"{value:.2f}",
        "avg_price": f"{cost:.4f}",
        "cost_basis": f"{basis:.2f}",
        "instrument_price": f"{price:.4f}",
        "closing_price": f"{price:.4f}",
        "closing_price_date": day.isoformat(),
        "unrealized_pnl": f"{value - basis:.2f}",
        "unrealized_pnl_pct": f"{(value - basis) / abs(basis) * 100:.4f}" if basis else None,
        "daily_realized_pnl": "0.00",
        "daily_unrealized_pnl": f"{quantity * multiplier * (step if prices_rise(day) else -step):.2f}",
        "daily_unrealized_pnl_pct": "0.1234",
    }
    if is_option:
        row["underlying_instrument_id"] = instrument_id(number // FAMILY * FAMILY)
        row["underlying_instrument_type"] = "COMMON_STOCK"
    return row


def contract(instrument: str) -> Row:
    """The option contract with this instrument id."""
    number = int(instrument[-12:])
    return {
        "id": instrument,
        "symbol": f"S{number // FAMILY:05d}260116C{number % FAMILY * 1000:08d}",
        "underlying_instrument_id": instrument_id(number // FAMILY * FAMILY),
        "contract_type": "CALL",
        "strike_price": str(number % FAMILY),
        "expiry": "2026-01-16",
        "multiplier": "100",
        "exercise_style": "AMERICAN",
        "listing_type": "STANDARD",
        "currency": "USD",
    }


def envelope(data: Any, **metadata: Any) -> bytes:
    """A reply as the broker wraps it."""
    return orjson.dumps({"metadata": {"request_id": "bench-0001", **metadata}, "data": data, "error": None})


def pages(account: int, positions: int, day: date = DAY) -> Iterator[tuple[str | None, bytes]]:
    """The listing of an account: the token that asks for each page, None for the first, and its reply."""
    count = max(-(-positions // PAGE), 1)
    for page in range(count):
        rows = [position(account, number, day) for number in range(page * PAGE, min((page + 1) * PAGE, positions))]
        yield (
            token(page),
            envelope(
                rows,
                page_number=page + 1,
                total_items=positions,
                total_pages=count,
                next_page_token=token(page + 1) if page + 1 < count else None,
            ),
        )


def token(page: int) -> str | None:
    """The token of a page, counted from 0; the first has none."""
    return f"b3BhcXVl-{page:06d}" if page else None
