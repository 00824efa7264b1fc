"""More of what single selects of the books say of a few rows: versions and their reasons, splits, fills, recovered days."""

from __future__ import annotations

import pytest

from tests.support.selects import CALENDAR, NEW_RUN, RUNS, answer, days

# ---- changed days


@pytest.mark.parametrize(
    ("known_on", "found"), [("2026-11-17", ["2026-10-30", "2026-11-02", "2026-11-03"]), ("2026-11-18", [])]
)
def test_a_split_that_the_last_answer_lacks_changes_the_days_around_it_of_what_was_held_by_then(
    known_on: str, found: list[str]
) -> None:
    told = {
        "core.run(run_id, trading_date, finished_at)": "('r1', '2026-11-02'::date, '2026-11-02 22:00:00'::timestamptz)",
        "raw.extract_manifest(run_id, endpoint, complete, rows_quarantined, http_status)": """
        ('r1', 'corporate_events', true, null::int, 200), ('r2', 'corporate_events', true, null, 200)
        """,
        "raw.corporate_events(run_id, instrument_id, event_type, event_date, sequence, numerator, denominator, dividend_amount)": (
            "('r1', 'x', 'STOCK_SPLIT', '2026-11-03'::date, 1, 2, 1, null::int)"
        ),
        "raw.positions(run_id, instrument_id)": "('r2', 'x')",
        "core.position_eod(instrument_id, trading_date)": f"('x', '{known_on}'::date)",
        "core.trade_flow(instrument_id, trading_date)": "('y', '2026-11-02'::date)",
        **CALENDAR,
        **NEW_RUN,
    }
    assert days("event", told) == found


def test_a_fill_that_a_whole_list_lacks_changes_its_day_and_those_for_which_an_instruction_of_it_counts() -> None:
    told = {
        "core.run(run_id, finished_at)": "('r1', '2026-11-02 22:00:00'::timestamptz)",
        "raw.extract_manifest(run_id, account_id, endpoint, complete, rows_quarantined, window_from, captured_at)": """
        ('r1', 'A', 'executions', true, null::int, '2026-10-30 08:00:00'::timestamptz, '2026-11-02 21:30:00'::timestamptz),
        ('r2', 'A', 'executions', true, null, '2026-10-30 08:00:00', '2026-11-03 21:30:00')
        """,
        "raw.executions(run_id, account_id, id, instrument_id, symbol, underlying_instrument_id, side, quantity, price, transaction_time)": (
            "('r1', 'A', 'f', 'o', 'O', 'u', 'BUY', 1, 1, '2026-11-02 15:00:00'::timestamptz)"
        ),
        "raw.position_instructions(account_id, instrument_id)": "('A', 'o')",
        "core.account_eod(account_id, trading_date, captured_at)": """
        ('A', '2026-10-30'::date, '2026-10-30 21:00:00'::timestamptz), ('A', '2026-11-20', '2026-11-20 21:00:00'),
        ('A', '2026-11-24', '2026-11-24 21:00:00')
        """,
        **CALENDAR,
        **NEW_RUN,
    }
    assert days("fill", told) == ["2026-11-02", "2026-11-20"]


# ---- instructions, contracts and options


def test_an_instruction_is_absent_since_the_first_list_after_the_last_that_had_it() -> None:
    told = {
        "raw.position_instructions(account_id, id, run_id, client_instruction_id, instrument_id, symbol, instruction_type, status, "
        "quantity, accepted_quantity, rejection_reason, created_at, updated_at)": """
        ('A', 'i', 'r1', 'c', 'o', 'O', 'EXERCISE', 'ACCEPTED', 1, 1, null, now(), now())
        """,
        "raw.extract_manifest(run_id, account_id, endpoint, complete)": """
        ('r1', 'A', 'position_instructions', true), ('r2', 'A', 'position_instructions', true)
        """,
        **RUNS,
    }
    assert answer("core/instruction_history", "absent_since::text", told) == [("2026-11-03 22:00:00+00",)]


def test_a_contract_is_as_it_was_said_last_and_has_each_of_its_terms_from_the_day_that_they_were_read() -> None:
    told = {
        "raw.option_contracts(id, run_id, underlying_instrument_id, contract_type, strike_price, expiry, multiplier, extra)": """
        ('o', 'r1', 'u', 'CALL', 10, '2026-12-18'::date, 100, '{}'), ('o', 'r2', 'u', 'CALL', 5, '2026-12-18', 200, '{}')
        """,
        **RUNS,
    }
    assert answer("core/option_contract", "strike_price, multiplier", told) == [(5, 200)]
    assert answer("core/contract_term", "valid_from::text, valid_to::text, strike_price", told) == [
        ("0001-01-01", "2026-11-03", 10),
        ("2026-11-03", "9999-12-31", 5),
    ]


def test_a_fill_has_the_terms_that_its_contract_has_from_that_day_on() -> None:
    told = {
        """fill_observed(account_id, id, order_id, instrument_id, symbol, underlying_instrument_id, side, filled_quantity, price,
        transaction_time, trading_date, first_observed_at, last_observed_at, withdrawn_at)""": """
        ('A', 'f', 'f', 'o', 'O', 'u', 'BUY', 2, 3, now(), '2026-11-03'::date, now(), now(), null)
        """,
        "pnl.position_daily(account_id, instrument_id, trading_date, multiplier)": "('A', 'x', '2026-11-03'::date, 1)",
        "contract_term(id, valid_from, valid_to, multiplier)": """
        ('o', '0001-01-01'::date, '2026-11-03'::date, 100), ('o', '2026-11-03', '9999-12-31', 200)
        """,
    }
    assert answer("core/fill", "multiplier, notional", told) == [(200, 1200)]


def test_what_is_open_of_an_expiry_is_what_no_outcome_tells_of() -> None:
    told = {
        "option_outcome(account_id, trading_date, instrument_id, contracts)": "('A', '2026-11-02'::date, 'o', -2)",
        "option_evidence(account_id, trading_date, instrument_id, contracts, expired)": """
        ('A', '2026-11-02'::date, 'o', -5, true), ('A', '2026-11-02', 'p', 1, true), ('A', '2026-11-02', 'q', 1, false)
        """,
        "option_delivered(account_id, trading_date, instrument_id, linked_to, stock_is_open)": """
        ('A', '2026-11-02'::date, 'o', 's', false)
        """,
    }
    assert answer("core/open_outcome", "instrument_id, contracts", told) == [("o", 3), ("p", 1)]


# ---- snapshots and fills


def test_a_day_is_known_when_the_later_of_its_two_snapshots_is() -> None:
    told = {
        """core.snapshot_grade(account_id, trading_date, run_id, grade, finality, rolled, captured_at, finished_at,
        instructions_complete, position_count, eligible)""": """
        ('A', '2026-11-02'::date, 'r1', 'POST_CLOSE', 'FINAL', false, '2026-11-02 21:00:00'::timestamptz,
         '2026-11-02 21:01:00'::timestamptz, true, 1, true),
        ('A', '2026-11-02', 'r2', 'POST_CLOSE', 'FLASH', true, '2026-11-02 22:00:00', '2026-11-02 22:01:00', true, 1, true)
        """,
        """stand_in(account_id, trading_date, run_id, grade, captured_at, post_close, finality, instructions_complete,
        fills_known_at, known_at)""": "('B', '2026-11-02'::date, 'r3', 'PRE_OPEN', now(), now(), 'FLASH', true, null, now())",
    }
    columns = "run_id, marks_run_id, daily_fields_run_id, known_at::text"
    assert answer("core/snapshot_chosen", columns, told) == [("r2", "r1", "r1", "2026-11-02 22:01:00+00")]


def test_where_there_is_no_choice_fills_count_by_the_time_of_the_snapshots() -> None:
    told = {
        """flow_between(account_id, day, instrument_id, trading_date, symbol, underlying_instrument_id, fills, unpriced_fills,
        net_quantity, bought_quantity, sold_quantity, bought_per_share, sold_per_share, known_at, after_start_by_date,
        after_start_by_time, until_end_by_date, until_end_by_time)""": """
        ('A', '2026-11-02'::date, 'in time', '2026-11-02'::date, 'X', null, 1, 0, 1, 1, 0, 1, 0, now(), false, true, false, true),
        ('A', '2026-11-02', 'on the date', '2026-11-02', 'X', null, 1, 0, 1, 1, 0, 1, 0, now(), true, false, true, false)
        """,
        "roll(account_id, day, instrument_id, start_by_time, end_by_time)": "('A', '2026-11-01'::date, 'x', true, true)",
    }
    assert answer("core/trade_counted", "instrument_id, is_after_snapshot", told) == [("in time", True)]


def test_a_fill_of_the_next_date_counts_where_the_snapshot_was_taken_after_it() -> None:
    names = "symbol underlying_instrument_id fills unpriced_fills net_quantity bought_quantity sold_quantity bought_per_share "
    names += "sold_per_share"
    told = {
        "account_day(account_id, trading_date, prev_trading_date, captured_at, prev_captured_at)": """
        ('A', '2026-11-02'::date, '2026-10-30'::date, '2026-11-03 02:00:00'::timestamptz, '2026-10-30 21:00:00'::timestamptz)
        """,
        f"core.trade_flow(account_id, instrument_id, trading_date, outside_at, known_at, {', '.join(names.split())})": """
        ('A', 'early', '2026-11-03'::date, '2026-11-03 01:30:00'::timestamptz, now(), 'X', null, 1, 0, 1, 1, 0, 1, 0),
        ('A', 'late', '2026-11-03', '2026-11-03 02:30:00', now(), 'X', null, 1, 0, 1, 1, 0, 1, 0)
        """,
        "fill_observed(account_id, instrument_id, trading_date, outside_at, symbol, underlying_instrument_id, counts, price, "
        "signed_quantity, quantity, known_at)": """
        ('A', 'x', '2026-10-01'::date, now(), 'X', null, true, 1, 1, 1, now())
        """,
        "core.calendar(trading_date, next_trading_date)": "('2026-11-02'::date, '2026-11-03'::date)",
    }
    found = answer("core/flow_between", "instrument_id, until_end_by_date, until_end_by_time", told)
    assert found == [("early", False, True)]


@pytest.mark.parametrize("quantity", [2 * 10**15, -2 * 10**15])
def test_fills_that_no_column_could_hold_after_a_split_are_unknown_bought_or_sold(quantity: int) -> None:
    names = "symbol underlying_instrument_id fills unpriced_fills bought_quantity sold_quantity bought_per_share sold_per_share"
    told = {
        f"trade_counted(account_id, day, instrument_id, trading_date, known_at, is_after_snapshot, net_quantity, {', '.join(names.split())})": (
            f"('A', '2026-11-03'::date, 'x', '2026-11-02'::date, now(), false, {quantity}::decimal(24, 8), 'X', null, 1, 0, 1, 0, 1, 0)"
        ),
        "split_between(account_id, trading_date, instrument_id, effective_date, ratio)": (
            "('A', '2026-11-03'::date, 'x', '2026-11-03'::date, 2::double)"
        ),
    }
    assert answer("core/trade_between", "net_quantity", told) == [(None,)]


def test_what_an_earlier_snapshot_of_the_day_had_at_nothing_is_seen_flat_but_for_one_that_had_rolled() -> None:
    told = {
        "account_day(account_id, trading_date, captured_at)": "('A', '2026-11-02'::date, '2026-11-02 22:00:00'::timestamptz)",
        "core.snapshot_grade(account_id, trading_date, run_id, captured_at, complete, rolled, grade)": """
        ('A', '2026-11-02'::date, 'r1', '2026-11-02 21:00:00'::timestamptz, true, false, 'POST_CLOSE'),
        ('A', '2026-11-02', 'r2', '2026-11-02 21:30:00', true, true, 'POST_CLOSE')
        """,
        "position_before(account_id, day, instrument_id)": "('A', '2026-11-02'::date, 'x')",
        "raw.positions(account_id, run_id, instrument_id, quantity, daily_realized_pnl)": """
        ('A', 'r1', 'x', 0, 5), ('A', 'r2', 'x', 0, 0)
        """,
        "core.position_eod(account_id, trading_date, instrument_id, instrument_type)": "('A', '2026-11-02'::date, 'y', 'CASH')",
    }
    assert answer("core/seen_flat", "instrument_id, daily_realized_pnl", told) == [("x", 5)]


def test_a_stock_that_is_gone_has_the_price_that_it_had() -> None:
    told = {
        """position_change(account_id, trading_date, instrument_id, instrument_type, unexplained, cost_basis, cost_basis_prev,
        quantity, quantity_prev, fills, adjusted_quantity, eod_price, sod_price)""": """
        ('A', '2026-11-02'::date, 'gone', 'COMMON_STOCK', -1, 0, 9, 0, 1, 0, 0, null, 10),
        ('A', '2026-11-02', 'held', 'COMMON_STOCK', 1, 9, 0, 1, 0, 0, 0, 11, 10)
        """
    }
    assert answer("core/stock_change", "instrument_id, price", told) == [("gone", 10), ("held", 11)]


# ---- recovered days

RECOVERED = {
    "recovered_day(account_id, trading_date, anchor_date, anchor_at, captured_at, recovered_at, next_trading_date)": """
    ('A', '2026-11-02'::date, '2026-10-30'::date, '2026-10-30 21:00:00'::timestamptz, '2026-11-03 01:00:00'::timestamptz,
     '2026-11-03 12:00:00'::timestamptz, '2026-11-03'::date)
    """
}


def test_splits_and_transfers_of_a_recovered_day_are_those_since_the_day_before_and_those_of_the_morning_after() -> (
    None
):
    told = {
        "split_observed(instrument_id, event_date, ratio)": """
        ('old', '2026-10-30'::date, 2), ('of the day', '2026-11-02', 2), ('after', '2026-11-03', 2), ('later', '2026-11-04', 2)
        """,
        "core.position_adjustment(account_id, instrument_id, trading_date, kind, quantity)": """
        ('A', 'x', '2026-10-30'::date, 'TRANSFER', 1), ('A', 'x', '2026-11-02', 'TRANSFER', 10),
        ('A', 'x', '2026-11-03', 'TRANSFER', 100), ('A', 'x', '2026-11-04', 'TRANSFER', 1000)
        """,
        **RECOVERED,
    }
    assert answer("core/recovered_split", "instrument_id, is_morning", told) == [("after", True), ("of the day", False)]
    assert answer("core/recovered_transfer", "before, later", told) == [(10, 100)]


def test_fills_of_a_recovered_day_are_those_of_its_date_or_since_the_snapshot_before_and_those_of_the_morning() -> None:
    told = {
        "core.trade_flow(account_id, instrument_id, trading_date, outside_at, net_quantity)": """
        ('A', 'x', '2026-10-30'::date, '2026-10-30 20:00:00'::timestamptz, 1), ('A', 'x', '2026-10-30', '2026-10-30 22:00:00', 10),
        ('A', 'x', '2026-11-02', null, 100)
        """,
        "recovered_split(account_id, trading_date, instrument_id, event_date, ratio, is_morning)": """
        ('B', '2026-11-02'::date, 'x', '2026-11-02'::date, 2::double, false)
        """,
        "fill_observed(account_id, instrument_id, transaction_time, signed_quantity, counts)": """
        ('A', 'x', '2026-11-03 12:00:00'::timestamptz, 1000, true), ('A', 'x', '2026-11-03 12:01:00', 10000, true)
        """,
        **RECOVERED,
    }
    assert answer("core/recovered_flow", "by_time, by_date, later, later_fills", told) == [(110, 100, 1000, 1)]


def test_why_a_day_was_not_recovered_names_what_was_not_whole() -> None:
    told = {
        "core.expected_day(account_id, trading_date, is_known)": "('A', '2026-11-02'::date, false)",
        "core.calendar(trading_date, next_trading_date)": "('2026-11-02'::date, '2026-11-03'::date)",
        "core.run(run_id, trading_date, grade)": "('r2', '2026-11-03'::date, 'PRE_OPEN')",
        "raw.extract_manifest(run_id, account_id, endpoint, complete, error)": """
        ('r2', 'A', 'positions', false, 'torn'), ('r2', 'A', 'executions', false, '403')
        """,
        "core.account_eod(account_id, trading_date, run_id, recovered_from, grade)": "('B', '2026-11-02'::date, 'r', null, 'LATE')",
        "core.position_eod(account_id, trading_date, instrument_id, symbol, option_expiry, quantity, market_value)": """
        ('B', '2026-11-02'::date, 'x', 'X', null::date, 1, 1)
        """,
        "recovered_quantity(account_id, trading_date, instrument_id, missing)": "('B', '2026-11-02'::date, 'x', 1)",
    }
    ((name, value, message),) = answer("quality/recovery_check", "check_name, value, message", told)
    assert (name, value) == ("not_recovered", "torn")
    assert "its positions are not whole" in message


# ---- histories, periods and versions


@pytest.mark.parametrize(
    ("sessions_told", "unknown", "source"), [(1, 1, "REMAINDER"), (1, 0, "REMAINDER"), (0, 1, "SPAN"), (0, 0, "BOOKS")]
)
def test_a_day_that_covers_others_is_what_is_left_of_what_the_broker_tells(
    sessions_told: int, unknown: int, source: str
) -> None:
    told = {
        """pnl.account_daily(account_id, trading_date, total_pnl, realized_pnl, unrealized_change, broker_net, sod_equity,
        eod_equity, flow, daily_return, known_from)""": "('A', '2026-11-03'::date, 10, 6, 4, 10, 0, 0, 0, 0, now())",
        """gap_told(account_id, covered_by, sessions_told, sessions_unknown, total_pnl, realized_pnl, unrealized_pnl,
        known_from)""": f"('A', '2026-11-03'::date, {sessions_told}, {unknown}, 3, 2, 1, now())",
        """pnl.missed_day(account_id, trading_date, total_pnl, realized_pnl, unrealized_pnl, net_pnl, sod_equity, eod_equity,
        flow, daily_return, known_from)""": "('B', '2026-11-03'::date, null, 1, 1, 1, 1, 1, 1, null, now())",
    }
    assert answer("pnl/account_history", "source, days_covered, total_pnl", told) == [(source, 1 + unknown, 7)]


def test_a_session_before_the_last_day_of_the_books_is_covered_by_a_later_one() -> None:
    names = "source total_pnl net_pnl sod_equity flow daily_return"
    told = {
        f"pnl.account_history(account_id, trading_date, {', '.join(names.split())})": """
        ('A', '2026-10-30'::date, 'BOOKS', 1, 1, 1, 0, 0.1), ('A', '2026-11-03', 'BOOKS', 1, 1, 1, 0, 0.1)
        """,
        "account_closed(account_id, closed_on, reopened_on)": "('B', '2026-11-02'::date, '9999-12-31'::date)",
        "core.expected_day(account_id, trading_date, is_known)": "('A', '2026-11-03'::date, true)",
        **CALENDAR,
    }
    assert answer("pnl/account_session", "trading_date::text, source, is_covered", told) == [
        ("2026-10-30", "BOOKS", False),
        ("2026-11-02", None, True),
        ("2026-11-03", "BOOKS", False),
    ]


def test_a_session_that_nobody_knows_counts_but_for_one_on_which_the_account_was_closed() -> None:
    told = {
        "pnl.account_daily(account_id, trading_date, prev_trading_date, days_covered)": """
        ('A', '2026-11-03'::date, '2026-10-30'::date, 2), ('B', '2026-11-03', '2026-10-30', 2)
        """,
        "pnl.missed_day(account_id, trading_date, total_pnl, realized_pnl, unrealized_pnl, known_from)": (
            "('C', '2026-11-02'::date, 1, 1, 0, now())"
        ),
        "account_closed(account_id, closed_on, reopened_on)": "('B', '2026-10-30'::date, '2026-11-03'::date)",
        **CALENDAR,
    }
    assert answer("pnl/gap_told", "account_id, sessions_told, sessions_unknown", told) == [("A", 0, 1)]


def test_what_came_into_an_account_on_a_missed_day_is_what_its_pnl_does_not_explain() -> None:
    told = {
        """broker_history(account_id, trading_date, realized_pnl, unrealized_pnl, gross_pnl, net_pnl, day_pnl, position_pnl,
        sod_equity, eod_equity, known_at, last_observed_at)""": """
        ('A', '2026-11-02'::date, 1, 2, 3, 3, 1, 2, 100, 153, now(), '2026-11-02 21:00:00'::timestamptz),
        ('A', '2026-11-03', 1, 2, 3, 3, 1, 2, 100, 153, now(), '2026-11-03 20:00:00')
        """,
        "core.account_eod(account_id, trading_date)": "('B', '2026-11-02'::date)",
        **CALENDAR,
    }
    assert answer("pnl/missed_day", "trading_date::text, flow, daily_return::double", told) == [
        ("2026-11-02", 50, pytest.approx(0.02))
    ]


def test_shares_that_came_for_one_strike_and_went_for_another_are_told() -> None:
    told = {
        """event_leg(account_id, trading_date, instrument_id, quantity_moved, cash, value_moved, basis_moved, flag, kind,
        evidence_known_at)""": """
        ('A', '2026-11-02'::date, 'both', 1, 0, 0, 0, 'X', 'EXERCISE', now()),
        ('A', '2026-11-02', 'both', -1, 0, 0, 0, 'Y', 'ASSIGNMENT', now()),
        ('A', '2026-11-02', 'came', 1, 0, 0, 0, 'X', 'EXERCISE', now()),
        ('A', '2026-11-02', 'came', 0, 0, 0, 0, 'X', 'EXPIRY', now())
        """
    }
    assert answer("pnl/event_effect", "instrument_id, came_and_went, only_expiry", told) == [
        ("both", True, False),
        ("came", False, False),
    ]


def test_an_adjustment_of_a_closed_day_is_the_change_from_the_version_before() -> None:
    told = {
        "pnl.account_daily_version(account_id, trading_date, version, total_pnl, known_from, known_to, reason)": """
        ('A', '2026-10-30'::date, 1, 10, '2026-10-30 21:00:00'::timestamptz, '2026-11-02 22:00:00'::timestamptz, null),
        ('A', '2026-10-30', 2, 13, '2026-11-02 22:00:00', '2026-11-03 22:00:00', 'EXECUTION_LATE'),
        ('A', '2026-10-30', 3, 20, '2026-11-03 22:00:00', '9999-12-31 00:00:00', 'EXECUTION_LATE')
        """,
        "core.period_lock(account_id, locked_through, locked_at)": """
        (null, '2026-10-30'::date, '2026-11-01 12:00:00'::timestamptz)
        """,
        "pnl.account_daily(account_id, trading_date)": "('A', '2026-11-02'::date), ('A', '2026-11-03')",
        **CALENDAR,
    }
    assert answer("pnl/prior_period_adjustment", "version, trading_date::text, amount, was_unknown", told) == [
        (2, "2026-11-02", 3, False),
        (3, "2026-11-03", 7, False),
    ]


@pytest.mark.parametrize("whose", ["null", "'A'"])
def test_a_closed_day_that_is_not_known_any_more_keeps_the_figure_of_the_instant_that_it_was_closed_at(
    whose: str,
) -> None:
    told = {
        "pnl.account_daily(account_id, trading_date, run_id, total_pnl)": "('A', '2026-10-30'::date, 'r', null::int)",
        "core.period_lock(account_id, locked_through, locked_at)": f"""
        ({whose}, '2026-10-30'::date, '2026-11-01 12:00:00'::timestamptz)
        """,
        "pnl.account_daily_version(account_id, trading_date, total_pnl, known_from, known_to)": """
        ('A', '2026-10-30'::date, 10, '2026-11-01 12:00:00'::timestamptz, '2026-11-02 22:00:00'::timestamptz)
        """,
        "pnl.prior_period_adjustment(account_id, trading_date, for_trading_date, amount)": (
            "('B', '2026-11-02'::date, '2026-10-30'::date, 1)"
        ),
    }
    assert answer("quality/closed_day_check", "account_id, check_name, expected, value", told) == [
        ("A", "closed_day_unknown", "10", None),
        ("B", "closed_day_changed", None, "1"),
    ]


def test_a_missed_day_has_another_version_for_the_brokers_word_or_for_ours() -> None:
    told = {
        "new_missed_day(account_id, trading_date, inputs_known_at)": """
        ('A', '2026-11-02'::date, '2026-11-03 22:00:00'::timestamptz), ('B', '2026-11-02', '2026-11-03 22:00:01')
        """,
        "pnl.missed_day(account_id, trading_date, known_from)": """
        ('A', '2026-11-02'::date, '2026-11-03 22:00:00'::timestamptz), ('B', '2026-11-02', '2026-11-03 22:00:00')
        """,
    }
    assert answer("pnl/reason/missed_day", "reason", told) == [("BROKER_HISTORY_CHANGED",), ("CODE",)]


def test_a_row_whose_cost_alone_came_late_has_another_version_for_a_late_snapshot() -> None:
    names = "quantity cost_basis bought_quantity sold_quantity market_value unrealized_change realized_pnl"
    told = {
        f"new_position_daily(account_id, instrument_id, trading_date, inputs_known_at, flags, {', '.join(names.split())})": """
        ('A', 'x', '2026-11-02'::date, '2026-11-03 22:00:00'::timestamptz, [], 1, 9, 0, 0, 11, 2, 0)
        """,
        f"pnl.position_daily(account_id, instrument_id, trading_date, known_from, flags, {', '.join(names.split())})": """
        ('A', 'x', '2026-11-02'::date, '2026-11-02 22:00:00'::timestamptz, [], 1, 10, 0, 0, 11, 1, 0)
        """,
        "pnl.account_daily(account_id, trading_date, grade)": "('A', '2026-11-02'::date, 'POST_CLOSE')",
        "core.account_eod(account_id, trading_date, grade)": "('A', '2026-11-02'::date, 'POST_CLOSE')",
    }
    assert answer("pnl/reason/position_daily", "reason", told) == [("LATE_SNAPSHOT",)]


def test_an_accounts_row_that_no_input_and_no_position_changed_was_changed_by_our_code() -> None:
    names = "grade transferred_value positions_unknown total_pnl bought_notional sold_notional unrealized_change realized_pnl"
    told = {
        f"new_account_daily(account_id, trading_date, inputs_known_at, {', '.join(names.split())})": """
        ('A', '2026-11-02'::date, '2026-11-02 22:00:00'::timestamptz, 'POST_CLOSE', 0, 0, 2, 0, 0, 2, 0)
        """,
        f"pnl.account_daily(account_id, trading_date, known_from, {', '.join(names.split())})": """
        ('A', '2026-11-02'::date, '2026-11-02 22:00:00'::timestamptz, 'POST_CLOSE', 0, 0, 1, 0, 0, 1, 0)
        """,
        "pnl.position_daily_version(account_id, trading_date, known_from, reason)": """
        ('A', '2026-11-02'::date, '2026-11-02 22:00:00'::timestamptz, 'EXECUTION_LATE')
        """,
    }
    assert answer("pnl/reason/account_daily", "reason", told) == [("CODE",)]


# ---- checks


def test_accounts_in_different_currencies_are_told_with_both() -> None:
    told = {
        "core.broker_day(account_id, trading_date, currency)": "('A', '2026-11-02'::date, 'USD'), ('B', '2026-11-02', 'USD')",
        "account_currency(account_id, currency)": "('A', 'EUR'), ('B', 'USD')",
        "core.account_eod(account_id, trading_date, run_id)": "('A', '2026-11-02'::date, 'r1')",
        "core.calendar(trading_date, day_type, source, conflict)": "('2026-11-02'::date, 'REGULAR', 'API', false)",
    }
    assert answer("quality/account_check", "check_name, value, expected", told) == [
        ("currencies_not_added", "EUR", "USD")
    ]
    alike = {**told, "account_currency(account_id, currency)": "('A', 'USD'), ('B', 'USD')"}
    assert answer("quality/account_check", "check_name", alike) == []


def test_an_account_without_positions_has_figures_to_compare() -> None:
    ours = "run_id days_covered prev_trading_date total_pnl realized_pnl unrealized_change fees_and_other income_estimate sod_equity "
    ours += "eod_equity overnight_adjustment broker_realized broker_unrealized positions_known positions_unknown "
    ours += "bought_notional sold_notional"
    theirs = "net_pnl gross_pnl covered_pnl day_pnl position_pnl balance_pnl long_market_value short_market_value equity balance_unrealized "
    theirs += "trade_cash"
    told = {
        f"new_account_daily(account_id, trading_date, {', '.join(ours.split())})": (
            f"('A', '2026-11-02'::date, {', '.join('0' for _ in ours.split())})"
        ),
        f"core.broker_day(account_id, trading_date, {', '.join(theirs.split())})": (
            f"('A', '2026-11-02'::date, {', '.join('1' for _ in theirs.split())})"
        ),
        "new_position_daily(account_id, trading_date, market_value, unrealized_pnl, quantity, instrument_type)": (
            "('B', '2026-11-02'::date, 1, 1, 1, 'COMMON_STOCK')"
        ),
    }
    assert answer("quality/account_figure", "long_value, short_value, unrealized, net", told) == [(0, 0, 0, 1)]


def test_a_change_of_id_is_looked_at_on_the_day_that_it_counts_on_alone() -> None:
    told = {
        "core.position_adjustment(account_id, trading_date, kind, instrument_id)": "('A', '2026-11-02'::date, 'ID_CHANGE', 'x')",
        "core.account_eod(account_id, trading_date, prev_trading_date, run_id)": """
        ('A', '2026-11-02'::date, '2026-10-30'::date, 'r1'), ('A', '2026-11-03', '2026-11-02', 'r2')
        """,
        "core.position_eod(account_id, trading_date, instrument_id)": "('A', '2026-10-30'::date, 'x')",
        "core.expected_day(account_id, trading_date)": "('A', '2026-10-30'::date)",
        "position_change(trading_date, account_id, instrument_id, run_id, adjustment_kind, is_stranger, said_quantity, untraded_quantity)": (
            "('2026-11-02'::date, 'A', 'y', 'r1', null, false, 0, 0)"
        ),
    }
    assert answer("quality/adjustment_check", "check_name", told) == []


@pytest.mark.parametrize(
    ("reported", "found"), [("3", ["daily_unrealized_vs_change"]), ("-3", ["daily_unrealized_vs_change"]), ("0", [])]
)
def test_a_daily_unrealized_pnl_is_told_where_it_is_not_the_change_more_or_less(
    reported: str, found: list[str]
) -> None:
    told = {
        """new_position_daily(trading_date, account_id, instrument_id, run_id, quantity, quantity_prev, flags, symbol, eod_price,
        sod_price, instrument_type)""": "('2026-11-02'::date, 'A', 'x', 'r', 1, 1, []::varchar[], 'X', 10, 10, 'COMMON_STOCK')",
        """position_change(trading_date, account_id, instrument_id, run_id, unexplained, cost_basis, cost_basis_prev,
        daily_unrealized_pnl, unrealized_pnl, unrealized_pnl_prev, quantity, quantity_prev, fills, days_covered,
        daily_realized_pnl, split_numerator, split_denominator, adjustment_kind)""": (
            f"('2026-11-02'::date, 'A', 'x', 'r', 0, 9, 9, {reported}, 1, 1, 1, 1, 0, 1, 0, 1, 1, null)"
        ),
        "event_effect(account_id, trading_date, instrument_id, quantity)": "('A', '2026-11-02'::date, 'y', 1)",
    }
    assert [name for (name,) in answer("quality/change_check", "check_name", told)] == found


@pytest.mark.parametrize("skew", [121_000, -121_000])
def test_a_clock_that_is_two_minutes_off_is_told_whichever_is_ahead(skew: int) -> None:
    found = "trading_date, account_id, instrument_id, check_name, severity, value, expected, message, run_id"
    told = {
        "raw.extract_manifest(run_id, account_id, findings)": "('r1', 'A', null::varchar)",
        "raw.extract_run(run_id, clock_skew_ms, is_loopback)": f"('r1', {skew}, false), ('r2', {skew}, true)",
        f"row_check({found})": "('2026-11-02'::date, 'A', 'x', 'row', 'INFO', '1', '2', 'm', 'r1')",
        "invariant(trading_date, account_id, instrument_id, check_name, value, expected, message, run_id)": (
            "('2026-11-02'::date, 'A', 'x', 'broken', '1', '2', 'm', 'r1')"
        ),
        **RUNS,
    }
    assert answer("quality/day_finding", "check_name, value", told) == [
        ("broken", "1"),
        ("clock_skew", str(skew)),
        ("row", "1"),
    ]


def test_an_end_of_day_that_nobody_expected_breaks_the_books() -> None:
    told = {
        "core.account_eod(account_id, trading_date, run_id)": "('A', '2026-11-02'::date, 'r1'), ('B', '2026-11-02', 'r1')",
        "core.expected_day(account_id, trading_date)": "('A', '2026-11-02'::date)",
        "core.position_eod(account_id, trading_date, instrument_id)": "('A', '2026-11-02'::date, 'x')",
        **CALENDAR,
    }
    assert answer("quality/day_invariant", "check_name, account_id", told) == [("day_was_expected", "B")]


def test_only_contracts_that_nothing_tells_of_are_an_open_question() -> None:
    told = {
        "new_position_daily(trading_date, account_id, instrument_id, run_id, flags, symbol)": """
        ('2026-11-02'::date, 'A', 'o', 'r', ['EXPIRY_OUTCOME_UNKNOWN'], 'O'),
        ('2026-11-02', 'A', 's', 'r', ['EXPIRY_OUTCOME_UNKNOWN'], 'S'), ('2026-11-02', 'A', 'z', 'r', ['EXPIRY_OUTCOME_UNKNOWN'], 'Z')
        """,
        "open_outcome(account_id, trading_date, instrument_id, contracts)": """
        ('A', '2026-11-02'::date, 'o', 2), ('A', '2026-11-02', 's', null), ('A', '2026-11-02', 'z', 0)
        """,
        "position_change(account_id, trading_date, instrument_id, option_expiry)": """
        ('A', '2026-11-02'::date, 'o', '2026-10-31'::date), ('A', '2026-11-02', 's', null), ('A', '2026-11-02', 'z', null)
        """,
    }
    assert answer("quality/expiry_check", "instrument_id, value", told) == [("o", "2")]


def test_an_instruction_that_an_event_answers_to_had_its_effect() -> None:
    told = {
        """core.instruction_history(account_id, instrument_id, accepted_quantity, status, is_current, instruction_type,
        updated_at)""": """
        ('A', 'o', 1, 'ACCEPTED', true, 'EXERCISE', '2026-10-30 19:00:00'::timestamptz),
        ('A', 'p', 1, 'ACCEPTED', true, 'EXERCISE', '2026-10-30 19:00:00')
        """,
        "core.account_eod(account_id, trading_date, prev_trading_date, run_id)": "('A', '2026-11-02'::date, '2026-10-30'::date, 'r')",
        "core.position_eod(account_id, trading_date, instrument_id, quantity)": """
        ('A', '2026-11-02'::date, 'o', 1), ('A', '2026-11-02', 'p', 1)
        """,
        "core.lifecycle_event(account_id, trading_date, instrument_id, kind)": "('A', '2026-11-02'::date, 'o', 'EXERCISE')",
        **CALENDAR,
    }
    assert answer("quality/instruction_check", "instrument_id", told) == [("p",)]


def test_a_total_that_is_not_its_parts_is_told_with_their_sum() -> None:
    told = {
        "new_position_daily(trading_date, account_id, instrument_id, run_id, total_pnl, realized_pnl, unrealized_change)": (
            "('2026-11-02'::date, 'A', 'x', 'r', 9, 2, 3), ('2026-11-02', 'A', 'y', 'r', 5, 2, 3)"
        ),
        """exact_position(trading_date, account_id, instrument_id, run_id, total_pnl, position_pnl, day_pnl, adjusted_cash,
        value_and_cash)""": "('2026-11-02'::date, 'A', 'x', 'r', 5, 2, 3, 0, 5)",
        "core.lifecycle_event(account_id, trading_date, instrument_id, kind, contracts)": "('A', '2026-11-02'::date, 'x', 'SPLIT', 1)",
        "position_change(account_id, trading_date, instrument_id, quantity, unexplained)": "('A', '2026-11-02'::date, 'x', 1, 0)",
        "restated_mark(trading_date, account_id, instrument_id, run_id, here, there)": "('2026-11-02'::date, 'A', 'x', 'r', 1, -1)",
    }
    found = answer("quality/position_invariant", "check_name, instrument_id, value, expected", told)
    assert found == [("total_is_realized_plus_unrealized", "x", "9", "5")]


def test_closing_prices_of_different_days_are_told_with_the_first_and_the_last() -> None:
    told = {
        """position_checked(trading_date, account_id, instrument_id, run_id, closing_price_date, instrument_type, option_expiry,
        option_right, symbol, available_quantity, quantity, daily_realized_pnl, daily_unrealized_pnl)""": """
        ('2026-11-03'::date, 'A', 'x', 'r', '2026-11-03'::date, 'COMMON_STOCK', null::date, null, 'X', 1, 1, 0, 0),
        ('2026-11-03', 'A', 'y', 'r', '2026-11-02', 'COMMON_STOCK', null, null, 'Y', 1, 1, 0, 0)
        """
    }
    assert answer("quality/position_row_check", "check_name, value, expected", told) == [
        ("mixed_closing_dates", "2026-11-02", "2026-11-03"),
        ("stale_price", "2026-11-02", "2026-11-03"),
    ]


def test_a_fill_at_the_last_instant_of_a_session_is_of_that_session_and_the_next_instant_of_the_next_one() -> None:
    told = {
        **CALENDAR,
        **RUNS,
        "core.account_eod(trading_date, recovered_at)": "('2026-11-02'::date, null::timestamptz)",
        """raw.executions(account_id, id, order_id, run_id, instrument_id, symbol, underlying_instrument_id, side, quantity, price,
        transaction_time)""": """
        ('A', 'last', 'o', 'r2', 'x', 'X', null, 'BUY', 1, 2, '2026-11-03 01:00:00'::timestamptz),
        ('A', 'next', 'o', 'r2', 'x', 'X', null, 'BUY', 1, 2, '2026-11-03 01:00:00.000001')
        """,
        "raw.extract_manifest(run_id, account_id, endpoint, complete, rows_quarantined, window_from, captured_at)": """
        ('r1', 'A', 'positions', true, 0, null::timestamptz, null::timestamptz)
        """,
    }
    assert answer("core/fill_observed", "id, trading_date::text", told) == [
        ("last", "2026-11-02"),
        ("next", "2026-11-03"),
    ]
