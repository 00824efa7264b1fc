"""How the explorer writes the rows of an answer: columns and names of the books in the words of the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pipelines.report.view import in_words

Row = dict[str, Any]

#: What a column is called on the page, in the words of the report; how the books call it is in the data dictionary.
_LABELS = {
    "trading_date": "day",
    "account_id": "account",
    "total_pnl": "P&L before fees",
    "realized_pnl": "realized",
    "unrealized_change": "unrealized",
    "broker_net": "P&L after fees",
    "net_pnl": "P&L after fees",
    "fees_and_other": "income and fees",
    "flow": "flows",
    "eod_equity": "equity at end",
    "daily_return": "return after fees",
    "days_covered": "sessions",
    "finality": "prices",
    "known_from": "known since",
    "known_to": "known until",
    "market_value": "value",
    "position_pnl": "carried",
    "day_pnl": "traded",
    "eod_price": "price",
    "price_date": "close of",
    "price_grade": "kind of price",
    "total_source": "P&L from",
    "run_id": "run",
    "grade": "read",
    "captured_at": "read at",
    "finished_at": "run ended",
    "complete": "whole",
    "position_count": "positions",
    "official_price_share": "official closes",
    "error": "what failed",
    "total_then": "P&L then",
    "total_later": "P&L later",
    "window": "period",
    "from_date": "since",
    "twr": "return after fees",
    "sharpe": "Sharpe",
    "sortino": "Sortino",
    "max_drawdown": "max. fall",
    "max_drawdown_from": "fell from",
    "max_drawdown_to": "to",
    "recovered_on": "recovered on",
    "win_rate": "days won",
    "source": "told by",
    "accounts_complete": "accounts complete",
    "accounts_expected": "accounts expected",
}
#: Columns whose values are names of the books, written as words too.
_NAMED = ("status", "quality", "flags", "reason", "price_grade", "total_source", "grade", "source")
#: Shares and returns, which a page shows in per cent.
_FRACTIONS = ("daily_return", "official_price_share", "twr", "volatility", "max_drawdown", "win_rate")


def format_rows(rows: Sequence[Row]) -> list[Row]:
    """Rows as a page shows them: money to the cent, thousands apart; instants to the minute; null as nothing. Columns
    and names of the books are in the words of the report."""
    return [{label(name): _shown(name, value) for name, value in row.items()} for row in rows]


def label(name: str) -> str:
    """What a column of the books is called on the page."""
    return _LABELS.get(name, name.replace("_", " "))


def numbers(rows: Sequence[Row]) -> list[str]:
    """The columns that hold figures, as the page calls them."""
    return sorted({label(name) for row in rows for name, value in row.items() if _is_figure(value)})


def _is_figure(value: Any) -> bool:
    return isinstance(value, Decimal | int) and not isinstance(value, bool)


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        if name in _FRACTIONS:
            return f"{100 * value:.2f} %"
        return f"{value.normalize():,f}" if name == "quantity" else f"{value:,.2f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in _NAMED and isinstance(value, str):
        return in_words(value)
    return "" if value is None else value
