"""What the books say of themselves where a select of theirs is wrong: the day is BROKEN, and the invariant is named."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.books.catalog import Catalog
from pipelines.books.locks import lock_period
from tests.support.evenings import (
    FRIDAY,
    MONDAY,
    OPTION,
    STOCK,
    THURSDAY,
    TUESDAY,
    answer,
    evening,
    fill,
    held,
    segment,
)
from tests.support.facts import Book, Contract, Evening
from tests.support.landing import land, settings_of

SATURDAY = date(2025, 11, 1)
CALL = Contract(OPTION, "XYZ   251031C00060000", STOCK, "CALL", Decimal(60), FRIDAY, Decimal(100))
LAPSING = {
    "instrument_id": OPTION, "symbol": CALL.symbol, "instrument_type": "OPTION", "unit": "100",
    "underlying_instrument_id": STOCK,
}  # fmt: skip


def _told() -> list[Evening]:
    """Shares of which some are sold on Friday, and a call that is worth nothing by Monday."""
    contract: dict[str, Any] = {"contracts": (CALL,)}
    equity = (segment(FRIDAY, "10", "90", "10000", "10100"), segment(MONDAY, "0", "90", "10100", "10190"))
    sold = fill("f1", "-10", "51", FRIDAY)
    calls = [held("1", "1", "100", THURSDAY, **LAPSING), held("1", "0.5", "100", FRIDAY, **LAPSING)]
    return [
        evening(THURSDAY, answer([held("100", "50", "5000", THURSDAY), calls[0]]), **contract),
        evening(FRIDAY, answer([held("90", "51", "4500", FRIDAY), calls[1]], [sold], history=equity[:1]), **contract),
        evening(MONDAY, answer([held("90", "52", "4500", MONDAY)], [sold], history=equity), **contract),
    ]


def _wrong(name: str, select: str, folder: Path) -> Catalog:
    """The catalogue with another select over the rows of a table, which it calls `right_rows`."""
    table = CATALOG[name]
    path = folder / table.path.name
    path.write_text(f"with right_rows as ({table.text}\n)\n\n{select}")
    if table.kind == "versions":
        shutil.copytree(table.path.parent / "reason", folder / "reason")
    changed = (replace(each, path=path) if each is table else each for each in CATALOG.tables)
    return replace(CATALOG, tables=tuple(changed))


def _build(con: duckdb.DuckDBPyConnection, home: Path, catalog: Catalog, *evenings: Evening) -> None:
    for each in evenings:
        land(con, each)
    build(con, settings_of(Book(()), home), catalog, built_at=evenings[-1].at)


def _failed(con: duckdb.DuckDBPyConnection, day: date) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    """The invariants that do not hold on a day, each with the figure and what it should be."""
    query = """
        select check_name, try_cast(value as decimal(28, 10)), try_cast(expected as decimal(28, 10))
        from quality.finding where severity = 'FAIL' and trading_date = ?
    """
    return {name: (value, expected) for name, value, expected in con.execute(query, [day]).fetchall()}


def _status(con: duckdb.DuckDBPyConnection) -> dict[date, str]:
    return dict(con.execute("select trading_date, status from quality.day").fetchall())


def test_where_every_select_is_right_no_invariant_has_anything_to_say(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _build(con, tmp_path, CATALOG, *_told())
    assert _status(con) == dict.fromkeys((THURSDAY, FRIDAY, MONDAY), "COMPLETE")


ON_FRIDAY = "right_rows.trading_date = date '2025-10-31' and instrument_type <> 'OPTION'"


@pytest.mark.parametrize(
    ("table", "select", "failed"),
    [
        (
            "pnl.position_daily",
            f"select * replace (total_pnl + if({ON_FRIDAY}, 1, 0) as total_pnl) from right_rows",
            {
                "total_is_realized_plus_unrealized": (101, 100),
                "total_is_position_plus_day": (101, 100),
                "total_telescopes": (101, 100),
            },
        ),
        (
            "pnl.position_daily",
            f"select * replace (day_pnl + if({ON_FRIDAY}, 1, 0) as day_pnl) from right_rows",
            {"total_is_position_plus_day": (100, 101)},
        ),
        (
            "pnl.account_daily",
            "select * replace (total_pnl + 1 as total_pnl) from right_rows",
            {"positions_sum_to_account": (51, 50)},
        ),
        (
            "pnl.account_daily",
            "select * replace (eod_equity + 1 as eod_equity) from right_rows",
            {"equity_rolls_forward": (101, 100)},
        ),
        (
            "pnl.exposure_daily",
            "select * replace (net + 1 as net) from right_rows",
            {"exposure_adds_up": (4641, 4640)},
        ),
        (
            "pnl.exposure_daily",
            "select * replace (gross - 1 as gross) from right_rows",
            {"exposure_adds_up": (4640, 4640)},
        ),
        (
            "core.expected_day",
            "select * from right_rows where trading_date <> date '2025-10-31'",
            {"day_was_expected": (None, None)},
        ),
    ],
)
def test_a_select_that_is_wrong_breaks_the_day(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, table: str, select: str, failed: dict[str, Any]
) -> None:
    _build(con, tmp_path, _wrong(table, select, tmp_path), *_told())
    found = _failed(con, FRIDAY)
    found.pop("period_sums_days", None)
    assert found == failed
    assert _status(con).get(FRIDAY, "BROKEN") == "BROKEN"


@pytest.mark.parametrize(
    ("table", "select", "day", "failed"),
    [
        (
            "core.position_eod",
            "from right_rows union all from right_rows where trading_date = date '2025-10-31' and quantity = 90",
            FRIDAY,
            "rows_landed_once",
        ),
        (
            "core.account_eod",
            "select * replace (if(trading_date = date '2025-10-31', date '2025-11-01', trading_date) as trading_date)"
            " from right_rows",
            SATURDAY,
            "day_is_a_session",
        ),
        (
            "core.lifecycle_event",
            "select * replace (contracts + 1 as contracts) from right_rows",
            MONDAY,
            "event_moves_what_is_held",
        ),
    ],
)
def test_a_select_that_is_wrong_from_the_beginning_is_told(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, table: str, select: str, day: date, failed: str
) -> None:
    _build(con, tmp_path, _wrong(table, select, tmp_path), *_told())
    assert failed in _failed(con, day)


def test_a_period_that_is_not_the_sum_of_its_days_is_told_until_it_is_closed(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    select = "select * replace (itd + if(trading_date = date '2025-11-03', 1, 0) as itd) from right_rows"
    wrong = _wrong("pnl.period", select, tmp_path)
    _build(con, tmp_path, wrong, *_told())
    assert _failed(con, MONDAY) == {"period_sums_days": (91, 90)}
    lock_period(con, MONDAY, at=_told()[-1].at)
    build(con, settings_of(Book(()), tmp_path), wrong, from_date=FRIDAY, to_date=MONDAY)
    assert _failed(con, MONDAY) == {}


def test_the_periods_of_each_account_are_proven_in_turn_one_an_evening(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    wrong = _wrong("pnl.period", "select * replace (itd * 2 as itd) from right_rows", tmp_path)
    days = [THURSDAY, FRIDAY, MONDAY, TUESDAY, date(2025, 11, 5)]
    for number, day in enumerate(days):
        gained = answer([held("100", str(50 + number), "5000", day)])
        run = evening(day, {"100": gained, "200": gained})
        land(con, run)
        build(con, settings_of(Book(()), tmp_path), wrong, built_at=run.at)
    query = "select account_id from quality.finding where check_name = 'period_sums_days' order by trading_date"
    proven = [account for (account,) in con.execute(query).fetchall()]
    assert proven in (["100", "200", "100"], ["200", "100", "200"])


def test_a_mark_that_is_corrected_and_makes_pnl_is_told(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _build(con, tmp_path, CATALOG, *_marked("50", THURSDAY), *_marked("51", FRIDAY), *_marked("52", MONDAY))
    (late,) = _marked("51.4", FRIDAY)
    run_id = land(con, replace(late, at=datetime(2025, 11, 1, 15, tzinfo=UTC)))
    learnt = datetime(2025, 11, 4, 9, tzinfo=UTC)
    con.execute("update raw.extract_run set finished_at = ? where run_id = ?", [learnt, run_id])
    one_more = "if(trading_date = date '2025-11-03', 1, 0)"
    select = (
        f"select * replace (total_pnl + {one_more} as total_pnl, unrealized_change + {one_more} as unrealized_change)"
    )
    wrong = _wrong("pnl.position_daily", f"{select} from right_rows", tmp_path)
    build(con, settings_of(Book(()), tmp_path), wrong, built_at=learnt)
    assert _failed(con, FRIDAY) == {"restated_mark_makes_no_pnl": (40, 39)}


def _marked(price: str, day: date) -> list[Evening]:
    return [evening(day, answer([held("100", price, "5000", day)]))]
