"""pnl.firm_daily and pnl.group_daily: figures of accounts in different currencies are never added."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tests.support.evenings import FRIDAY, MONDAY, THURSDAY, answer, build_day_by_day, evening, held, read
from tests.support.facts import AccountAnswer


def _account(quantity: str, price: str, day: date, currency: str, *, balances: bool = True) -> AccountAnswer:
    said: dict[str, Any] = {"daily_pnl": Decimal(0), "currency": currency} if balances else {}
    return answer([held(quantity, price, "4000", day)], **said)


def test_euro_and_dollars_have_sums_of_their_own(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    accounts = [("100", "10", "USD"), ("101", "20", "USD"), ("200", "70", "EUR")]
    for day, price, asked in ((THURSDAY, "50", True), (FRIDAY, "51", True), (MONDAY, "53", False)):
        answers = {a: _account(q, price, day, currency, balances=asked) for a, q, currency in accounts}
        build_day_by_day(con, tmp_path, evening(day, answers))
    # on Monday nobody could read balances: an account's currency stays what it was
    for day, move in ((FRIDAY, 1), (MONDAY, 2)):
        assert read(con, "total_pnl, realized_pnl, unrealized_change", "pnl.firm_daily", day) == (None, None, None)
        assert read(con, "value, expected", "quality.finding", day, "check_name = 'currencies_not_added'") == (
            "EUR",
            "USD",
        )
        for value, expected in (("USD", (30 * move, 2)), ("EUR", (70 * move, 1))):
            group = f"dimension = 'CURRENCY' and value = '{value}'"
            assert read(con, "total_pnl, positions", "pnl.group_daily", day, group) == expected


def test_one_currency_other_than_dollars_adds_up(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for day, price in ((THURSDAY, "50"), (FRIDAY, "51")):
        build_day_by_day(con, tmp_path, evening(day, {a: _account("10", price, day, "EUR") for a in ("100", "200")}))
    assert read(con, "total_pnl", "pnl.firm_daily", FRIDAY) == 20


def test_a_currency_with_an_account_that_nobody_could_read_has_no_sum(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    first = {a: _account("10", "50", THURSDAY, c) for a, c in (("100", "USD"), ("200", "EUR"))}
    torn = {"100": _account("10", "51", FRIDAY, "USD"), "200": answer(whole=False)}
    build_day_by_day(con, tmp_path, evening(THURSDAY, first), evening(FRIDAY, torn))
    total = "dimension = 'CURRENCY' and value = "
    assert read(con, "total_pnl", "pnl.group_daily", FRIDAY, f"{total}'USD'") == 10
    assert read(con, "total_pnl", "pnl.group_daily", FRIDAY, f"{total}'EUR'") is None
