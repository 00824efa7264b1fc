"""core.expected_day and quality.gap: accounts that close, and that come back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from tests.support.evenings import (
    FRIDAY,
    LONG_AGO,
    MONDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    answer,
    build_day_by_day,
    evening,
    held,
)
from tests.support.facts import AccountAnswer, Adjustment, Book, Evening
from tests.support.landing import land, open_raw, settings_of


def _of(day: date, *accounts: str, closed: dict[str, date | None] | None = None) -> Evening:
    answers: dict[str, AccountAnswer] = {each: answer([held("100", "50", "4000", day)]) for each in accounts}
    return evening(day, answers, closed=closed or {})


def _gaps(con: duckdb.DuckDBPyConnection) -> list[tuple[str, date, str]]:
    return con.execute("select account_id, trading_date, reason from quality.gap order by all").fetchall()


def _expected(con: duckdb.DuckDBPyConnection) -> dict[date, tuple[int, str]]:
    query = "select trading_date, accounts_expected, status from quality.day order by trading_date"
    return {day: (expected, status) for day, expected, status in con.execute(query).fetchall()}


@pytest.mark.parametrize("closing_date", [THURSDAY, None])
def test_the_day_of_a_close_is_a_gap_and_the_days_after_it_expect_nothing(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, closing_date: date | None
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        _of(WEDNESDAY, "100", "200"),
        _of(THURSDAY, "100", closed={"200": closing_date}),
        _of(FRIDAY, "100", closed={"200": closing_date}),
    )
    assert _gaps(con) == [("200", THURSDAY, "ACCOUNT_CLOSED")]
    assert _expected(con) == {WEDNESDAY: (2, "COMPLETE"), THURSDAY: (2, "INCOMPLETE"), FRIDAY: (1, "COMPLETE")}


def test_an_account_that_closed_on_a_weekend_ends_with_the_session_before(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        _of(FRIDAY, "100", "200"),
        _of(MONDAY, "100", closed={"200": date(2025, 11, 1)}),
    )
    assert _gaps(con) == []
    assert _expected(con) == {FRIDAY: (2, "COMPLETE"), MONDAY: (1, "COMPLETE")}


def test_a_close_that_is_learnt_after_days_that_nobody_read_ends_the_gap(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        _of(WEDNESDAY, "100", "200"),
        _of(MONDAY, "100", closed={"200": THURSDAY}),
    )
    assert _gaps(con) == [
        ("100", THURSDAY, "NO_SNAPSHOT"),
        ("100", FRIDAY, "NO_SNAPSHOT"),
        ("200", THURSDAY, "ACCOUNT_CLOSED"),
    ]


def test_an_account_that_was_opened_again_is_expected_again(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    build_day_by_day(
        con,
        tmp_path,
        _of(WEDNESDAY, "100", "200"),
        _of(THURSDAY, "100", closed={"200": THURSDAY}),
        _of(FRIDAY, "100", "200"),
        _of(TUESDAY, "100", "200"),
    )
    # nobody asked on Monday, and both accounts were open
    assert _gaps(con) == [
        ("100", MONDAY, "NO_SNAPSHOT"),
        ("200", THURSDAY, "ACCOUNT_CLOSED"),
        ("200", MONDAY, "NO_SNAPSHOT"),
    ]
    assert _expected(con)[FRIDAY] == (2, "COMPLETE")
    assert con.execute("select count(*) from quality.finding where severity = 'FAIL'").fetchone() == (0,)


def test_accounts_that_were_closed_before_the_books_began_leave_no_gap(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(con, tmp_path, _of(THURSDAY, "100", closed={"900": date(2024, 1, 5), "901": THURSDAY}))
    assert _gaps(con) == []
    assert _expected(con) == {THURSDAY: (1, "COMPLETE")}


def test_a_rebuild_has_the_gaps_of_a_long_outage_too(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    evenings = (_of(WEDNESDAY, "100", "200"), _of(date(2025, 11, 14), "100", "200"))
    build_day_by_day(con, tmp_path, *evenings)
    found = _gaps(con)
    assert len(found) == 2 * 11
    with open_raw() as other:
        for each in evenings:
            land(other, each)
        build(other, settings_of(Book(evenings), tmp_path), CATALOG, built_at=evenings[-1].at)
        assert _gaps(other) == found


def test_a_line_of_a_day_before_the_first_known_one_counts_as_in_a_rebuild(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    refused = evening(WEDNESDAY, AccountAnswer(None, LONG_AGO))
    line = Adjustment(WEDNESDAY, "999", "CASH_IN_LIEU", "of-nobody", cash=Decimal(1))
    build_day_by_day(con, tmp_path, refused, _of(FRIDAY, "100"))
    build(con, settings_of(Book((), (line,)), tmp_path), CATALOG)
    query = "select account_id, trading_date from core.lifecycle_event"
    assert con.execute(query).fetchall() == [("999", WEDNESDAY)]
