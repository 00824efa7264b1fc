"""What became of options that are gone: told where all the evidence leaves one answer, else said to be unknown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.calendar import TradingCalendar
from tests.support.facts import AccountAnswer, Adjustment, Book, Contract, Evening, Instruction, Position
from tests.support.landing import forget, land, settings_of
from tests.support.oracle import consult

THURSDAY, FRIDAY, MONDAY, TUESDAY = date(2025, 10, 30), date(2025, 10, 31), date(2025, 11, 3), date(2025, 11, 4)
STOCK = "b0000000-0000-4000-8000-000000000001"
CALENDAR = TradingCalendar.load()
LONG_AGO = datetime(2025, 10, 1, tzinfo=UTC)
UNKNOWN = None


@dataclass(frozen=True)
class Series:
    """An option that expires on Friday: what was held at its last close, at which price and cost."""

    name: str
    quantity: int
    close: str
    cost: int
    multiplier: int = 100

    @property
    def contract(self) -> Contract:
        kind, strike = ("CALL" if self.name[0] == "C" else "PUT"), Decimal(self.name[1:])
        symbol = f"XYZ{FRIDAY:%y%m%d}{self.name[0]}{int(strike * 1000):08}"
        return Contract(f"option-{self.name}", symbol, STOCK, kind, strike, FRIDAY, Decimal(self.multiplier))

    @property
    def held(self) -> Position:
        value = self.quantity * self.multiplier * Decimal(self.close)
        return Position(
            instrument_id=self.contract.id,
            symbol=self.contract.symbol,
            instrument_type="OPTION",
            quantity=Decimal(self.quantity),
            market_value=value,
            cost_basis=Decimal(self.cost),
            unrealized_pnl=value - self.cost,
            closing_price=Decimal(self.close),
            closing_price_date=FRIDAY,
            instrument_price=Decimal(self.close),
            underlying_instrument_id=STOCK,
        )


def stock(quantity: int, price: str, cost: int, day: date) -> Position:
    value = quantity * Decimal(price)
    return Position(
        instrument_id=STOCK,
        symbol="XYZ",
        instrument_type="COMMON_STOCK",
        quantity=Decimal(quantity),
        market_value=value,
        cost_basis=Decimal(cost),
        unrealized_pnl=value - cost,
        closing_price=Decimal(price),
        closing_price_date=day,
        instrument_price=Decimal(price),
    )


def evening(day: date, positions: tuple[Position, ...], series: tuple[Series, ...], **answer: Any) -> Evening:
    """Account 100 half an hour after the close; account 200 has one share where `watched` says at what price."""
    watched = answer.pop("watched", None)
    answers = {"100": AccountAnswer(positions, LONG_AGO, fills=(), **answer)}
    if watched is not None:
        answers["200"] = AccountAnswer((stock(1, watched, 50, day),), LONG_AGO, fills=())
    at = CALENDAR.session(day).close + timedelta(minutes=30)
    return Evening(at, answers, contracts=tuple(each.contract for each in series))


@dataclass(frozen=True)
class Case:
    """Options held on Friday and gone on Monday, the stock at both ends, its close on Friday where another account
    has it, and each position's P&L of Monday."""

    series: tuple[Series, ...]
    expected: Mapping[str, str | None]
    before: tuple[int, str, int] | None = None
    after: tuple[int, str, int] | None = None
    watched: str | None = None

    def book(self) -> Book:
        friday = (*(each.held for each in self.series), *self._stock(self.before, FRIDAY))
        return Book(
            (
                evening(FRIDAY, friday, self.series, watched=self.watched),
                evening(MONDAY, self._stock(self.after, MONDAY), self.series, watched=self.watched),
            )
        )

    def _stock(self, held: tuple[int, str, int] | None, day: date) -> tuple[Position, ...]:
        return () if held is None else (stock(held[0], held[1], held[2], day),)


CASES = {
    "a put spread in the money on both legs makes what its strikes are apart": Case(
        (Series("P55", 1, "8.00", 300), Series("P50", -1, "3.00", -100)),
        {"P55": "0", "P50": "0", "XYZ": "0"},
        watched="47",
    ),
    "with the stock held all along, too": Case(
        (Series("C40", 2, "7.00", 900), Series("C45", -2, "2.00", -300)),
        # 1,000 of strikes for options that were worth 1,000, and 100 shares that rose by 1
        {"C40": "0", "C45": "0", "XYZ": "100"},
        before=(100, "47", 4000),
        after=(100, "48", 4000),
    ),
    "a spread of which no price is known may have been worth nothing or its strikes": Case(
        (Series("C40", 1, "0.30", 300), Series("C45", -1, "0.20", -100)),
        {"C40": UNKNOWN, "C45": UNKNOWN, "XYZ": UNKNOWN},
    ),
    "minis of which some are assigned after a close a little above the strike": Case(
        (Series("P50", -5, "0.05", -60, multiplier=10),),
        {"P50": "1.50", "XYZ": "-12.64"},
        before=(7, "50.02", 300),
        after=(27, "49.50", 1276),
    ),
    "an adjusted contract far out of the money delivers nothing, whatever came in": Case(
        (Series("C60", 1, "0.01", 100, multiplier=150),),
        {"C60": "-1.50", "XYZ": UNKNOWN},
        before=(100, "50", 4000),
        after=(250, "50.10", 11500),
    ),
    "a long call in the money that brought no share is a contradiction": Case(
        (Series("C40", 5, "7.00", 900),), {"C40": UNKNOWN, "XYZ": "10"}, before=(10, "47", 400), after=(10, "48", 400)
    ),
    "and so is a short put": Case(
        (Series("P50", -5, "3.00", -900),), {"P50": UNKNOWN, "XYZ": "10"}, before=(10, "47", 400), after=(10, "48", 400)
    ),
    "of several short calls in the money six were assigned": Case(
        (Series("C40", -10, "7.00", -900),),
        {"C40": "2800", "XYZ": "0"},
        before=(600, "47", 24000),
        after=None,
    ),
    "a straddle of which the stock's own move tells the leg": Case(
        (Series("C50", -1, "0.30", -200), Series("P50", -1, "0.30", -200)),
        {"C50": "0", "P50": "30", "XYZ": "-20"},
        after=(-100, "50.50", -5200),
    ),
    "two puts of which either may have been assigned": Case(
        (Series("P50", -1, "0.30", -200), Series("P51", -1, "0.40", -200)),
        {"P50": UNKNOWN, "P51": UNKNOWN, "XYZ": UNKNOWN},
        after=(100, "50.50", 4900),
    ),
}


def totals(con: duckdb.DuckDBPyConnection, day: date = MONDAY) -> dict[str, Decimal | None]:
    """The day's P&L of account 100, options by their kind and strike."""
    query = "select symbol, total_pnl from pnl.position_daily where trading_date = ? and account_id = '100'"
    return {_name(symbol): total for symbol, total in con.execute(query, [day]).fetchall()}


def _name(symbol: str) -> str:
    return symbol if len(symbol) < 15 else f"{symbol[9]}{int(symbol[10:]) // 1000}"


def build_all(con: duckdb.DuckDBPyConnection, book: Book, home: Path) -> None:
    for each in book.evenings:
        land(con, each)
        build(con, settings_of(book, home), CATALOG, built_at=each.at)
    assert con.execute("select * from quality.finding where severity = 'FAIL'").fetchall() == []


def decimals(expected: Mapping[str, str | None]) -> dict[str, Decimal | None]:
    return {name: None if text is None else Decimal(text) for name, text in expected.items()}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_became_of_options(con: duckdb.DuckDBPyConnection, tmp_path: Path, case: Case) -> None:
    book = case.book()
    build_all(con, book, tmp_path)
    assert totals(con) == decimals(case.expected)
    said = {key[1]: row.total_pnl for key, row in consult(book).rows.items() if (key[0], key[2]) == ("100", MONDAY)}
    names = {each.contract.id: each.name for each in case.series} | {STOCK: "XYZ"}
    assert {names[instrument]: total for instrument, total in said.items()} == decimals(case.expected)


SOLD = Series("C40", 5, "7.00", 900)


def held_and_gone(**answer: Any) -> Book:
    """Five calls in the money on Friday, gone on Monday, and no share came."""
    return Book((evening(FRIDAY, (SOLD.held,), (SOLD,)), evening(MONDAY, (), (SOLD,), **answer)))


def test_what_is_not_known_is_a_finding_with_the_line_that_would_tell(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_all(con, held_and_gone(), tmp_path)
    flags = con.execute("select flags from pnl.position_daily where trading_date = ?", [MONDAY]).fetchone()
    assert flags == (["EXPIRY_OUTCOME_UNKNOWN", "REALIZED_UNKNOWN"],)
    query = "select severity, message from quality.finding where check_name = 'expiry_outcome_unknown'"
    ((severity, message),) = con.execute(query).fetchall()
    assert severity == "WARN"
    assert message.startswith("5 contracts of XYZ251031C00040000 expired on 31 October 2025, and nothing tells")
    line = message.partition("add the line ")[2].partition(" to adjustments.csv")[0]
    assert line == "2025-11-03,100,CASH_SETTLEMENT,option-C40,,,CASH,,,,"
    said = Adjustment(MONDAY, "100", "CASH_SETTLEMENT", "option-C40", cash=Decimal(0))
    forget(con)
    build_all(con, replace(held_and_gone(), adjustments=(said,)), tmp_path)
    assert totals(con) == {"C40": Decimal(-3500)}
    assert con.execute(query).fetchall() == []


@pytest.mark.parametrize("status", ["CANCELLED", "REJECTED"])
def test_an_instruction_counts_as_it_was_seen_last(con: duckdb.DuckDBPyConnection, tmp_path: Path, status: str) -> None:
    at = datetime(2025, 10, 31, 18, tzinfo=UTC)
    asked = Instruction("i-1", SOLD.contract.id, "DO_NOT_EXERCISE", Decimal(5), "ACCEPTED", Decimal(5), at, at)
    first = evening(FRIDAY, (SOLD.held,), (SOLD,), instructions=(asked,))
    gone = evening(MONDAY, (), (SOLD,), instructions=(asked,))
    later = evening(TUESDAY, (), (SOLD,), instructions=(replace(asked, status=status),))
    build_all(con, Book((first, gone)), tmp_path)
    assert totals(con) == {"C40": Decimal(-3500)}
    land(con, later)
    build(con, settings_of(Book((first, gone, later)), tmp_path), CATALOG, built_at=later.at)
    assert totals(con) == {"C40": None}


def test_an_option_on_an_index_is_settled_in_cash_that_nobody_told(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    worthless = Series("P30", 2, "0.01", 300)
    book = Book((evening(FRIDAY, (worthless.held,), (worthless,)), evening(MONDAY, (), (worthless,))))
    for each in book.evenings:
        land(con, each)
    con.execute("update raw.positions set underlying_instrument_type = 'INDEX'")
    build(con, settings_of(book, tmp_path), CATALOG, built_at=book.evenings[-1].at)
    assert totals(con) == {"P30": None}


def quoted(
    price: str | None, before: str, *, change: str | None = None, volume: int | None = 9, at: str | None = None
) -> dict[str, Any]:
    """A market snapshot of the stock: its last trade and the close of the session before."""
    moved = change or (str(Decimal(price) - Decimal(before)) if price else "0")
    return {
        "last_trade": None if price is None else json.dumps({"price": price, "size": 100, "timestamp": at}),
        "session": json.dumps({"previous_close": before, "change": moved, "change_percent": "0"}),
        "cumulative_volume": volume,
    }


SNAPSHOTS: dict[str, tuple[list[dict[str, Any]], str | None]] = {
    "out of the money": ([quoted("47.00", "48.00"), quoted("46.00", "47.00")], "-2.00"),
    "in the money, and no share came": ([quoted("47.00", "48.00"), quoted("53.00", "47.00")], None),
    "told again from the evening before": ([quoted("46.00", "48.00"), quoted("46.00", "48.00")], None),
    "of another day": ([quoted("47.00", "48.00"), quoted("46.00", "47.00", change="3.00")], None),
    "of a trade on another day": (
        [quoted("47.00", "48.00"), quoted("46.00", "47.00", at="2025-10-30T19:59:59Z")],
        None,
    ),
    "of a trade on the day": ([quoted("47.00", "48.00"), quoted("46.00", "47.00", at="2025-10-31T19:59:59Z")], "-2.00"),
    "without a price": ([quoted("47.00", "48.00"), quoted(None, "47.00")], None),
    "without a trade": ([quoted("47.00", "48.00"), quoted("46.00", "47.00", volume=None)], None),
    "next to the strike": ([quoted("47.00", "48.00"), quoted("49.99", "47.00")], None),
}


@pytest.mark.parametrize(("told", "expected"), SNAPSHOTS.values(), ids=SNAPSHOTS)
def test_the_evenings_market_snapshot_tells_whether_an_option_was_worth_something(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, told: list[dict[str, Any]], expected: str | None
) -> None:
    call = Series("C50", 1, "0.20", 100)
    thursday = replace(call.held, closing_price_date=THURSDAY)
    friday = replace(call.held, market_value=Decimal(2), closing_price=None, unrealized_pnl=Decimal(-98))
    book = Book(
        (
            evening(THURSDAY, (thursday,), (call,)),
            evening(FRIDAY, (friday,), (call,)),
            evening(MONDAY, (), (call,)),
        )
    )
    for each, snapshot in zip(book.evenings, told, strict=False):
        row = {"run_id": f"{each.at.astimezone(UTC):%Y%m%dT%H%M%S}Z-00000000", "instrument_id": STOCK, **snapshot}
        row |= {"symbol": "XYZ", "_dlt_load_id": row["run_id"]}
        names = ", ".join(row)
        con.execute(f"insert into raw.market_snapshot ({names}) values ({', '.join('?' * len(row))})", [*row.values()])
    build_all(con, book, tmp_path)
    assert totals(con) == decimals({"C50": expected})


@pytest.mark.parametrize(("watched", "quality"), [(None, "ASSUMED"), ("47", "EXACT")])
def test_an_options_own_last_price_is_no_proof(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, watched: str | None, quality: str
) -> None:
    build_all(con, Case((Series("C60", 2, "0.01", 100),), {}, watched=watched).book(), tmp_path)
    query = "select quality, list_contains(flags, 'EXPIRY_ASSUMED') from pnl.position_daily where account_id = '100'"
    assert con.execute(f"{query} and trading_date = ?", [MONDAY]).fetchall() == [(quality, watched is None)]
    account = "select quality from pnl.account_daily where account_id = '100' and trading_date = ?"
    assert con.execute(account, [MONDAY]).fetchall() == [(quality,)]


def test_a_stock_whose_deliveries_a_likely_price_tells_is_assumed(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    spread = (Series("C40", 1, "7.00", 300), Series("C45", -1, "2.00", -100))
    build_all(con, Case(spread, {}, after=None).book(), tmp_path)
    rows = con.execute("select distinct quality from pnl.position_daily where trading_date = ?", [MONDAY]).fetchall()
    assert rows == [("ASSUMED",)]
    assert totals(con) == decimals({"C40": "0", "C45": "0", "XYZ": "0"})


def test_shares_that_nothing_explains_are_a_finding_with_the_line_that_would_tell(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_all(con, Case((), {}, before=(100, "47", 4000), after=(140, "48", 5900)).book(), tmp_path)
    query = "select message from quality.finding where check_name = 'unexplained_quantity'"
    ((message,),) = con.execute(query).fetchall()
    assert message.startswith("40 of XYZ came or went without a fill")
    assert f"add the line 2025-11-03,100,TRANSFER,{STOCK},,40,,VALUE,COST,, to" in message
