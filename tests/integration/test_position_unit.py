"""core.position_eod: the unit of a price is the contract's or 1, unless value and cost say otherwise."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.ingest.contradictions import COLUMNS, contradicted
from tests.support.evenings import (
    BOND,
    FRIDAY,
    MONDAY,
    OPTION,
    STOCK,
    THURSDAY,
    answer,
    build_day_by_day,
    evening,
    fill,
    held,
    read,
)
from tests.support.facts import Book, Contract
from tests.support.landing import land, settings_of

CALL = "XYZ   251219C00060000"


def _bond(quantity: str, price: str, average: str, day: date, unit: str = "0.01") -> Any:
    cost = Decimal(quantity) * Decimal(average) * Decimal(unit)
    kind = {"instrument_id": BOND, "symbol": "T 4.25", "instrument_type": "OTHER", "avg_price": Decimal(average)}
    return held(quantity, price, str(cost), day, unit=unit, **kind)


def _call(quantity: str, price: str, average: str, day: date, unit: str) -> Any:
    cost = Decimal(quantity) * Decimal(average) * Decimal(unit)
    kind = {"instrument_id": OPTION, "symbol": CALL, "instrument_type": "OPTION", "avg_price": Decimal(average)}
    return held(quantity, price, str(cost), day, unit=unit, underlying_instrument_id=STOCK, **kind)


def _contract(multiplier: str, strike: str = "60") -> Contract:
    return Contract(OPTION, CALL, STOCK, "CALL", Decimal(strike), date(2025, 12, 19), Decimal(multiplier))


@pytest.mark.parametrize(("unit", "sign"), [("0.01", 1), ("0.01", -1), ("10", 1), ("1000", 1)])
def test_fills_of_what_is_priced_in_another_unit_are_paid_in_it(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, unit: str, sign: int
) -> None:
    opened = fill("f1", str(6000 * sign), "97.05", FRIDAY, instrument_id=BOND)
    closed = fill("f2", str(-6000 * sign), "98.00", MONDAY, instrument_id=BOND)
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer()),
        evening(FRIDAY, answer([_bond(str(6000 * sign), "97.50", "97.05", FRIDAY, unit)], [opened])),
        evening(MONDAY, answer([], [opened, closed])),
    )
    each = sign * 6000 * Decimal(unit)
    assert read(con, "multiplier, multiplier_source", "core.position_eod", FRIDAY) == (Decimal(unit), "IMPLIED")
    assert read(con, "total_pnl, day_pnl", "pnl.position_daily", FRIDAY) == (each * Decimal("0.45"),) * 2
    # what it was sold for is known, its price of the day is not
    assert read(con, "realized_pnl, total_pnl", "pnl.position_daily", MONDAY) == (
        each * Decimal("0.95"),
        each * Decimal("0.5"),
    )


def test_a_share_at_a_price_of_another_moment_is_no_other_unit(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    late = held("100", "50", "4000", FRIDAY, avg_price=Decimal("40.5"), market_value=Decimal(5100), unrealized_pnl=None)
    build_day_by_day(con, tmp_path, evening(FRIDAY, answer([late])))
    assert read(con, "multiplier, multiplier_source", "core.position_eod", FRIDAY) == (Decimal(1), "UNIT")


def test_a_unit_that_nothing_explains_is_unknown_and_so_is_what_fills_paid(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    odd = {"instrument_id": BOND, "symbol": "ODD", "instrument_type": "OTHER", "avg_price": Decimal(97)}
    before = held("600", "97", "19400", THURSDAY, unit="0.01", **odd)
    after = held("700", "98", "22600", FRIDAY, unit="0.01", **odd)
    same = held("700", "99", "22600", MONDAY, unit="0.01", **odd)
    bought = fill("f1", "100", "97", FRIDAY, instrument_id=BOND)
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([before])),
        evening(FRIDAY, answer([after], [bought])),
        evening(MONDAY, answer([same], [bought])),
    )
    assert read(con, "multiplier, multiplier_source", "core.position_eod", FRIDAY) == (None, "UNKNOWN")
    assert read(con, "total_pnl, quality", "pnl.position_daily", FRIDAY) == (None, "UNKNOWN")
    assert "UNIT_UNKNOWN" in read(con, "flags", "pnl.position_daily", FRIDAY)
    assert read(con, "severity", "quality.finding", FRIDAY, "check_name = 'unit_unknown'") == "WARN"
    # where nothing was traded the value alone tells it
    assert read(con, "total_pnl, quality", "pnl.position_daily", MONDAY) == (Decimal(7), "EXACT")


@pytest.mark.parametrize("read_again", [True, False])
def test_a_contract_adjusted_under_its_id_makes_no_pnl(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, *, read_again: bool
) -> None:
    sold = fill("f1", "-1", "3.50", MONDAY, instrument_id=OPTION, underlying_instrument_id=STOCK)
    again = {"contracts": (_contract("150", "40"),)} if read_again else {}
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([_call("2", "5", "4.5", THURSDAY, "100")]), contracts=(_contract("100"),)),
        evening(FRIDAY, answer([_call("2", "3.4", "3", FRIDAY, "150")]), **again),
        evening(MONDAY, answer([_call("1", "3.6", "3", MONDAY, "150")], [sold])),
    )
    columns = "total_pnl, realized_pnl, position_pnl, day_pnl, multiplier"
    assert read(con, columns, "pnl.position_daily", FRIDAY) == (20, 0, 20, 0, 150)
    assert read(con, columns, "pnl.position_daily", MONDAY) == (45, 75, 60, -15, 150)
    # the day before keeps the contract that it had
    source = read(con, "multiplier, multiplier_source, option_strike", "core.position_eod", THURSDAY)
    assert source == (100, "CONTRACT", 60)
    strike = read(con, "option_strike", "core.position_eod", MONDAY)
    assert strike == (40 if read_again else 60)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("XYZ", (20, "EXACT", [])),
        ("BRK B", (20, "EXACT", [])),
        ("T 4.25 11/15/34", (None, "UNKNOWN", ["UNIT_UNKNOWN", "REALIZED_UNKNOWN"])),
        ("91282CAV3", (None, "UNKNOWN", ["UNIT_UNKNOWN", "REALIZED_UNKNOWN"])),
        (CALL, (2000, "ASSUMED", ["UNIT_ASSUMED"])),
    ],
)
def test_the_unit_of_what_no_snapshot_ever_held(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, symbol: str, expected: tuple[Any, ...]
) -> None:
    fills = [fill("f1", "10", "50", FRIDAY), fill("f2", "-10", "52", FRIDAY)]
    build_day_by_day(con, tmp_path, evening(THURSDAY, answer()))
    evenings = [evening(THURSDAY, answer()), evening(FRIDAY, answer(fills=fills))]
    land(con, evenings[1])
    con.execute("update raw.executions set symbol = ?", [symbol])
    build(con, settings_of(Book(tuple(evenings)), tmp_path), CATALOG, built_at=evenings[1].at)
    assert read(con, "total_pnl, quality, flags", "pnl.position_daily", FRIDAY) == expected


def test_an_option_that_came_and_went_has_its_contracts_multiplier(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    option = {"instrument_id": OPTION, "underlying_instrument_id": STOCK}
    fills = [fill("f1", "10", "50", FRIDAY, **option), fill("f2", "-10", "52", FRIDAY, **option)]
    asked = evening(FRIDAY, answer(fills=fills), contracts=(_contract("10"),))
    build_day_by_day(con, tmp_path, evening(THURSDAY, answer()), asked)
    assert read(con, "total_pnl, quality", "pnl.position_daily", FRIDAY) == (200, "EXACT")


def test_only_options_that_contradict_their_contract_are_read_again() -> None:
    def row(name: str, **changes: str | None) -> dict[str, Any]:
        plain = {"quantity": "2", "avg_price": "4.50", "cost_basis": "900", "market_value": "1000"}
        plain |= {"closing_price": "5.00", "instrument_price": "5.00"}
        money = {key: None if value is None else Decimal(value) for key, value in (plain | changes).items()}
        return {"instrument_id": name, "instrument_type": "OPTION", **money}

    rows = [
        row("as before"),
        row("short", quantity="-2", cost_basis="-900", market_value="-1000"),
        row("adjusted", avg_price="3", market_value="1020", closing_price="3.40", instrument_price="3.40"),
        row("cost alone", avg_price="4.29", cost_basis="900"),
        row("rounded average", quantity="300", avg_price="0.33", cost_basis="10000", market_value="150000"),
        row("value alone", avg_price=None, market_value="1500", instrument_price=None),
        row("value at the bid", avg_price=None, market_value="990"),
        row("of two prices one fits", market_value="1200", instrument_price="6.00"),
        row("nothing known", avg_price=None, closing_price=None, instrument_price=None),
        row("not seen before", avg_price="3"),
    ]
    page = pa.Table.from_pylist(rows).select(COLUMNS)
    pages = [page.slice(0, 4), page.slice(4)]
    known: dict[str, float | None] = {
        each["instrument_id"]: 100.0 for each in rows if each["instrument_id"] != "not seen before"
    }
    assert contradicted(pages, known) == {"adjusted", "cost alone", "value alone"}
