"""A missed evening, recovered in the morning after it: what the books say is what the evening itself would have given,
or that it is not known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import CATALOG
from pipelines.books.adjustments import COLUMNS
from pipelines.books.as_known import open_known
from pipelines.errors import ConfigurationError
from pipelines.warehouse.published import publish_if_behind
from tests.support.desk import AAPL, Desk, desk, fill, shares

WEDNESDAY, THURSDAY, FRIDAY = date(2025, 10, 29), date(2025, 10, 30), date(2025, 10, 31)
WEDNESDAYS_CLOSE = "2025-10-29T20:30:00+00:00"
THURSDAYS_CLOSE = "2025-10-30T20:30:00+00:00"
THURSDAYS_NIGHT = "2025-10-31T07:30:00+00:00"  # 03:30 in New York
FRIDAYS_MORNING = "2025-10-31T12:30:00+00:00"  # 08:30
FRIDAYS_NOON = "2025-10-31T16:00:00+00:00"
FRIDAYS_CLOSE = "2025-10-31T20:30:00+00:00"
BOND = "b0000000-0000-4000-8000-000000000007"
OPTION = "b0000000-0000-4000-8000-000000000005"


@contextmanager
def opened(home: Path, **books: Any) -> Iterator[Desk]:
    """A desk on which account 100 held 100 shares on Wednesday's evening, and nothing has been traded."""
    given: dict[str, Any] = {
        "accounts": [100],
        "positions": {100: [shares("100", "50", cost="4000", day="2025-10-29")]},
        "instructions": {},
        "executions": {},
        "events": {},
        **books,
    }
    with desk(home, **given) as made:
        made.evening(WEDNESDAYS_CLOSE)
        yield made


def show(made: Desk, quantity: str, close: str, cost: str, day: str, *, now: str | None = None) -> None:
    """Account 100 shows so many shares, at the close of a day and at the price of the moment."""
    row = shares(quantity, now or close, cost=cost, day=day, closing_price=close)
    made.broker.positions["100"] = [row]


def trade(made: Desk, *fills: dict[str, Any]) -> None:
    made.broker.books["executions"] = {"100": list(fills)}


def position(made: Desk, columns: str, day: date = THURSDAY, instrument: str = AAPL) -> tuple[Any, ...]:
    query = f"select {columns} from pnl.position_daily where trading_date = ? and instrument_id = ?"
    (row,) = made.ask(query, day, instrument)
    return row


def day_of(made: Desk, columns: str = "status, grade, accounts_recovered", day: date = THURSDAY) -> tuple[Any, ...]:
    (row,) = made.ask(f"select {columns} from quality.day where trading_date = ?", day)
    return row


def findings(made: Desk, day: date = THURSDAY) -> list[tuple[Any, ...]]:
    names = "('recovered', 'not_recovered', 'not_rolled_back', 'recovered_without_close')"
    query = f"select check_name, severity from quality.finding where trading_date = ? and check_name in {names}"
    return made.ask(query + " order by all", day)


KNOWN = "quantity, market_value, total_pnl, position_pnl, day_pnl, quality"
BOUGHT = fill(1, "BUY", "20", "51", "2025-10-30T15:00:00Z")
SOLD_IN_THE_EVENING = fill(2, "SELL", "5", "52.5", "2025-10-30T22:00:00Z")
SOLD_IN_THE_NIGHT = fill(3, "SELL", "3", "52.75", "2025-10-31T02:00:00Z")
SOLD_IN_THE_MORNING = fill(4, "SELL", "10", "53", "2025-10-31T09:30:00Z")


def test_a_missed_evening_is_told_in_the_morning_as_the_evening_would_have_told_it(tmp_path: Path) -> None:
    with opened(tmp_path / "evening") as read:
        trade(read, BOUGHT)
        show(read, "120", "52", "5020", "2025-10-30")
        read.evening(THURSDAYS_CLOSE)
        show(read, "120", "54", "5020", "2025-10-31")
        read.evening(FRIDAYS_CLOSE)
        expected = [
            position(read, f"{KNOWN}, cost_basis, unrealized_pnl, realized_pnl", day) for day in (THURSDAY, FRIDAY)
        ]
        period = read.ask("select itd from pnl.period order by trading_date")
    with opened(tmp_path / "morning") as missed:
        trade(missed, BOUGHT)
        show(missed, "120", "52", "5020", "2025-10-30", now="53.20")
        missed.evening(FRIDAYS_MORNING)
        assert day_of(missed) == ("COMPLETE", "RECOVERED", 1)
        show(missed, "120", "54", "5020", "2025-10-31")
        missed.evening(FRIDAYS_CLOSE)
        columns = f"{KNOWN}, cost_basis, unrealized_pnl, realized_pnl"
        assert [position(missed, columns, day) for day in (THURSDAY, FRIDAY)] == expected
        assert missed.ask("select itd from pnl.period order by trading_date") == period
        assert missed.ask("select * from quality.gap") == []
        assert missed.ask("select grade from pnl.account_daily where trading_date = ?", THURSDAY) == [("RECOVERED",)]
        assert findings(missed) == [("recovered", "INFO")]
    assert expected[0][:6] == (120, 6240, 220, 200, 20, "EXACT")


def test_what_was_traded_since_the_close_is_undone_and_counts_on_the_day_after(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        trade(made, BOUGHT, SOLD_IN_THE_EVENING, SOLD_IN_THE_NIGHT, SOLD_IN_THE_MORNING)
        show(made, "102", "52", "4267", "2025-10-30", now="53")
        made.evening(FRIDAYS_MORNING)
        # 115 at the end of after-hours trading: 100 carried, 20 bought at 51, 5 sold at 52.50
        assert position(made, KNOWN) == (115, 5980, Decimal("222.5"), 200, Decimal("22.5"), "EXACT")
        assert position(made, "cost_basis, realized_pnl, flags") == (None, None, ["COST_UNKNOWN"])
        show(made, "102", "54", "4267", "2025-10-31")
        made.evening(FRIDAYS_CLOSE)
        total = 102 * 54 - 115 * 52 + 3 * Decimal("52.75") + 10 * 53
        assert position(made, "quantity_prev, quantity, total_pnl, quality", FRIDAY) == (115, 102, total, "EXACT")


@pytest.mark.parametrize(("close", "grade", "quality"), [("52", "OFFICIAL", "EXACT"), ("26", "RESTATED", "ASSUMED")])
def test_a_split_in_the_morning_is_undone(tmp_path: Path, close: str, grade: str, quality: str) -> None:
    """Whether the close of the day is told in the shares of the day or in those of the morning."""
    split = {"date": "2025-10-31", "numerator": "2", "denominator": "1"}
    grouped = {"instrument_id": AAPL, "splits": [split], "dividends": [], "earnings": [], "ipos": []}
    with opened(tmp_path, events={AAPL: grouped}) as made:
        show(made, "200", close, "4000", "2025-10-30", now="26.40")
        made.evening(FRIDAYS_MORNING)
        assert position(made, f"{KNOWN}, cost_basis, price_grade") == (100, 5200, 200, 200, 0, quality, 4000, grade)
        show(made, "200", "27", "4000", "2025-10-31")
        made.evening(FRIDAYS_CLOSE)
        assert position(made, "quantity_prev, quantity, total_pnl, quality", FRIDAY) == (100, 200, 200, quality)
        assert not made.ask("select 1 from pnl.position_daily where list_contains(flags, 'SPLIT_UNMATCHED')")


def test_a_split_that_the_morning_does_not_show_yet_is_not_undone(tmp_path: Path) -> None:
    split = {"date": "2025-10-31", "numerator": "2", "denominator": "1"}
    grouped = {"instrument_id": AAPL, "splits": [split], "dividends": [], "earnings": [], "ipos": []}
    with opened(tmp_path, events={AAPL: grouped}) as made:
        show(made, "100", "52", "4000", "2025-10-30", now="52.40")
        made.evening(FRIDAYS_MORNING)
        assert position(made, KNOWN) == (100, 5200, 200, 200, 0, "EXACT")


def test_without_a_close_of_the_day_the_value_is_unknown_and_so_is_the_accounts_total(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        show(made, "100", "50", "4000", "2025-10-29", now="52")
        made.evening(FRIDAYS_MORNING)
        assert position(made, "quantity, market_value, total_pnl, quality") == (100, None, None, "UNKNOWN")
        assert day_of(made) == ("INCOMPLETE", "RECOVERED", 1)
        assert made.ask("select total_pnl, quality from pnl.account_daily where trading_date = ?", THURSDAY) == [
            (None, "UNKNOWN")
        ]
        assert made.ask("select gross from pnl.exposure_daily where trading_date = ?", THURSDAY) == [(None,)]
        assert findings(made) == [("recovered", "INFO"), ("recovered_without_close", "WARN")]
        show(made, "100", "51", "4000", "2025-10-30", now="52")  # it comes an hour later
        made.evening("2025-10-31T13:20:00+00:00")
        assert position(made, "quantity, market_value, total_pnl, quality") == (100, 5100, 100, "EXACT")
        assert day_of(made) == ("COMPLETE", "RECOVERED", 1)


def test_the_close_of_the_same_instrument_in_another_account_will_do(tmp_path: Path) -> None:
    both = {
        100: [shares("100", "50", cost="4000", day="2025-10-29")],
        200: [shares("10", "50", cost="400", day="2025-10-29", account=200)],
    }
    with opened(tmp_path, accounts=[100, 200], positions=both) as made:
        made.broker.books["executions"] = {"100": [fill(1, "SELL", "100", "53", "2025-10-31T09:30:00Z")], "200": []}
        made.broker.positions["100"] = []  # sold before the open
        made.broker.positions["200"] = [shares("10", "52", cost="400", day="2025-10-30", account=200)]
        made.evening(FRIDAYS_MORNING)
        found = made.ask(
            "select account_id, quantity, total_pnl from pnl.position_daily where trading_date = ?", THURSDAY
        )
        assert sorted(found) == [("100", 100, 200), ("200", 10, 20)]
        assert day_of(made) == ("COMPLETE", "RECOVERED", 2)


def test_where_the_fills_are_refused_the_day_stays_a_gap_that_says_why(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        made.broker.forbidden = {("100", "executions")}
        show(made, "100", "52", "4000", "2025-10-30")
        made.evening(FRIDAYS_MORNING)
        assert made.ask("select trading_date, reason from quality.gap") == [(THURSDAY, "NO_SNAPSHOT")]
        assert day_of(made) == ("INCOMPLETE", None, 0)
        assert findings(made) == [("not_recovered", "WARN")]
        (message,) = made.ask("select message from quality.finding where check_name = 'not_recovered'")[0]
        assert "the fills since the close were not read" in message
        made.broker.forbidden = set()
        made.evening("2025-10-31T13:00:00+00:00")  # and read an hour later
        assert day_of(made) == ("COMPLETE", "RECOVERED", 1)
        assert findings(made) == [("recovered", "INFO")]


def test_fills_that_are_read_in_the_evening_recover_the_morning_before(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        made.broker.forbidden = {("100", "executions")}
        show(made, "100", "52", "4000", "2025-10-30")
        made.evening(FRIDAYS_MORNING)
        made.broker.forbidden = set()
        show(made, "100", "54", "4000", "2025-10-31")
        made.evening(FRIDAYS_CLOSE)
        assert [position(made, "total_pnl, quality", day) for day in (THURSDAY, FRIDAY)] == [
            (200, "EXACT"),
            (200, "EXACT"),
        ]
        assert made.ask("select * from quality.gap") == []


def test_an_account_that_can_not_be_read_keeps_its_gap_and_the_other_is_recovered(tmp_path: Path) -> None:
    both = {
        100: [shares("100", "50", cost="4000", day="2025-10-29")],
        200: [shares("10", "50", cost="400", day="2025-10-29", account=200)],
    }
    with opened(tmp_path, accounts=[100, 200], positions=both) as made:
        made.broker.forbidden = {("200", "positions")}
        show(made, "100", "52", "4000", "2025-10-30")
        made.evening(FRIDAYS_MORNING)
        assert made.ask("select account_id, reason from quality.gap where trading_date = ?", THURSDAY) == [
            ("200", "NO_SNAPSHOT")
        ]
        assert day_of(made, "status, grade, accounts_known, accounts_recovered") == ("INCOMPLETE", "RECOVERED", 1, 1)
        assert position(made, KNOWN) == (100, 5200, 200, 200, 0, "EXACT")


def test_only_the_account_whose_evening_failed_is_recovered(tmp_path: Path) -> None:
    both = {
        100: [shares("100", "50", cost="4000", day="2025-10-29")],
        200: [shares("10", "50", cost="400", day="2025-10-29", account=200)],
    }
    with opened(tmp_path, accounts=[100, 200], positions=both) as made:
        made.broker.forbidden = {("200", "positions")}
        show(made, "100", "52", "4000", "2025-10-30")
        made.evening(THURSDAYS_CLOSE)
        made.broker.forbidden = set()
        made.broker.positions["200"] = [shares("10", "52", cost="400", day="2025-10-30", account=200)]
        made.evening(FRIDAYS_MORNING)
        assert made.ask(
            "select account_id, grade from core.account_eod where trading_date = ? order by all", THURSDAY
        ) == [
            ("100", "POST_CLOSE"),
            ("200", "RECOVERED"),
        ]
        assert day_of(made) == ("COMPLETE", "RECOVERED", 1)


def test_a_real_end_of_day_wins_whenever_it_comes(tmp_path: Path) -> None:
    """What an archive brings is landed after the morning that stood in."""
    with opened(tmp_path) as made:
        show(made, "100", "52", "4000", "2025-10-30", now="53")
        made.evening(FRIDAYS_MORNING)
        assert day_of(made) == ("COMPLETE", "RECOVERED", 1)
        show(made, "100", "52.10", "4000", "2025-10-30")
        made.evening(THURSDAYS_CLOSE)
        assert day_of(made) == ("COMPLETE", "POST_CLOSE", 0)
        assert position(made, "market_value, total_pnl, quality") == (5210, 210, "EXACT")
        assert findings(made) == []
        versions = made.ask(
            "select grade, reason from pnl.account_daily_version where trading_date = ? order by version", THURSDAY
        )
        assert versions == [("RECOVERED", None), ("POST_CLOSE", "LATE_SNAPSHOT")]


def test_a_night_that_was_read_needs_no_morning(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        show(made, "100", "52", "4000", "2025-10-30")
        made.evening(THURSDAYS_NIGHT)
        made.evening(FRIDAYS_MORNING)
        assert day_of(made) == ("COMPLETE", "LATE", 0)


def test_a_snapshot_taken_while_the_market_is_open_stands_in_and_says_so(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        trade(made, SOLD_IN_THE_MORNING, fill(5, "BUY", "7", "53.5", "2025-10-31T15:00:00Z"))
        show(made, "97", "52", "3900", "2025-10-30", now="54")
        made.evening(FRIDAYS_NOON)
        assert position(made, KNOWN) == (100, 5200, 200, 200, 0, "EXACT")
        assert findings(made) == [("recovered", "WARN")]
        assert made.ask("select recovered_from from core.account_eod where trading_date = ?", THURSDAY) == [
            ("INTRADAY",)
        ]


def test_before_the_open_is_better_than_after_it(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        show(made, "100", "52", "4000", "2025-10-30", now="54")
        made.evening(FRIDAYS_NOON)
        made.evening(FRIDAYS_MORNING)
        assert made.ask("select recovered_from from core.account_eod where trading_date = ?", THURSDAY) == [
            ("PRE_OPEN",)
        ]


def test_after_the_next_close_nothing_is_recovered_any_more(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        show(made, "100", "54", "4000", "2025-10-31")
        made.evening(FRIDAYS_CLOSE)
        assert made.ask("select trading_date, reason, covered_by_date from quality.gap") == [
            (THURSDAY, "NO_SNAPSHOT", FRIDAY)
        ]
        assert position(made, "days_covered, total_pnl", FRIDAY) == (2, 400)


def test_a_fridays_evening_is_recovered_on_monday(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        show(made, "100", "52", "4000", "2025-10-30")
        made.evening(THURSDAYS_CLOSE)
        trade(made, fill(1, "SELL", "10", "55", "2025-11-03T10:00:00Z"))
        show(made, "90", "54", "3600", "2025-10-31", now="55")
        made.evening("2025-11-03T13:30:00+00:00")
        assert position(made, KNOWN, FRIDAY) == (100, 5400, 200, 200, 0, "EXACT")
        assert day_of(made, day=FRIDAY) == ("COMPLETE", "RECOVERED", 1)


def test_two_evenings_missed_in_a_row_are_two_recovered_days(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        trade(made, BOUGHT, SOLD_IN_THE_MORNING)
        show(made, "110", "52", "4500", "2025-10-30", now="53")
        made.evening(FRIDAYS_MORNING)
        show(made, "110", "54", "4500", "2025-10-31", now="55")
        made.evening("2025-11-03T13:30:00+00:00")
        assert [position(made, "quantity, total_pnl, quality", day) for day in (THURSDAY, FRIDAY)] == [
            (120, 220, "EXACT"),
            (110, 110 * 54 - 120 * 52 + 530, "EXACT"),
        ]


def test_a_move_that_no_fill_explains_makes_the_position_unknown_on_both_days(tmp_path: Path) -> None:
    """It may have come before the close or in the night: both days have two answers."""
    with opened(tmp_path) as made:
        show(made, "130", "52", "5500", "2025-10-30")
        made.evening(FRIDAYS_MORNING)
        assert position(made, "quantity, market_value, total_pnl, quality") == (None, None, None, "UNKNOWN")
        assert "NOT_ROLLED_BACK" in position(made, "flags")[0]
        assert day_of(made) == ("INCOMPLETE", "RECOVERED", 1)
        assert findings(made) == [("not_rolled_back", "WARN"), ("recovered", "INFO")]
        show(made, "130", "54", "5500", "2025-10-31")
        made.evening(FRIDAYS_CLOSE)
        assert position(made, "quantity, total_pnl", FRIDAY) == (130, None)
        (message,) = made.ask("select message from quality.finding where check_name = 'not_rolled_back'")[0]
        line = f"2025-10-30,100,TRANSFER,{AAPL},,30,,VALUE,COST,,"
        assert line in message
        for name, number in {"VALUE": "1560", "COST": "1500"}.items():
            line = line.replace(name, number)
        (made.settings.home / "adjustments.csv").write_text(f"{','.join(COLUMNS)}\n{line}\n")
        made.build()
        assert [position(made, "quantity, total_pnl, quality", day) for day in (THURSDAY, FRIDAY)] == [
            (130, 200, "EXACT"),
            (130, 260, "EXACT"),
        ]


def test_an_option_that_expired_on_the_day_and_was_gone_in_the_morning_is_unknown(tmp_path: Path) -> None:
    option = shares(
        "2", "3", cost="500", day="2025-10-29", instrument_id=OPTION, symbol="AAPL  251030C00050000",
        instrument_type="OPTION", market_value="600", unrealized_pnl="100",
    )  # fmt: skip
    held = {100: [shares("100", "50", cost="4000", day="2025-10-29"), option]}
    with opened(tmp_path, positions=held) as made:
        show(made, "100", "52", "4000", "2025-10-30")
        made.evening(FRIDAYS_MORNING)
        assert position(made, "quantity, total_pnl, quality", instrument=OPTION) == (None, None, "UNKNOWN")
        assert position(made, "quantity, total_pnl, quality") == (100, 200, "EXACT")
        assert made.ask("select total_pnl from pnl.account_daily where trading_date = ?", THURSDAY) == [(None,)]
        (message,) = made.ask("select message from quality.finding where check_name = 'not_rolled_back'")[0]
        assert "expired on this day" in message


def test_prices_in_per_cent_keep_their_unit(tmp_path: Path) -> None:
    def bond(close: str, day: str, value: str) -> dict[str, Any]:
        return shares(
            "20000", close, cost="19410", day=day, instrument_id=BOND, symbol="BOND",
            instrument_type="BOND", market_value=value, avg_price="97.05", unrealized_pnl=str(Decimal(value) - 19410),
        )  # fmt: skip

    with opened(tmp_path, positions={100: [bond("97.05", "2025-10-29", "19410")]}) as made:
        made.broker.positions["100"] = [bond("98", "2025-10-30", "19600")]
        made.evening(FRIDAYS_MORNING)
        assert position(made, "market_value, total_pnl, multiplier", instrument=BOND) == (19600, 190, Decimal("0.01"))


def test_a_flat_account_is_recovered_flat(tmp_path: Path) -> None:
    with opened(tmp_path, positions={100: []}) as made:
        made.evening(FRIDAYS_MORNING)
        assert day_of(made) == ("COMPLETE", "RECOVERED", 1)
        assert made.ask("select total_pnl, quality from pnl.account_daily where trading_date = ?", THURSDAY) == [
            (0, "EXACT")
        ]


def test_the_morning_of_the_first_day_recovers_nothing(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}, executions={}) as made:
        made.evening(FRIDAYS_MORNING)
        assert made.ask("select * from quality.day") == []


def test_daily_figures_of_the_morning_are_not_used(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        row = shares("100", "52", cost="4000", day="2025-10-30", daily_realized_pnl="7", daily_unrealized_pnl="9")
        made.broker.positions["100"] = [row]
        made.evening(FRIDAYS_MORNING)
        assert position(made, "total_pnl, total_source, reported_total") == (200, "EXECUTIONS", None)
        assert made.ask("select daily_fields_run_id from core.account_eod where trading_date = ?", THURSDAY) == [
            (None,)
        ]


def test_a_rebuild_says_the_same(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        trade(made, BOUGHT, SOLD_IN_THE_MORNING)
        show(made, "110", "52", "4500", "2025-10-30", now="53")
        made.evening(FRIDAYS_MORNING)
        assert not made.build().changed
        assert not made.build(from_date=WEDNESDAY, to_date=FRIDAY).changed


def test_the_day_as_known_before_and_after_it_was_recovered(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        show(made, "100", "52", "4000", "2025-10-30")
        made.evening(FRIDAYS_MORNING)
        show(made, "100", "52.10", "4000", "2025-10-30")
        made.evening(THURSDAYS_CLOSE)
        publish_if_behind(made.con, made.settings)
        path = made.settings.published

        def known(at: datetime | None) -> tuple[Any, ...]:
            with open_known(CATALOG, path, THURSDAY, at, ()) as books:
                (row,) = books.con.execute(
                    "select grade, accounts_recovered, status from quality.day where trading_date = ?", [THURSDAY]
                ).fetchall()
                (total,) = books.con.execute(
                    "select total_pnl from pnl.account_daily where trading_date = ?", [THURSDAY]
                ).fetchall()
            return (*row, *total)

        assert known(None) == ("POST_CLOSE", 0, "COMPLETE", 210)
        with pytest.raises(ConfigurationError, match="Nothing was known of 2025-10-30"):
            known(datetime(2025, 10, 30, 12, tzinfo=UTC))


def test_before_the_archive_came_the_recovered_day_is_what_was_known(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        show(made, "100", "52", "4000", "2025-10-30")
        made.evening(FRIDAYS_MORNING)
        publish_if_behind(made.con, made.settings)
        before = open_known(CATALOG, made.settings.published, THURSDAY, datetime(2025, 10, 31, 12, tzinfo=UTC), ())
        with pytest.raises(ConfigurationError, match="Nothing was known of 2025-10-30"), before:
            pass
        with open_known(CATALOG, made.settings.published, None, None, ()) as books:
            assert books.day == THURSDAY
            assert books.con.execute("select grade from quality.day where trading_date = ?", [THURSDAY]).fetchall() == [
                ("RECOVERED",)
            ]
