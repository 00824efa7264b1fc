"""What becomes known later, or is said by people: which day it restates, with which reason, and what stays as said."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.books.locks import lock_period
from pipelines.errors import ConfigurationError, NotPublished
from tests.support.desk import AAPL, FRIDAY, HELD, MONDAY, SATURDAY, THURSDAY, desk, fill, hold, shares, totals

pytestmark = pytest.mark.heavy  # evenings, one after the other


def test_a_fill_that_arrives_late_restates_its_day_and_keeps_what_was_said(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}, executions={100: []}) as d:
        d.evening(THURSDAY)
        hold(d, "50", "151.00", "7250.00", "2025-10-31")
        d.evening(FRIDAY)
        assert d.ask("select total_pnl, flags from pnl.position_daily where trading_date = '2025-10-31'") == [
            (None, ["UNEXPLAINED_QUANTITY", "REALIZED_UNKNOWN"])
        ]
        book = d.broker.books["executions"]
        assert book is not None
        book["100"] = [fill(1, "SELL", "50", "151.20", "2025-10-31T19:00:00Z")]
        d.evening(SATURDAY)
        assert d.ask(
            "select total_pnl, version, reason, known_from from pnl.position_daily where trading_date = '2025-10-31'"
        ) == [(Decimal("60.00"), 2, "EXECUTION_LATE", datetime(2025, 11, 1, 15, tzinfo=UTC))]
        assert d.ask(
            """
            select total_pnl from pnl.position_daily_as_known('2025-10-31 22:00:00+00')
            where trading_date = '2025-10-31'
            """
        ) == [(None,)]


def test_a_day_that_nobody_fetched_is_a_gap_and_the_next_day_covers_it(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        hold(d, "100", "152.00", "14500.00", "2025-11-03")
        d.evening(MONDAY)
        assert d.ask("select account_id, trading_date, reason, covered_by_date from quality.gap") == [
            ("100", date(2025, 10, 31), "NO_SNAPSHOT", date(2025, 11, 3))
        ]
        assert d.ask("select status from quality.day order by trading_date") == [
            ("COMPLETE",),
            ("INCOMPLETE",),
            ("COMPLETE",),
        ]
        assert d.ask("select days_covered, total_pnl, flags from pnl.position_daily where days_covered > 1") == [
            (2, Decimal("150.00"), ["MULTI_DAY"])
        ]


def test_a_fill_that_arrives_late_of_a_day_that_nobody_fetched_restates_the_day_that_covers_it(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}, executions={100: []}) as d:
        d.evening(THURSDAY)
        hold(d, "50", "152.00", "7250.00", "2025-11-03")
        d.evening(MONDAY)
        covering = "select total_pnl, reason from pnl.position_daily where trading_date = '2025-11-03'"
        assert d.ask(covering) == [(None, None)]
        d.broker.books["executions"] = {"100": [fill(1, "SELL", "50", "151.20", "2025-10-31T19:00:00Z")]}
        hold(d, "50", "153.00", "7250.00", "2025-11-04")
        d.evening("2025-11-04T21:30:00+00:00")
        assert d.ask(covering) == [(Decimal("110.00"), "EXECUTION_LATE")]


def test_an_adjustment_restates_the_day_it_touches_from_the_time_of_the_build(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}, executions={100: []}) as d:
        d.evening(THURSDAY)
        hold(d, "100", "151.00", "12000.00", "2025-10-31")
        d.evening(FRIDAY)
        assert totals(d) == [(date(2025, 10, 31), None)]
        d.settings.adjustments.write_text(
            "trading_date,account_id,kind,instrument_id,quantity,value,cost_basis,author\n"
            f"2025-10-31,100,TRANSFER,{AAPL},100,15100,12000,ops\n"
        )
        built_at = datetime(2025, 11, 1, 9, tzinfo=UTC)
        assert d.build(built_at=built_at).changed
        assert totals(d) == [(date(2025, 10, 31), Decimal(0))]
        assert d.ask("select known_from, reason from pnl.position_daily") == [(built_at, "CLASSIFICATION")]
        d.settings.adjustments.unlink()
        d.build(built_at=datetime(2025, 11, 1, 10, tzinfo=UTC))
        assert totals(d) == [(date(2025, 10, 31), None)]
        assert d.ask("select count(*) from pnl.position_daily_version") == [(3,)]


def test_what_people_said_is_the_reason_of_the_accounts_restatement_too(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}, executions={100: []}) as d:
        d.evening(THURSDAY)
        hold(d, "99.5", "151.00", "14427.50", "2025-10-31")
        d.evening(FRIDAY)
        d.settings.adjustments.write_text(
            "trading_date,account_id,kind,instrument_id,quantity,cash,author\n"
            f"2025-10-31,100,CASH_IN_LIEU,{AAPL},-0.5,75.50,ops\n"
        )
        d.build(built_at=datetime(2025, 11, 1, 9, tzinfo=UTC))
        for table in ("pnl.position_daily", "pnl.account_daily"):
            reasons = d.ask(f"select reason, total_pnl from {table} where trading_date = '2025-10-31'")
            assert reasons == [("CLASSIFICATION", Decimal("50.00"))], table


def test_an_account_that_did_nothing_traded_for_nothing_where_its_fills_are_known(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}, executions={100: []}) as d:
        d.evening(THURSDAY)
        d.evening(FRIDAY)
        notionals = "select bought_notional, sold_notional from pnl.account_daily where trading_date = '2025-10-31'"
        assert d.ask(notionals) == [(Decimal(0), Decimal(0))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trading_date,account_id,kind\n", "lacks instrument_id"),
        ("trading_date,account_id,kind,instrument_id,colour\n", "it has colour"),
        ("trading_date,account_id,kind,instrument_id\n2025-10-31,100,GIFT,x\n", "line 2: kind"),
        ("trading_date,account_id,kind,instrument_id,quantity\n2025-10-31,100,TRANSFER,x,5\n", "value and cost_basis"),
        ("trading_date,account_id,kind,instrument_id,cash\nlast friday,100,CASH_IN_LIEU,x,5\n", "line 2: trading_date"),
        (
            "trading_date,account_id,kind,instrument_id,cash\n2025-10-31,1,CASH_IN_LIEU,x,0.12345678901\n",
            "no more than 10 decimal places",
        ),
    ],
)
def test_a_bad_line_in_adjustments_is_named_and_nothing_is_built(tmp_path: Path, text: str, said: str) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        d.settings.adjustments.write_text(text)
        with pytest.raises(ConfigurationError, match=said):
            d.build()
        d.settings.adjustments.unlink()
        assert d.build().changed


def test_what_is_learnt_of_a_closed_period_counts_on_the_open_day(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}, executions={100: []}) as d:
        d.evening(THURSDAY)
        hold(d, "100", "151.00", "14500.00", "2025-10-31")
        d.evening(FRIDAY)
        lock_period(d.con, date(2025, 10, 31), at=datetime(2025, 10, 31, 22, tzinfo=UTC))
        d.broker.positions["100"] = [shares("100", "151.40", cost="14500.00", day="2025-10-31")]
        d.evening(SATURDAY)
        hold(d, "100", "152.00", "14500.00", "2025-11-03")
        d.evening(MONDAY)
        assert d.ask("select trading_date, for_trading_date, amount from pnl.prior_period_adjustment") == [
            (date(2025, 11, 3), date(2025, 10, 31), Decimal(40))
        ]
        assert d.ask("select trading_date, mtd, itd, prior_period_adjustment from pnl.period order by all")[1:] == [
            (date(2025, 10, 31), Decimal(50), Decimal(50), Decimal(0)),
            (date(2025, 11, 3), Decimal(100), Decimal(150), Decimal(40)),
        ]
        assert totals(d)[1:] == [(date(2025, 10, 31), Decimal(90)), (date(2025, 11, 3), Decimal(60))]
        assert d.ask("select count(*) from quality.finding where severity = 'FAIL'") == [(0,)]


def test_a_period_is_closed_once_and_never_before_it_is_known(tmp_path: Path) -> None:
    with desk(tmp_path, has_tables=False, accounts=[100], positions=HELD, instructions={}) as d:
        with pytest.raises(NotPublished, match="no books to close"):
            lock_period(d.con, date(2025, 10, 30))
        d.evening(THURSDAY)
        with pytest.raises(ConfigurationError, match="end on 2025-10-30"):
            lock_period(d.con, date(2025, 10, 31))
        with pytest.raises(ConfigurationError, match="no day of account 999"):
            lock_period(d.con, date(2025, 10, 30), "999")
        lock_period(d.con, date(2025, 10, 30))
        with pytest.raises(ConfigurationError, match="closed through 2025-10-30 already"):
            lock_period(d.con, date(2025, 10, 30), "100")


def test_what_vanished_is_known_from_an_earlier_look_that_had_it_flat(tmp_path: Path) -> None:
    midday = "2025-10-31T17:00:00+00:00"
    gone: list[dict[str, Any]] = []
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.broker.forbidden = {("100", "executions")}
        d.evening(THURSDAY)
        d.broker.positions["100"] = [
            shares("0", "151.00", cost="0", day="2025-10-30", daily_realized_pnl="70.00", daily_unrealized_pnl="0.00")
        ]
        d.evening(midday)
        d.broker.positions["100"] = gone
        d.evening(FRIDAY)
        day = "from pnl.position_daily where trading_date = '2025-10-31'"
        assert d.ask(f"select status, total_pnl, total_source, flags {day}") == [
            ("CLOSED", Decimal(70), "REPORTED", ["SEMANTICS_SINCE_PRIOR_CLOSE", "PARTIAL"])
        ]


def test_what_vanished_while_it_was_last_seen_open_is_unknown(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.broker.forbidden = {("100", "executions")}
        d.evening(THURSDAY)
        d.broker.positions["100"] = [
            shares(
                "50", "151.00", cost="7250.00", day="2025-10-30", daily_realized_pnl="70.00", daily_unrealized_pnl="1"
            )
        ]
        d.evening("2025-10-31T17:00:00+00:00")
        d.broker.positions["100"] = []
        d.evening(FRIDAY)
        day = "from pnl.position_daily where trading_date = '2025-10-31'"
        assert d.ask(f"select total_pnl, flags {day}") == [(None, ["REALIZED_UNKNOWN"])]
