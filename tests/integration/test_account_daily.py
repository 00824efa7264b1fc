"""pnl.account_daily: what an account made where its fills were not read, and on its first day."""

from __future__ import annotations

from datetime import UTC, datetime
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
    held,
    read,
    segment,
)

LATER = datetime(2025, 11, 3, 22, 30, tzinfo=UTC)
FIGURES = "total_pnl, unattributed_pnl, realized_pnl, unrealized_change, quality"


def test_without_fills_the_brokers_total_is_the_accounts(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    history = (segment(FRIDAY, "30", "50"), segment(MONDAY, "0", "50"))
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", "5000", THURSDAY)], None)),
        evening(FRIDAY, answer([held("100", "50.5", "5000", FRIDAY)], None, history=history[:1])),
        evening(MONDAY, answer([held("100", "51", "5000", MONDAY)], None, history=history)),
    )
    assert read(con, FIGURES, "pnl.account_daily", FRIDAY) == (80, 30, None, None, "IMPLIED")
    # what the broker says is what the positions say: nothing was traded that nobody saw
    assert read(con, FIGURES, "pnl.account_daily", MONDAY) == (50, 0, 0, 50, "ASSUMED")


def test_over_a_gap_every_covered_day_has_to_be_in_the_history(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    first, last = held("100", "50", "5000", THURSDAY), held("100", "51", "5000", MONDAY)
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([first], None)),
        evening(MONDAY, answer([last], None, history=(segment(MONDAY, "0", "70"),))),
    )
    assert read(con, FIGURES, "pnl.account_daily", MONDAY) == (100, 0, 0, 100, "ASSUMED")
    late = (segment(FRIDAY, "0", "60"), segment(MONDAY, "0", "70"))
    build_day_by_day(con, tmp_path, evening(MONDAY, answer([last], None, history=late), at=LATER))
    assert read(con, FIGURES, "pnl.account_daily", MONDAY) == (130, 30, None, None, "IMPLIED")


def test_a_flat_account_whose_fills_are_not_read_is_an_assumption(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([], None)),
        evening(FRIDAY, answer([], None)),
        evening(MONDAY, answer([], None, history=(segment(MONDAY, "12", "0"),))),
    )
    assert read(con, FIGURES, "pnl.account_daily", THURSDAY) == (None, None, None, None, "UNKNOWN")
    assert read(con, FIGURES, "pnl.account_daily", FRIDAY) == (0, 0, 0, 0, "ASSUMED")
    assert read(con, FIGURES, "pnl.account_daily", MONDAY) == (12, 12, None, None, "IMPLIED")


def test_a_flat_account_whose_fills_are_read_and_none_has_zeros_on_its_first_day(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(con, tmp_path, evening(THURSDAY, answer()), evening(FRIDAY, answer()))
    for day in (THURSDAY, FRIDAY):
        assert read(con, FIGURES, "pnl.account_daily", day) == (0, 0, 0, 0, "EXACT")
        assert read(con, "total_pnl, realized_pnl, unrealized_change", "pnl.firm_daily", day) == (0, 0, 0)


@pytest.mark.parametrize("pnl", ["80", None])
def test_fills_that_are_read_need_no_total_of_the_brokers(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, pnl: str | None
) -> None:
    history = (segment(FRIDAY, "0", pnl),) if pnl else None
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", "5000", THURSDAY)])),
        evening(FRIDAY, answer([held("100", "50.5", "5000", FRIDAY)], history=history)),
    )
    assert read(con, FIGURES, "pnl.account_daily", FRIDAY) == (Decimal(50), 0, 0, 50, "EXACT")
