"""pnl.pnl_semantics: the reading of daily_realized_pnl that was proven last holds until another is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from pipelines.books.build import build
from tests.support.evenings import (
    FRIDAY,
    MONDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    answer,
    build_day_by_day,
    evening,
    held,
    read,
    segment,
)
from tests.support.facts import Book
from tests.support.landing import settings_of

READING = "pnl_semantics, semantics_source"


def _sold(quantity: str, price: str, day: date, realized: str, change: str, **said: Any) -> Any:
    """What is left of 200 shares that cost 145, with the broker's daily figures."""
    daily = {"daily_realized_pnl": Decimal(realized), "daily_unrealized_pnl": Decimal(change)}
    return answer([held(quantity, price, str(145 * int(quantity)), day, **daily)], None, **said)


def _evenings() -> list[Any]:
    """Each day 25 are sold at 1 above the close before: since cost, and 25 times 1 since that close."""
    return [
        evening(WEDNESDAY, _sold("200", "150", WEDNESDAY, "0", "0")),
        evening(THURSDAY, _sold("175", "151", THURSDAY, "150", "175")),
        evening(FRIDAY, _sold("150", "152", FRIDAY, "175", "150")),
        evening(MONDAY, _sold("125", "153", MONDAY, "200", "125")),
    ]


def test_a_verdict_holds_until_another_is_proven(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    wednesday, thursday, friday, monday = _evenings()
    said = {"daily_pnl": Decimal(200)}  # 25 x (151 - 145) + 175 x (151 - 150), less the 25 x 5 that were open before
    thursday = evening(THURSDAY, _sold("175", "151", THURSDAY, "150", "175", **said))
    tuesday = evening(TUESDAY, _sold("100", "154", TUESDAY, "25", "100", daily_pnl=Decimal(125)))
    build_day_by_day(con, tmp_path, wednesday, thursday, friday, monday, tuesday)
    assert read(con, READING, "pnl.pnl_semantics", WEDNESDAY) == ("since_prior_close", "DEFAULT")
    assert read(con, READING, "pnl.pnl_semantics", THURSDAY) == ("since_cost", "BALANCES")
    assert read(con, READING, "pnl.pnl_semantics", FRIDAY) == ("since_cost", "EARLIER_DAY")
    assert read(con, READING, "pnl.pnl_semantics", MONDAY) == ("since_cost", "EARLIER_DAY")
    assert read(con, READING, "pnl.pnl_semantics", TUESDAY) == ("since_prior_close", "BALANCES")
    totals = con.execute("select total_pnl from pnl.position_daily order by trading_date").fetchall()
    assert totals == [(0,), (200,), (175,), (150,), (125,)]


def test_a_verdict_that_is_learnt_late_reaches_the_days_that_rest_on_it(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    wednesday, thursday, friday, monday = _evenings()
    build_day_by_day(con, tmp_path, wednesday, thursday, friday, monday)
    before = [325, 325, 325]
    query = "select total_pnl from pnl.position_daily where trading_date > ? order by trading_date"
    assert [total for (total,) in con.execute(query, [WEDNESDAY]).fetchall()] == before
    # the history of Thursday comes on Tuesday, and proves that the figures are from cost
    late = (segment(THURSDAY, "150", "50"), segment(TUESDAY, "0", "0"))
    tuesday = evening(TUESDAY, _sold("125", "153", TUESDAY, "0", "0", history=late))
    build_day_by_day(con, tmp_path, tuesday)
    after = con.execute(query, [WEDNESDAY]).fetchall()
    assert after == [(200,), (175,), (150,), (0,)]
    sources = con.execute("select semantics_source from pnl.pnl_semantics order by trading_date").fetchall()
    assert [source for (source,) in sources] == ["DEFAULT", "PORTFOLIO_HISTORY", *["EARLIER_DAY"] * 3]
    again = build(
        con,
        settings_of(Book((tuesday,), (), "auto"), tmp_path),
        CATALOG,
        from_date=WEDNESDAY,
        to_date=TUESDAY,
        built_at=datetime(2025, 11, 5, tzinfo=UTC),
    )
    assert not again.changed
    assert con.execute(query, [WEDNESDAY]).fetchall() == after


def test_accounts_have_verdicts_of_their_own(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    first, second, third, _ = (each.answers["100"] for each in _evenings())
    proven = _sold("175", "151", THURSDAY, "150", "175", daily_pnl=Decimal(200))
    build_day_by_day(
        con,
        tmp_path,
        evening(WEDNESDAY, {"100": first, "200": first}),
        evening(THURSDAY, {"100": proven, "200": second}),
        evening(FRIDAY, {"100": third, "200": third}),
    )
    reading = "pnl_semantics"
    assert read(con, reading, "pnl.pnl_semantics", FRIDAY, "account_id = '100'") == "since_cost"
    assert read(con, reading, "pnl.pnl_semantics", FRIDAY, "account_id = '200'") == "since_prior_close"
