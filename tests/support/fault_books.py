"""A home after a Thursday evening and a broker on the Friday after it: where most faults begin; and how books
are compared."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.ingest.snapshot import Snapshot, take_snapshot
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.published import publish_if_behind
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer, position
from tests.support.desk import AAPL, FRIDAY, THURSDAY, fill, shares

BIG, SMALL, FLAT = 100001, 100002, 100003
ACCOUNTS = (BIG, SMALL, FLAT)
OPTION = "c0de0000-0000-4000-8000-000000000001"
DAY = {THURSDAY: "2025-10-30", FRIDAY: "2025-10-31"}

#: What differs between two runs that read the same: their names, when by this machine's clock they did what, and how
#: far back they asked, which begins later once a killed run's day is known.
NOT_THE_BOOKS = {
    "run_id", "marks_run_id", "daily_fields_run_id", "_dlt_load_id", "captured_at", "clock_skew_ms", "request_ids",
    "archive_files", "window_from",
}  # fmt: skip


def broker(at: str = FRIDAY, **changes: Any) -> BrokerServer:
    """A broker with three accounts: of three pages and a fill, of an option exercised in part, of nothing."""
    server = BrokerServer(accounts=ACCOUNTS, positions={}, instructions={}, most_rows=10, **changes)
    turn(server, at)
    return server


def turn(server: BrokerServer, at: str) -> None:
    """Set a broker to an evening: its clock, and its books as of then."""
    friday = at == FRIDAY
    server.now = datetime.fromisoformat(at)
    price = "152.00" if friday else "150.50"
    server.books["positions"] = {
        str(BIG): [position(BIG, n, **_marks(price, DAY[at])) for n in range(24)]
        + [
            shares(
                "130" if friday else "100", price, cost="19500.00" if friday else "14500.00", day=DAY[at], account=BIG
            )
        ],
        str(SMALL): [_option("7" if friday else "10", DAY[at])],
        str(FLAT): [],
    }
    server.books["instructions"] = {str(SMALL): [_exercise()] if friday else []}
    bought = [fill(1, "BUY", "30", "151.00", "2025-10-31T15:00:00Z", account=BIG)]
    server.books["executions"] = {str(BIG): bought if friday else []}
    server.books["orders"] = {}
    server.hours = [_open(day) for day in DAY.values()]
    server.books["balances"] = {str(each): {"account_id": each, "currency": "USD", "equity": "1"} for each in ACCOUNTS}
    history = {"date": "2025-10-30", "realized_pnl": "0.00", "unrealized_pnl": "10.00"}
    server.books["portfolio-history"] = {str(each): [{"account_id": each, **history}] for each in ACCOUNTS}
    server.contracts = [
        {"id": OPTION, "symbol": "AAPL", "multiplier": "100", "strike_price": "140", "expiry": "2025-12-19",
         "contract_type": "CALL", "underlying_instrument_id": AAPL}
    ]  # fmt: skip
    server.events = {"instruments": {"event_dates": []}}


def _open(day: str) -> dict[str, Any]:
    hours = {"open": f"{day}T09:30:00-04:00", "close": f"{day}T16:00:00-04:00"}
    return {
        "date": day,
        "market": "us_equities",
        "status": {"day_type": "TRADING_DAY"},
        "today_sessions": {"regular": hours},
    }


def _marks(price: str, day: str) -> dict[str, str]:
    value = f"{float(price) * 100:.2f}"
    gain = f"{float(price) * 100 - 14500:.2f}"
    return {
        "closing_price": price, "instrument_price": price, "closing_price_date": day, "market_value": value,
        "unrealized_pnl": gain,
    }  # fmt: skip


def _option(quantity: str, day: str) -> dict[str, Any]:
    return shares(
        quantity, "12.00", cost=f"{int(quantity) * 1000}.00", day=day, account=SMALL, instrument_id=OPTION,
        symbol="AAPL251219C00140000", instrument_type="OPTION", underlying_instrument_id=AAPL,
        market_value=f"{int(quantity) * 1200}.00", unrealized_pnl=f"{int(quantity) * 200}.00",
    )  # fmt: skip


def _exercise() -> dict[str, Any]:
    return {
        "id": "e0000000-0000-4000-8000-000000000001", "client_instruction_id": "mine", "account_id": SMALL,
        "instruction_type": "EXERCISE", "instrument_id": OPTION, "quantity": "3", "accepted_quantity": "3",
        "status": "ACCEPTED", "created_at": "2025-10-30T22:00:00Z", "updated_at": "2025-10-31T01:00:00Z",
    }  # fmt: skip


def close_day(settings: Settings, *, wait: float = 60.0) -> Snapshot:
    """One whole evening in this process: sync, build, publish."""
    with warehouse_session(settings, wait=wait) as con:
        snapshot = take_snapshot(con, settings)
        build(con, settings, CATALOG)
        publish_if_behind(con, settings)
    return snapshot


def thursday(home: Path) -> Path:
    """A home in which a Thursday has been closed."""
    with broker(THURSDAY) as server:
        close_day(Settings(base_url=server.url, home=home))
    return home


@contextmanager
def friday(template: Path, home: Path, **changes: Any) -> Iterator[tuple[BrokerServer, Settings]]:
    """A copy of a Thursday's home, and the broker on Friday."""
    shutil.copytree(template, home)
    with broker(FRIDAY, **changes) as server:
        yield server, Settings(base_url=server.url, home=home)


Books = dict[str, list[tuple[Any, ...]]]
#: They have a row for each run, and a run that was killed and kept says the same once more.
PER_RUN = {"core.run", "core.snapshot_grade", "quality.day_finding", "quality.finding"}
#: It has a row for every session of thirty years, whose instants take longer to fetch than all other tables: they are
#: added up.
LONG = {"core.calendar"}


def derived(con: duckdb.DuckDBPyConnection) -> Books:
    """Every row of every table and view of core, pnl and quality, but for what names a run."""
    rows: Books = {}
    for name in _tables(con):
        if not name.startswith("raw."):
            every = "distinct " if name in PER_RUN else ""
            said = "count(*), sum(hash(kept))" if name in LONG else _SAID
            rows[name] = con.execute(f"select {every}{said} from {name} as kept order by all").fetchall()
    return rows


def raw_runs(con: duckdb.DuckDBPyConnection) -> list[Books]:
    """Every committed run, oldest first, as the rows of each raw table, without what names the run."""
    found = con.execute("select run_id from raw.extract_run order by started_at, run_id").fetchall()
    tables = [name for name in _tables(con) if name.startswith("raw.") and "_dlt" not in name]
    runs: dict[str, Books] = {run: {name: [] for name in tables} for (run,) in found}
    for name in tables:
        for run, *said in con.execute(f"select run_id as of_run, {_SAID} from {name} order by all").fetchall():
            runs.get(run, {name: []})[name].append(tuple(said))
    return list(runs.values())


def published(settings: Settings) -> tuple[Books, list[Books]]:
    """What the published copy says, opened as anyone would: derived, and run by run."""
    with open_published(settings.books) as con:
        return derived(con), raw_runs(con)


#: Every column but those that differ between runs that read the same.
_SAID = f"columns(lambda name: name not in {tuple(sorted(NOT_THE_BOOKS))})"


def _tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    query = """
        select schema_name || '.' || table_name from duckdb_tables()
        where database_name = current_database() and schema_name in ('raw', 'core', 'pnl', 'quality')
        union all
        select schema_name || '.' || view_name from duckdb_views()
        where database_name = current_database() and schema_name in ('core', 'pnl', 'quality')
        order by all
    """
    return [name for (name,) in con.execute(query).fetchall()]
