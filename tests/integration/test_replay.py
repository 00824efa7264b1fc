"""Replay: the archive alone gives the books back, and what is damaged in it is named and not landed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.archive.read import archived_runs
from pipelines.books.build import build
from pipelines.broker.client import BrokerClient
from pipelines.errors import WrongWarehouse
from pipelines.ingest.replay import Replayed, replay
from pipelines.settings import Settings
from pipelines.warehouse.connect import remember_broker
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer, Fault, position
from tests.support.command_line import DAYBOOK, EVENING, KEY, daybook, environment
from tests.support.desk import AAPL, FRIDAY, MONDAY, SATURDAY, THURSDAY, Desk, desk, fill, shares
from tests.support.processes import Process

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
    broker.positions["100"] = [*held("2025-10-31"), position(100, 800, quantity="1.0000000000001")]
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
        "contracts": [
            {
                "id": option("2025-10-30")["instrument_id"],
                "symbol": "AAPL  251219C00150000",
                "strike_price": "150",
                "underlying_instrument_id": AAPL,
                "contract_type": "CALL",
                "expiry": "2025-12-19",
                "multiplier": "100",
            }
        ],
        "hours": [],
        "most_rows": 10,
    }
    with desk(home, accounts=[100, 200, 300], **books) as d:
        four_evenings(d)
        yield d


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of such a desk, not to be changed."""
    folder = tmp_path_factory.mktemp("first")
    with busy_desk(folder):
        return folder


def again(archive: Path, home: Path, *, built: bool = True, **arguments: Any) -> Replayed:
    """An archive replayed into a home, each run built as if its evening had just passed (unless `built` is off)."""
    settings = Settings(base_url="http://127.0.0.1:1", home=home)
    with warehouse_session(settings, rebuilding=True) as con:

        def after(_: object) -> None:
            if built:
                build(con, settings, CATALOG)

        return replay(con, settings, archive=archive, after=after, **arguments)


def contents(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table and view of the books, in an order of their own; only loads have ids of their own."""
    found = {}
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        names = con.execute(
            """
            select schema_name || '.' || table_name from duckdb_tables() where not starts_with(table_name, '_dlt')
            union all
            select schema_name || '.' || view_name from duckdb_views() where not internal
            """
        ).fetchall()
        for (name,) in names:
            if name.split(".")[0] in ("raw", "core", "pnl", "quality"):
                described = con.execute(f"describe {name}").fetchall()
                columns = [f'"{row[0]}"' for row in described if row[0] != "_dlt_load_id"]
                rows = con.execute(f"select {', '.join(columns)} from {name}").fetchall()
                found[name] = sorted(rows, key=repr)
    return found


def same(one: Path, other: Path) -> None:
    """Fails, naming the table, unless two homes hold the same books."""
    first, second = contents(one), contents(other)
    assert first.keys() == second.keys()
    for name in first:
        assert second[name] == first[name], name


def change(folder: Path, where: float | None) -> None:
    """One bit of a run's pages becomes another; or, nowhere, they are gone."""
    path = folder / "pages.json.zst"
    if where is None:
        path.unlink()
        return
    content = bytearray(path.read_bytes())
    content[int(len(content) * where)] ^= 0x10
    path.write_bytes(content)


def test_the_archive_alone_gives_every_table_back(home: Path, tmp_path: Path) -> None:
    done = again(home / "archive", tmp_path)
    assert (len(done.landed), done.replaced, done.damaged, done.unfinished) == (4, set(), [], [])
    found = contents(home)
    assert len(found["raw.positions"]) > 100
    # one contract, which its own row contradicts, so it is read each evening
    assert {row[1] for row in found["raw.option_contracts"]} == {option("2025-10-30")["instrument_id"]}
    assert len(found["raw.quarantine"]) == 1
    assert {row[3] for row in found["raw.extract_manifest"]} == {"COMPLETE", "FAILED", "NOT_ASKED"}
    same(home, tmp_path)


def test_a_replay_over_the_same_books_changes_nothing(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    before = contents(copy)
    done = again(copy / "archive", copy)
    assert len(done.replaced) == 4
    settings = Settings(base_url="http://127.0.0.1:1", home=copy)
    with warehouse_session(settings) as con:
        built = build(con, settings, CATALOG, from_date=date(2025, 10, 30), to_date=date(2025, 11, 3))
    assert not built.changed
    assert contents(copy) == before


def test_rows_that_todays_models_make_no_more_of_a_run_go_away(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    with duckdb.connect(copy / "warehouse.duckdb") as con:
        con.execute(
            """
            insert into raw.positions
            select * replace ('of another time' as instrument_id, 'earlier' as _dlt_load_id) from raw.positions limit 1
            """
        )
    again(copy / "archive", copy)
    assert contents(copy)["raw.positions"] == contents(home)["raw.positions"]


def test_days_before_the_one_asked_for_are_left_alone(home: Path, tmp_path: Path) -> None:
    done = again(home / "archive", tmp_path, built=False, from_date=date(2025, 11, 3))
    assert [snapshot.trading_date for snapshot in done.landed] == [date(2025, 11, 3)]
    of_run = [row for row in contents(home)["raw.positions"] if done.landed[0].run_id in row]
    assert contents(tmp_path)["raw.positions"] == of_run


@pytest.mark.parametrize("where", [0.0, 0.01, 0.3, 0.7, 0.999, None])
def test_a_run_whose_pages_are_damaged_is_named_and_not_landed(home: Path, tmp_path: Path, where: float | None) -> None:
    shutil.copytree(home / "archive", tmp_path / "archive")
    damaged, last = archived_runs(tmp_path / "archive")[-2:]
    change(damaged.folder, where)
    done = again(tmp_path / "archive", tmp_path, built=False, from_date=date(2025, 10, 31))
    assert last.run_id in [snapshot.run_id for snapshot in done.landed]
    assert damaged.run_id not in [snapshot.run_id for snapshot in done.landed]
    (said,) = done.damaged
    how = "can't be read" if where is None else "is damaged"
    assert said.startswith(f"Run {damaged.run_id} was not landed: {damaged.folder}/pages.json.zst {how}")


@pytest.mark.parametrize(
    "spoil", [lambda text: text.replace(b'"100"', b'"101"'), lambda text: text[:-9], lambda _: b"", lambda _: b"[]"]
)
def test_a_run_whose_context_is_damaged_is_named_and_not_landed(home: Path, tmp_path: Path, spoil: Any) -> None:
    shutil.copytree(home / "archive", tmp_path / "archive")
    path = archived_runs(tmp_path / "archive")[-1].folder / "run.json"
    path.write_bytes(spoil(path.read_bytes()))
    done = again(tmp_path / "archive", tmp_path, built=False, from_date=date(2025, 11, 3))
    assert done.landed == []
    (said,) = done.damaged
    assert str(path) in said


def test_another_brokers_archive_is_refused_before_anything_is_landed(home: Path, tmp_path: Path) -> None:
    settings = Settings(base_url="http://127.0.0.1:1", home=tmp_path)
    with warehouse_session(settings) as con:
        remember_broker(con, "api.clearstreet.com")
    with pytest.raises(WrongWarehouse, match=r"holds the books of api\.clearstreet\.com"):
        again(home / "archive", tmp_path)


def test_any_zstd_tool_shows_the_pages_as_they_were_received(home: Path) -> None:
    tool = shutil.which("zstd")
    if tool is None:
        pytest.skip("no zstd on this machine")
    run = archived_runs(home / "archive")[0]
    shown = subprocess.run([tool, "-dc", run.folder / "pages.json.zst"], capture_output=True, check=True).stdout
    with run.bodies() as bodies:
        assert shown == b"".join(bodies.read(record) for record in run.records)
    assert b'"symbol":"AAPL"' in shown
    assert b"<html>busy</html>" in shown


@pytest.mark.kill
def test_a_run_that_was_killed_keeps_what_it_had_received_and_is_not_landed(tmp_path: Path) -> None:
    book = [position(100001, number) for number in range(25)]
    faults = [Fault("positions", page=2, drip=0.05)]
    with BrokerServer([100001], {100001: book}, {}, now=EVENING, most_rows=10, faults=faults) as server:
        with Process([DAYBOOK, "sync"], env=environment(tmp_path, server.url), stderr=subprocess.DEVNULL) as run:
            deadline = time.monotonic() + 30
            while len(server.asked("/positions")) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            run.send_signal(signal.SIGKILL)
        (killed,) = archived_runs(tmp_path / "archive")
        assert not killed.is_sealed
        asked = [(record.entry["endpoint"], record.entry["page"]) for record in killed.records]
        assert asked[0] == ("clock", 1)
        assert ("positions", 1) in asked
        assert ("positions", 2) not in asked
        server.faults.clear()
        assert daybook("sync", home=tmp_path, url=server.url).code == 0
    done = again(tmp_path / "archive", tmp_path, built=False)
    assert done.unfinished == [killed.run_id]
    assert len(done.landed) == 1


def test_a_page_that_was_half_written_at_the_end_was_never_received(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "archive", tmp_path / "archive")
    run = archived_runs(tmp_path / "archive")[0]
    whole = len(run.records)
    path = run.folder / "pages.json.zst"
    os.truncate(path, path.stat().st_size - 3)
    assert len(archived_runs(tmp_path / "archive")[0].records) == whole - 1


def test_a_clock_that_was_read_before_the_run_is_the_runs_own_when_it_is_replayed(tmp_path: Path) -> None:
    books: dict[str, Any] = {"positions": {100: held("2025-10-30", 3)}, "instructions": {}}
    with desk(tmp_path / "first", accounts=[100], **books) as d:
        d.broker.now = datetime.fromisoformat(THURSDAY)
        with BrokerClient(d.broker.url, None) as client:
            clock = client.clock()
        d.sync("2025-10-30T20:45:00+00:00", clock=clock, trigger="eod")
        assert d.ask("select strftime(started_at, '%H:%M'), trigger from raw.extract_run") == [("20:30", "eod")]
        d.build()
    again(tmp_path / "first" / "archive", tmp_path / "second")
    same(tmp_path / "first", tmp_path / "second")


def test_accounts_that_the_settings_left_out_stay_out(tmp_path: Path) -> None:
    books: dict[str, Any] = {"positions": {100: [], 200: []}, "instructions": {}}
    with desk(tmp_path / "first", accounts=[100, 200], **books) as d:
        d.settings = d.settings.model_copy(update={"accounts": ("200",)})
        d.evening(THURSDAY)
    again(tmp_path / "first" / "archive", tmp_path / "second")
    same(tmp_path / "first", tmp_path / "second")


def test_a_key_that_the_broker_repeats_is_not_archived(tmp_path: Path) -> None:
    rows = [position(100001, 1, symbol=KEY)]
    refused = Fault("balances", status=403, times=None, body={"error": {"code": 403, "message": f"no {KEY}"}})
    with BrokerServer([100001], {100001: rows}, {}, now=EVENING, faults=[refused]) as server:
        assert daybook("sync", home=tmp_path, url=server.url).code == 0
    (run,) = archived_runs(tmp_path / "archive")
    with run.bodies() as bodies:
        received = b"".join(bodies.read(record) for record in run.records)
    assert received.count(b"[key]") == 2
    assert KEY.encode() not in received + (run.folder / "run.json").read_bytes()
    assert json.loads((run.folder / "run.json").read_text())["ended"]["trading_date"] == "2025-10-31"
