"""Still more of what single selects of the books say of a few rows: what counts of a day, of its options and of its
periods."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.selects import CALENDAR, RUNS, answer


def same(names: str, value: Any, **others: Any) -> tuple[str, str]:
    """Columns, each with the same value, but for some; as they are written in a head, and in a row."""
    told = {**dict.fromkeys(names.split(), value), **others}
    return ", ".join(told), ", ".join(str(each) for each in told.values())


# ---- which rows a build looks at


def test_rows_are_of_the_days_that_are_built_alone() -> None:
    names, row = same(
        "symbol instrument_type available_quantity avg_price multiplier multiplier_source market_value cost_basis unrealized_pnl "
        "unrealized_pnl_pct daily_realized_pnl daily_unrealized_pnl value_recalc value_basis closing_price_date option_expiry option_right",
        "null",
        instrument_type="'COMMON_STOCK'",
        quantity=1,
    )
    told = {
        """core.account_eod(account_id, trading_date, run_id, marks_run_id, daily_fields_run_id, grade, captured_at,
        recovered_at)""": """
        ('A', '2026-10-29'::date, 'r0', 'r0', 'r0', 'POST_CLOSE', now(), null::timestamptz),
        ('A', '2026-10-30', 'r1', 'r1', 'r1', 'RECOVERED', now(), now()),
        ('A', '2026-11-02', 'r2', 'r2', 'r2', 'RECOVERED', now(), now())
        """,
        "core.run(run_id, grade)": "('r0', 'POST_CLOSE'), ('r1', 'PRE_OPEN'), ('r2', 'PRE_OPEN')",
        f"core.position_eod(account_id, trading_date, instrument_id, {names})": (
            f"('A', '2026-10-30'::date, 'x', {row}), ('A', '2026-11-02', 'y', {row})"
        ),
        "core.calendar(trading_date, next_trading_date)": "('2026-10-30'::date, '2026-11-02'::date), ('2026-11-02', '2026-11-03')",
    }
    recovered = answer("core/recovered_day", "trading_date::text, anchor_date::text", told)
    assert recovered == [("2026-11-02", "2026-10-29")]
    before = {"recovered_day(account_id, trading_date, anchor_run_id)": "('B', '2026-11-02'::date, 'r1')"}
    found = answer("core/row_source", "account_id, trading_date::text, is_before", {**told, **before})
    assert found == [("A", "2026-11-02", False), ("B", "2026-11-02", True)]
    assert answer("quality/position_checked", "instrument_id", told) == [("y",)]


def test_marks_of_another_snapshot_are_those_of_the_evening_whatever_their_closing_price() -> None:
    names, row = same(
        "symbol underlying_instrument_id available_quantity avg_price cost_basis unrealized_pnl unrealized_pnl_pct "
        "instrument_price daily_realized_pnl daily_unrealized_pnl",
        "null::int",
    )
    told = {
        f"raw.positions(account_id, run_id, instrument_id, instrument_type, position_type, quantity, market_value, closing_price, closing_price_date, {names})": (
            f"('A', 'held', 'x', 'COMMON_STOCK', 'LONG', 1, 10, null::int, null::date, {row}), "
            f"('A', 'marks', 'x', 'COMMON_STOCK', 'LONG', 1, 11, null, null, {row})"
        ),
        """row_source(account_id, trading_date, run_id, marks_run_id, daily_fields_run_id, is_late, marks_are_late, is_recovered,
        is_before)""": "('A', '2026-11-02'::date, 'held', 'marks', 'held', true, false, false, false)",
    }
    assert answer("core/position_held", "reported_value, is_late_mark", told) == [(11, False)]
    late = {
        """row_source(account_id, trading_date, run_id, marks_run_id, daily_fields_run_id, is_late, marks_are_late, is_recovered,
        is_before)""": "('A', '2026-11-02'::date, 'held', 'marks', 'held', false, true, false, false)",
    }
    assert answer("core/position_held", "reported_value, is_late_mark", {**told, **late}) == [(10, False)]


@pytest.mark.parametrize(("closing_date", "finality"), [("2026-11-02", "FINAL"), ("2026-10-30", "FLASH")])
def test_a_morning_with_the_closes_of_the_day_is_final(closing_date: str, finality: str) -> None:
    told = {
        "core.run(run_id, trading_date, grade, finished_at)": "('m', '2026-11-03'::date, 'PRE_OPEN', now())",
        "core.calendar(trading_date, next_trading_date, post_close, regular_close)": """
        ('2026-10-30'::date, '2026-11-02'::date, '2026-10-31'::timestamptz, '2026-10-30 20:00:00'::timestamptz),
        ('2026-11-02', '2026-11-03', '2026-11-03 01:00:00', '2026-11-02 21:00:00')
        """,
        "raw.extract_manifest(run_id, account_id, endpoint, complete, captured_at, rows_landed, rows_quarantined, window_from)": """
        ('m', 'A', 'positions', true, '2026-11-03 12:00:00'::timestamptz, 1, null::int, null::timestamptz),
        ('m', 'A', 'executions', true, '2026-11-03 12:00:00', 0, null, '2026-10-30 08:00:00')
        """,
        "core.snapshot_grade(account_id, trading_date, eligible)": "('A', '2026-10-30'::date, true)",
        "raw.positions(run_id, account_id, instrument_type, closing_price_date)": f"('m', 'A', 'COMMON_STOCK', '{closing_date}'::date)",
        "input_earlier_eod(account_id, anchor_date)": "('A', '2026-10-30'::date)",
    }
    assert answer("core/stand_in", "trading_date::text, anchor_date::text, finality", told) == [
        ("2026-11-02", "2026-10-30", finality)
    ]


def test_a_recovered_quantity_is_what_the_fills_by_time_lead_to_and_else_those_by_date() -> None:
    flows = "by_time, by_date, later, later_fills"
    told = {
        "recovered_day(account_id, trading_date, anchor_date, anchor_run_id)": "('A', '2026-11-02'::date, '2026-10-30'::date, 'r0')",
        "raw.positions(run_id, account_id, instrument_id, quantity, closing_price, closing_price_date, instrument_price)": """
        ('r0', 'A', 'x', 10, 1, '2026-10-30'::date, 1), ('r0', 'A', 'y', 10, 1, '2026-10-30', 1),
        ('r0', 'A', 'z', 10, 1, '2026-10-30', 1), ('r0', 'A', 'moved', 10, 1, '2026-10-30', 1)
        """,
        "recovered_split(account_id, trading_date, instrument_id, ratio, is_morning)": "('B', '2026-11-02'::date, 'x', 2::double, true)",
        "position_held(account_id, trading_date, instrument_id, quantity, is_before, is_recovered)": """
        ('A', '2026-11-02'::date, 'x', 12, false, true), ('A', '2026-11-02', 'y', 13, false, true),
        ('A', '2026-11-02', 'z', 99, false, true), ('A', '2026-11-02', 'moved', 4, false, true)
        """,
        "position_unit(account_id, trading_date, instrument_id, option_expiry)": """
        ('A', '2026-11-02'::date, 'x', null::date), ('A', '2026-11-02', 'y', null), ('A', '2026-11-02', 'z', null),
        ('A', '2026-11-02', 'moved', null)
        """,
        f"recovered_flow(account_id, trading_date, instrument_id, {flows})": """
        ('A', '2026-11-02'::date, 'x', 2, 3, 0, 0), ('A', '2026-11-02', 'y', 2, 3, 0, 0), ('A', '2026-11-02', 'z', 2, 3, 0, 0)
        """,
        "recovered_transfer(account_id, trading_date, instrument_id, before, later)": "('B', '2026-11-02'::date, 'x', 0, 0)",
    }
    found = answer("core/recovered_quantity", "instrument_id, quantity, missing", told)
    assert found == [("moved", None, -6), ("x", 12, None), ("y", 13, None), ("z", None, None)]


# ---- splits and fills


def test_fills_that_count_on_one_side_of_the_end_of_the_day_alone_are_a_choice() -> None:
    told = {
        "split_near(account_id, day, instrument_id, event_date, effective_date, is_covering, ratio)": """
        ('B', '2026-11-02'::date, 'x', '2026-11-02'::date, '2026-11-02'::date, true, 2::double)
        """,
        """flow_between(account_id, day, instrument_id, trading_date, after_start_by_time, after_start_by_date, until_end_by_time,
        until_end_by_date, net_quantity)""": "('A', '2026-11-02'::date, 'x', '2026-11-03'::date, true, true, true, false, 5)",
    }
    found = [row for row in answer("core/roll_way", "account_id, choice, traded", told) if row[0] == "A"]
    assert found == [("A", 1, 5), ("A", 2, 0), ("A", 3, 0), ("A", 4, 5)]


def test_a_split_that_the_book_had_shown_before_the_row_begins_is_not_looked_for_again() -> None:
    told = {
        "account_day(account_id, trading_date, prev_trading_date)": "('A', '2026-11-03'::date, '2026-11-02'::date)",
        "split_observed(instrument_id, event_date, session_number, numerator, denominator, ratio)": """
        ('shown', '2026-11-02'::date, 2, 2, 1, 2::double), ('not yet', '2026-11-02', 2, 2, 1, 2)
        """,
        "core.position_eod(account_id, trading_date, instrument_id, quantity)": """
        ('A', '2026-10-30'::date, 'shown', 10), ('A', '2026-11-02', 'shown', 20), ('A', '2026-10-30', 'not yet', 10),
        ('A', '2026-11-02', 'not yet', 10)
        """,
        **CALENDAR,
    }
    assert answer("core/split_near", "instrument_id, is_covering", told) == [("not yet", False)]


# ---- options


def test_a_delivery_is_bounded_by_what_the_other_options_on_the_stock_may_have_moved() -> None:
    told = {
        """delivery_range(account_id, trading_date, instrument_id, linked_to, by_proof, stock_move, shares, expected_low,
        expected_high, possible_low, possible_high)""": """
        ('A', '2026-11-02'::date, 'o', 's', true, 100, 100, 0, 1, 0, 1), ('A', '2026-11-02', 'p', 's', true, 100, 100, 0, 1, 0, 1)
        """
    }
    assert answer("core/delivery", "instrument_id, at_least, at_most", told) == [("o", 0, 1), ("p", 0, 1)]


def test_an_instruction_counts_for_five_sessions() -> None:
    sessions = ", ".join(
        f"({number}, '2026-10-{day}'::date, '2026-10-{day} 23:00:00'::timestamptz)"
        for number, day in enumerate((19, 20, 21, 22, 23, 26, 27, 28, 29, 30), 1)
    )
    told = {
        "core.calendar(session_number, trading_date, post_close)": sessions,
        "option_gone(account_id, trading_date, prev_trading_date, instrument_id, captured_at)": """
        ('A', '2026-10-27'::date, '2026-10-26'::date, 'o', '2026-10-27 22:00:00'::timestamptz)
        """,
        "accepted_instruction(account_id, id, instrument_id, instruction_type, accepted_quantity, updated_at, client_instruction_id, known_at)": """
        ('A', 'old', 'o', 'EXERCISE', 1, '2026-10-19 22:00:00'::timestamptz, 'old', now()),
        ('A', 'new', 'o', 'CONTRARY_EXERCISE', 2, '2026-10-20 15:00:00', 'new', now()),
        ('A', 'late', 'o', 'EXERCISE', 4, '2026-10-27 23:00:00', 'late', now())
        """,
        "spent_instruction(account_id, id, trading_date)": "('B', 'x', '2026-10-27'::date)",
    }
    assert answer("core/option_instructed", "instruction_type, accepted_quantity", told) == [("EXERCISE", 2)]


def test_an_instruction_is_spent_on_the_first_evening_that_shows_fewer_contracts() -> None:
    told = {
        "accepted_instruction(account_id, id, instrument_id, updated_at)": "('A', 'i', 'o', '2026-10-30 15:00:00'::timestamptz)",
        "core.account_eod(account_id, trading_date, captured_at)": """
        ('A', '2026-10-29'::date, '2026-10-29 22:00:00'::timestamptz), ('A', '2026-10-30', '2026-10-30 22:00:00'),
        ('A', '2026-11-02', '2026-11-02 22:00:00')
        """,
        "core.position_eod(account_id, trading_date, instrument_id, quantity)": """
        ('A', '2026-10-29'::date, 'o', 5), ('A', '2026-10-30', 'o', 3), ('A', '2026-11-02', 'o', 1)
        """,
        "core.trade_flow(account_id, instrument_id, trading_date, outside_at, net_quantity)": """
        ('A', 'x', '2026-10-30'::date, null::timestamptz, 1)
        """,
    }
    assert answer("core/spent_instruction", "id, trading_date::text", told) == [("i", "2026-10-30")]


def test_a_stock_that_nobody_saw_is_called_as_its_plain_options_are_and_not_as_adjusted_ones() -> None:
    told = {
        "position_before(account_id, day, instrument_id, underlying_instrument_id, symbol, option_expiry, instrument_type)": """
        ('A', '2026-11-02'::date, 'o', 'u', 'XYZ   261030C00010000', '2026-10-30'::date, 'OPTION'),
        ('A', '2026-11-02', 'p', 'u', 'XYZ1  261030C00010000', '2026-10-30', 'OPTION')
        """,
        "trade_between(account_id, trading_date, instrument_id, underlying_instrument_id, symbol)": (
            "('A', '2026-11-02'::date, 's', null::varchar, 'S'), ('A', '2026-11-02', 'q', 'v', 'ABC   261030C00010000')"
        ),
        "option_contract(id, underlying_instrument_id, expiry)": "('z', 'u', '2026-10-30'::date)",
        "accepted_instruction(account_id, instrument_id, id)": "('A', 'z', 'i')",
    }
    assert answer("core/possible_delivery", "instrument_id, symbol", told) == [("u", "XYZ"), ("v", "ABC")]


@pytest.mark.parametrize(("before", "price"), [(9, 10), (8, None), (10, None)])
def test_a_last_trade_without_a_time_is_a_price_where_it_is_the_close_before_and_the_change(
    before: int, price: int | None
) -> None:
    told = {
        "raw.market_snapshot(run_id, instrument_id, last_trade, session, greeks, cumulative_volume)": (
            """('r1', 'x', '{"price": "10", "size": 1}', """
            f"""'{{"previous_close": "{before}", "change": "1"}}', null::varchar, 100::bigint)"""
        ),
        "account_day(prev_trading_date)": "('2026-10-30'::date)",
        **RUNS,
        **CALENDAR,
    }
    assert answer("core/market_price", "trading_date::text, price", told) == [("2026-11-02", price)]


def test_a_split_of_a_short_position_has_its_contracts_without_a_sign() -> None:
    names, row = same(
        "symbol underlying_instrument_id contracts strike multiplier quantity_moved underlying_quantity_moved cash value_moved "
        "basis_moved premium_treatment instruction_id confidence evidence",
        "null::int",
    )
    told = {
        f"option_event(account_id, instrument_id, trading_date, kind, event_date, evidence_known_at, {names})": (
            f"('B', 'o', '2026-11-02'::date, 'EXPIRY', '2026-11-02'::date, now(), {row})"
        ),
        """position_change(account_id, instrument_id, trading_date, symbol, underlying_instrument_id, quantity_prev, multiplier,
        quantity_prev_split, split_numerator, split_denominator)""": """
        ('A', 'x', '2026-11-02'::date, 1, null::int, -10, 1, -20, 2, 1)
        """,
        "core.position_adjustment(account_id, instrument_id, trading_date, kind, quantity, cash, value, cost_basis, author, note)": (
            "('A', 'y', '2026-11-01'::date, 'TRANSFER', -3, null::int, null::int, null::int, 'ops', 'a note')"
        ),
        **CALENDAR,
    }
    columns = "account_id, kind, trading_date::text, contracts, quantity_moved"
    assert answer("core/lifecycle_event", columns, {**told}) == [
        ("A", "SPLIT", "2026-11-02", 10, -10),
        ("A", "TRANSFER", "2026-11-02", 3, -3),
        ("B", "EXPIRY", "2026-11-02", None, None),
    ]


# ---- requests to trade


def test_a_request_stands_without_a_later_answer_and_names_only_the_trade_that_was_found() -> None:
    told = {
        "raw.extract_run(run_id, trigger)": "('t1', 'trading'), ('t2', 'trading'), ('t2-resolved', 'trading'), ('r1', 'cli')",
        "core.run(run_id, trading_date, started_at)": """
        ('t1', '2026-11-02'::date, now()), ('t2', '2026-11-02', now()), ('t2-resolved', '2026-11-02', now())
        """,
        "raw.extract_manifest(run_id, account_id, endpoint, status, http_status, error, findings)": """
        ('t1', 'A', 'close_position', 'UNKNOWN', null::int, null, null),
        ('t2', 'A', 'close_position', 'UNKNOWN', null, null, null),
        ('t2-resolved', 'A', 'close_position', 'SENT', 200, null, '[]')
        """,
    }
    assert answer("core/request_sent", "run_id, outcome", told) == [("t1", "UNKNOWN"), ("t2", "SENT")]
    named = {
        "request_sent(run_id, account_id, findings)": """
        ('t2', 'A', '[{"check_name": "trade_found", "value": "found"}, {"check_name": "not_echoed", "value": "other"}]')
        """,
        "raw.orders(run_id, id)": "('t2', 'named')",
        "raw.position_instructions(run_id, id)": "('t1', 'of another')",
    }
    assert answer("core/request_named", "id", named) == [("found",), ("named",)]


# ---- figures of accounts and periods


def test_a_day_without_a_word_of_the_brokers_history_has_its_balances_all_the_same() -> None:
    names, row = same("equity currency long_market_value short_market_value unrealized_pnl trade_cash", "1")
    told = {
        "core.account_eod(account_id, trading_date, prev_trading_date, days_covered, daily_fields_run_id)": """
        ('A', '2026-11-02'::date, '2026-10-30'::date, 1, 'r1')
        """,
        """broker_history(account_id, trading_date, realized_pnl, unrealized_pnl, gross_pnl, net_pnl, day_pnl, position_pnl,
        sod_equity, eod_equity, known_at)""": "('B', '2026-11-02'::date, 1, 1, 1, 1, 1, 1, 1, 1, now())",
        f"raw.balances(account_id, run_id, daily_pnl, {names})": f"('A', 'r1', 7, {row})",
    }
    assert answer("core/broker_day", "balance_pnl, gross_pnl, covered_pnl", told) == [(7, None, None)]


def test_a_session_that_is_covered_by_a_later_one_is_no_hole() -> None:
    names, row = same("net_pnl sod_equity flow daily_return", "null::int")
    told = {
        f"account_session(account_id, trading_date, total_pnl, is_opening, is_first, is_covered, {names})": (
            f"('A', '2026-10-30'::date, 1, true, true, false, {row}), ('A', '2026-11-02', null, false, false, true, {row}), "
            f"('A', '2026-11-03', null, false, false, false, {row}), ('B', '2026-11-03', 15, false, false, false, 15, 100, 50, 0.1)"
        ),
        "account_currency(account_id, currency)": "('A', 'USD'), ('B', 'EUR')",
    }
    found = answer("pnl/performance_day", "account_id, trading_date::text, unknown_pnl", told)
    assert [row for row in found if row[0] == "A"] == [
        ("A", "2026-10-30", 0),
        ("A", "2026-11-02", 0),
        ("A", "2026-11-03", 1),
    ]
    # and what came in is there from the start of the day
    together = answer("pnl/performance_day", "series, daily_return", told)
    assert ("all in EUR", 0.1) in together


def test_a_drawdown_is_measured_from_the_highest_point_and_from_the_start() -> None:
    told = {
        """performance_day(series, account_id, currency, trading_date, total_pnl, unknown_pnl, unknown_return, daily_return,
        log_growth)""": """
        ('A', 'A', 'USD', '2026-11-02'::date, -10, 0, 0, -0.1::double, ln(0.9::double)),
        ('A', 'A', 'USD', '2026-11-03', 0, 0, 0, 0.0, 0.0),
        ('B', 'B', 'USD', '2026-11-02', 25, 0, 0, 0.25, ln(1.25::double)),
        ('B', 'B', 'USD', '2026-11-03', -25, 0, 0, -0.2, ln(0.8::double))
        """,
        "pnl.risk_free(yearly_rate)": "(0)",
        **CALENDAR,
    }
    found = answer("pnl/performance", 'account_id, as_of::text, "window", max_drawdown::double', told)
    assert [(account, day, drawdown) for account, day, window, drawdown in found if window == "ITD"] == [
        ("A", "2026-11-02", pytest.approx(-0.1)),
        ("A", "2026-11-03", pytest.approx(-0.1)),
        ("B", "2026-11-02", 0),
        ("B", "2026-11-03", pytest.approx(-0.2)),
    ]


def test_a_history_that_has_no_return_yet_has_made_none() -> None:
    names, row = same(
        "prior_period_adjustment holes_week holes_month holes_quarter holes_year holes gap_days from_books from_broker "
        "unknown_return is_lost",
        "0",
    )
    told = {
        f"""period_day(account_id, trading_date, source, total_pnl, week, month, quarter, year, counted_on, log_growth,
        {names})""": f"""
        ('A', '2026-11-02'::date, 'BOOKS', 0, '2026-11-02'::date, '2026-11-01'::date, '2026-10-01'::date, '2026-01-01'::date,
         '2026-11-02'::date, null::double, {row})
        """,
    }
    columns = "twr_mtd::double, twr_ytd::double, twr_itd::double, drawdown::double"
    assert answer("pnl/period", columns, told) == [(0, 0, 0, 0)]


def test_a_hole_of_a_closed_month_is_filled_in_its_own_month_alone() -> None:
    names, row = same("daily_return total_pnl", "1")
    told = {
        f"account_session(account_id, trading_date, source, is_opening, is_first, is_covered, {names})": (
            f"('A', '2026-11-03'::date, 'BOOKS', false, false, false, {row})"
        ),
        "pnl.account_daily(account_id, trading_date)": "('A', '2026-11-03'::date)",
        "core.period_lock(account_id, locked_through, locked_at)": "(null, '2026-10-30'::date, now())",
        "pnl.account_daily_version(account_id, trading_date, total_pnl, known_from, known_to)": (
            "('A', '2026-10-30'::date, 1, now(), now())"
        ),
        "pnl.prior_period_adjustment(account_id, trading_date, for_trading_date, amount, was_unknown)": """
        ('A', '2026-11-03'::date, '2026-10-30'::date, 5, true), ('A', '2026-11-03', '2026-11-02', 7, true),
        ('A', '2026-11-03', '2026-11-02', 9, false)
        """,
        "gap_told(account_id, covered_by, total_pnl)": "('B', '2026-11-03'::date, 1)",
    }
    columns = "holes_week, holes_month, holes_quarter, holes_year, holes, total_pnl"
    assert answer("pnl/period_day", columns, told) == [(-1, -1, -2, -2, -2, 22)]


@pytest.mark.parametrize(("gross", "proven"), [(10, "since_cost"), (20, "since_prior_close"), (15, None), (1000, None)])
def test_a_reading_is_proven_where_it_alone_is_near_the_brokers_total(gross: int, proven: str | None) -> None:
    told = {
        """position_step(account_id, trading_date, days_covered, reported_realized, reported_unrealized,
        unrealized_step)""": "('A', '2026-11-02'::date, 1, 4, 16, 6)",
        "core.broker_day(account_id, trading_date, balance_pnl, gross_pnl)": f"('A', '2026-11-02'::date, null::int, {gross})",
        "core.account_eod(account_id, trading_date)": "('A', '2026-11-02'::date)",
        "input_earlier_verdict(account_id, proven_semantics)": "('B', 'since_cost')",
    }
    assert answer("pnl/pnl_semantics", "proven_semantics", told) == [(proven,)]


# ---- checks


def test_one_row_is_enough_to_tell_of_a_field_that_no_model_knows() -> None:
    told = {
        "raw.extract_manifest(run_id, endpoint, fields_seen, rows_landed)": """
        ('r1', 'positions', '{"fields": ["a"], "unknown_fields": {"b": 1}, "unknown_enums": {}}', 1)
        """,
        **RUNS,
    }
    assert answer("quality/drift", "kind, name, row_count", told) == [("UNKNOWN_FIELD", "b", 1)]


def test_a_total_is_proven_without_an_event_too() -> None:
    told = {
        """new_position_daily(trading_date, account_id, instrument_id, run_id, total_pnl, position_pnl, day_pnl, market_value,
        sold_notional, bought_notional, total_source)""": (
            "('2026-11-02'::date, 'A', 'x', 'r', 5, 2, 3, 20, 4, 3, 'EXECUTIONS')"
        ),
        "position_change(account_id, trading_date, instrument_id, market_value_prev, adjusted_cash, adjusted_value)": (
            "('A', '2026-11-02'::date, 'x', 16, 0, 0)"
        ),
        "event_effect(account_id, trading_date, instrument_id, cash, value_moved)": "('A', '2026-11-02'::date, 'y', 1, 1)",
    }
    assert answer("quality/exact_position", "instrument_id, value_and_cash", told) == [("x", 5)]


@pytest.mark.parametrize(("locked", "found"), [("2026-10-29", ["period_sums_days"]), ("2026-11-02", [])])
def test_a_sum_that_is_not_that_of_its_days_breaks_an_open_day_and_no_closed_one(locked: str, found: list[str]) -> None:
    told = {
        """new_account_daily(trading_date, account_id, run_id, total_pnl, unattributed_pnl, eod_equity, sod_equity, flow,
        broker_net)""": "('2026-11-02'::date, 'A', 'r', 5, 0, null::int, null::int, null::int, null::int)",
        "new_position_daily(trading_date, account_id, total_pnl)": "('2026-11-02'::date, 'A', 5)",
        "pnl.exposure_daily(trading_date, account_id, net, gross, long_market_value, short_market_value)": (
            "('2026-11-02'::date, 'A', 60, 140, 100, -40)"
        ),
        "pnl.period(account_id, trading_date, itd, prior_period_adjustment)": (
            "('A', '2026-10-30'::date, 1, 0), ('A', '2026-11-02', 7, 0)"
        ),
        "pnl.account_history(account_id, trading_date, total_pnl)": "('A', '2026-10-30'::date, 1), ('A', '2026-11-02', 5)",
        "core.period_lock(locked_through)": f"('{locked}'::date)",
    }
    assert [name for (name,) in answer("quality/account_invariant", "check_name", told)] == found


def test_a_corrected_mark_moves_pnl_from_one_day_to_the_next() -> None:
    told = {
        """pnl.position_daily_version(account_id, instrument_id, trading_date, prev_trading_date, run_id, known_from, known_to,
        version, total_pnl, reason)""": """
        ('A', 'x', '2026-11-02'::date, '2026-10-30'::date, 'r', '2026-11-02 22:00:00'::timestamptz,
         '2026-11-04 22:00:00'::timestamptz, 1, 5, null),
        ('A', 'x', '2026-11-02', '2026-10-30', 'r', '2026-11-04 22:00:00', '9999-12-31 00:00:00', 2, 7, 'PRICE_CORRECTION'),
        ('A', 'x', '2026-11-03', '2026-11-02', 'r', '2026-11-03 22:00:00', '2026-11-04 22:00:00', 1, 4, null),
        ('A', 'x', '2026-11-03', '2026-11-02', 'r', '2026-11-04 22:00:00', '9999-12-31 00:00:00', 2, 1, 'PRICE_CORRECTION')
        """
    }
    assert answer("quality/restated_mark", "trading_date::text, here, there", told) == [("2026-11-02", 2, -3)]


def test_books_as_known_at_an_instant_are_those_of_the_last_run_by_then() -> None:
    told = {
        "core.run(trading_date, grade, finished_at)": """
        ('2026-11-02'::date, 'POST_CLOSE', '2026-11-02 21:30:00'::timestamptz),
        ('2026-11-02', 'POST_CLOSE', '2026-11-02 23:00:00'), ('2026-11-02', 'LATE', '2026-11-03 03:00:00')
        """,
        "pnl.account_daily_version(trading_date, grade, known_from)": "('2026-11-02'::date, 'POST_CLOSE', now())",
        "pnl.position_daily_version(trading_date, known_from)": "('2026-11-02'::date, now())",
        "pnl.missed_day_version(trading_date, known_from)": "('2026-11-02'::date, now())",
    }
    found = answer("../pipelines/books/knowledge", "last_run::text, first_run::text", told)
    assert found == [("2026-11-02 23:00:00+00", "2026-11-02 21:30:00+00")]


# ---- figures of positions


def test_a_penny_stock_whose_cost_is_a_cent_off_is_in_shares_all_the_same() -> None:
    told = {
        """position_held(account_id, instrument_id, trading_date, instrument_type, symbol, quantity, reported_value,
        reported_cost_basis, avg_price, closing_price, instrument_price, closing_price_date)""": """
        ('A', 'x', '2026-11-02'::date, 'COMMON_STOCK', 'X', 1, null::int, 0.0275, 0.02, null::int, null::int, null::date)
        """,
        "contract_term(id, valid_from, valid_to, underlying_instrument_id, expiry, strike_price, contract_type, multiplier)": """
        ('o', '0001-01-01'::date, '9999-12-31'::date, 'u', '2026-12-18'::date, 1, 'CALL', 100)
        """,
    }
    assert answer("core/position_unit", "multiplier, multiplier_source", told) == [(1, "UNIT")]


def test_what_is_available_is_told_of_a_day_whose_end_was_read_alone() -> None:
    names = (
        "quantity available_quantity avg_price closing_price instrument_price daily_realized_pnl daily_unrealized_pnl "
    )
    names += "unrealized_pnl_pct reported_value reported_cost_basis reported_unrealized_pnl"
    names, row = same(names, "7")
    unit, unit_row = same("underlying_instrument_id option_expiry option_strike option_right multiplier_source", "null")
    told = {
        f"""position_held(account_id, instrument_id, trading_date, symbol, underlying_instrument_id, instrument_type, side,
        closing_price_date, is_late_mark, is_recovered, {names})""": f"""
        ('A', 'read', '2026-11-02'::date, 'X', null, 'COMMON_STOCK', 'LONG', '2026-10-30'::date, false, false, {row}),
        ('A', 'recovered', '2026-11-02', 'X', null, 'COMMON_STOCK', 'LONG', '2026-10-30', false, true, {row})
        """,
        f"position_unit(account_id, instrument_id, trading_date, multiplier, {unit})": (
            f"('A', 'read', '2026-11-02'::date, 1, {unit_row}), ('A', 'recovered', '2026-11-02', 1, {unit_row})"
        ),
        """recovered_position(account_id, instrument_id, trading_date, quantity, avg_price, close, multiplier, recovered_value,
        recovered_cost, recovered_grade)""": "('A', 'recovered', '2026-11-02'::date, 3, 2, 5, 1, 15, 6, 'OFFICIAL')",
    }
    columns = "instrument_id, closing_price_date::text, quantity, available_quantity, market_value, cost_basis, unrealized_pnl"
    assert answer("core/position_priced", columns, told) == [
        ("read", "2026-10-30", 7, 7, 7, 7, 7),
        ("recovered", "2026-11-02", 3, None, 15, 6, 9),
    ]


@pytest.mark.parametrize(
    ("touched", "before", "cost"), [("false", "false", 6), ("true", "false", None), ("false", "true", None)]
)
def test_a_recovered_position_has_the_cost_of_the_morning_where_nothing_was_traded_since(
    touched: str, before: str, cost: int | None
) -> None:
    told = {
        "raw.positions(run_id, instrument_id, closing_price, closing_price_date)": "('m', 'x', 5, '2026-11-02'::date)",
        "recovered_day(trading_date, next_trading_date)": "('2026-11-02'::date, '2026-11-03'::date)",
        "core.run(run_id, trading_date, grade)": "('m', '2026-11-03'::date, 'PRE_OPEN')",
        """position_held(account_id, trading_date, instrument_id, is_before, reported_cost_basis, avg_price, reported_value,
        reported_unrealized_pnl, quantity, closing_price, closing_price_date, instrument_price)""": (
            f"('A', '2026-11-02'::date, 'x', {before}, 6, 2, 15, 9, 3, 5, '2026-11-02'::date, 5)"
        ),
        """recovered_quantity(account_id, trading_date, instrument_id, quantity, ratio, is_touched, price_before,
        is_near_split)""": f"('A', '2026-11-02'::date, 'x', 3, 1::double, {touched}, 5::double, false)",
        "position_unit(account_id, trading_date, instrument_id, multiplier, multiplier_source)": (
            "('A', '2026-11-02'::date, 'x', 1, 'UNIT')"
        ),
    }
    assert answer("core/recovered_position", "recovered_value, recovered_cost", told) == [(15, cost)]


@pytest.mark.parametrize(("quantity", "fits"), [("9.5", True), ("5", False)])
def test_cash_in_lieu_explains_a_part_of_a_share_and_no_more(quantity: str, fits: bool) -> None:
    told = {
        "roll_way(account_id, day, instrument_id, splits, ratio, choice, start_by_time, end_by_time, traded)": (
            "('A', '2026-11-02'::date, 'x', 'COVERING', 1::double, 1, true, true, 0::double)"
        ),
        "core.position_eod(account_id, trading_date, instrument_id, quantity, eod_price)": (
            f"('A', '2026-11-02'::date, 'x', {quantity}, 1)"
        ),
        "position_before(account_id, day, instrument_id, quantity, eod_price)": "('A', '2026-11-02'::date, 'x', 10, 1)",
        "account_day(account_id, trading_date, executions_loaded)": "('A', '2026-11-02'::date, true)",
        "adjustment_effect(account_id, trading_date, instrument_id, quantity, pays_a_fraction)": (
            "('A', '2026-11-02'::date, 'x', 0, true)"
        ),
    }
    assert answer("core/roll", "fits", told) == [(fits,)]


def test_where_no_fills_were_read_the_way_that_fits_is_the_one_that_the_price_is_nearest_to() -> None:
    """10 held at 100 become 10 at 50: without the split and without a trade, or with a 2:1 split and 10 sold."""
    told = {
        "roll_way(account_id, day, instrument_id, splits, ratio, choice, start_by_time, end_by_time, traded)": """
        ('A', '2026-11-02'::date, 'x', '2026-11-03', 2::double, 1, true, true, -10::double),
        ('A', '2026-11-02'::date, 'x', 'NONE', 1, 2, true, true, 0)
        """,
        "core.position_eod(account_id, trading_date, instrument_id, quantity, eod_price)": (
            "('A', '2026-11-02'::date, 'x', 10, 50)"
        ),
        "position_before(account_id, day, instrument_id, quantity, eod_price)": "('A', '2026-11-02'::date, 'x', 10, 100)",
        "account_day(account_id, trading_date, executions_loaded)": "('A', '2026-11-02'::date, false)",
        "adjustment_effect(account_id, trading_date, instrument_id, quantity, pays_a_fraction)": (
            "('B', '2026-11-02'::date, 'x', 0, true)"
        ),
    }
    assert answer("core/roll", "splits, price_agrees, fits", told) == [("2026-11-03", True, True)]
    told["core.position_eod(account_id, trading_date, instrument_id, quantity, eod_price)"] = (
        "('A', '2026-11-02'::date, 'x', 10, 100)"
    )
    assert answer("core/roll", "splits, price_agrees, fits", told) == [("NONE", True, True)]


def test_a_fill_of_an_order_counts_once_as_it_was_told_last() -> None:
    orders, order = same("client_order_id instrument_id symbol side status", "'x'", quantity=1, average_fill_price=1)
    instructions, instruction = same(
        "client_instruction_id instrument_id symbol instruction_type quantity status rejection_reason",
        "'x'",
        quantity=1,
    )
    told = {
        """request_sent(run_id, account_id, trading_date, requested_at, operation, outcome, http_status, error,
        is_order)""": "('r1', 'A', '2026-11-02'::date, now(), 'close_position', 'SENT', 200, null, true)",
        "request_named(run_id, account_id, id)": "('r1', 'A', 'o1')",
        "request_refused(run_id, refused_key, reason)": "('r0', 'x', 'no')",
        "request_asked(run_id, instrument_id, symbol, what, quantity)": "('r0', 'x', 'x', 'BUY', 1)",
        f"raw.orders(account_id, id, run_id, updated_at, {orders})": f"('A', 'o1', 'r1', now(), {order})",
        f"raw.position_instructions(account_id, id, run_id, updated_at, {instructions})": f"('B', 'i', 'r1', now(), {instruction})",
        "raw.executions(account_id, id, order_id, run_id, quantity, transaction_time)": """
        ('A', 'f', 'o1', 'r1', 2, '2026-11-02 15:00:00'::timestamptz), ('A', 'f', 'o1', 'r2', 3, '2026-11-02 15:00:00')
        """,
        "core.lifecycle_event(account_id, instrument_id, instruction_id, kind, contracts, trading_date)": (
            "('B', 'x', 'x', 'EXERCISE', 1, '2026-11-02'::date)"
        ),
        **RUNS,
        **CALENDAR,
    }
    found = answer("core/trade_request", "order_id, fills, filled_quantity, happened_on::text", told)
    assert found == [("o1", 1, 3, "2026-11-02")]


def test_an_accounts_day_is_known_since_the_newest_of_what_it_is_made_of() -> None:
    names, row = same(
        "total_pnl realized_pnl unrealized_change income_estimate transferred_value bought_notional sold_notional", "1"
    )
    broker, figures = same("realized_pnl unrealized_pnl net_pnl gross_pnl covered_pnl sod_equity eod_equity", "1")
    told = {
        f"new_position_daily(account_id, trading_date, quality, pnl_semantics, semantics_source, inputs_known_at, {names})": (
            f"('A', '2026-11-02'::date, 'EXACT', 'x', 'x', '2026-11-02 21:00:00'::timestamptz, {row})"
        ),
        """core.account_eod(account_id, trading_date, prev_trading_date, days_covered, grade, finality, run_id, executions_loaded,
        known_at)""": """
        ('A', '2026-11-02'::date, '2026-10-30'::date, 1, 'POST_CLOSE', 'FINAL', 'r', true, '2026-11-02 23:00:00'::timestamptz)
        """,
        f"core.broker_day(account_id, trading_date, known_at, {broker})": (
            f"('A', '2026-11-02'::date, '2026-11-02 22:00:00'::timestamptz, {figures})"
        ),
    }
    assert answer("pnl/account_daily", "inputs_known_at::text", told) == [("2026-11-02 23:00:00+00",)]


def test_a_positions_step_is_known_since_the_newest_of_what_it_is_made_of() -> None:
    names, row = same(
        "symbol symbol_prev underlying_instrument_id days_covered executions_loaded quantity_prev quantity_prev_split quantity "
        "split_numerator split_denominator split_unmatched after_snapshot sod_price eod_price price_grade sod_price_grade multiplier "
        "unit_is_assumed market_value market_value_prev cost_basis cost_basis_prev unrealized_pnl unrealized_pnl_prev fills "
        "unpriced_fills traded_quantity bought_quantity sold_quantity bought_per_share sold_per_share adjusted_quantity adjusted_cash "
        "adjusted_value adjusted_cost_basis adjustment_kind is_stranger transferred_value seen_flat value_recalc "
        "daily_realized_pnl daily_unrealized_pnl",
        "1",
        price_grade="'OFFICIAL'",
        sod_price_grade="'OFFICIAL'",
        unit_is_assumed="false",
        eod_price=3,
        value_recalc=3,
    )
    told = {
        f"""position_change(account_id, instrument_id, trading_date, run_id, instrument_type, prev_trading_date, known_at,
        prev_known_at, trades_known_at, {names})""": f"""
        ('A', 'x', '2026-11-02'::date, 'r', 'COMMON_STOCK', '2026-10-30'::date, '2026-11-02 21:00:00'::timestamptz,
         '2026-10-30 21:00:00'::timestamptz, '2026-11-02 21:30:00'::timestamptz, {row})
        """,
        """event_effect(account_id, trading_date, instrument_id, quantity, cash, value_moved, basis_moved, flags, only_expiry,
        came_and_went, known_at)""": (
            "('A', '2026-11-02'::date, 'x', 0, 0, 0, 0, 'X', false, false, '2026-11-03 21:00:00'::timestamptz)"
        ),
        "dividend_income(account_id, trading_date, instrument_id, income_estimate)": "('B', '2026-11-02'::date, 'x', 1)",
        "price_elsewhere(account_id, trading_date, instrument_id, eod_price)": "('B', '2026-11-02'::date, 'x', 1)",
        "open_outcome(account_id, trading_date, instrument_id)": "('B', '2026-11-02'::date, 'x')",
        "assumed_outcome(account_id, trading_date, instrument_id)": "('B', '2026-11-02'::date, 'x')",
    }
    # and where its value follows another price than the close, that is the price of its P&L
    assert answer("pnl/position_step", "inputs_known_at::text, price", told) == [("2026-11-03 21:00:00+00", 1)]


def test_what_was_traded_on_an_underlying_is_an_option_though_no_contract_and_no_symbol_tells() -> None:
    names, row = same(
        "symbol symbol_prev underlying_instrument_id instrument_type option_right price_grade sod_price_grade",
        "null::varchar",
    )
    numbers, figures = same(
        "option_strike multiplier quantity market_value cost_basis unrealized_pnl value_recalc eod_price daily_realized_pnl "
        "daily_unrealized_pnl quantity_prev market_value_prev cost_basis_prev unrealized_pnl_prev value_recalc_prev sod_price",
        "0",
    )
    traded, fills = same("fills net_quantity bought_quantity sold_quantity bought_per_share sold_per_share", "1")
    told = {
        f"position_pair(account_id, instrument_id, trading_date, option_expiry, unit_is_assumed, {names}, {numbers})": (
            f"('A', 'o', '2026-11-02'::date, null::date, false, {row}, {figures})"
        ),
        """account_day(account_id, trading_date, run_id, prev_trading_date, days_covered, executions_loaded, instructions_loaded,
        captured_at, known_at, prev_known_at)""": (
            "('A', '2026-11-02'::date, 'r', '2026-10-30'::date, 1, true, true, now(), now(), now())"
        ),
        f"""trade_between(account_id, instrument_id, trading_date, symbol, underlying_instrument_id, unpriced_fills, after_snapshot,
        known_at, {traded})""": f"('A', 'o', '2026-11-02'::date, 'an option', 'u', 0, false, now(), {fills})",
        """adjustment_effect(account_id, instrument_id, trading_date, quantity, pays_a_fraction, settled_in_cash, cash, value,
        cost_basis, transferred_value, kind)""": (
            "('B', 'o', '2026-11-02'::date, 0, false, false, 0, 0, 0, 0, 'TRANSFER')"
        ),
        "order_type(account_id, instrument_id, trading_date, instrument_type)": "('B', 'o', '2026-11-02'::date, 'OPTION')",
        "stranger(account_id, instrument_id, trading_date)": "('B', 'o', '2026-11-02'::date)",
        "split_effect(account_id, instrument_id, trading_date, numerator, denominator)": "('B', 'o', '2026-11-02'::date, 2, 1)",
        "roll(account_id, instrument_id, day, is_near_split, fits, price_agrees)": "('B', 'o', '2026-11-02'::date, true, true, true)",
        "possible_delivery(account_id, instrument_id, trading_date, symbol)": "('B', 'o', '2026-11-02'::date, 'X')",
        "seen_flat(account_id, instrument_id, trading_date, daily_realized_pnl)": "('B', 'o', '2026-11-02'::date, 0)",
        "option_contract(id, underlying_instrument_id, contract_type, strike_price, expiry, multiplier)": (
            "('p', 'u', 'CALL', 1, '2026-12-18'::date, 100)"
        ),
    }
    columns = "instrument_type, underlying_instrument_id, multiplier, unit_is_assumed"
    assert answer("core/position_change", columns, told) == [("OPTION", "u", 100, True)]
