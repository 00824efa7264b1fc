"""A build: what changed and nothing else, all of it or nothing, with every earlier answer kept."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.catalog import TABLES
from pipelines.books.locks import lock_period
from pipelines.errors import BuildFailed, ConfigurationError, NotPublished
from pipelines.warehouse.tables import make_empty, replace_days
from tests.support.desk import AAPL, FRIDAY, MONDAY, SATURDAY, THURSDAY, Desk, desk, fill, shares

ABSURD = "0190c5a2-7e00-7000-8000-00000000abcd"
HELD = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")]}


def _hold(desk_: Desk, quantity: str, price: str, cost: str, day: str) -> None:
    desk_.broker.positions["100"] = [shares(quantity, price, cost=cost, day=day)]


def _totals(desk_: Desk) -> list[tuple[date, Decimal | None]]:
    return desk_.ask("select trading_date, total_pnl from pnl.position_daily order by trading_date")


def test_building_again_changes_nothing(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        _hold(d, "100", "151.00", "14500.00", "2025-10-31")
        assert d.evening(FRIDAY).changed
        before = d.ask("select * from pnl.position_daily_version order by all")
        again = d.build()
        assert not again.changed
        assert again.spans == []
        forced = d.build(from_date=date(2025, 10, 30), to_date=date(2025, 10, 31))
        assert forced.spans == [(date(2025, 10, 30), date(2025, 10, 31))]
        assert not forced.changed
        assert d.ask("select * from pnl.position_daily_version order by all") == before


def test_a_build_leaves_no_working_file_and_takes_away_what_a_killed_one_left(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.settings.working.mkdir()
        (d.settings.working / "position_change.parquet").write_bytes(b"half a file")
        assert d.evening(THURSDAY).changed
        assert not d.settings.working.exists()


def test_the_same_snapshot_taken_twice_adds_no_version(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        built = d.evening("2025-10-30T21:30:00+00:00")
        assert built.spans == [(date(2025, 10, 30), date(2025, 10, 30))]
        assert not built.changed


def test_a_fill_that_arrives_late_restates_its_day_and_keeps_what_was_said(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}, executions={100: []}) as d:
        d.evening(THURSDAY)
        _hold(d, "50", "151.00", "7250.00", "2025-10-31")
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
        _hold(d, "100", "152.00", "14500.00", "2025-11-03")
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
        _hold(d, "50", "152.00", "7250.00", "2025-11-03")
        d.evening(MONDAY)
        covering = "select total_pnl, reason from pnl.position_daily where trading_date = '2025-11-03'"
        assert d.ask(covering) == [(None, None)]
        d.broker.books["executions"] = {"100": [fill(1, "SELL", "50", "151.20", "2025-10-31T19:00:00Z")]}
        _hold(d, "50", "153.00", "7250.00", "2025-11-04")
        d.evening("2025-11-04T21:30:00+00:00")
        assert d.ask(covering) == [(Decimal("110.00"), "EXECUTION_LATE")]


def test_a_snapshot_in_mid_session_is_no_end_of_day(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening("2025-10-30T18:00:00+00:00")
        assert d.ask("select count(*) from core.account_eod") == [(0,)]
        assert d.ask("select count(*) from quality.day") == [(0,)]


def test_an_adjustment_restates_the_day_it_touches_from_the_time_of_the_build(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}, executions={100: []}) as d:
        d.evening(THURSDAY)
        _hold(d, "100", "151.00", "12000.00", "2025-10-31")
        d.evening(FRIDAY)
        assert _totals(d) == [(date(2025, 10, 31), None)]
        d.settings.adjustments.write_text(
            "trading_date,account_id,kind,instrument_id,quantity,value,cost_basis,author\n"
            f"2025-10-31,100,TRANSFER,{AAPL},100,15100,12000,ops\n"
        )
        built_at = datetime(2025, 11, 1, 9, tzinfo=UTC)
        assert d.build(built_at=built_at).changed
        assert _totals(d) == [(date(2025, 10, 31), Decimal(0))]
        assert d.ask("select known_from, reason from pnl.position_daily") == [(built_at, "CLASSIFICATION")]
        d.settings.adjustments.unlink()
        d.build(built_at=datetime(2025, 11, 1, 10, tzinfo=UTC))
        assert _totals(d) == [(date(2025, 10, 31), None)]
        assert d.ask("select count(*) from pnl.position_daily_version") == [(3,)]


def test_what_people_said_is_the_reason_of_the_accounts_restatement_too(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}, executions={100: []}) as d:
        d.evening(THURSDAY)
        _hold(d, "99.5", "151.00", "14427.50", "2025-10-31")
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


def test_a_build_that_fails_leaves_the_books_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        before = _totals(d), d.ask("select * from core.position_eod")
        _hold(d, "100", "151.00", "14500.00", "2025-10-31")
        d.sync(FRIDAY)
        last = next(table for table in TABLES if table.name == "quality.finding")
        monkeypatch.setitem(vars(last), "select", "select 1/0 as trading_date, cast('x' as int) as broken")
        with pytest.raises(BuildFailed, match="changed nothing"):
            d.build()
        assert (_totals(d), d.ask("select * from core.position_eod")) == before
        monkeypatch.undo()
        assert d.build().changed
        assert len(_totals(d)) == 2


def test_asking_for_days_in_the_wrong_order_is_refused(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        with pytest.raises(ConfigurationError, match="is after --to"):
            d.build(from_date=date(2025, 10, 31), to_date=date(2025, 10, 30))


def test_an_account_whose_positions_fail_does_not_stop_the_others(tmp_path: Path) -> None:
    books = {
        100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")],
        200: [shares("10", "150.50", cost="1450.00", day="2025-10-30", account=200)],
    }
    with desk(tmp_path, accounts=[100, 200], positions=books, instructions={}) as d:
        d.evening(THURSDAY)
        d.broker.forbidden = {("200", "positions")}
        _hold(d, "100", "151.00", "14500.00", "2025-10-31")
        d.evening(FRIDAY)
        assert d.ask("select account_id from pnl.account_daily where trading_date = '2025-10-31'") == [("100",)]
        assert d.ask("select account_id, reason from quality.gap") == [("200", "FETCH_FAILED")]
        assert d.ask("select status, accounts_complete from quality.day where trading_date = '2025-10-31'") == [
            ("INCOMPLETE", 1)
        ]
        assert d.ask("select total_pnl from pnl.firm_daily where trading_date = '2025-10-31'") == [(None,)]


def test_where_only_instructions_fail_the_pnl_stands_and_the_day_is_incomplete(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        d.broker.forbidden = {("100", "instructions")}
        _hold(d, "100", "151.00", "14500.00", "2025-10-31")
        d.evening(FRIDAY)
        assert _totals(d)[-1] == (date(2025, 10, 31), Decimal(50))
        assert d.ask("select status from quality.day where trading_date = '2025-10-31'") == [("INCOMPLETE",)]


def test_rows_of_a_load_that_was_never_committed_are_not_derived_from(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        d.con.execute("delete from raw._dlt_loads")
        d.build()
        assert d.ask("select count(*) from core.account_eod") == [(0,)]


def test_a_snapshot_with_fewer_rows_than_its_manifest_promises_is_not_derived_from(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        d.con.execute("delete from raw.positions")
        d.build()
        assert d.ask("select reason from quality.gap") == [("INCOMPLETE_SNAPSHOT",)]


def test_every_money_and_quantity_column_is_an_exact_decimal(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        floats = d.ask(
            """
            select schema_name, table_name, column_name, data_type from duckdb_columns()
            where schema_name in ('raw', 'core', 'pnl', 'quality') and data_type in ('DOUBLE', 'FLOAT')
                and not starts_with(table_name, '_dlt')
            """
        )
        assert floats == []
        assert d.ask("select typeof(total_pnl), typeof(quantity), typeof(known_from) from pnl.position_daily") == [
            ("DECIMAL(28,10)", "DECIMAL(24,8)", "TIMESTAMP WITH TIME ZONE")
        ]


def test_the_warehouse_opens_again_with_everything_in_it(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
    with duckdb.connect(tmp_path / "warehouse.duckdb", read_only=True) as con:
        assert con.execute("select status from pnl.position_daily").fetchall() == [("OPENING",)]


def test_what_is_learnt_of_a_closed_period_counts_on_the_open_day(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}, executions={100: []}) as d:
        d.evening(THURSDAY)
        _hold(d, "100", "151.00", "14500.00", "2025-10-31")
        d.evening(FRIDAY)
        lock_period(d.con, date(2025, 10, 31), at=datetime(2025, 10, 31, 22, tzinfo=UTC))
        d.broker.positions["100"] = [shares("100", "151.40", cost="14500.00", day="2025-10-31")]
        d.evening(SATURDAY)
        _hold(d, "100", "152.00", "14500.00", "2025-11-03")
        d.evening(MONDAY)
        assert d.ask("select trading_date, for_trading_date, amount from pnl.prior_period_adjustment") == [
            (date(2025, 11, 3), date(2025, 10, 31), Decimal(40))
        ]
        assert d.ask("select trading_date, mtd, itd, prior_period_adjustment from pnl.period order by all")[1:] == [
            (date(2025, 10, 31), Decimal(50), Decimal(50), Decimal(0)),
            (date(2025, 11, 3), Decimal(100), Decimal(150), Decimal(40)),
        ]
        assert _totals(d)[1:] == [(date(2025, 10, 31), Decimal(90)), (date(2025, 11, 3), Decimal(60))]
        assert d.ask("select count(*) from quality.finding where severity = 'FAIL'") == [(0,)]


def test_a_period_is_closed_once_and_never_before_it_is_known(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
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


def test_one_absurd_row_is_unknown_and_the_rest_of_the_book_is_built(tmp_path: Path) -> None:
    """Each number fits its column, and what they make together fits none."""
    most = "9999999999999999.99999999"
    other: dict[str, Any] = {"instrument_id": ABSURD, "symbol": "ABSURD"}
    absurd = shares(most, most, cost="1.00", day="2025-10-30", market_value="1.00", unrealized_pnl=None, **other)
    with desk(tmp_path, accounts=[100], positions={100: [*HELD[100], absurd]}, instructions={}) as d:
        d.evening(THURSDAY)
        held = [shares("100", "151.00", cost="14500.00", day="2025-10-31"), absurd]
        d.broker.positions["100"] = held
        d.broker.books["executions"] = {"100": [fill(1, "BUY", most, most, "2025-10-31T15:00:00Z") | other]}
        d.evening(FRIDAY)
        pnl = "select symbol, total_pnl from pnl.position_daily where trading_date = '2025-10-31' order by symbol"
        assert d.ask(pnl) == [("AAPL", Decimal(50)), ("ABSURD", None)]
        unpriced = "select unpriced_fills, bought_quantity from core.trade_flow"
        assert d.ask(unpriced) == [(1, Decimal(most))]


def test_a_new_table_keeps_every_row_that_its_first_transaction_puts_in() -> None:
    """DuckDB 1.5.5 loses them where an empty select made the table: 130,000 rows go in and none is there."""
    with duckdb.connect() as con:
        con.execute("set threads = 2")
        con.execute("create schema core")
        con.execute("begin")
        rows = "select date '2025-10-31' as trading_date, range as number from range(130000)"
        make_empty(con, "core.many", rows, {})
        replace_days(con, "core.many", rows, {"from_date": date(2025, 10, 31), "to_date": date(2025, 10, 31)})
        assert con.execute("select count(*) from core.many").fetchone() == (130000,)
        con.execute("commit")
        assert con.execute("select count(*) from core.many").fetchone() == (130000,)


def test_rows_that_the_database_loses_are_missed_at_once() -> None:
    """The same defect, met head on: it must be gone, or noticed before anything is committed."""
    with duckdb.connect() as con:
        con.execute("set threads = 2")
        con.execute("create schema core")
        con.execute("begin")
        rows = "select date '2025-10-31' as trading_date, range as number from range(130000)"
        con.execute(f"create table core.many as select * from ({rows}) where false")
        days = {"from_date": date(2025, 10, 31), "to_date": date(2025, 10, 31)}
        try:
            replace_days(con, "core.many", rows, days)
        except BuildFailed as error:
            assert "130000 rows were written to core.many and" in str(error)  # noqa: PT017  (either will do)
        else:
            assert con.execute("select count(*) from core.many").fetchone() == (130000,)


def test_an_exposure_that_no_column_holds_is_unknown_and_hides_nothing_else(tmp_path: Path) -> None:
    almost_nothing = {100: {"account_id": 100, "equity": "0.0001"}}
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}, balances=almost_nothing) as d:
        d.evening(THURSDAY)
        asked = "select gross, net, gross_pct, net_pct, position_count from pnl.exposure_daily"
        assert d.ask(asked) == [(Decimal(15050), Decimal(15050), None, None, 1)]


def test_sums_and_returns_that_no_column_holds_are_unknown_and_every_view_answers(tmp_path: Path) -> None:
    """Each position's value fits its column, and their sum fits none; so with returns."""

    def book(value: str, day: str) -> list[dict[str, Any]]:
        return [
            shares("1", "1.00", cost="1.00", day=day, market_value=value, instrument_id=f"{ABSURD[:-1]}{number}")
            for number in range(2)
        ]

    def earned(day: str, start: str, net: str) -> dict[str, Any]:
        end = str(Decimal(start) + Decimal(net))
        return {
            "date": day,
            "sod_equity": start,
            "eod_equity": end,
            "realized_pnl": "0",
            "unrealized_pnl": net,
            "net_pnl": net,
        }

    days = ["2025-10-30", "2025-10-31"]
    history = {100: [earned(day, "1", "50000000") for day in days], 200: [earned(days[1], "0.0001", "50000")]}
    books = {"positions": {100: book("1.00", days[0]), 200: []}, "history": history}
    with desk(tmp_path, accounts=[100, 200], instructions={}, **books) as d:
        d.evening(THURSDAY)
        d.broker.positions["100"] = book("900000000000000000.00", days[1])
        d.evening(FRIDAY)
        for table in TABLES:
            if table.lasts:
                d.ask(f"select * from {table.name}")
        account = "where account_id = '{}' and trading_date = '2025-10-31'"
        assert d.ask(f"select gross, position_count from pnl.exposure_daily {account.format(100)}") == [(None, 2)]
        assert d.ask(f"select daily_return from pnl.account_daily {account.format(100)}") == [(Decimal(50_000_000),)]
        assert d.ask(f"select twr_itd from pnl.period {account.format(100)}") == [(None,)]
        assert d.ask(f"select daily_return from pnl.account_daily {account.format(200)}") == [(None,)]
