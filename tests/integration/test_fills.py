"""Which fills count on which day, and from when that was known: late ones, withdrawn ones, those after the snapshot."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from pipelines.books.build import build
from tests.support.facts import AccountAnswer, Book, Evening, Position, SignedFill
from tests.support.landing import land, settings_of

XYZ = "00000001-0000-4000-8000-000000000000"
THURSDAY, FRIDAY = datetime(2025, 10, 30, 20, 30, tzinfo=UTC), datetime(2025, 10, 31, 20, 30, tzinfo=UTC)
NIGHT = datetime(2025, 11, 1, 7, 30, tzinfo=UTC)
MONDAY, TUESDAY = datetime(2025, 11, 3, 21, 30, tzinfo=UTC), datetime(2025, 11, 4, 21, 30, tzinfo=UTC)
#: A build is later than the run that it follows: what was known then is not what is known now.
LATER = timedelta(hours=1)


def _read(con: duckdb.DuckDBPyConnection, home: Path, at: datetime, held: int, price: str, *fills: SignedFill) -> None:
    """An evening: so many shares at that close, bought at 50, and the fills that the broker lists; and a build."""
    quantity, close = Decimal(held), Decimal(price)
    cost = quantity * 50
    day = at.date() if at.hour > 12 else at.date() - timedelta(days=1)
    position = Position(
        *(XYZ, "XYZ", "COMMON_STOCK", quantity, quantity * close, cost, Decimal(50), quantity * close - cost),
        *(close, day, close),
    )
    answer = AccountAnswer((position,), at - timedelta(days=6), fills=fills)
    land(con, Evening(at, {"100": answer}))
    build(con, settings_of(Book(()), home), CATALOG, built_at=at + LATER)


def _fill(number: int, quantity: int, price: str, at: datetime) -> SignedFill:
    return SignedFill(f"f0000000-0000-4000-8000-{number:012}", XYZ, Decimal(quantity), Decimal(price), at)


def _totals(con: duckdb.DuckDBPyConnection) -> list[Any]:
    found = con.execute(
        "select total_pnl from pnl.position_daily where prev_trading_date is not null order by trading_date"
    )
    return [total for (total,) in found.fetchall()]


def _versions(con: duckdb.DuckDBPyConnection, day: date) -> list[tuple[Any, ...]]:
    return con.execute(
        "select total_pnl, known_from from pnl.position_daily_version where trading_date = ? order by version", [day]
    ).fetchall()


def test_a_late_fill_is_known_from_the_run_that_brought_it(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    late = _fill(1, 50, "50", datetime(2025, 10, 31, 15, tzinfo=UTC))
    _read(con, tmp_path, THURSDAY, 100, "50")
    _read(con, tmp_path, FRIDAY, 150, "51")
    _read(con, tmp_path, MONDAY, 150, "52", late)
    assert _versions(con, FRIDAY.date()) == [(None, FRIDAY), (Decimal(150), MONDAY)]
    assert _totals(con) == [150, 150]


def test_a_withdrawn_fill_counts_no_longer_and_again_when_it_is_listed_again(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    bought = _fill(1, 10, "51", datetime(2025, 10, 31, 15, tzinfo=UTC))
    sold = _fill(2, -10, "53", datetime(2025, 10, 31, 16, tzinfo=UTC))
    _read(con, tmp_path, THURSDAY, 100, "50")
    _read(con, tmp_path, FRIDAY, 100, "51", bought, sold)
    _read(con, tmp_path, MONDAY, 100, "52")
    assert _totals(con) == [100, 100]
    found = con.execute(
        "select trading_date, value from quality.finding where check_name = 'fill_withdrawn'"
    ).fetchall()
    assert found == [(FRIDAY.date(), "2")]
    _read(con, tmp_path, TUESDAY, 100, "53", bought, sold)
    versions = _versions(con, FRIDAY.date())
    assert [total for total, _ in versions] == [120, 100, 120]
    assert [since for _, since in versions[:2]] == [FRIDAY, MONDAY]
    known = "select total_pnl from pnl.position_daily_as_known(?) where trading_date = ?"
    assert con.execute(known, [FRIDAY, FRIDAY.date()]).fetchall() == [(Decimal(120),)]


def test_a_list_that_does_not_reach_back_withdraws_nothing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    old = _fill(1, 50, "50", datetime(2025, 10, 30, 21, tzinfo=UTC))
    _read(con, tmp_path, THURSDAY, 100, "50")
    _read(con, tmp_path, FRIDAY, 150, "51", old)
    _read(con, tmp_path, datetime(2025, 11, 6, 21, 30, tzinfo=UTC), 150, "51")
    assert _totals(con)[0] == 150


def test_a_fill_whose_day_is_corrected_counts_once(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _read(con, tmp_path, THURSDAY, 100, "50")
    _read(con, tmp_path, FRIDAY, 100, "51", _fill(1, 50, "50", datetime(2025, 10, 31, 15, tzinfo=UTC)))
    _read(con, tmp_path, MONDAY, 150, "52", _fill(1, 50, "50", datetime(2025, 11, 3, 16, tzinfo=UTC)))
    assert _totals(con) == [100, 200]


def test_fills_after_the_snapshot_count_in_the_next_one_evening_after_evening(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    friday = _fill(1, 50, "51", datetime(2025, 10, 31, 22, tzinfo=UTC))
    monday = _fill(2, 50, "53", datetime(2025, 11, 3, 22, tzinfo=UTC))
    _read(con, tmp_path, THURSDAY, 100, "50")
    _read(con, tmp_path, FRIDAY, 100, "51")
    _read(con, tmp_path, MONDAY, 150, "52", friday)
    _read(con, tmp_path, TUESDAY, 200, "54", friday, monday)
    assert _totals(con) == [100, 150, 350]
    flagged = con.execute("select trading_date from pnl.position_daily where list_contains(flags, 'AFTER_SNAPSHOT')")
    assert flagged.fetchall() == [(MONDAY.date(),), (TUESDAY.date(),)]


def test_where_the_book_is_kept_by_trading_date_the_fills_are_too(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    after = _fill(1, 50, "51", datetime(2025, 10, 31, 20, 31, tzinfo=UTC))  # by a clock that is ahead of the book's
    _read(con, tmp_path, THURSDAY, 100, "50")
    _read(con, tmp_path, FRIDAY, 150, "51")
    _read(con, tmp_path, MONDAY, 150, "52", after)
    assert _totals(con) == [100, 150]


def test_two_fills_that_are_alike_are_two_also_where_it_is_open_on_which_day_they_count(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    alike = [_fill(n, 25, "51", datetime(2025, 10, 31, 20, 30 + n, tzinfo=UTC)) for n in (1, 2)]
    _read(con, tmp_path, THURSDAY, 100, "50")
    _read(con, tmp_path, FRIDAY, 150, "51")
    _read(con, tmp_path, MONDAY, 150, "52", *alike)
    assert _totals(con) == [100, 150]


def test_a_snapshot_of_the_night_has_the_fills_of_the_night(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    night = _fill(1, 50, "50", datetime(2025, 11, 1, 2, tzinfo=UTC))
    _read(con, tmp_path, THURSDAY, 100, "50")
    _read(con, tmp_path, NIGHT, 150, "51", night)
    _read(con, tmp_path, MONDAY, 150, "52", night)
    assert _totals(con) == [150, 150]
