"""Whatever the book: the tables say what an oracle says that knows only the definitions, and their identities hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.ingest.snapshot import take_snapshot
from tests.support.books import books
from tests.support.broker_server import BrokerServer, Fault
from tests.support.facts import Book, Evening
from tests.support.landing import (
    forget,
    land,
    open_raw,
    settings_of,
    wire_balance,
    wire_contract,
    wire_events,
    wire_fill,
    wire_instruction,
    wire_position,
    wire_segment,
)
from tests.support.oracle import Row, consult

pytestmark = pytest.mark.heavy

#: Where a premium or a cost is shared out it is rounded to the millionth; everything else is exact.
NEAR = Decimal("0.000002")
ROW = (
    *("status", "quantity_prev", "quantity", "realized_pnl", "unrealized_change", "total_pnl"),
    *("position_pnl", "day_pnl", "income_estimate", "total_source"),
)
ACCOUNT = ("realized_pnl", "unrealized_change", "total_pnl", "unattributed_pnl", "positions_unknown")
#: What may differ between two ways to the same books: when and from which run something was learnt.
HISTORY = "exclude (version, known_from, reason, run_id)"

#: The same books every time. A failing one is not made smaller: that would take longer than the suite; ask `books(1)`.
COMMON: dict[str, Any] = {
    "derandomize": True,
    "deadline": None,
    "database": None,
    "phases": (Phase.generate,),
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
}


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """One warehouse for all books, one after the other: making its tables takes longer than filling them."""
    with open_raw() as opened:
        yield opened


@pytest.fixture(scope="module")
def other() -> Iterator[duckdb.DuckDBPyConnection]:
    """A second one, to build the same book in another way."""
    with open_raw() as opened:
        yield opened


#: The books that the tables and the oracle are told apart by.
DRAWN: dict[str, Any] = {"max_examples": 25, **COMMON}


@settings(**DRAWN)
@given(book=books(4))
def test_the_tables_say_what_the_definitions_say(con: duckdb.DuckDBPyConnection, tmp_path: Path, book: Book) -> None:
    _in_one_go(con, book, tmp_path)
    assume(not was_recovered(con))
    check_against_oracle(con, book)
    check_identities(con)
    again = build(con, settings_of(book, tmp_path), CATALOG, **_whole_range(book))
    assert not again.changed, "building again changed the books"


@settings(max_examples=6, **COMMON)
@given(book=books(4))
def test_day_by_day_and_in_one_go_the_books_are_the_same(
    con: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection, tmp_path: Path, book: Book
) -> None:
    _day_by_day(con, book, tmp_path)
    assume(not was_recovered(con))
    check_against_oracle(con, book)
    _in_one_go(other, book, tmp_path)
    assert _pnl_rows(con) == _pnl_rows(other)
    with pytest.MonkeyPatch.context() as patch:  # what is too much for one go is built in pieces: here, a day each
        patch.setattr("pipelines.books.engine.Engine.rows_at_once", 1)
        _in_one_go(con, book, tmp_path)
    assert _pnl_rows(con) == _pnl_rows(other)


@settings(max_examples=3, **COMMON)
@given(book=books(2))
def test_landing_over_http_gives_the_same_books_as_landing_directly(
    con: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, book: Book
) -> None:
    home = tmp_path_factory.mktemp("http")
    _day_by_day(con, book, home)
    with duckdb.connect(home / "warehouse.duckdb") as real, BrokerServer(accounts=[]) as broker:
        real.execute("set timezone = 'UTC'")
        prepared = settings_of(book, home, broker.url)
        prepared.prepare_home()
        for evening in book.evenings:
            _serve(broker, book, evening)
            take_snapshot(real, prepared)
            build(real, prepared, CATALOG, built_at=evening.at)
        columns = f"account_id, trading_date, instrument_id, symbol, flags, {', '.join(ROW)}"
        query = f"select {columns} from pnl.position_daily order by all"
        assert real.execute(query).fetchall() == con.execute(query).fetchall()
        gaps = "select account_id, trading_date, reason from quality.gap order by all"
        assert real.execute(gaps).fetchall() == con.execute(gaps).fetchall()


def _pnl_rows(con: duckdb.DuckDBPyConnection) -> list[list[tuple[Any, ...]]]:
    tables = (
        *(f"pnl.position_daily {HISTORY}", f"pnl.account_daily {HISTORY}"),
        *("core.lifecycle_event exclude (evidence_known_at)", "quality.gap"),
    )
    return [con.execute(_rows_of(*table.split(" ", 1))).fetchall() for table in tables]


def _rows_of(table: str, exclude: str = "") -> str:
    return f"select * {exclude} from {table} order by all"


def _in_one_go(con: duckdb.DuckDBPyConnection, book: Book, home: Path) -> None:
    forget(con)
    for evening in book.evenings:
        land(con, evening)
    build(con, settings_of(book, home), CATALOG, built_at=book.evenings[-1].at)


def _day_by_day(con: duckdb.DuckDBPyConnection, book: Book, home: Path) -> None:
    forget(con)
    prepared = settings_of(book, home)
    for evening in book.evenings:
        land(con, evening)
        build(con, prepared, CATALOG, built_at=evening.at)


def _whole_range(book: Book) -> dict[str, Any]:
    expected = consult(book)
    days = sorted(day for _, day in [*expected.accounts, *expected.gaps])
    return {"from_date": days[0], "to_date": days[-1], "built_at": book.evenings[-1].at}


# ---- compared


def was_recovered(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether a morning's snapshot stood in for a day: that is not the oracle's, tests/integration/test_recovery.py
    has it."""
    return con.execute("select 1 from core.account_eod where grade = 'RECOVERED'").fetchone() is not None


def check_against_oracle(con: duckdb.DuckDBPyConnection, book: Book) -> None:
    """Every row of P&L, and every gap, beside what the oracle makes of the book."""
    expected = consult(book)
    rows = _by_key(con, f"select account_id, instrument_id, trading_date, {', '.join(ROW)} from pnl.position_daily", 3)
    assert rows.keys() == expected.rows.keys()
    for key, row in expected.rows.items():
        _check_row(book, key, row, dict(zip(ROW, rows[key], strict=True)))
    accounts = _by_key(con, f"select account_id, trading_date, {', '.join(ACCOUNT)} from pnl.account_daily", 2)
    assert accounts.keys() == expected.accounts.keys()
    for account, day in expected.accounts.items():
        for name, found in zip(ACCOUNT, accounts[account], strict=True):
            assert _same(getattr(day, name), found), f"{name} of {account}: {found}, and the oracle says {day}"
    gaps = _by_key(con, "select account_id, trading_date, reason from quality.gap", 2)
    assert {key: reason for key, (reason,) in gaps.items()} == expected.gaps


def _check_row(book: Book, key: tuple[str, str, date], row: Row, found: dict[str, Any]) -> None:
    for name, value in found.items():
        if row.moved and name in ("position_pnl", "day_pnl"):
            continue  # value that an event moves belongs to neither
        if row.total_pnl is None and name == "unrealized_change":
            continue  # a change alone is no P&L
        assert _same(getattr(row, name), value), (
            f"{name} of {key}: {value}, and the oracle says {row} of {_told(book, *key[:2])}"
        )


def _told(book: Book, account: str, instrument: str) -> list[object]:
    """What the evenings told of an instrument: for whoever has to find out which of the two is right."""
    told: list[object] = []
    for evening in book.evenings:
        if answer := evening.answers.get(account):
            told.append((evening.at, answer.whole))
            told += [each for each in answer.positions or () if each.instrument_id == instrument]
            told += [each for each in answer.fills or () if each.instrument_id == instrument]
    return told


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, Decimal) and isinstance(found, Decimal):
        return abs(expected - found) <= NEAR
    return bool(expected == found)


def _by_key(con: duckdb.DuckDBPyConnection, query: str, width: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {row[:width]: row[width:] for row in con.execute(query).fetchall()}


def check_identities(con: duckdb.DuckDBPyConnection) -> None:
    """What holds in every book: parts add up, periods are sums, and values between two days cancel."""
    assert con.execute("select * from quality.finding where severity = 'FAIL'").fetchall() == []
    assert (
        con.execute("select * from pnl.position_daily where total_pnl <> realized_pnl + unrealized_change").fetchall()
        == []
    )
    sums = """
        select account_id, last(itd order by trading_date), sum(total_pnl),
            -- a sum over a session that is not known is not known; what went before the first look is no part of it
            count(*) filter (where total_pnl is null) - count(*) filter (where total_pnl is null and is_first),
            last(gap_days order by trading_date)
        from pnl.period
        inner join (
            select *, row_number() over (partition by account_id order by trading_date) = 1 as is_first
            from pnl.account_history
        ) using (account_id, trading_date)
        group by account_id
    """
    for account, itd, total, unknown, gaps in con.execute(sums).fetchall():
        assert itd == (None if unknown else total) or (itd is None and gaps), f"inception to date of {account}"
    books = """
        with known as (
            select account_id, min(trading_date) as first_day, max(trading_date) as last_day,
                sum(total_pnl) as total_pnl, count(*) filter (where total_pnl is null) as unknown
            from pnl.account_daily group by account_id
        )
        select known.account_id, sum(history.total_pnl), any_value(known.total_pnl), any_value(known.unknown)
        from known
        inner join pnl.account_history as history
            on known.account_id = history.account_id and history.trading_date between first_day and last_day
        group by known.account_id
    """
    for account, told, known, unknown in con.execute(books).fetchall():
        assert unknown or told == known, f"every day of {account} is counted once"
    _check_telescoping(con)


def _check_telescoping(con: duckdb.DuckDBPyConnection) -> None:
    """Over the days of an instrument, where each is known from fills and nothing was moved, values between cancel."""
    query = """
        select account_id, instrument_id, sum(total_pnl),
            max_by(market_value, trading_date) - min_by(market_value, trading_date)
            + sum(sold_notional - bought_notional) filter (where status <> 'OPENING')
            + sum(total_pnl) filter (where status = 'OPENING')
        from pnl.position_daily
        group by account_id, instrument_id
        having count(*) > 1 and min_by(status, trading_date) = 'OPENING'
            and bool_and(status = 'OPENING' or total_source = 'EXECUTIONS')
            and bool_and(len(list_filter(flags, lambda flag: flag <> 'MULTI_DAY' and flag <> 'SPLIT')) = 0)
    """
    for account, instrument, total, value in con.execute(query).fetchall():
        assert total is None or value is None or abs(total - value) < NEAR, f"{instrument} of {account}"


# ---- the same book over HTTP


def _serve(broker: BrokerServer, book: Book, evening: Evening) -> None:
    answers = evening.answers
    broker.now = evening.at
    broker.accounts = [{"id": int(account), "status": "ACTIVE"} for account in answers]
    broker.forbidden = {
        (account, endpoint)
        for account, answer in answers.items()
        for endpoint, said in (
            ("positions", answer.positions),
            ("instructions", answer.instructions),
            ("executions", answer.fills),
            ("portfolio-history", answer.history),
            ("balances", answer.daily_pnl),
        )
        if said is None
    }
    broker.books |= {
        "positions": {a: [wire_position(a, each) for each in said.positions or ()] for a, said in answers.items()},
        "instructions": {
            a: [wire_instruction(a, each) for each in said.instructions or ()] for a, said in answers.items()
        },
        "executions": {a: [wire_fill(a, each) for each in said.fills or ()] for a, said in answers.items()},
        "portfolio-history": {a: [wire_segment(a, each) for each in said.history or ()] for a, said in answers.items()},
        "balances": {a: wire_balance(a, said.daily_pnl or Decimal(0)) for a, said in answers.items()},
    }
    broker.contracts = [wire_contract(each) for each in evening.contracts] or None
    nothing: dict[str, Any] = {"splits": [], "dividends": [], "earnings": [], "ipos": []}
    instruments = {p.instrument_id for e in book.evenings for a in e.answers.values() for p in a.positions or ()}
    instruments |= {f.instrument_id for e in book.evenings for a in e.answers.values() for f in a.fills or ()}
    known = wire_events(evening.events)
    broker.events = {each: known.get(each, {"instrument_id": each, **nothing}) for each in instruments}
    broker.faults = [_torn(account) for account, answer in answers.items() if not answer.whole]


def _torn(account: str) -> Fault:
    def edit(whole: dict[str, Any]) -> None:
        if "metadata" in whole:
            whole["metadata"]["total_items"] = whole["metadata"].get("total_items", 0) + 1

    return Fault("positions", account_id=account, times=None, edit=edit)
