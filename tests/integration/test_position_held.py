"""core.position_eod: a snapshot of the night gives a mark through the day's close alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.evenings import FRIDAY, THURSDAY, answer, build_day_by_day, evening, held, read

NIGHT = datetime(2025, 11, 1, 7, 30, tzinfo=UTC)
MARK = "market_value, eod_price, price_grade, unrealized_pnl"


def _shares(price: str, closing: str, of: Any, cost: str = "4500") -> Any:
    """100 shares valued at a price beside a close of some day."""
    made = held("100", price, cost, FRIDAY)
    return replace(made, closing_price=Decimal(closing), closing_price_date=of)


def test_a_close_that_comes_in_the_night_is_the_days_mark_whatever_became_of_the_cost(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(FRIDAY, answer([_shares("51", "50", THURSDAY)])),
        evening(FRIDAY, answer([_shares("51.4", "51.4", FRIDAY, "4510")]), at=NIGHT),
    )
    assert read(con, MARK, "core.position_eod", FRIDAY) == (5140, Decimal("51.4"), "OFFICIAL", 640)


def test_a_value_of_the_night_counts_at_the_close(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(FRIDAY, answer([_shares("51", "51", FRIDAY)])),
        evening(FRIDAY, answer([_shares("53", "51", FRIDAY)]), at=NIGHT),
    )
    assert read(con, MARK, "core.position_eod", FRIDAY) == (5100, 51, "OFFICIAL", 600)


def test_without_a_close_of_the_day_the_night_says_nothing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(FRIDAY, answer([_shares("51", "50", THURSDAY)])),
        evening(FRIDAY, answer([_shares("53", "50", THURSDAY)]), at=NIGHT),
    )
    assert read(con, MARK, "core.position_eod", FRIDAY) == (5100, 51, "INDICATIVE", 600)


def test_a_row_of_the_night_that_names_the_day_and_has_no_close_says_nothing(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    nameless = replace(_shares("53", "53", FRIDAY), closing_price=None)
    build_day_by_day(
        con,
        tmp_path,
        evening(FRIDAY, answer([replace(_shares("51", "51", FRIDAY), closing_price=None)])),
        evening(FRIDAY, answer([nameless]), at=NIGHT),
    )
    assert read(con, MARK, "core.position_eod", FRIDAY) == (5100, 51, "INDICATIVE", 600)


@pytest.mark.parametrize(("closed_on", "value", "grade"), [(FRIDAY, 5100, "OFFICIAL"), (THURSDAY, 5300, "IMPLIED")])
def test_a_day_of_which_only_the_night_was_read(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, closed_on: Any, value: int, grade: str
) -> None:
    build_day_by_day(con, tmp_path, evening(FRIDAY, answer([_shares("53", "51", closed_on)]), at=NIGHT))
    assert read(con, "market_value, price_grade", "core.position_eod", FRIDAY) == (value, grade)


def test_shares_bought_in_the_night_keep_the_evenings_mark(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    night = replace(_shares("51.4", "51.4", FRIDAY), quantity=Decimal(110), market_value=Decimal(5654))
    build_day_by_day(
        con,
        tmp_path,
        evening(FRIDAY, answer([_shares("51", "50", THURSDAY)])),
        evening(FRIDAY, answer([night]), at=NIGHT),
    )
    assert read(con, "quantity, market_value", "core.position_eod", FRIDAY) == (100, 5100)
