"""Small books by hand: evenings of a few positions, landed without a network and built by the real build."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.calendar import TradingCalendar
from tests.support.facts import AccountAnswer, Book, Evening, Position, Segment, SignedFill
from tests.support.landing import land, settings_of

WEDNESDAY, THURSDAY, FRIDAY = date(2025, 10, 29), date(2025, 10, 30), date(2025, 10, 31)
MONDAY, TUESDAY = date(2025, 11, 3), date(2025, 11, 4)
STOCK, OPTION, BOND = (f"b0000000-0000-4000-8000-00000000000{number}" for number in (1, 5, 7))
CALENDAR = TradingCalendar.load()
LONG_AGO = datetime(2025, 10, 1, tzinfo=UTC)


def number(text: str | None) -> Decimal | None:
    """A decimal; None where there is no text."""
    return None if text is None else Decimal(text)


def held(quantity: str, price: str, cost: str | None, day: date, **changes: Any) -> Position:
    """Shares at the day's close, or with `instrument_type` and `unit` what is priced otherwise."""
    value = Decimal(quantity) * Decimal(price) * Decimal(changes.pop("unit", "1"))
    made = Position(
        instrument_id=STOCK,
        symbol="XYZ",
        instrument_type="COMMON_STOCK",
        quantity=Decimal(quantity),
        market_value=value,
        cost_basis=number(cost),
        unrealized_pnl=None if cost is None else value - Decimal(cost),
        closing_price=Decimal(price),
        closing_price_date=day,
        instrument_price=Decimal(price),
    )
    return replace(made, **changes)


def fill(name: str, quantity: str, price: str | None, day: date, **changes: Any) -> SignedFill:
    """Bought (+) or sold (-) at 15:00 UTC."""
    at = datetime.combine(day, time(15), UTC)
    return replace(SignedFill(name, STOCK, Decimal(quantity), number(price), at), **changes)


def segment(day: date, realized: str, unrealized: str, sod: str | None = None, eod: str | None = None) -> Segment:
    """A day of portfolio-history without fees."""
    net = Decimal(realized) + Decimal(unrealized)
    return Segment(day, Decimal(realized), Decimal(unrealized), net, number(sod), number(eod))


def answer(
    positions: Iterable[Position] = (), fills: Iterable[SignedFill] | None = (), **changes: Any
) -> AccountAnswer:
    """What the broker answers of an account."""
    return replace(AccountAnswer(tuple(positions), LONG_AGO, fills=None if fills is None else tuple(fills)), **changes)


def evening(day: date, answers: Mapping[str, AccountAnswer] | AccountAnswer, **asked: Any) -> Evening:
    """A run half an hour after the close; of one account that is 100."""
    at = asked.pop("at", CALENDAR.session(day).close + timedelta(minutes=30))
    return Evening(at, {"100": answers} if isinstance(answers, AccountAnswer) else answers, **asked)


def build_day_by_day(con: duckdb.DuckDBPyConnection, home: Path, *evenings: Evening, realized: str = "auto") -> None:
    """Land and build each evening after the other."""
    settings = settings_of(Book(evenings, (), realized), home)
    for each in evenings:
        land(con, each)
        build(con, settings, CATALOG, built_at=each.at)


def read(con: duckdb.DuckDBPyConnection, columns: str, table: str, day: date, where: str = "true") -> Any:
    """The one row of a table on a day: a value, or a tuple of several columns."""
    rows = con.execute(f"select {columns} from {table} where trading_date = ? and {where}", [day]).fetchall()
    assert len(rows) == 1, rows
    return rows[0] if len(rows[0]) > 1 else rows[0][0]
