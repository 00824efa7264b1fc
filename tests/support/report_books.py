"""Books to report: two evenings of a desk with ordinary and with hostile symbols, published as an evening would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish
from tests.support.desk import FRIDAY, THURSDAY, Desk, desk, shares

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=http://evil.example/x onerror=alert(1)>',
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "../../x",
    "</script></svg>]]>",
    "{{ 7*7 }}",
    "#panic()",
    "שלום\u202e123",
    "🚀🧑‍🚀",
    "X" * 10_000,
)


def held(number: int, symbol: str, quantity: str, price: str, day: str, account: int = 100) -> dict[str, Any]:
    """A position that cost 100 a share."""
    cost = str(100 * Decimal(quantity))
    return shares(
        quantity,
        price,
        cost=cost,
        day=day,
        account=account,
        symbol=symbol,
        instrument_id=f"c0000000-0000-4000-8000-{number:012}",
    )


def book(symbols: Sequence[str], evening: int, day: str, account: int = 100) -> list[dict[str, Any]]:
    """Longs and shorts whose prices move by cents and dollars from the first evening to the second."""
    return [
        held(
            number,
            symbol,
            f"{'-' if number % 3 == 2 else ''}{10 + number % 7}",
            str(Decimal(100 + number % 11) + evening * (Decimal(number % 13) - 6) * Decimal("0.37")),
            day,
            account,
        )
        for number, symbol in enumerate(symbols, 1)
    ]


def segment(day: str, sod: str, eod: str, net: str) -> dict[str, Any]:
    """A day of the broker's history, without fees."""
    return {
        "date": day,
        "realized_pnl": "0.00",
        "unrealized_pnl": net,
        "net_pnl": net,
        "day_pnl": "0.00",
        "position_pnl": net,
        "sod_equity": sod,
        "eod_equity": eod,
    }


@contextmanager
def two_evenings(home: Path, symbols: Sequence[str], **books: Any) -> Iterator[Desk]:
    """A desk whose account 100 has held `symbols` over two evenings; published."""
    first = {100: book(symbols, 0, "2025-10-30")}
    with desk(home, accounts=[100], positions=first, instructions={}, executions={100: []}, **books) as made:
        made.evening(THURSDAY)
        made.broker.positions["100"] = book(symbols, 1, "2025-10-31")
        made.evening(FRIDAY)
        published(made)
        yield made


def published(made: Desk) -> None:
    """Publish what the desk's warehouse says now."""
    publish(made.con, made.settings.published, PUBLISHED_SCHEMAS)
