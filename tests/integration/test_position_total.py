"""pnl.position_daily: the total is the change of value plus cash, whatever is known of the cost, and its two parts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.support.evenings import (
    FRIDAY,
    MONDAY,
    THURSDAY,
    answer,
    build_day_by_day,
    evening,
    fill,
    held,
    read,
    segment,
)

SPLIT = "realized_pnl, unrealized_change, total_pnl"
NO_COST = {"cost_basis": None, "avg_price": None, "unrealized_pnl": None}


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("fills", [(), None])
def test_a_position_without_cost_has_its_total_by_value(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, sign: str, fills: tuple[()] | None
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held(f"{sign}100", "50", None, THURSDAY)], fills)),
        evening(FRIDAY, answer([held(f"{sign}100", "51", None, FRIDAY)], fills)),
        evening(MONDAY, answer([held(f"{sign}100", "53", f"{sign}3000", MONDAY)], fills)),
    )
    one = Decimal(f"{sign}100")
    assert read(con, SPLIT, "pnl.position_daily", FRIDAY) == (None, None, one)
    assert read(con, SPLIT, "pnl.position_daily", MONDAY) == (None, None, 2 * one)
    assert read(con, SPLIT, "pnl.account_daily", FRIDAY) == (None, None, one)
    assert "COST_UNKNOWN" in read(con, "flags", "pnl.position_daily", FRIDAY)
    assert read(con, "severity", "quality.finding", FRIDAY, "check_name = 'cost_basis_missing'") == "WARN"


def test_a_sale_of_shares_without_cost_has_a_total_too(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    sold = fill("f1", "-40", "52", FRIDAY)
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", None, THURSDAY)])),
        evening(FRIDAY, answer([held("60", "51", None, FRIDAY)], [sold])),
    )
    row = read(con, f"{SPLIT}, position_pnl, day_pnl, quality", "pnl.position_daily", FRIDAY)
    assert row == (None, None, Decimal(140), Decimal(100), Decimal(40), "EXACT")


def test_what_was_carried_is_known_where_neither_cost_nor_fills_are(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("52", "45.76", "2600", THURSDAY)], None)),
        evening(FRIDAY, answer([held("42", "43.28", None, FRIDAY)], None)),
    )
    carried = 52 * (Decimal("43.28") - Decimal("45.76"))
    assert read(con, "position_pnl, total_pnl", "pnl.position_daily", FRIDAY) == (carried, None)


def test_shares_that_came_at_an_unknown_cost_and_unread_fills_are_unknown(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", None, THURSDAY)], None)),
        evening(FRIDAY, answer([held("150", "51", None, FRIDAY)], None)),
    )
    assert read(con, "total_pnl, quality", "pnl.position_daily", FRIDAY) == (None, "UNKNOWN")


def test_the_one_unknown_row_without_cost_is_what_the_account_leaves(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", None, THURSDAY)], None)),
        evening(FRIDAY, answer([held("150", "51", None, FRIDAY)], None, history=(segment(FRIDAY, "0", "120"),))),
    )
    assert read(con, f"{SPLIT}, quality", "pnl.position_daily", FRIDAY) == (None, None, Decimal(120), "IMPLIED")
    assert read(con, "total_pnl, unattributed_pnl", "pnl.account_daily", FRIDAY) == (Decimal(120), Decimal(0))


@pytest.mark.parametrize("fills", [(), None])
@pytest.mark.parametrize("cost", ["4800", "3100"])
def test_a_cost_restated_without_a_trade_makes_no_pnl(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, fills: tuple[()] | None, cost: str
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)], fills)),
        evening(FRIDAY, answer([held("100", "50.5", cost, FRIDAY)], fills)),
    )
    assert read(con, SPLIT, "pnl.position_daily", FRIDAY) == (Decimal(0), Decimal(50), Decimal(50))
    assert read(con, "severity", "quality.finding", FRIDAY, "check_name = 'cost_restated'") == "INFO"


def test_a_cost_restated_beside_a_buy_is_not_realized(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    bought = fill("f1", "10", "50", FRIDAY)
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)])),
        evening(FRIDAY, answer([held("110", "51", "5300", FRIDAY)], [bought])),
    )
    assert read(con, SPLIT, "pnl.position_daily", FRIDAY) == (Decimal(0), Decimal(110), Decimal(110))


def test_a_restated_cost_is_no_pnl_of_the_since_cost_reading(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    unchanged = {"daily_realized_pnl": Decimal(0), "daily_unrealized_pnl": Decimal(50)}
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)], None)),
        evening(FRIDAY, answer([held("100", "50.5", "4800", FRIDAY, **unchanged)], None)),
        realized="since_cost",
    )
    assert read(con, f"{SPLIT}, quality", "pnl.position_daily", FRIDAY) == (
        Decimal(0),
        Decimal(50),
        Decimal(50),
        "REPORTED",
    )


@pytest.mark.parametrize("traded", ["7", "-7", "-150", "-100", "0"])
def test_carried_and_traded_add_up_where_the_value_follows_another_price(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, traded: str
) -> None:
    quantity = 100 + int(traded)
    before = replace(held("100", "50", "4500", THURSDAY), market_value=Decimal("5033.33"), unrealized_pnl=None)
    after = replace(
        held(str(quantity), "51", "4500", FRIDAY),
        market_value=Decimal(quantity) * Decimal("51.37"),
        unrealized_pnl=None,
    )
    fills = [fill("f1", traded, "51.05", FRIDAY)] if int(traded) else []
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([before])),
        evening(FRIDAY, answer([after] if quantity else [], fills)),
    )
    total, carried, day = read(con, "total_pnl, position_pnl, day_pnl", "pnl.position_daily", FRIDAY)
    assert total == quantity * Decimal("51.37") - Decimal("5033.33") - int(traded) * Decimal("51.05")
    if quantity:
        assert carried == Decimal("103.67")
        assert carried + day == total
    assert con.execute("select count(*) from quality.finding where severity = 'FAIL'").fetchone() == (0,)
