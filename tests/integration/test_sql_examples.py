"""Every query of docs/sql gives the answer that its question asks for, on books of which the truth is known."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.warehouse.connect import open_published
from pipelines.warehouse.question import ask
from tests.support.command_line import daybook
from tests.support.example_books import (
    AAPL,
    ACCOUNTS,
    CASH_IN_LIEU,
    FORBIDDEN,
    GOOG,
    LAST,
    LATE_MARK,
    LOCKED_AT,
    LONG_SHORT,
    MISSED,
    MISTAKEN,
    MSFT,
    OPTIONS,
    RESTATED,
    SAID_AT,
    SMALL,
    Books,
)

FOLDER = Path(__file__).parents[2] / "docs" / "sql"
ZERO = Decimal(0)
Row = dict[str, Any]
pytestmark = pytest.mark.heavy


def rows(books: Books, query: str) -> list[Row]:
    """The answer to a query, asked as `daybook sql` asks it."""
    with open_published(books.published) as con:
        answer = ask(con, query)
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]


def example(books: Books, name: str) -> list[Row]:
    """The answer to one of the examples."""
    return rows(books, (FOLDER / f"{name}.sql").read_text(encoding="utf-8"))


def sole(found: Iterable[Row]) -> Row:
    """The only row."""
    (row,) = found
    return row


def test_the_worst_days_are_the_worst_of_those_that_are_known(books: Books) -> None:
    known = [day for day in books.days if all(day in books.known(account) for account in ACCOUNTS)]
    made = {day: sum(books.made(account, day) for account in ACCOUNTS) for day in known}
    worst = sorted(known, key=made.__getitem__)[:5]
    found = example(books, "worst_days_this_quarter")
    assert [(row["trading_date"], row["total_pnl"]) for row in found] == [(day, made[day]) for day in worst]
    assert {row["days_unknown"] for row in found} == {len(books.days) - len(known)} == {2}
    for row in found:
        worst_account = min(ACCOUNTS, key=lambda account: books.made(account, row["trading_date"]))
        assert row["worst_account"] == worst_account
        assert row["worst_account_pnl"] == books.made(worst_account, row["trading_date"])


def test_an_underlying_has_made_what_its_options_and_shares_have_made(books: Books) -> None:
    made: dict[str, Decimal] = defaultdict(Decimal)
    for account in ACCOUNTS:
        for day in [each for each in books.days if each.month == LAST.month]:
            for position in books.truth.day(account, day).positions.values():
                made[position.symbol[:6].strip()] += position.total
    made["GOOG"] -= books.truth.day(OPTIONS, LAST).positions[GOOG].total  # at yesterday's price
    found = example(books, "pnl_by_underlying")
    assert {row["symbol"]: row["total_pnl"] for row in found} == made
    assert [row["total_pnl"] for row in found] == sorted(made.values(), reverse=True)
    assert all(row["realized_pnl"] + row["unrealized_change"] == row["total_pnl"] for row in found)
    assert {row["positions_unknown"] for row in found} == {0}


def test_what_changed_since_last_night_is_what_people_said_today(books: Books) -> None:
    found = {row["trading_date"]: row for row in example(books, "changed_since_last_night")}
    assert set(found) == {RESTATED, MISTAKEN}
    assert found[RESTATED]["total_pnl_then"] == books.truth.day(LONG_SHORT, RESTATED).total
    assert found[RESTATED]["change"] == CASH_IN_LIEU
    assert found[MISTAKEN]["change"] == 0
    assert {(row["account_id"], row["known_from"]) for row in found.values()} == {(LONG_SHORT, SAID_AT)}


def test_who_is_short_what_expires_this_week(books: Books) -> None:
    held = books.truth.day(OPTIONS, LAST).positions
    short = [each for each in held.values() if each.quantity < 0 and each.symbol.startswith("MSFT  050319P")]
    row = sole(example(books, "short_and_expiring_this_week"))
    assert (row["account_id"], row["symbol"], row["contracts"]) == (OPTIONS, short[0].symbol, short[0].quantity)
    assert (row["option_expiry"], row["days_left"], row["option_strike"]) == (date(2005, 3, 19), 4, 25)
    stock = books.truth.day(LONG_SHORT, LAST).positions[MSFT]
    assert row["underlying_price"] == stock.value / stock.quantity
    assert row["in_the_money"] == 25 - row["underlying_price"]
    assert row["market_value"] == short[0].value


def test_breaks_are_the_trouble_that_nobody_has_mended(books: Books) -> None:
    found = example(books, "breaks_by_age")
    stale = books.truth.day(OPTIONS, LAST).positions[GOOG].total
    age = len([day for day in books.days if day > RESTATED])
    assert {(row["account_id"], row["trading_date"], row["age_days"], row["difference"]) for row in found} == {
        (LONG_SHORT, RESTATED, age, CASH_IN_LIEU),
        (OPTIONS, LAST, 0, -stale),
    }
    assert [row["age_days"] for row in found] == sorted((row["age_days"] for row in found), reverse=True)
    assert all(abs(row["difference"]) > row["tolerance"] for row in found)


def test_gaps_name_their_reason_and_the_day_that_carries_their_pnl(books: Books) -> None:
    after_missed, after_forbidden = date(2005, 2, 18), date(2005, 2, 25)
    assert [tuple(row.values()) for row in example(books, "gaps_and_what_covers_them")] == [
        *(
            (account, MISSED, "NO_SNAPSHOT", after_missed, 2, books.made(account, after_missed))
            for account in sorted(ACCOUNTS)
        ),
        (OPTIONS, FORBIDDEN, "FETCH_FAILED", after_forbidden, 2, books.made(OPTIONS, after_forbidden)),
    ]


def test_a_day_is_told_as_it_was_known_on_its_own_evening_and_as_it_is_now(books: Books) -> None:
    found = {row["trading_date"]: row for row in example(books, "day_as_known_then_and_now")}
    assert set(found) == {LATE_MARK, RESTATED, MISTAKEN}
    late = found[LATE_MARK]
    assert late["total_pnl"] == books.truth.day(LONG_SHORT, LATE_MARK).total
    truth = books.truth.day(LONG_SHORT, LATE_MARK)
    goog = truth.positions[GOOG]
    # sold short that day, for less than yesterday's price: at that price it would have lost
    (fill,) = rows(
        books,
        f"select net_quantity, sold_per_share from core.trade_flow "
        f"where account_id = '{LONG_SHORT}' and instrument_id = '{GOOG}' and trading_date = '{LATE_MARK}'",
    )
    before = books.truth.day(OPTIONS, LATE_MARK - timedelta(days=1)).positions[GOOG]
    yesterday = before.value / before.quantity
    at_yesterdays_price = fill["sold_per_share"] + goog.quantity * yesterday
    assert late["total_pnl_that_evening"] == truth.total - goog.total + at_yesterdays_price
    assert (late["finality_that_evening"], late["finality"], late["version"]) == ("FLASH", "FINAL", 2)


def test_the_macro_that_the_example_names_answers_as_known_at_that_instant(books: Books) -> None:
    query = (FOLDER / "day_as_known_then_and_now.sql").read_text(encoding="utf-8")
    named = next(line for line in query.splitlines() if "account_daily_as_known(" in line).removeprefix("-- ")
    found = rows(books, named)
    assert max(row["trading_date"] for row in found) == LATE_MARK
    assert sole(row for row in found if (row["account_id"], row["trading_date"]) == (LONG_SHORT, LATE_MARK))[
        "finality"
    ] == ("FLASH")


def test_quantities_that_fills_do_not_explain_are_explained_by_events_or_shown(books: Books) -> None:
    found = {(row["symbol"].strip(), row["trading_date"]): row for row in example(books, "fills_against_quantities")}
    assert {key: row["events"] for key, row in found.items()} == {
        ("IBM", date(2005, 2, 11)): "EXERCISE",
        ("IBM   050219C00090000", date(2005, 2, 11)): "EXERCISE",
        ("GOOG", date(2005, 2, 22)): "ASSIGNMENT",
        ("GOOG  050219C00190000", date(2005, 2, 22)): "ASSIGNMENT",
        ("GOOG  050219P00180000", date(2005, 2, 22)): "EXPIRY",
        ("MSFT  050219C00027500", date(2005, 2, 22)): "EXPIRY",
        ("AAPL", RESTATED): "CASH_IN_LIEU, SPLIT",
        ("AAPL", MISTAKEN): "TRANSFER",
    }
    assert {key: row["unexplained"] for key, row in found.items() if row["unexplained"]} == {("AAPL", MISTAKEN): -5}
    split = found["AAPL", RESTATED]
    assert (
        split["quantity"]
        == books.truth.day(LONG_SHORT, RESTATED).positions[AAPL].quantity
        == 2 * split["quantity_prev"]
    )


def test_months_split_into_realized_and_unrealized_where_every_day_does(books: Books) -> None:
    found = {(row["account_id"], row["month"].month): row for row in example(books, "realized_and_unrealized_by_month")}
    for account in ACCOUNTS:
        for month in (2, 3):
            row = found[account, month]
            days = [day for day in books.known(account) if day.month == month]
            assert row["total_pnl"] == sum(books.made(account, day) for day in days), (account, month)
            assert (row["days"], row["days_unknown"]) == (len(days), 0)
    march = [books.truth.day(LONG_SHORT, day) for day in books.days if day.month == 3]
    assert found[LONG_SHORT, 3]["realized_pnl"] == sum(day.realized for day in march)
    assert found[LONG_SHORT, 3]["unrealized_change"] == sum(day.unrealized_change for day in march)
    small = found[SMALL, 2]  # closed a position on its first day, which nothing splits
    assert (small["days_unsplit"], small["realized_pnl"], small["unrealized_change"]) == (1, None, None)


def test_exposure_is_the_value_of_positions_on_the_last_day_of_each_week(books: Books) -> None:
    found = example(books, "exposure_over_time")
    weeks: dict[tuple[str, tuple[int, int]], date] = {}
    for account in ACCOUNTS:
        for day in books.known(account):
            weeks[account, day.isocalendar()[:2]] = day
    assert [(row["account_id"], row["trading_date"]) for row in found] == sorted(
        (account, day) for (account, _), day in weeks.items()
    )
    for row in found:
        account, day = row["account_id"], row["trading_date"]
        if (account, day) == (OPTIONS, LAST):
            continue  # at yesterday's price
        values = [each.value for each in books.truth.day(account, day).positions.values() if each.quantity]
        long, short = sum((v for v in values if v > 0), ZERO), sum((v for v in values if v < 0), ZERO)
        assert (row["long_market_value"], row["short_market_value"]) == (long, short)
        assert (row["gross"], row["net"], row["position_count"]) == (long - short, long + short, len(values))
        equity = books.truth.day(account, day).equity
        assert row["gross_pct"] == pytest.approx(100 * (long - short) / equity, abs=Decimal("1e-7"))


def test_concentration_adds_up_options_with_their_underlyings(books: Books) -> None:
    gross: dict[str, Decimal] = defaultdict(Decimal)
    for account in ACCOUNTS:
        for instrument, each in books.truth.day(account, LAST).positions.items():
            stale = each.total if (account, instrument) == (OPTIONS, GOOG) else ZERO
            gross[each.symbol[:6].strip()] += abs(each.value - stale)
    expected = {symbol: value for symbol, value in gross.items() if value}
    found = example(books, "concentration_top_10")
    assert {row["symbol"]: row["gross"] for row in found} == expected
    assert [row["gross"] for row in found] == sorted(expected.values(), reverse=True)
    assert sum(row["share"] for row in found) == pytest.approx(100, abs=0.03)
    assert {row["symbol"]: row["accounts"] for row in found} == {"AAPL": 1, "GOOG": 2, "IBM": 1, "MSFT": 2}


def test_dividends_are_estimated_as_they_were_booked(books: Books) -> None:
    booked = [
        (day, account, books.truth.day(account, day).dividends)
        for day in books.days
        for account in ACCOUNTS
        if books.truth.day(account, day).dividends
    ]
    found = example(books, "dividends_estimated_and_booked")
    assert len(found) == 2
    assert [(row["trading_date"], row["account_id"], row["estimate"]) for row in found] == booked
    assert [(row["booked"], row["difference"]) for row in found] == [(amount, 0) for _, _, amount in booked]
    assert [row["symbols"] for row in found] == ["IBM", "MSFT"]


def test_a_transfer_that_never_was_leaves_an_unexplained_quantity(books: Books) -> None:
    row = sole(example(books, "unexplained_quantities"))
    assert (row["trading_date"], row["account_id"], row["symbol"]) == (MISTAKEN, LONG_SHORT, "AAPL")
    assert row["quantity"] == books.truth.day(LONG_SHORT, MISTAKEN).positions[AAPL].quantity
    assert (row["total_source"], row["quality"]) == ("REPORTED", "REPORTED")
    assert row["total_pnl"] == books.truth.day(LONG_SHORT, MISTAKEN).positions[AAPL].total


def test_yesterdays_price_is_found_and_weighed(books: Books) -> None:
    row = sole(example(books, "stale_prices"))
    assert (row["account_id"], row["symbol"], row["price_days"]) == (OPTIONS, "GOOG", 1)
    assert row["closing_price_date"] == LAST - timedelta(days=1)
    held = books.truth.day(OPTIONS, LAST).positions
    values = {key: each.value for key, each in held.items()} | {GOOG: held[GOOG].value - held[GOOG].total}
    assert row["market_value"] == values[GOOG]
    assert row["share"] == pytest.approx(float(100 * abs(values[GOOG]) / sum(map(abs, values.values()))), abs=0.005)


def test_instructions_are_told_with_what_they_did(books: Books) -> None:
    rejected, cancelled, accepted = example(books, "instructions_and_their_fate")
    assert (rejected["status"], rejected["rejection_reason"], rejected["kind"]) == (
        "REJECTED",
        "Insufficient buying power for the exercise",
        None,
    )
    assert (cancelled["status"], cancelled["asked"], cancelled["moved"]) == ("CANCELLED", 1, None)
    assert (accepted["status"], accepted["kind"], accepted["happened_on"]) == (
        "ACCEPTED",
        "EXERCISE",
        date(2005, 2, 11),
    )
    assert accepted["asked"] == accepted["accepted"] == accepted["moved"] == 15


def test_what_is_new_in_the_answers_is_counted_from_the_runs(books: Books) -> None:
    """A split brings fields that a dividend doesn't have; when the dividends leave the window their fields go."""
    found = {(row["kind"], row["name"]): row for row in example(books, "new_in_the_brokers_answers")}
    assert ("FIELD_APPEARED", "numerator") in found
    assert ("FIELD_VANISHED", "dividend_amount") in found
    drift = rows(books, "from quality.drift")
    for key, row in found.items():
        days = [each["trading_date"] for each in drift if (each["kind"], each["name"]) == key]
        assert (row["first_seen"], row["last_seen"], row["runs"]) == (min(days), max(days), len(days))
    assert not [key for key in found if key[0].startswith("UNKNOWN")]


def returns(books: Books, account: str) -> dict[date, Decimal]:
    """What an account returned in each session since it was opened; the first has nothing to return anything on."""
    made = {}
    for past in books.broker.book(account).past[1:]:
        net = past.realized + past.unrealized + past.income
        made[past.date] = Decimal(net) / (past.sod + max(past.eod - past.sod - net, 0))
    for truth in books.truth.days(account):
        if truth.date <= LAST and truth.sod_equity:
            net_pnl = truth.total + truth.dividends + truth.fees
            made[truth.date] = net_pnl / (truth.sod_equity + max(truth.flow, ZERO))
    return made


def linked(rates: Iterable[Decimal]) -> Decimal:
    """Returns one after the other."""
    index = Decimal(1)
    for rate in rates:
        index *= 1 + rate
    return index - 1


def test_returns_link_from_the_opening_on_and_over_missed_days_by_the_brokers_figures(books: Books) -> None:
    found = {row["account_id"]: row for row in example(books, "return_and_drawdown")}
    for account in ACCOUNTS:
        index, peak, worst = Decimal(1), Decimal(1), ZERO
        for rate in returns(books, account).values():
            index *= 1 + rate
            peak = max(peak, index)
            worst = min(worst, index / peak - 1)
        row = found[account]
        assert row["known_until"] == max(books.days)
        assert row["twr"] == pytest.approx(index - 1, abs=Decimal("1e-8")), account
        assert row["worst_drawdown"] == pytest.approx(worst, abs=Decimal("1e-8")), account
        assert row["gap_days"] == 0


def test_how_an_account_has_done_is_told_since_its_opening_and_by_windows(books: Books) -> None:
    found = {(row["account"], row["window"]): row for row in example(books, "how_each_account_has_done")}
    assert {account for account, _ in found} == {*ACCOUNTS, "all"}
    for account in ACCOUNTS:
        rates = returns(books, account)
        for window, begin in {"ITD": date.min, "YTD": date(2005, 1, 1), "MTD": date(2005, 3, 1)}.items():
            of_window = [rate for day, rate in rates.items() if day >= begin]
            row = found[account, window]
            assert (row["sessions"], row["holes"]) == (len(of_window), 0), (account, window)
            assert row["twr"] == pytest.approx(linked(of_window), abs=Decimal("1e-8")), (account, window)
    assert found["all", "ITD"]["from_date"] == min(found[account, "ITD"]["from_date"] for account in ACCOUNTS)


def test_months_before_the_books_are_the_brokers_and_return_what_they_returned(books: Books) -> None:
    found = {(row["account_id"], row["month"]): row for row in example(books, "returns_by_month")}
    for account in (LONG_SHORT, OPTIONS):
        rates = returns(books, account)
        for month in (date(2004, 6, 1), date(2005, 1, 1), date(2005, 2, 1)):
            of_month = {day: rate for day, rate in rates.items() if (day.year, day.month) == (month.year, month.month)}
            row = found[account, month]
            assert row["twr"] == pytest.approx(linked(of_month.values()), abs=Decimal("1e-8")), (account, month)
            ours = set(of_month) & set(books.known(account))
            assert (row["from_books"], row["from_broker"]) == (len(ours), len(of_month) - len(ours))
    june = [past for past in books.broker.book(LONG_SHORT).past if (past.date.year, past.date.month) == (2004, 6)]
    made = Decimal(sum(past.realized + past.unrealized for past in june)) / 100
    assert found[LONG_SHORT, date(2004, 6, 1)]["total_pnl"] == made


def test_history_is_told_by_the_books_by_the_broker_and_by_what_is_left_of_a_gap(books: Books) -> None:
    found = {(row["account_id"], row["source"]): row for row in example(books, "who_tells_of_each_account")}
    for account in ACCOUNTS:
        gaps = len(books.days) - len(books.known(account))
        sources = {source: row for (each, source), row in found.items() if each == account}
        assert set(sources) == {"BOOKS", "BROKER", "REMAINDER"}
        assert sources["REMAINDER"]["sessions"] == gaps
        assert sources["BOOKS"]["sessions"] == len(books.known(account)) - gaps
        past_days = [each.date for each in books.broker.book(account).past]
        first = min([*past_days, *(truth.date for truth in books.truth.days(account))])
        assert sources["BROKER"]["first_day"] == first
        # no day is counted twice, and none is lost: all together is what the account has made
        past = Decimal(sum(each.realized + each.unrealized for each in books.broker.book(account).past)) / 100
        before = sum(truth.total for truth in books.truth.days(account) if truth.date <= books.days[0])
        made = past + before + sum((books.made(account, day) for day in books.known(account)[1:]), ZERO)
        assert sum(row["total_pnl"] for row in sources.values()) == made, account


def test_the_last_days_fills_are_each_told_once(books: Books) -> None:
    filled = {
        fill.id: (account, fill.price, fill.quantity * fill.price * fill.instrument.multiplier)
        for account in ACCOUNTS
        for order in books.broker.book(account).orders
        for fill in order.fills
        if fill.at.date() == LAST
    }
    query = "select id, account_id, price, notional from core.fill where trading_date = '2005-03-15'"
    assert {row["id"]: (row["account_id"], row["price"], row["notional"]) for row in rows(books, query)} == filled
    assert len(example(books, "fills_of_the_last_day")) == len(filled)
    every = rows(books, "select count(*) as fills, count(distinct id) as ids from core.fill")
    raw = rows(books, "select count(*) as seen, count(distinct id) as ids from raw.executions")
    assert sole(every)["fills"] == sole(every)["ids"] == sole(raw)["ids"] < sole(raw)["seen"]


def test_cash_is_what_the_broker_said_it_was(books: Books) -> None:
    found = example(books, "cash_and_buying_power")
    assert {row["account_id"] for row in found} == set(ACCOUNTS)
    for row in found:
        truth = books.truth.day(row["account_id"], row["trading_date"])
        assert (row["currency"], row["equity"]) == ("USD", truth.equity)
        assert row["cash"] == row["settled_cash"]
        assert row["cash"] == truth.equity - sum((each.value for each in truth.positions.values()), ZERO)


def test_restatements_are_sized_by_reason(books: Books) -> None:
    found = {row["reason"]: row for row in example(books, "sizes_of_restatements")}
    assert sum(row["restatements"] for row in found.values()) == 3
    late = found["PRICE_CORRECTION"]
    told = {row["trading_date"]: row for row in example(books, "day_as_known_then_and_now")}[LATE_MARK]
    assert late["net_change"] == told["total_pnl"] - told["total_pnl_that_evening"] != 0
    assert (late["restatements"], late["longest_delay"]) == (1, timedelta(hours=11))
    said = [row for reason, row in found.items() if reason != "PRICE_CORRECTION"]
    assert sum(row["absolute_change"] for row in said) == CASH_IN_LIEU


def test_syncs_are_as_late_as_they_were(books: Books) -> None:
    evening, night = example(books, "spread_of_sync_times")
    assert (evening["grade"], evening["runs"]) == ("POST_CLOSE", len(books.days) - 1)
    assert evening["earliest_minutes"] == evening["median_minutes"] == evening["latest_minutes"] == 20
    assert (night["grade"], night["runs"], night["latest_minutes"]) == ("LATE", 1, 20 + 11 * 60)


def test_the_firm_has_a_total_only_where_everybody_is_there(books: Books) -> None:
    found = {row["trading_date"]: row for row in example(books, "firm_total")}
    assert list(found) == sorted(books.days, reverse=True)
    for day, row in found.items():
        known = [account for account in ACCOUNTS if day in books.known(account)]
        made = sum((books.made(account, day) for account in known), ZERO)
        assert row["accounts"] == f"{len(known)} of 3"
        assert row["total_pnl"] == (made if len(known) == 3 else None)
        assert row["known_so_far"] == (made if known else None)
    assert found[LAST]["finality"] == "FLASH"


def test_the_last_days_contributors_are_ranked(books: Books) -> None:
    made = {
        (account, each.symbol): ZERO if (account, key) == (OPTIONS, GOOG) else each.total
        for account in ACCOUNTS
        for key, each in books.truth.day(account, LAST).positions.items()
    }
    found = example(books, "contributors_of_the_last_day")
    assert {(row["account_id"], row["symbol"]): row["total_pnl"] for row in found} == made  # seven: all are shown
    assert [row["total_pnl"] for row in found] == sorted(made.values(), reverse=True)
    for row in found:
        assert row["carried"] + row["traded"] == row["total_pnl"]
        equity = books.truth.day(row["account_id"], LAST).sod_equity
        assert row["basis_points"] == pytest.approx(float(10000 * row["total_pnl"] / equity), abs=0.005)


def test_days_that_are_not_clean_are_listed_with_the_reason(books: Books) -> None:
    found = {row["trading_date"]: row for row in example(books, "which_days_to_trust")}
    assert set(found) == {MISSED, FORBIDDEN, RESTATED, LAST}
    assert (found[MISSED]["status"], found[MISSED]["gaps"], found[MISSED]["finality"]) == ("INCOMPLETE", 3, "NONE")
    assert (found[FORBIDDEN]["status"], found[FORBIDDEN]["gaps"]) == ("INCOMPLETE", 1)
    breaks = [row["trading_date"] for row in example(books, "breaks_by_age")]
    assert {day: row["breaks"] for day, row in found.items() if row["breaks"]} == {
        day: breaks.count(day) for day in (RESTATED, LAST)
    }
    assert found[LAST]["finality"] == "FLASH"


def test_the_bridge_from_morning_to_evening_shows_what_it_can_not_explain(books: Books) -> None:
    for row in example(books, "equity_bridge"):
        truth = books.truth.day(row["account_id"], LAST)
        assert (row["sod_equity"], row["eod_equity"], row["flow"]) == (truth.sod_equity, truth.equity, truth.flow)
        assert row["fees_and_other"] == truth.dividends + truth.fees
        assert row["unexplained"] == truth.total - books.made(row["account_id"], LAST)
    unexplained = {row["account_id"]: row["unexplained"] for row in example(books, "equity_bridge")}
    assert [account for account, left in unexplained.items() if left] == [OPTIONS]


def test_what_was_said_after_the_lock_counts_on_the_open_day(books: Books) -> None:
    row = sole(example(books, "prior_period_adjustments"))
    assert (row["account_id"], row["closed_day"], row["counted_on"]) == (LONG_SHORT, RESTATED, LAST)
    assert (row["amount"], row["locked_at"], row["known_from"]) == (CASH_IN_LIEU, LOCKED_AT, SAID_AT)


def test_turnover_counts_every_fill_once(books: Books) -> None:
    found = {(row["account_id"], row["month"].month): row for row in example(books, "turnover_by_month")}
    fills: dict[str, tuple[str, int, str, Decimal]] = {}
    query = """
        select executions.id, executions.account_id, executions.side, executions.transaction_time::date as day,
            executions.quantity * executions.price
            * case when length(executions.symbol) > 6 then 100 else 1 end as notional
        from raw.executions
    """
    for row in rows(books, query):
        if row["day"] >= books.days[0]:
            fills[row["id"]] = (row["account_id"], row["day"].month, row["side"], row["notional"])
    for (account, month), row in found.items():
        mine = [(side, notional) for owner, when, side, notional in fills.values() if (owner, when) == (account, month)]
        bought = sum((notional for side, notional in mine if side == "BUY"), ZERO)
        sold = sum((notional for side, notional in mine if side != "BUY"), ZERO)
        assert (row["total_bought"], row["total_sold"]) == (bought, sold), (account, month)
        days = [books.truth.day(account, day).equity for day in books.known(account) if day.month == month]
        assert row["turnover"] == pytest.approx(float(min(bought, sold) / (sum(days, ZERO) / len(days))), abs=5e-5)


def test_good_and_bad_days_are_single_days(books: Books) -> None:
    for row in example(books, "good_days_and_bad_days"):
        account = row["account_id"]
        single = [day for day in books.known(account)[1:] if len(books.spanned(account, day)) == 1]
        made = [books.made(account, day) for day in single]
        gains, losses = [each for each in made if each > 0], [each for each in made if each < 0]
        assert (row["days"], row["good_days"], row["bad_days"]) == (len(made), len(gains), len(losses))
        assert (row["best"], row["worst"]) == (max(made), min(made))
        payoff = (sum(gains, ZERO) / len(gains)) / (-sum(losses, ZERO) / len(losses))
        assert row["payoff"] == pytest.approx(float(payoff), abs=0.0051)


def test_options_that_ended_are_told_with_what_they_moved(books: Books) -> None:
    found = example(books, "expired_exercised_assigned")
    assert [(row["kind"], row["symbol"], row["contracts"], row["underlying_moved"]) for row in found] == [
        ("EXERCISE", "IBM   050219C00090000", 15, 1500),
        ("ASSIGNMENT", "GOOG  050219C00190000", 6, -600),
        ("EXPIRY", "GOOG  050219P00180000", 8, 0),
        ("EXPIRY", "MSFT  050219C00027500", 10, 0),
    ]
    assert [row["confidence"] for row in found] == ["INSTRUCTED", "INFERRED", "INFERRED", "INFERRED"]
    realized = {each.symbol: each.realized for each in books.truth.day(OPTIONS, date(2005, 2, 22)).positions.values()}
    assert [row["realized_pnl"] for row in found[1:]] == [realized[row["symbol"]] for row in found[1:]]


def test_how_exact_the_books_are_is_counted_position_by_position(books: Books) -> None:
    positions = rows(books, "select account_id, quality, total_pnl from pnl.position_daily")
    found = example(books, "what_is_not_exact")
    assert {row["quality"] for row in found} == {"EXACT", "REPORTED", "UNKNOWN"}
    for row in found:
        mine = [each["total_pnl"] for each in positions if each["account_id"] == row["account_id"]]
        weak = [
            each["total_pnl"]
            for each in positions
            if (each["account_id"], each["quality"]) == (row["account_id"], row["quality"])
        ]
        assert row["position_days"] == len(weak)
        if row["quality"] == "UNKNOWN":
            assert (row["absolute_pnl"], row["share"]) == (None, None)
            continue
        assert row["absolute_pnl"] == sum(map(abs, weak))
        everything = sum(abs(each) for each in mine if each is not None)
        assert row["share"] == pytest.approx(float(100 * row["absolute_pnl"] / everything), abs=0.0051)


def questions() -> dict[str, str]:
    """The question of every example, which is its first line."""
    files = sorted(FOLDER.glob("*.sql"))
    return {path.name: path.read_text(encoding="utf-8").splitlines()[0].removeprefix("-- ") for path in files}


def test_every_example_has_a_question_a_way_to_read_it_and_a_test() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    for name, question in questions().items():
        assert question.endswith("?"), name
        assert (FOLDER / name).read_text(encoding="utf-8").splitlines()[1].startswith("-- "), name
        assert f'"{name.removesuffix(".sql")}"' in tested, name
    assert len(questions()) >= 20


def test_the_index_lists_every_example_with_its_question() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| \[`([a-z0-9_]+\.sql)`\]\(\1\) \| (.+) \|$", index, re.MULTILINE))
    assert listed == questions()


def test_an_example_runs_from_the_command_line_as_the_index_says(books: Books) -> None:
    query = (FOLDER / "firm_total.sql").read_bytes()
    answered = daybook("sql", "-", "--format", "csv", home=books.published.parent, stdin=query)
    assert answered.code == 0, answered.err
    assert len(answered.out.splitlines()) == 1 + len(books.days)
