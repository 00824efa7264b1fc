"""pnl.performance: by hand in exact decimals, beside the field's own libraries, and where nothing can be measured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.evenings import CALENDAR, FRIDAY, MONDAY, THURSDAY, TUESDAY, answer, build_day_by_day, evening, read
from tests.support.facts import Segment
from tests.tools.statistics_page import PAGE, ask_peers, landed, ours, page

PEERS = Path(os.environ.get("DAYBOOK_PERFORMANCE_PYTHON", ""))
NEAR = Decimal("1e-9")
FIGURES = (
    *("twr", "annualized_return", "volatility", "sharpe", "sortino", "max_drawdown", "best_day", "worst_day"),
    *("win_rate", "profit_factor", "average_gain", "average_loss"),
)


def sessions(first: date, last: date) -> list[date]:
    return [session.date for session in CALENDAR.sessions(first, last)]


def earning(days: Sequence[date], returns: Iterable[str | Decimal], equity: str = "10000") -> tuple[Segment, ...]:
    """A history without flows that makes these returns, one a session."""
    made, sod = [], Decimal(equity)
    for day, rate in zip(days, returns, strict=True):
        net = (sod * Decimal(rate)).quantize(Decimal("1e-10"))
        made.append(Segment(day, Decimal(0), net, net, sod, sod + net))
        sod += net
    return tuple(made)


def performance(
    con: duckdb.DuckDBPyConnection, as_of: date, window: str, account: str | None = "100"
) -> dict[str, Any]:
    found = con.execute(
        'select * from pnl.performance where as_of = $1 and "window" = $2 and account_id is not distinct from $3',
        [as_of, window, account],
    )
    names = [column[0] for column in found.description]
    (row,) = found.fetchall()
    return dict(zip(names, row, strict=True))


def told(con: duckdb.DuckDBPyConnection, home: Path, *said: Segment, at: date = THURSDAY) -> None:
    """An account without positions, whose fills nobody could read: its first evening brings its history."""
    build_day_by_day(con, home, evening(at, answer(fills=None, history=said)))


WEEK = sessions(date(2025, 10, 23), THURSDAY)
RETURNS = ("0.01", "-0.02", "0.005", "0", "0.03", "-0.01")


def test_every_figure_of_a_short_series_by_hand(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    told(con, tmp_path, *earning(WEEK, RETURNS))
    found = performance(con, THURSDAY, "ITD")
    with localcontext() as exact:
        exact.prec = 40
        rates = [Decimal(rate) for rate in RETURNS]
        growth = Decimal(1)
        for rate in rates:
            growth *= 1 + rate
        mean = sum(rates, Decimal(0)) / 6
        deviation = (sum(((rate - mean) ** 2 for rate in rates), Decimal(0)) / 5).sqrt()
        downside = ((Decimal("-0.02") ** 2 + Decimal("-0.01") ** 2) / 6).sqrt()
        by_hand = {
            "twr": growth - 1,
            "annualized_return": growth ** (Decimal(252) / 6) - 1,
            "volatility": deviation * Decimal(252).sqrt(),
            "sharpe": mean / deviation * Decimal(252).sqrt(),
            "sortino": mean / downside * Decimal(252).sqrt(),
            "max_drawdown": Decimal("-0.02"),
            "best_day": Decimal("0.03"),
            "worst_day": Decimal("-0.02"),
            "win_rate": Decimal("0.6"),  # three of five: a day of nothing is neither
            "profit_factor": Decimal("1.5"),  # 0.045 against 0.03
            "average_gain": Decimal("0.015"),
            "average_loss": Decimal("-0.015"),
        }
        assert {name: found[name] for name in FIGURES if abs(found[name] - by_hand[name]) > NEAR} == {}
    assert (found["from_date"], found["sessions"], found["holes"]) == (WEEK[0], 6, 0)
    # down on the second day, and above the first again on the fifth
    assert (found["max_drawdown_from"], found["max_drawdown_to"]) == (WEEK[0], WEEK[1])
    assert found["recovered_on"] == WEEK[4]
    assert found["total_pnl"] == round(10000 * growth - 10000, 10)


def test_windows_begin_with_their_month_quarter_year_and_a_year_back(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    days = sessions(date(2024, 10, 28), THURSDAY)
    told(con, tmp_path, *earning(days, ["0.001"] * len(days)))
    begins = {name: performance(con, THURSDAY, name)["from_date"] for name in ("MTD", "QTD", "YTD", "1Y", "ITD")}
    assert begins == {
        "MTD": date(2025, 10, 1),
        "QTD": date(2025, 10, 1),
        "YTD": date(2025, 1, 2),
        "1Y": date(2024, 10, 31),
        "ITD": days[0],
    }
    earlier = performance(con, date(2025, 7, 1), "QTD")
    assert (earlier["from_date"], earlier["sessions"], earlier["twr"]) == (date(2025, 7, 1), 1, Decimal("0.001"))
    # the same return every day: nothing deviates, and nothing falls
    assert [earlier[name] for name in ("volatility", "sharpe", "sortino", "profit_factor")] == [None] * 4
    assert (earlier["max_drawdown"], earlier["max_drawdown_from"], earlier["recovered_on"]) == (0, None, None)
    assert performance(con, THURSDAY, "1Y")["volatility"] == 0
    assert con.execute("select distinct as_of from pnl.performance where is_latest").fetchall() == [(THURSDAY,)]


def test_a_fall_from_the_start_of_a_window_began_with_the_session_before_it(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    days = sessions(date(2025, 10, 30), date(2025, 11, 5))
    told(con, tmp_path, *earning(days, ["0.01", "0.01", "-0.5", "-0.1", "0.2"]), at=days[-1])
    month = performance(con, days[-1], "MTD")
    assert (month["max_drawdown"], month["max_drawdown_from"]) == (Decimal("-0.55"), FRIDAY)
    assert (month["max_drawdown_to"], month["recovered_on"]) == (TUESDAY, None)


def test_a_hole_is_counted_and_takes_what_links_returns(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    said = [each for each in earning(WEEK, RETURNS) if each.day != WEEK[2]]
    told(con, tmp_path, *said)
    found = performance(con, THURSDAY, "ITD")
    assert (found["sessions"], found["holes"], found["total_pnl"]) == (5, 1, None)
    linked = ("twr", "annualized_return", "max_drawdown", "max_drawdown_from", "max_drawdown_to", "recovered_on")
    assert [found[name] for name in linked] == [None] * 6
    # of the five that are known, and no zero in place of the other
    assert (found["win_rate"], found["average_gain"]) == (Decimal("0.5"), Decimal("0.02"))
    # a mean of 0.002 over a downside of 0.01
    assert abs(found["sortino"] - Decimal("0.2") * Decimal(252).sqrt()) < NEAR
    assert performance(con, WEEK[1], "ITD")["twr"] == Decimal("-0.0102")


def test_an_account_earns_from_when_there_is_something_in_it(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    none = Decimal(0)
    empty = Segment(WEEK[0], none, none, none, none, none)
    paid_in = Segment(WEEK[1], none, Decimal(5), Decimal(5), none, Decimal(10005))
    told(con, tmp_path, empty, paid_in, *earning(WEEK[2:], ["0.01"] * 4, "10005"))
    found = performance(con, THURSDAY, "ITD")
    # what the first days made counts as money, and their return is neither known nor missed
    assert (found["sessions"], found["holes"], found["twr"]) == (4, 0, round(Decimal("1.01") ** 4 - 1, 10))
    assert (found["from_date"], found["total_pnl"]) == (WEEK[0], round(5 + 10005 * (Decimal("1.01") ** 4 - 1), 10))
    assert read(con, "twr_itd, itd", "pnl.period", THURSDAY) == (found["twr"], found["total_pnl"])


def test_equity_of_nothing_or_less_is_a_hole_and_one_session_has_no_deviation(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    nothing = Segment(FRIDAY, Decimal(0), Decimal(5), Decimal(5), Decimal(0), Decimal(5))
    less = Segment(MONDAY, Decimal(0), Decimal(5), Decimal(5), Decimal(-100), Decimal(-95))
    told(con, tmp_path, *earning([THURSDAY], ["0.01"]), nothing, less, at=MONDAY)
    assert performance(con, THURSDAY, "ITD")["volatility"] is None
    assert performance(con, THURSDAY, "ITD")["annualized_return"] == round(Decimal("1.01") ** 252 - 1, 10)
    assert [performance(con, day, "ITD")["holes"] for day in (FRIDAY, MONDAY)] == [1, 2]
    assert performance(con, MONDAY, "ITD")["twr"] is None
    assert performance(con, MONDAY, "MTD")["sessions"] == 0


def test_what_was_lost_altogether_stays_lost(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    days = sessions(THURSDAY, TUESDAY)
    after = earning(days[2:], ["0.1", "0.1"], "1000")
    told(con, tmp_path, *earning(days[:2], ["0.1", "-1"]), *after, at=TUESDAY)
    found = performance(con, TUESDAY, "ITD")
    assert (found["twr"], found["annualized_return"], found["max_drawdown"]) == (-1, -1, -1)
    assert (found["max_drawdown_from"], found["max_drawdown_to"], found["recovered_on"]) == (THURSDAY, FRIDAY, None)
    assert performance(con, TUESDAY, "MTD")["twr"] == Decimal("0.21")


def test_all_accounts_of_a_currency_are_measured_together(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    one = earning(WEEK, ["0.01"] * 6, "10000")
    late = earning(WEEK[3:], ["-0.02"] * 3, "30000")  # opened on the fourth day
    euro = earning(WEEK, ["0.05"] * 6, "10000")
    answers = {
        "100": answer(fills=None, history=one, daily_pnl=Decimal(0)),
        "200": answer(fills=None, history=late, daily_pnl=Decimal(0)),
        "300": answer(fills=None, history=euro, daily_pnl=Decimal(0), currency="EUR"),
    }
    build_day_by_day(con, tmp_path, evening(THURSDAY, answers))
    found = con.execute(
        "select currency, sessions, twr, total_pnl from pnl.performance where account_id is null and as_of = $1 "
        "and \"window\" = 'ITD' order by currency",
        [THURSDAY],
    ).fetchall()
    growth, first, second = Decimal("1.01") ** 3, one[3].sod_equity, Decimal(30000)
    for _ in range(3):
        assert first is not None
        growth *= 1 + (first * Decimal("0.01") - second * Decimal("0.02")) / (first + second)
        first, second = first * Decimal("1.01"), second * Decimal("0.98")
    assert [row[:2] for row in found] == [("EUR", 6), ("USD", 6)]
    assert abs(found[1][2] - (growth - 1)) < NEAR
    assert found[1][3] == sum(each.net or 0 for each in (*one, *late))


def test_a_session_unknown_of_one_account_is_unknown_of_all(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    one, other = earning(WEEK, RETURNS), earning(WEEK, RETURNS)
    answers = {"100": answer(history=one), "200": answer(history=(*other[:2], *other[3:]))}
    build_day_by_day(con, tmp_path, evening(THURSDAY, answers))
    together = performance(con, THURSDAY, "ITD", None)
    assert (together["sessions"], together["holes"], together["twr"], together["total_pnl"]) == (5, 1, None, None)
    assert performance(con, WEEK[1], "ITD", None)["twr"] == Decimal("-0.0102")


@pytest.mark.skipif(not PEERS.is_file(), reason="DAYBOOK_PERFORMANCE_PYTHON names no python with quantstats")
@pytest.mark.parametrize("risk_free", ["0", "0.043"])  # QuantStats takes no rate below 0
def test_quantstats_and_empyrical_say_the_same_of_the_same_returns(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, risk_free: str
) -> None:
    returns = landed(con, tmp_path, Decimal(risk_free))
    assert len(returns) == 597
    compared = 0
    for window, peers in ask_peers(PEERS, returns, Decimal(risk_free))["figures"].items():
        own = ours(con, window)
        for figure, theirs in (pair for each in peers.values() for pair in each.items()):
            if isinstance(own[figure], date):
                assert str(own[figure]) == theirs, (window, figure)
            else:
                assert abs(float(own[figure]) - theirs) < 1e-9, (window, figure, own[figure], theirs)
            compared += 1
    assert compared > 70


@pytest.mark.skipif(not PEERS.is_file(), reason="DAYBOOK_PERFORMANCE_PYTHON names no python with quantstats")
def test_the_page_has_what_each_of_them_says(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(con, tmp_path, PEERS), "python -m tests.tools.statistics_page"
