"""What single selects of the books say of a few rows: bounds and corners that whole books seldom come to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support.selects import CALENDAR, NEW_RUN, RUNS, answer, days

# ---- which days are looked at again


def test_a_run_is_new_once_it_is_committed_and_until_a_build_has_seen_it() -> None:
    told = {
        "raw.extract_run(run_id, trading_date, finished_at, _dlt_load_id)": """
        ('seen', '2026-11-02'::date, now(), 'l0'), ('whole', '2026-11-03', now(), 'l1'),
        ('half', '2026-11-03', now(), 'l2'), ('lost', '2026-11-03', now(), 'l3')
        """,
        "raw._dlt_loads(load_id, status)": "('l0', 0), ('l1', 0), ('l2', 1)",
        "core.run(run_id)": "('seen')",
    }
    assert answer("changed/new_run", "run_id", told) == [("whole",)]


def test_an_account_that_is_open_again_changes_the_days_since_it_was_closed() -> None:
    told = {
        "raw.accounts(account_id, close_date, run_id)": "('A', '2026-11-03'::date, 'r1'), ('A', null, 'r2')",
        "core.expected_day(trading_date)": "('2026-11-03'::date)",
        **CALENDAR,
        **NEW_RUN,
    }
    assert days("account", told) == ["2026-10-30", "2026-11-02", "2026-11-03"]


@pytest.mark.parametrize(
    ("at", "day"), [("2026-11-03 01:00:00Z", "2026-11-02"), ("2026-11-03 01:01:00Z", "2026-11-03")]
)
def test_a_fill_is_of_the_day_that_owns_its_time_alone(at: str, day: str) -> None:
    told = {
        "raw.executions(run_id, transaction_time)": f"('r2', '{at}'::timestamptz), ('r1', '2026-10-30 12:00:00')",
        "telling_run(run_id)": "('r2')",
        **CALENDAR,
    }
    assert days("alone/fill", told) == [day]


def test_days_before_the_first_known_one_are_told_by_the_history_alone() -> None:
    told = {
        "core.account_eod(account_id, trading_date)": "('A', '2026-11-02'::date), ('A', '2026-11-05')",
        "raw.portfolio_history(account_id, date, run_id)": """
        ('A', '2026-10-30'::date, 'r2'), ('A', '2026-11-03', 'r2'), ('B', '2026-11-02', 'r2')
        """,
        "telling_run(run_id)": "('r2')",
        **CALENDAR,
    }
    assert days("alone/missed_day", told) == ["2026-10-30", "2026-11-02"]


def test_a_history_that_says_otherwise_than_before_changes_its_day_from_the_first_known_one_on() -> None:
    told = {
        """raw.portfolio_history(account_id, date, run_id, realized_pnl, unrealized_pnl, net_pnl, day_pnl, position_pnl,
        sod_equity, eod_equity)""": """
        ('A', '2026-10-30'::date, 'r2', 1, 1, 2, 1, 1, 0, 2), ('A', '2026-11-02', 'r1', 1, 1, 2, 1, 1, 0, 2),
        ('A', '2026-11-02', 'r2', 1, 1, 2, 1, 1, 0, 3), ('A', '2026-11-03', 'r1', 1, 1, 2, 1, 1, 0, 2),
        ('A', '2026-11-03', 'r2', 1, 1, 2, 1, 1, 0, 2)
        """,
        "raw.extract_manifest(run_id, account_id, endpoint, complete)": """
        ('r1', 'A', 'portfolio_history', true), ('r2', 'A', 'portfolio_history', true)
        """,
        "core.account_eod(account_id, trading_date)": "('A', '2026-11-02'::date)",
        "core.run(run_id, finished_at)": "('r1', '2026-11-02 22:00:00'::timestamptz)",
        **NEW_RUN,
    }
    assert days("broker_history", told) == ["2026-11-02"]


def test_a_contract_that_is_told_first_or_otherwise_changes_the_days_on_which_it_was_held_or_traded() -> None:
    told = {
        "raw.option_contracts(id, run_id, underlying_instrument_id, contract_type, strike_price, expiry, multiplier)": """
        ('new', 'r2', 'u', 'CALL', 1, '2026-12-18'::date, 100), ('same', 'r1', 'u', 'CALL', 1, '2026-12-18', 100),
        ('same', 'r2', 'u', 'CALL', 1, '2026-12-18', 100), ('other', 'r0', 'u', 'CALL', 2, '2026-12-18', 100),
        ('other', 'r1', 'u', 'CALL', 1, '2026-12-18', 100), ('other', 'r2', 'u', 'CALL', 2, '2026-12-18', 100)
        """,
        "core.position_eod(trading_date, instrument_id)": "('2026-10-30'::date, 'same'), ('2026-11-02', 'new')",
        "core.trade_flow(trading_date, instrument_id)": "('2026-11-03'::date, 'other')",
        **NEW_RUN,
    }
    assert days("contract", told) == ["2026-11-02", "2026-11-03"]


def test_a_session_that_the_brokers_calendar_takes_away_or_moves_changes_its_day_and_no_other() -> None:
    told = {
        "input_session(trading_date, regular_open, regular_close, source, conflict)": """
        ('2026-11-02'::date, 1, 2, 'LIBRARY', false), ('2026-11-03', 1, 3, 'API', true)
        """,
        "core.calendar(trading_date, regular_open, regular_close, source, conflict)": """
        ('2026-11-02'::date, 1, 2, 'LIBRARY', false), ('2026-11-03', 1, 2, 'LIBRARY', false),
        ('2026-11-04', 1, 2, 'LIBRARY', false)
        """,
    }
    assert days("session", told) == ["2026-11-03", "2026-11-04"]


def test_a_day_is_unsettled_where_its_reading_is_not_the_one_last_proven_but_for_one_that_is_set() -> None:
    told = {
        "pnl.pnl_semantics(account_id, trading_date, pnl_semantics, semantics_source, proven_semantics)": """
        ('set', '2026-11-02'::date, 'since_cost', 'SETTING', null),
        ('unproven', '2026-11-03', 'since_cost', 'DEFAULT', null),
        ('proven', '2026-11-04', 'since_cost', 'BALANCES', 'since_cost'),
        ('proven', '2026-11-05', 'since_prior_close', 'DEFAULT', null)
        """
    }
    assert days("unsettled", told) == ["2026-11-03", "2026-11-05"]


INSTRUCTED = (
    "raw.position_instructions(account_id, id, run_id, status, accepted_quantity, created_at, updated_at, instrument_id, "
    "instruction_type, client_instruction_id)"
)


def test_an_instruction_that_no_run_has_seen_before_changes_the_three_weeks_for_which_it_counts() -> None:
    told = {
        INSTRUCTED: """
        ('A', 'i1', 'r2', 'ACCEPTED', 1, '2026-11-02 15:00:00'::timestamptz, '2026-11-02 15:00:00'::timestamptz, 'o', 'X', 'c'),
        ('A', 'i0', 'r1', 'ACCEPTED', 1, '2026-10-01 15:00:00', '2026-10-01 15:00:00', 'o', 'X', 'c')
        """,
        "core.account_eod(account_id, trading_date, captured_at)": """
        ('A', '2026-10-02'::date, '2026-10-02 22:00:00'::timestamptz), ('A', '2026-11-02', '2026-11-02 22:00:00'),
        ('A', '2026-11-24', '2026-11-24 22:00:00')
        """,
        **NEW_RUN,
    }
    assert days("late_instruction", told) == ["2026-11-02"]


def test_an_instruction_that_is_told_otherwise_or_first_changes_the_days_since_it_was_told_first() -> None:
    told = {
        INSTRUCTED: """
        ('A', 'i1', 'r1', 'SENT', null, null::timestamptz, '2026-10-15 15:00:00'::timestamptz, 'o', 'X', 'c'),
        ('A', 'i1', 'r2', 'ACCEPTED', 1, null, '2026-11-02 15:00:00', 'o', 'X', 'c'),
        ('B', 'i2', 'r2', 'ACCEPTED', 1, null, '2026-11-03 15:00:00', 'o', 'X', 'c')
        """,
        "core.account_eod(account_id, trading_date)": """
        ('A', '2026-10-13'::date), ('A', '2026-10-15'), ('A', '2026-11-02'), ('B', '2026-11-03')
        """,
        "core.run(run_id, finished_at)": "('r1', '2026-10-15 22:00:00'::timestamptz)",
        **NEW_RUN,
    }
    assert days("instruction", told) == ["2026-10-15", "2026-11-02", "2026-11-03"]


def test_fills_that_are_read_at_last_change_the_first_day_of_all_too() -> None:
    told = {
        "raw.extract_manifest(run_id, account_id, endpoint, complete, window_from)": """
        ('r2', 'A', 'executions', true, '2026-10-30 08:00:00'::timestamptz), ('r2', 'B', 'executions', true,
        '2026-10-30 08:01:00')
        """,
        "core.account_eod(account_id, trading_date, prev_trading_date, executions_loaded)": """
        ('A', '2026-10-30'::date, null::date, false), ('B', '2026-10-30', null, false),
        ('A', '2026-11-02', '2026-10-30', true), ('A', '2026-11-03', '2026-11-02', false)
        """,
        **CALENDAR,
        **NEW_RUN,
    }
    assert days("fills_now_read", told) == ["2026-10-30", "2026-11-03"]


def test_fills_read_with_a_mornings_positions_may_make_them_stand_in_for_the_day_before_that_is_not_known() -> None:
    told = {
        "raw.extract_manifest(run_id, account_id, endpoint, complete, captured_at, window_from)": """
        ('r2', 'A', 'executions', true, '2026-11-03 12:00:00'::timestamptz, '2026-10-30 08:00:00'::timestamptz),
        ('r2', 'B', 'executions', true, '2026-11-03 12:00:00', '2026-10-30 08:00:00'),
        ('r1', 'A', 'positions', true, '2026-11-03 12:00:00', null), ('r0', 'B', 'positions', true, '2026-11-02 12:00:00', null)
        """,
        "raw.extract_run(run_id, grade)": "('r2', 'POST_CLOSE')",
        "core.run(run_id, trading_date, grade)": "('r1', '2026-11-03'::date, 'PRE_OPEN'), ('r0', '2026-11-02', 'PRE_OPEN')",
        "core.account_eod(account_id, trading_date)": "('B', '2026-10-30'::date)",
        **CALENDAR,
        **NEW_RUN,
    }
    assert days("stand_in", told) == ["2026-11-02"]


# ---- accounts, and what people and contracts say


def test_an_account_is_closed_by_its_date_too_and_open_again_where_a_list_says_so() -> None:
    told = {
        "raw.accounts(account_id, status, close_date, run_id)": """
        ('A', 'ACTIVE', '2026-11-02'::date, 'r1'), ('A', 'ACTIVE', null, 'r2'), ('B', 'CLOSED', null, 'r2'),
        ('C', 'ACTIVE', null, 'r2')
        """,
        **RUNS,
    }
    columns = "account_id, closed_on::text, reopened_on::text"
    assert answer("core/account_closed", columns, told) == [
        ("A", "2026-11-02", "2026-11-03"),
        ("B", "2026-11-03", "9999-12-31"),
    ]


def test_the_currency_of_an_account_is_the_one_that_its_balances_said_last() -> None:
    told = {
        "raw.balances(account_id, run_id, currency)": "('A', 'r1', 'EUR'), ('A', 'r2', 'USD'), ('B', 'r2', null)",
        **RUNS,
    }
    assert answer("core/account_currency", "*", told) == [("A", "USD")]


def test_the_state_of_an_instruction_is_the_one_that_was_seen_last() -> None:
    told = {
        INSTRUCTED: """
        ('A', 'i1', 'r1', 'ACCEPTED', 1, null, '2026-11-02 15:00:00'::timestamptz, 'o', 'X', 'c'),
        ('A', 'i1', 'r2', 'CANCELLED', 1, null, '2026-11-03 15:00:00', 'o', 'X', 'c'),
        ('A', 'i2', 'r1', 'ACCEPTED', 2, null, '2026-11-02 15:00:00', 'o', 'X', 'c'),
        ('A', 'i2', 'r2', 'CANCEL_FAILED', 2, null, '2026-11-03 15:00:00', 'o', 'X', 'c'),
        ('A', 'i2', 'r3', 'ACCEPTED', 2, null, '2026-11-02 15:00:00', 'o', 'X', 'c')
        """,
        "core.run(run_id, trading_date, finished_at)": """
        ('r1', '2026-11-02'::date, '2026-11-02 22:00:00'::timestamptz), ('r2', '2026-11-03', '2026-11-03 22:00:00'),
        ('r3', '2026-11-04', '2026-11-04 22:00:00')
        """,
    }
    columns = "id, accepted_quantity, updated_at::text"
    assert answer("core/accepted_instruction", columns, told) == [("i2", 2, "2026-11-02 15:00:00+00")]


def test_a_first_day_counts_what_people_said_of_it_and_nothing_from_before() -> None:
    told = {
        """core.position_adjustment(account_id, trading_date, kind, instrument_id, to_instrument_id, quantity, cash, value,
        cost_basis)""": """
        ('A', '2026-11-01'::date, 'TRANSFER', 'x', null, 1, null, null, null),
        ('A', '2026-11-02', 'TRANSFER', 'y', null, 1, null, null, null)
        """,
        "account_day(account_id, trading_date, prev_trading_date)": "('A', '2026-11-02'::date, null::date)",
        "position_before(account_id, day, instrument_id, quantity, market_value, cost_basis)": "('A', now()::date, 'x', 1, 1, 1)",
    }
    assert answer("core/adjustment_leg", "instrument_id", told) == [("y",)]


def test_an_adjustment_without_a_value_moves_none() -> None:
    told = {
        "adjustment_leg(account_id, trading_date, instrument_id, kind, quantity, cash, value, cost_basis)": """
        ('A', '2026-11-02'::date, 'x', 'TRANSFER', null::int, 12, null::int, null::int)
        """
    }
    columns = "quantity, cash, value, cost_basis, transferred_value"
    assert answer("core/adjustment_effect", columns, told) == [(0, 12, 0, None, 0)]


def test_only_what_is_assumed_is_an_assumed_outcome() -> None:
    told = {
        "option_delivered(account_id, trading_date, instrument_id, linked_to, is_assumed, stock_is_assumed)": """
        ('A', '2026-11-02'::date, 'o', 's', false, false), ('A', '2026-11-02', 'p', 't', true, false),
        ('A', '2026-11-02', 'q', 'u', false, true)
        """
    }
    assert answer("core/assumed_outcome", "instrument_id", told) == [("p",), ("u",)]


def test_an_option_is_settled_in_cash_by_what_was_said_in_the_last_month() -> None:
    told = {
        "option_contract(id, settlement)": "('a', 'CASH'), ('b', null)",
        "option_gone(instrument_id)": "('a'), ('b'), ('c'), ('d')",
        "raw.executions(run_id, instrument_id, underlying_instrument_type)": "('r1', 'b', 'INDEX')",
        "raw.positions(run_id, instrument_id, underlying_instrument_type)": "('r1', 'c', 'INDEX'), ('r0', 'd', 'INDEX')",
        "core.run(run_id, trading_date)": "('r0', '2026-10-01'::date), ('r1', '2026-10-02')",
    }
    assert answer("core/cash_settled", "*", told) == [("a",), ("b",), ("c",)]
    old = {**told, "raw.executions(run_id, instrument_id, underlying_instrument_type)": "('r0', 'b', 'INDEX')"}
    assert answer("core/cash_settled", "*", old) == [("a",), ("c",)]


def test_what_the_account_holds_by_that_day_is_no_stranger_to_it() -> None:
    told = {
        "adjustment_effect(account_id, trading_date, instrument_id)": """
        ('A', '2026-11-02'::date, 'held today'), ('A', '2026-11-02', 'held tomorrow'), ('A', '2026-11-02', 'traded')
        """,
        "trade_between(account_id, trading_date, instrument_id)": "('A', '2026-11-02'::date, 'traded')",
        "position_before(account_id, day, instrument_id)": "('A', '2026-11-03'::date, 'held today')",
        "core.position_eod(account_id, trading_date, instrument_id)": """
        ('A', '2026-11-02'::date, 'held today'), ('A', '2026-11-03', 'held tomorrow')
        """,
    }
    assert answer("core/stranger", "instrument_id", told) == [("held tomorrow",)]


@pytest.mark.parametrize("said", [40, -40])
def test_a_short_side_is_negative_however_the_broker_writes_it(said: int) -> None:
    names = "currency equity trade_cash settled_cash unsettled_credits unsettled_debits withdrawable_cash buying_power "
    names += "open_order_adjustment long_market_value short_market_value margin_type multiplier margin_details"
    values = ["0"] * len(names.split())
    values[10] = str(said)
    told = {
        f"raw.balances(account_id, run_id, {', '.join(names.split())})": f"('A', 'r1', {', '.join(values)})",
        "core.account_eod(account_id, trading_date, run_id, daily_fields_run_id, grade, known_at)": """
        ('A', '2026-11-02'::date, 'r1', null::varchar, 'POST_CLOSE', now())
        """,
    }
    assert answer("core/balance_daily", "short_market_value", told) == [(-40,)]


# ---- P&L and its quality


def test_a_gap_is_covered_by_the_next_known_day() -> None:
    told = {
        "core.expected_day(account_id, trading_date, reason, is_known)": """
        ('A', '2026-10-30'::date, null, true), ('A', '2026-11-02', 'NO_SNAPSHOT', false), ('A', '2026-11-03', null, true),
        ('A', '2026-11-04', null, true)
        """
    }
    assert answer("quality/gap", "trading_date::text, covered_by_date::text", told) == [("2026-11-02", "2026-11-03")]


def test_a_day_without_all_accounts_has_no_figure_and_is_told_all_the_same() -> None:
    told = {
        "pnl.account_daily(account_id, trading_date, realized_pnl, unrealized_change, total_pnl)": """
        ('A', '2026-11-02'::date, 1, 2, 3), ('A', '2026-11-03', 1, 2, 3), ('B', '2026-11-03', 10, 20, 30)
        """,
        "account_currency(account_id, currency)": "('A', 'USD'), ('B', 'USD')",
        "quality.day(trading_date, accounts_expected, accounts_complete)": "('2026-11-02'::date, 2, 1), ('2026-11-03', 2, 2)",
    }
    assert answer("pnl/firm_daily", "trading_date::text, total_pnl", told) == [("2026-11-02", None), ("2026-11-03", 33)]


def test_what_is_net_is_long_and_short_together() -> None:
    told = {
        "core.position_eod(account_id, trading_date, instrument_type, quantity, market_value, delta_exposure, instrument_id)": """
        ('A', '2026-11-02'::date, 'COMMON_STOCK', 1, 100, 100, 'x'), ('A', '2026-11-02', 'COMMON_STOCK', -1, -40, -40, 'y')
        """,
        "core.account_eod(account_id, trading_date, run_id)": "('A', '2026-11-02'::date, 'r1')",
        "core.broker_day(account_id, trading_date, equity, eod_equity)": "('A', '2026-11-02'::date, 120, 110)",
    }
    columns = "long_market_value, short_market_value, gross, net, gross_pct, net_pct, position_count, delta_exposure"
    ((*sums, gross_pct, net_pct, count, delta),) = answer("pnl/exposure_daily", columns, told)
    assert sums == [100, -40, 140, 60]
    assert [f"{gross_pct:.2f}", f"{net_pct:.2f}", count, delta] == ["116.67", "50.00", 2, 60]


def test_a_position_is_in_a_group_of_each_dimension() -> None:
    told = {
        """pnl.position_daily(account_id, trading_date, underlying_instrument_id, instrument_id, instrument_type, quantity,
        quantity_prev, market_value, realized_pnl, unrealized_change, total_pnl, income_estimate)""": """
        ('A', '2026-11-02'::date, 'u', 'o', 'OPTION', -1, 0, -5, 1, 2, 3, 0)
        """,
        """pnl.account_daily(account_id, trading_date, realized_pnl, unrealized_change, total_pnl, income_estimate,
        positions_known, positions_unknown)""": "('A', '2026-11-02'::date, 1, 2, 3, 0, 1, 0)",
        "core.expected_day(account_id, trading_date)": "('A', '2026-11-02'::date)",
        "account_currency(account_id, currency)": "('A', 'EUR')",
    }
    assert answer("pnl/group_daily", "dimension, value, total_pnl", told) == [
        ("CURRENCY", "EUR", 3),
        ("INSTRUMENT_TYPE", "OPTION", 3),
        ("SIDE", "SHORT", 3),
        ("UNDERLYING", "u", 3),
    ]


def test_a_difference_is_as_old_as_the_sessions_since() -> None:
    told = {
        """quality.comparison(trading_date, account_id, check_name, ours, broker, difference, tolerance, status,
        run_id)""": """
        ('2026-10-30'::date, 'A', 'x', 1, 2, -1, 0, 'BREAK', 'r'), ('2026-11-03', 'A', 'x', 1, 1, 0, 0, 'OK', 'r')
        """,
        """history_comparison(trading_date, account_id, check_name, ours, broker, difference, tolerance, status,
        run_id)""": "('2026-11-02'::date, 'A', 'y', 1, 2, -1, 0, 'WARN', 'r')",
        **CALENDAR,
    }
    assert answer("quality/reconciliation", "trading_date::text, age_days", told) == [
        ("2026-10-30", 2),
        ("2026-11-02", 1),
        ("2026-11-03", None),
    ]


@pytest.mark.parametrize(
    ("net", "eod_equity", "sod_equity", "found"),
    [
        # net P&L of 100 and no flow; fees of 1 and of 1.01 on an equity of 1,000; the equity moved by more
        (100, 1000, 900, {"eod": ("OK", 100), "net": ("OK", 100), "sod": ("OK", 900)}),
        (99, 1000, 901, {"eod": ("OK", 99), "net": ("OK", 99), "sod": ("WARN", 901)}),
        (101, 1000, 899, {"eod": ("OK", 101), "net": ("OK", 101), "sod": ("WARN", 899)}),
        ("98.99", 1000, 900, {"eod": ("NOT_CHECKED", None), "net": ("WARN", 100), "sod": ("OK", 900)}),
        ("101.01", 1000, 900, {"eod": ("NOT_CHECKED", None), "net": ("WARN", 100), "sod": ("OK", 900)}),
        ("100.05", 1, "-99.05", {"eod": ("OK", "100.05"), "net": ("OK", "100.05"), "sod": ("WARN", "-99.05")}),
    ],
)
def test_figures_of_a_session_that_the_history_alone_tells_of_are_compared_after_what_explains_them(
    net: str, eod_equity: int, sod_equity: str, found: dict[str, tuple[str, Any]]
) -> None:
    told = {
        """pnl.missed_day(account_id, trading_date, total_pnl, net_pnl, day_pnl, position_pnl, sod_equity, eod_equity,
        flow)""": f"""
        ('A', '2026-10-30'::date, 0, 0, 0, 0, 900, 900, 0.00),
        ('A', '2026-11-02', 100, {net}, 60, 40, {sod_equity}, {eod_equity}, {eod_equity} - {sod_equity} - {net})
        """,
        "pnl.account_daily(account_id, trading_date, sod_equity, eod_equity)": f"('A', '2026-11-03'::date, {eod_equity}, 1)",
        **CALENDAR,
    }
    names = {"eod": "eod_minus_sod_vs_net", "net": "realized_plus_unrealized_vs_net", "sod": "sod_vs_prior_eod"}
    said = answer("quality/history_comparison", "trading_date::text, check_name, status, ours", told)
    of_day = {check: (status, ours) for day, check, status, ours in said if day == "2026-11-02"}
    assert {short: of_day[name] for short, name in names.items()} == {
        short: (status, None if ours is None else Decimal(ours)) for short, (status, ours) in found.items()
    }
    assert of_day["day_plus_position_vs_net"] == ("OK", Decimal(net))
    assert [each[1:] for each in said if each[0] == "2026-11-03"] == [("sod_vs_prior_history", "OK", eod_equity)]


def test_a_session_after_a_day_of_the_books_begins_with_what_that_day_ended_with() -> None:
    told = {
        """pnl.missed_day(account_id, trading_date, total_pnl, net_pnl, day_pnl, position_pnl, sod_equity, eod_equity,
        flow)""": "('A', '2026-11-03'::date, 10, null::int, 6, 4, 52, 62, null::int)",
        "pnl.account_daily(account_id, trading_date, sod_equity, eod_equity)": """
        ('A', '2026-10-30'::date, 1, 60), ('A', '2026-11-02', 60, 50)
        """,
        **CALENDAR,
    }
    assert answer("quality/history_comparison", "check_name, ours, broker, difference, status", told) == [
        ("day_plus_position_vs_net", None, None, None, "NOT_CHECKED"),
        ("eod_minus_sod_vs_net", None, None, None, "NOT_CHECKED"),
        ("realized_plus_unrealized_vs_net", 10, None, None, "NOT_CHECKED"),
        ("sod_vs_prior_eod", 52, 50, 2, "WARN"),
    ]


def test_a_small_income_may_be_off_by_what_is_tolerated_of_anything() -> None:
    names = "total_pnl balance_pnl gross covered_pnl realized_pnl broker_realized unrealized_change broker_unrealized net eod_equity "
    names += "sod_equity broker_day_pnl broker_position_pnl overnight_adjustment long_value broker_long short_value broker_short "
    names += "unrealized balance_unrealized trade_cash equity costs income_of_day flow_seen"
    told = {
        f"""account_figure(trading_date, account_id, run_id, days_covered, prev_trading_date, tolerance, income_estimate,
        fees_and_other, {", ".join(names.split())})""": f"""
        ('2026-11-02'::date, 'A', 'r', 1, null::date, 0.05, 1.00, 1.04, {", ".join("0" for _ in names.split())})
        """
    }
    found = dict(answer("quality/comparison", "check_name, status", told))
    assert found["income_estimate_vs_fees_and_other"] == "OK"


def test_a_day_ends_with_its_last_run_or_with_the_snapshot_that_it_was_recovered_from() -> None:
    told = {
        "core.expected_day(account_id, trading_date, is_complete, is_known, finality)": """
        ('A', '2026-11-02'::date, true, true, 'FINAL'), ('A', '2026-11-03', true, true, 'FINAL')
        """,
        "core.account_eod(account_id, trading_date, grade, known_at)": """
        ('A', '2026-11-02'::date, 'POST_CLOSE', '2026-11-05 12:00:00'::timestamptz),
        ('A', '2026-11-03', 'RECOVERED', '2026-11-05 12:00:00')
        """,
        "quality.day_finding(trading_date, severity)": "('2026-10-30'::date, 'FAIL')",
        **RUNS,
    }
    assert answer("quality/day", "finished_at::text, grade", told) == [
        ("2026-11-02 22:00:00+00", "POST_CLOSE"),
        ("2026-11-05 12:00:00+00", "RECOVERED"),
    ]


def test_only_fills_that_are_gone_are_told_as_withdrawn() -> None:
    told = {
        "core.trade_flow(trading_date, account_id, instrument_id, withdrawn_fills)": """
        ('2026-11-02'::date, 'A', 'x', 0), ('2026-11-02', 'A', 'y', 2)
        """
    }
    assert answer("quality/fill_check", "instrument_id, value", told) == [("y", "2")]


CHECKED = (
    "position_checked(trading_date, account_id, instrument_id, run_id, market_value, cost_basis, unrealized_pnl, quantity, "
    "avg_price, multiplier, multiplier_source, value_recalc, value_basis, grade, unrealized_pnl_pct)"
)


@pytest.mark.parametrize(("cost", "found"), [("10.01", []), ("10.02", [("cost_vs_quantity_times_average",)])])
def test_a_cost_may_be_a_cent_off_its_average_price(cost: str, found: list[tuple[str]]) -> None:
    row = f"('2026-11-02'::date, 'A', 'x', 'r', 11, {cost}, 11 - {cost}, 1, 10, 1, 'TYPE', 11, 'CLOSE', 'POST_CLOSE', null)"
    assert answer("quality/position_value_check", "check_name", {CHECKED: row}) == found


def test_what_loses_every_day_has_a_usual_loss_and_an_unusual_day_is_told_beside_it() -> None:
    rows = ", ".join(f"('2026-10-{day}'::date, 'A', 'r', -{10 if day < 30 else 1000})" for day in range(15, 31))
    told = {
        "pnl.account_daily(trading_date, account_id, run_id, total_pnl)": rows,
        "quality.day_finding(trading_date, account_id, instrument_id, check_name, severity, value, expected, message, run_id)": (
            "('2026-10-15'::date, 'A', 'x', 'c', 'INFO', '1', '2', 'm', 'r')"
        ),
        "closed_day_check(trading_date, account_id, check_name, value, expected, message, run_id)": (
            "('2026-10-15'::date, 'A', 'd', '1', '2', 'm', 'r')"
        ),
    }
    found = answer("quality/finding", "trading_date::text, check_name, value", told)
    assert found == [("2026-10-15", "c", "1"), ("2026-10-15", "d", "1"), ("2026-10-30", "unusual_pnl", "-1000")]
