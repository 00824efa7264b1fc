"""pnl.period: linked returns over losses, days that nobody read, and equity of nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.support.evenings import (
    FRIDAY,
    MONDAY,
    THURSDAY,
    TUESDAY,
    answer,
    build_day_by_day,
    evening,
    held,
    read,
    segment,
)

RETURNS = "twr_mtd, twr_itd, drawdown"


def test_what_was_lost_altogether_stays_lost_but_a_new_month_begins_anew(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer(history=(segment(THURSDAY, "100", "0", "1000", "1100"),))),
        evening(FRIDAY, answer(history=(segment(FRIDAY, "-1100", "0", "1100", "0"),))),
        evening(MONDAY, answer(history=None)),
        evening(TUESDAY, answer(history=(segment(TUESDAY, "50", "0", "1000", "1050"),))),
    )
    assert read(con, RETURNS, "pnl.period", FRIDAY) == (-1, -1, -1)
    # Monday's return is not known: November's is neither, and what is lost is lost
    assert read(con, RETURNS, "pnl.period", TUESDAY) == (None, -1, -1)


def test_a_loss_on_the_first_day_is_a_drawdown_from_where_the_books_began(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer(history=(segment(THURSDAY, "-100", "0", "1000", "900"),))),
        evening(FRIDAY, answer(history=(segment(FRIDAY, "90", "0", "900", "990"),))),
    )
    assert read(con, "drawdown", "pnl.period", THURSDAY) == Decimal("-0.1")
    assert read(con, "drawdown", "pnl.period", FRIDAY) == Decimal("-0.01")


@pytest.mark.parametrize(
    ("pnl", "sod", "eod"),
    [("-1200", "1000", "-200"), ("100", "0", "100"), ("100", "-400", "-300"), ("-50", "0", "950")],
)
def test_there_is_no_return_below_everything_nor_on_nothing(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, pnl: str, sod: str, eod: str
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer(history=(segment(THURSDAY, "0", "0", "1000", "1000"),))),
        evening(FRIDAY, answer(history=(segment(FRIDAY, pnl, "0", sod, eod),))),
    )
    assert read(con, "daily_return, daily_return_on_sod", "pnl.account_daily", FRIDAY) == (None, None)
    assert read(con, RETURNS, "pnl.period", FRIDAY) == (None, None, None)


@pytest.mark.parametrize(("equity", "per_cent"), [("1000", Decimal(500)), ("0", None), ("-10", None)])
def test_exposure_in_per_cent_of_nothing_is_not_known(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, equity: str, per_cent: Decimal | None
) -> None:
    said = (segment(THURSDAY, "0", "0", equity, equity),)
    build_day_by_day(con, tmp_path, evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)], history=said)))
    assert read(con, "gross_pct, net_pct", "pnl.exposure_daily", THURSDAY) == (per_cent, per_cent)


def test_a_day_that_nobody_read_counts_with_the_brokers_figures_on_its_own_date(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    friday, monday = segment(FRIDAY, "0", "-101", "10100", "9999"), segment(MONDAY, "0", "50", "9999", "10049")
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)])),
        evening(MONDAY, answer([held("100", "49.49", "4000", MONDAY)], history=(friday, monday))),
    )
    # the two days made -51: October has -101 of it, November the rest
    assert read(con, "wtd, mtd, itd, gap_days", "pnl.period", MONDAY) == (50, 50, -51, 0)
    growth = (1 - Decimal(101) / 10100) * (1 + Decimal(50) / 9999)
    assert read(con, "round(twr_itd, 8)", "pnl.period", MONDAY) == round(growth - 1, 8)
    # what is learnt later of the missed day moves from month to month
    build_day_by_day(
        con,
        tmp_path,
        evening(
            TUESDAY,
            answer(
                [held("100", "49.49", "4000", TUESDAY)],
                history=(segment(FRIDAY, "0", "-91", "10100", "10009"), segment(TUESDAY, "0", "0", "10049", "10049")),
            ),
        ),
    )
    assert read(con, "wtd, mtd, itd", "pnl.period", MONDAY) == (40, 40, -51)
    assert read(con, "total_pnl, version", "pnl.missed_day", FRIDAY) == (-91, 2)


def test_a_missed_day_without_figures_takes_only_the_returns_that_contain_it(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    monday = segment(MONDAY, "0", "50", "10000", "10050")
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)])),
        evening(MONDAY, answer([held("100", "51", "4000", MONDAY)], history=(monday,))),
    )
    assert read(con, RETURNS, "pnl.period", MONDAY) == (Decimal("0.005"), None, None)
    assert read(con, "itd, gap_days", "pnl.period", MONDAY) == (100, 1)
