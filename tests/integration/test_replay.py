"""Replay: the archive alone gives the books back, and what is damaged in it is named and not landed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from assets.build import build
from pipelines.evening import evening
from pipelines.replay import Replayed, replay
from pipelines.settings import Settings
from tests.broker_server import BrokerServer, Fault, position
from tests.desk import AAPL, FRIDAY, MONDAY, SATURDAY, THURSDAY, Desk, desk, fill, shares

BIG = 25
CLOSES = {"2025-10-30": "150.50", "2025-10-31": "152.25", "2025-11-03": "149.75"}


def held(day: str, count: int = BIG) -> list[dict[str, Any]]:
    """A book of several pages on a day: AAPL, and `count` others."""
    others = [position(100, number, closing_price_date=day) for number in range(count)]
    return [shares("100", CLOSES[day], cost="14500.00", day=day), *others]


def option(day: str) -> dict[str, Any]:
    """An option on AAPL, so that a contract has to be asked for."""
    return position(
        200, 900, instrument_type="OPTION", symbol="AAPL  251219C00150000", closing_price_date=day,
        underlying_instrument_id=AAPL,
    )  # fmt: skip


def torn(server: BrokerServer) -> None:
    """One position closes and another opens while the book is read: every count stays as it was."""
    server.positions["100"].pop(1)
    server.positions["100"].append(position(100, 700))


def four_evenings(d: Desk) -> None:
    """Retries, a failed account, a give-up, a torn read, an expired token, a late run, fills and contracts."""
    broker = d.broker
    broker.faults += [
        Fault("positions", account_id="100", page=2, status=503, body=b"<html>busy</html>"),
        Fault("balances", account_id="100", status=500, times=None),
    ]
    d.evening(THURSDAY)
    broker.faults[:] = [
        Fault("positions", account_id="100", page=2, then=torn),
        Fault("executions", account_id="100", short=True, times=2),
        Fault("positions", account_id="300", status=403, times=None),
    ]
    broker.positions["100"] = held("2025-10-31")
    broker.positions["200"] = [option("2025-10-31")]
    broker.books["executions"] = {"100": [fill(1, "BUY", "10", "151.00", "2025-10-31T15:00:00Z")]}
    d.evening(FRIDAY)
    broker.faults[:] = [Fault("positions", account_id="100", page=3, status=410)]
    broker.positions["100"] = held("2025-10-31", BIG + 1)
    d.evening(SATURDAY)
    broker.faults[:] = [Fault("positions", account_id="300", reset=True, times=None)]
    broker.positions["100"] = held("2025-11-03")
    d.evening(MONDAY)


@contextmanager
def busy_desk(home: Path) -> Iterator[Desk]:
    """A desk of three accounts after four eventful evenings."""
    books: dict[str, Any] = {
        "positions": {100: held("2025-10-30"), 200: [option("2025-10-30")], 300: []},
        "instructions": {},
        "executions": {},
        "orders": {},
        "balances": {100: {"account_id": 100, "currency": "USD", "daily_pnl": "12.50"}},
        "history": {100: [{"date": "2025-10-30", "realized_pnl": "1.5", "unrealized_pnl": "2", "sod_equity": "7"}]},
        "contracts": [{"id": option("2025-10-30")["instrument_id"], "symbol": "AAPL  251219C00150000", "strike_price": "150",
                       "underlying_instrument_id": AAPL, "contract_type": "CALL", "expiry": "2025-12-19", "multiplier": "100"}],
        "hours": [],
        "most_rows": 10,
    }  # fmt: skip
    with desk(home, accounts=[100, 200, 300], **books) as d:
        four_evenings(d)
        yield d


def again(settings: Settings, home: Path, **arguments: Any) -> tuple[Replayed, Settings]:
    """The archive of one home replayed into another, each run built as if its evening had just passed."""
    other = settings.model_copy(update={"home": home})
    with evening(other) as con:
        done = replay(con, other, archive=settings.archive, after=lambda _: void(build(con, other)), **arguments)
    return done, other


def void(_: object) -> None:
    """For callbacks whose result nobody wants."""


#: What a replay can't know: the loads of another warehouse, and when a machine first had the time to build.
NOT_COMPARED = {"_dlt_load_id"}


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table and view of the books, in an order of their own."""
    found = {}
    with duckdb.connect(path, read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        names = con.execute(
            """
            select schema_name || '.' || table_name from duckdb_tables() where table_name not like '\\_dlt%' escape '\\'
            union all
            select schema_name || '.' || view_name from duckdb_views() where not internal
            """
        ).fetchall()
        for (name,) in names:
            if name.split(".")[0] not in ("raw", "core", "pnl", "quality"):
                continue
            columns = [row[0] for row in con.execute(f"describe {name}").fetchall() if row[0] not in NOT_COMPARED]
            rows = con.execute(f"select {', '.join(columns)} from {name}").fetchall()
            found[name] = sorted(rows, key=repr)
    return found


def test_the_archive_alone_gives_every_table_back(tmp_path: Path) -> None:
    with busy_desk(tmp_path / "first") as d:
        settings = d.settings
        failed = d.ask("select account_id, endpoint, error from raw.extract_manifest where status = 'FAILED'")
        assert len(failed) > 4
    done, other = again(settings, tmp_path / "second")
    assert (len(done.landed), done.damaged, done.unfinished) == (4, [], [])
    first, second = contents(settings.warehouse), contents(other.warehouse)
    assert first.keys() == second.keys()
    assert len(first["raw.positions"]) > 100
    for name in first:
        assert second[name] == first[name], name
