"""quality.finding: each check speaks of what it is about, and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.books.catalog import select_of
from pipelines.books.locks import lock_period
from pipelines.report.content import QUESTIONS
from tests.support.evenings import (
    BOND,
    CALENDAR,
    FRIDAY,
    MONDAY,
    OPTION,
    STOCK,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    answer,
    build_day_by_day,
    evening,
    fill,
    held,
    read,
    segment,
)
from tests.support.facts import Adjustment, Book, Evening, Event
from tests.support.landing import land, settings_of

Told = tuple[str, str, str | None, str | None]


def _findings(con: duckdb.DuckDBPyConnection, day: date) -> list[Told]:
    """What a day has to say, but for evidence that the broker does not give here."""
    query = """
        select check_name, severity, value, expected
        from quality.finding where trading_date = ? and check_name <> 'fetch_failed' order by all
    """
    return [(*told, _short(value), _short(expected)) for *told, value, expected in con.execute(query, [day]).fetchall()]


def _short(text: str | None) -> str | None:
    """A number without the zeros at its end."""
    return text.rstrip("0").rstrip(".") if text and "." in text else text


def _build(con: duckdb.DuckDBPyConnection, home: Path, *evenings: Evening, said: tuple[Adjustment, ...] = ()) -> None:
    settings = settings_of(Book(evenings, said), home)
    for each in evenings:
        land(con, each)
        build(con, settings, CATALOG, built_at=each.at)


def _shares(day: date, quantity: str = "100", price: str = "50", **changes: Any) -> Any:
    return held(quantity, price, str(Decimal(quantity) * 40), day, **changes)


def test_a_day_on_which_nothing_is_odd_has_nothing_to_say(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    bought = fill("f1", "10", "49", FRIDAY)
    evenings = [
        evening(THURSDAY, answer([_shares(THURSDAY)])),
        evening(
            FRIDAY,
            answer(
                [replace(_shares(FRIDAY, "110", "51"), cost_basis=Decimal(4490), unrealized_pnl=Decimal(1120))],
                [bought],
            ),
        ),
        evening(
            MONDAY,
            answer(
                [replace(_shares(MONDAY, "110", "49"), cost_basis=Decimal(4490), unrealized_pnl=Decimal(900))], [bought]
            ),
        ),
    ]
    _build(con, tmp_path, *evenings)
    assert [_findings(con, day) for day in (THURSDAY, FRIDAY, MONDAY)] == [[], [], []]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"closing_price_date": WEDNESDAY}, [("stale_price", "WARN", "2025-10-29", "2025-10-30")]),
        ({"unrealized_pnl": Decimal("1000.02")}, [("value_minus_cost_vs_unrealized", "WARN", "1000", "1000.02")]),
        ({"unrealized_pnl": Decimal("999.98")}, [("value_minus_cost_vs_unrealized", "WARN", "1000", "999.98")]),
        ({"unrealized_pnl": Decimal("1000.01")}, []),
        ({"avg_price": Decimal("40.005")}, []),  # rounded: half a cent a share
        ({"avg_price": Decimal("40.006")}, [("cost_vs_quantity_times_average", "WARN", "4000", "4000.6")]),
        ({"avg_price": Decimal("39.994")}, [("cost_vs_quantity_times_average", "WARN", "4000", "3999.4")]),
        ({"daily_realized_pnl": Decimal(0)}, [("daily_fields_half", "WARN", "0", None)]),
        ({"daily_realized_pnl": Decimal(0), "daily_unrealized_pnl": Decimal(0)}, []),
        ({"cost_basis": None, "unrealized_pnl": None}, [("cost_basis_missing", "WARN", None, None)]),
        ({"instrument_type": "CASH", "closing_price_date": WEDNESDAY}, []),
    ],
)
def test_a_row_that_contradicts_itself_is_told(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, changes: dict[str, Any], told: list[Told]
) -> None:
    _build(con, tmp_path, evening(THURSDAY, answer([replace(_shares(THURSDAY), **changes)])))
    assert _findings(con, THURSDAY) == told


@pytest.mark.parametrize(("average", "is_told"), [("40.01", False), ("40.011", True)])
def test_a_cent_is_no_contradiction_however_little_is_held(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, average: str, is_told: bool
) -> None:
    _build(con, tmp_path, evening(THURSDAY, answer([_shares(THURSDAY, "1", avg_price=Decimal(average))])))
    assert [name for name, *_ in _findings(con, THURSDAY)] == ["cost_vs_quantity_times_average"] * is_told


def test_a_day_is_told_of_once_however_many_days_are_built_after_it(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    odd = {"closing_price_date": WEDNESDAY}
    _build(
        con,
        tmp_path,
        evening(THURSDAY, answer([replace(_shares(THURSDAY), **odd)])),
        evening(FRIDAY, answer([_shares(FRIDAY)])),
    )
    assert [name for name, *_ in _findings(con, THURSDAY)] == ["stale_price"]
    assert _findings(con, FRIDAY) == []


def test_closing_prices_of_different_days_in_one_listing_are_told_from_the_first_to_the_last(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    other = _shares(THURSDAY, instrument_id=OPTION, symbol="ABC", closing_price_date=WEDNESDAY)
    _build(con, tmp_path, evening(THURSDAY, answer([_shares(THURSDAY), other])))
    assert ("mixed_closing_dates", "WARN", "2025-10-29", "2025-10-30") in _findings(con, THURSDAY)


@pytest.mark.parametrize(
    ("reported", "told"),
    [
        ("100", []),
        ("100.01", []),
        ("100.02", [("daily_unrealized_vs_change", "WARN", "100.02", "100")]),
        ("99.98", [("daily_unrealized_vs_change", "WARN", "99.98", "100")]),
    ],
)
def test_a_daily_figure_that_is_not_the_change_is_told_in_either_direction(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, reported: str, told: list[Told]
) -> None:
    daily = {"daily_realized_pnl": Decimal(0), "daily_unrealized_pnl": Decimal(reported)}
    _build(
        con,
        tmp_path,
        evening(THURSDAY, answer([_shares(THURSDAY)])),
        evening(FRIDAY, answer([replace(_shares(FRIDAY, price="51"), **daily)])),
    )
    assert _findings(con, FRIDAY) == told


@pytest.mark.parametrize(
    ("price", "told"), [("37.5", []), ("37.4", ["price_move"]), ("62.5", []), ("62.6", ["price_move"])]
)
def test_a_price_that_moves_by_more_than_a_quarter_is_told(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, price: str, told: list[str]
) -> None:
    days = [evening(THURSDAY, answer([_shares(THURSDAY)])), evening(FRIDAY, answer([_shares(FRIDAY, price=price)]))]
    _build(con, tmp_path, *days)
    assert [name for name, *_ in _findings(con, FRIDAY)] == told


@pytest.mark.parametrize(
    ("sign", "told"),
    [(1, []), (-1, [("adjustment_wrong_sign", "WARN", "-10", "10")])],
)
def test_an_adjustment_with_the_sign_turned_round_is_told_and_a_right_one_is_not(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, sign: int, told: list[Told]
) -> None:
    quantity, value, cost = (sign * Decimal(each) for each in (10, 500, 400))
    line = Adjustment(FRIDAY, "100", "TRANSFER", STOCK, quantity=quantity, value=value, cost_basis=cost)
    days = [evening(THURSDAY, answer([_shares(THURSDAY)])), evening(FRIDAY, answer([_shares(FRIDAY, "110")]))]
    _build(con, tmp_path, *days, said=(line,))
    assert [each for each in _findings(con, FRIDAY) if each[0].startswith("adjustment")] == told


@pytest.mark.parametrize(("skew", "told"), [(120_000, []), (120_001, ["clock_skew"]), (-120_001, ["clock_skew"])])
def test_a_clock_that_is_two_minutes_ahead_or_behind_is_told(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, skew: int, told: list[str]
) -> None:
    land(con, evening(THURSDAY, answer([_shares(THURSDAY)])))
    con.execute("update raw.extract_run set is_loopback = false, clock_skew_ms = ?", [skew])
    build(con, settings_of(Book(()), tmp_path), CATALOG)
    assert [name for name, *_ in _findings(con, THURSDAY)] == told


@pytest.mark.parametrize(("change", "is_told"), [("2000", False), ("2001", True), ("-2000", False), ("-2001", True)])
def test_a_gain_or_a_loss_twenty_times_the_usual_is_told(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, change: str, is_told: bool
) -> None:
    sessions = [each.date for each in CALENDAR.sessions(THURSDAY, THURSDAY + timedelta(days=18))][:12]
    value, days = Decimal(10000), []
    for number, day in enumerate(sessions):
        value += Decimal(change) if number == len(sessions) - 1 else 100 * (-1) ** number
        days.append(evening(day, answer([_shares(day, price=str(value / 100))])))
    for each in days:
        land(con, each)
    build(con, settings_of(Book(()), tmp_path), CATALOG)
    told = [name for name, *_ in _findings(con, sessions[-1])]
    assert told == ["unusual_pnl"] * is_told


def test_days_that_nobody_read_are_covered_by_the_next_one_that_is_known(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    days = [evening(day, answer([_shares(day)])) for day in (WEDNESDAY, FRIDAY, TUESDAY)]
    build_day_by_day(con, tmp_path, *days)
    found = con.execute("select trading_date, covered_by_date from quality.gap order by all").fetchall()
    assert found == [(THURSDAY, FRIDAY), (MONDAY, TUESDAY)]


def test_a_flat_account_is_reconciled_too(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _build(con, tmp_path, evening(THURSDAY, answer(history=(segment(THURSDAY, "0", "0", "1000", "1000"),))))
    of_net = "check_name = 'eod_minus_sod_vs_net'"
    assert read(con, "status, difference", "quality.reconciliation", THURSDAY, of_net) == ("OK", 0)


def test_what_income_fees_and_flows_explain_is_no_difference_and_what_is_left_says_what_to_do(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    fees, much, interest, flow, lost = "12345"

    def day(at: date, **net: str) -> Evening:
        # of 10,000 of equity and nothing traded, fees of up to 10 are no surprise
        answers = {}
        for account in (fees, much, interest, flow, lost):
            made = Decimal(net.get(f"a{account}", "0"))
            told = replace(segment(at, "0", "0", "10000", str(10000 + made)), net=made)
            answers[account] = answer(history=(told,), daily_pnl=Decimal(0))
        return evening(at, answers)

    for each in (day(WEDNESDAY), day(THURSDAY, a1="-9", a2="-11", a3="3")):
        land(con, each)
    # 500 came in, which the balances of the one account show and those of the other don't
    came_in = "update raw.portfolio_history set eod_equity = 10500 where account_id in ($1, $2) and date = $3"
    con.execute(came_in, [flow, lost, THURSDAY])
    con.execute("update raw.balances set equity = 10000")
    shown = "update raw.balances set equity = 10500 where account_id = $1 and run_id > '20251030'"
    con.execute(shown, [flow])
    build(con, settings_of(Book(()), tmp_path), CATALOG)
    query = """
        select check_name, account_id, difference, message from quality.reconciliation
        where trading_date = ? and status = 'WARN' and check_name like '%_vs_net' order by all
    """
    found = con.execute(query, [THURSDAY]).fetchall()
    assert [(name, account, difference) for name, account, difference, _ in found] == [
        ("eod_minus_sod_vs_net", lost, 500),
        ("realized_plus_unrealized_vs_net", much, 11),
        ("realized_plus_unrealized_vs_net", interest, -3),
    ]
    assert [message[:21] for *_, message in found] == ["look in the statement"] * 3


def test_what_came_and_went_within_a_day_has_the_type_of_its_order_else_of_its_name(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    fills = [
        *(fill("f1", "10", "50", THURSDAY), fill("f2", "-10", "51", THURSDAY)),
        *(fill(name, each, "100", THURSDAY, instrument_id=BOND) for name, each in (("f3", "5"), ("f4", "-5"))),
    ]
    for each in (evening(WEDNESDAY, answer()), evening(THURSDAY, answer((), fills))):
        land(con, each)
    names = "update raw.executions set symbol = case instrument_id when $1 then 'XYZ' else 'US TREASURY 4 2030' end"
    con.execute(names, [STOCK])
    con.execute(
        "insert into raw.orders (run_id, account_id, id, instrument_id, instrument_type) "
        "select run_id, account_id, 'o', $1, 'BOND' from raw.executions limit 1",
        [BOND],
    )
    build(con, settings_of(Book(()), tmp_path), CATALOG)
    query = "select symbol, instrument_type, status from pnl.position_daily where trading_date = ? order by all"
    assert con.execute(query, [THURSDAY]).fetchall() == [
        ("US TREASURY 4 2030", "BOND", "INTRADAY_ROUND_TRIP"),
        ("XYZ", "COMMON_STOCK", "INTRADAY_ROUND_TRIP"),
    ]
    assert read(con, "total_pnl", "pnl.group_daily", THURSDAY, "value = 'COMMON_STOCK'") == 10


def test_the_events_of_a_day_are_what_happened_beside_its_trading(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    first = answer([_shares(WEDNESDAY)], history=(segment(WEDNESDAY, "0", "0", "10000", "10000"),))
    split = held("200", "25", "4000", THURSDAY)
    second = answer([split], history=(replace(segment(THURSDAY, "0", "0", "10000", "9000"), net=Decimal(0)),))
    told = (Event(STOCK, THURSDAY, ratio=Decimal(2)), Event(STOCK, THURSDAY, amount=Decimal("0.5")))
    _build(con, tmp_path, evening(WEDNESDAY, first), evening(THURSDAY, second, events=told))
    question = select_of(QUESTIONS / "events.sql")
    rows = con.execute(question, {"first_date": WEDNESDAY, "day": THURSDAY}).fetchall()
    assert [(day, event, symbol, cash) for day, _, event, symbol, _, cash, _ in rows] == [
        (THURSDAY, "dividend", "XYZ", 100),
        (THURSDAY, "split", "XYZ", 0),
        (THURSDAY, "withdrawal", None, -1000),
    ]
    assert [row[-1] for row in rows][1] == "2:1"


def test_a_closed_day_that_changes_is_told_of_the_account_that_was_closed_alone(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    def day(at: date, *fills: Any) -> Evening:
        return evening(at, {each: answer([_shares(at)], fills) for each in ("100", "200")})

    _build(con, tmp_path, day(WEDNESDAY), day(THURSDAY))
    lock_period(con, THURSDAY, "100", at=CALENDAR.session(THURSDAY).close + timedelta(hours=1))
    late = [fill("f1", "10", "49", THURSDAY), fill("f2", "-10", "51", THURSDAY)]
    _build(con, tmp_path, day(FRIDAY, *late))
    query = "select account_id, value from quality.finding where check_name = 'closed_day_changed'"
    assert [(account, Decimal(value)) for account, value in con.execute(query).fetchall()] == [("100", 20)]


def test_a_field_that_one_row_alone_had_is_drift(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    land(con, evening(THURSDAY, answer([_shares(THURSDAY)])))
    seen = '{"fields": ["symbol"], "unknown_fields": {"colour": 1}, "unknown_enums": {}}'
    con.execute("update raw.extract_manifest set fields_seen = ? where endpoint = 'positions'", [seen])
    build(con, settings_of(Book(()), tmp_path), CATALOG)
    assert con.execute("select kind, name, row_count from quality.drift").fetchall() == [("UNKNOWN_FIELD", "colour", 1)]
