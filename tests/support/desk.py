"""A desk of the tests: a broker whose books a test sets, a home, and evenings that run the real sync and build."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from pipelines.books.build import Built, build
from pipelines.ingest.snapshot import Snapshot, take_snapshot
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer
from tests.support.landing import forget
from tests.support.once import made_once, shared

THURSDAY = "2025-10-30T20:30:00+00:00"
FRIDAY = "2025-10-31T20:30:00+00:00"
SATURDAY = "2025-11-01T15:00:00+00:00"
MONDAY = "2025-11-03T21:30:00+00:00"
AAPL = "a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8"


class Desk:
    """Set `broker`'s books, then let an `evening` pass; `ask` reads the warehouse."""

    def __init__(self, broker: BrokerServer, home: Path) -> None:
        self.broker = broker
        self.settings = Settings(base_url=broker.url, home=home)
        self.con: duckdb.DuckDBPyConnection

    def sync(self, at: str, **arguments: Any) -> Snapshot:
        """A sync while the broker's clock stands at `at`."""
        self.broker.now = datetime.fromisoformat(at)
        return take_snapshot(self.con, self.settings, **arguments)

    def build(self, **arguments: Any) -> Built:
        """A build of what changed."""
        return build(self.con, self.settings, CATALOG, **arguments)

    def evening(self, at: str) -> Built:
        """A sync and a build."""
        self.sync(at)
        return self.build()

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.con.execute(query, list(values)).fetchall()


def home_without_books(home: Path) -> None:
    """A home with every table and no row: they take as long to make as an evening to read."""
    with BrokerServer([100001], positions={}, instructions={}) as broker:
        settings = Settings(base_url=broker.url, home=home)
        settings.prepare_home()
        with duckdb.connect(settings.warehouse) as con:
            con.execute("set timezone = 'UTC'")
            take_snapshot(con, settings)
            build(con, settings, CATALOG)
            forget(con)
    shutil.rmtree(settings.archive)


@contextmanager
def desk(home: Path, *, has_tables: bool = True, **books: Any) -> Iterator[Desk]:
    """A desk with its broker serving and its warehouse open. A new home has its tables and no row, else nothing."""
    if has_tables and not (home / "warehouse.duckdb").exists():
        shutil.copytree(made_once(shared(), "without-books", home_without_books), home, dirs_exist_ok=True)
    with BrokerServer(**books) as broker:
        made = Desk(broker, home)
        with warehouse_session(made.settings) as con:
            made.con = con
            yield made


def shares(quantity: str, price: str, *, cost: str, day: str, account: int = 100, **changes: Any) -> dict[str, Any]:
    """A position in AAPL at a closing price; value and unrealized P&L follow."""

    value = Decimal(quantity) * Decimal(price)
    return {
        "account_id": account,
        "instrument_id": AAPL,
        "symbol": "AAPL",
        "instrument_type": "COMMON_STOCK",
        "position_type": "SHORT" if quantity.startswith("-") else "LONG",
        "quantity": quantity,
        "available_quantity": quantity,
        "cost_basis": cost,
        "market_value": str(value),
        "unrealized_pnl": str(value - Decimal(cost)),
        "closing_price": price,
        "closing_price_date": day,
        "instrument_price": price,
        **changes,
    }


def fill(number: int, side: str, quantity: str, price: str, at: str, account: int = 100) -> dict[str, Any]:
    """A fill in AAPL."""
    return {
        "id": f"f0000000-0000-4000-8000-{number:012}",
        "order_id": f"f1000000-0000-4000-8000-{number:012}",
        "account_id": account,
        "instrument_id": AAPL,
        "symbol": "AAPL",
        "side": side,
        "quantity": quantity,
        "price": price,
        "transaction_time": at,
    }


#: What account 100 holds on the Thursday.
HELD = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")]}


def hold(desk_: Desk, quantity: str, price: str, cost: str, day: str) -> None:
    """Account 100 holds so much of AAPL at a closing price."""
    desk_.broker.positions["100"] = [shares(quantity, price, cost=cost, day=day)]


def totals(desk_: Desk) -> list[tuple[date, Decimal | None]]:
    """What each day made, as the books say now."""
    return desk_.ask("select trading_date, total_pnl from pnl.position_daily order by trading_date")
