"""pnl.account_history and the periods on it: before the books, over missed evenings, closed and opened again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.books.locks import lock_period
from tests.support.evenings import (
    CALENDAR,
    FRIDAY,
    MONDAY,
    THURSDAY,
    TUESDAY,
    answer,
    build_day_by_day,
    evening,
    held,
    read,
    segment,
)
from tests.support.facts import AccountAnswer, Evening, Segment

BEFORE = [session.date for session in CALENDAR.sessions(date(2025, 10, 27), date(2025, 10, 29))]
#: Three sessions before the books, and the first evening's own: 10,000 becomes 10,300 without a flow.
TOLD = (
    segment(BEFORE[0], "100", "0", "10000", "10100"),
    segment(BEFORE[1], "0", "-50", "10100", "10050"),
    segment(BEFORE[2], "150", "51", "10050", "10251"),
    segment(THURSDAY, "0", "49", "10251", "10300"),
)
ROWS = "trading_date, source, days_covered, total_pnl"


def history(con: duckdb.DuckDBPyConnection, columns: str = ROWS) -> list[tuple[Any, ...]]:
    return con.execute(f"select {columns} from pnl.account_history order by trading_date").fetchall()


def refused(*said: Segment) -> AccountAnswer:
    """An account whose positions nobody could read, and its history, where there is one."""
    return replace(answer(history=said or None), positions=None)


def ten_a_day(day: date, first: date, **said: Any) -> Evening:
    """100 shares that gain ten cents a session, since the first."""
    gained = len(CALENDAR.sessions(first, day)) - 1
    return evening(day, answer([held("100", str(50 + Decimal(gained) / 10), "4000", day)], **said))


def test_the_first_evening_has_what_the_broker_tells_of_the_sessions_before_it(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(con, tmp_path, evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)], history=TOLD)))
    assert history(con) == [
        (BEFORE[0], "BROKER", 1, 100),
        (BEFORE[1], "BROKER", 1, -50),
        (BEFORE[2], "BROKER", 1, 201),
        (THURSDAY, "BOOKS", 1, 49),
    ]
    assert history(con, "realized_pnl, unrealized_change, net_pnl, sod_equity, eod_equity, flow")[2] == (
        *(150, 51, 201, 10050, 10251, 0),
    )
    # the books begin in mid-month, and the month with what is known of it
    assert read(con, "wtd, mtd, qtd, ytd, itd", "pnl.period", THURSDAY) == (300, 300, 300, 300, 300)
    assert read(con, "ytd_since, ytd_from_books, ytd_from_broker", "pnl.period", THURSDAY) == (BEFORE[0], 1, 3)
    assert read(con, "since, from_books, from_broker, gap_days", "pnl.period", THURSDAY) == (BEFORE[0], 1, 3, 0)
    assert read(con, "round(twr_mtd, 8), round(twr_itd, 8), drawdown", "pnl.period", THURSDAY) == (
        Decimal("0.03"),
        Decimal("0.03"),
        0,
    )
    # 10,050 of 10,100
    assert read(con, "mtd, round(drawdown, 8)", "pnl.period", BEFORE[1]) == (50, round(-Decimal(50) / 10100, 8))
    assert con.execute("select distinct trading_date from quality.day").fetchall() == [(THURSDAY,)]
    assert con.execute("select count(*) from quality.finding where severity = 'FAIL'").fetchone() == (0,)


def test_a_history_that_contradicts_itself_is_told_and_compared_and_never_averaged(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    saturday = segment(date(2025, 10, 25), "5", "0", "9995", "10000")
    jumps = replace(TOLD[1], sod_equity=Decimal(10107), net=Decimal(-33))  # after 10,100, and of 0 and -50
    with_fees = replace(TOLD[2], net=Decimal(191))  # of 201, and what is no P&L after fees came in
    said = (saturday, TOLD[0], jumps, with_fees, TOLD[3])
    books_begin = replace(TOLD[3], sod_equity=Decimal(10250))  # after 10,251
    run = evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)], history=(*said[:4], books_begin)))
    build_day_by_day(con, tmp_path, run)
    assert [(day, pnl) for day, _, _, pnl in history(con)] == [
        (BEFORE[0], 100),
        (BEFORE[1], -50),
        (BEFORE[2], 201),
        (THURSDAY, 49),
    ]
    compared = (
        "select trading_date, check_name, ours, broker, status from quality.reconciliation "
        "where status in ('WARN', 'BREAK') order by all"
    )
    found = [row for row in con.execute(compared).fetchall() if row[0] < THURSDAY or row[1].startswith("sod")]
    assert found == [
        (BEFORE[1], "realized_plus_unrealized_vs_net", -50, -33, "WARN"),
        (BEFORE[1], "sod_vs_prior_eod", 10107, 10100, "WARN"),
        (THURSDAY, "sod_vs_prior_history", 10250, 10251, "WARN"),
    ]
    # fees of a usual size explain the one, and a flow that nothing else shows is not checked
    explained = con.execute(
        "select check_name, ours, status from quality.reconciliation where trading_date = ? order by all", [BEFORE[2]]
    )
    assert explained.fetchall() == [
        ("day_plus_position_vs_net", None, "NOT_CHECKED"),
        ("eod_minus_sod_vs_net", None, "NOT_CHECKED"),
        ("realized_plus_unrealized_vs_net", 191, "OK"),
        ("sod_vs_prior_eod", 10050, "OK"),
    ]
    findings = "select check_name, value from quality.finding where check_name like 'history%' order by all"
    told = [
        ("history_equity_jumps", f"1 sessions, the first {BEFORE[1]}"),
        ("history_of_no_session", "1 days, the first 2025-10-25"),
    ]
    assert con.execute(findings).fetchall() == told
    # the next evening is told the same, and says nothing of it again
    again = evening(FRIDAY, answer([held("100", "50", "4000", FRIDAY)], history=(*said[:4], books_begin)))
    build_day_by_day(con, tmp_path, again)
    assert con.execute(findings).fetchall() == told


@pytest.mark.parametrize("said", [None, ()])
def test_without_a_history_the_books_begin_with_their_first_evening(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, said: tuple[()] | None
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        ten_a_day(THURSDAY, THURSDAY, history=said),
        ten_a_day(FRIDAY, THURSDAY, history=said),
    )
    assert history(con) == [(THURSDAY, "BOOKS", 1, None), (FRIDAY, "BOOKS", 1, 10)]
    assert read(con, "itd, since, from_books, from_broker, gap_days", "pnl.period", FRIDAY) == (10, FRIDAY, 1, 0, 0)
    assert read(con, "twr_itd", "pnl.period", FRIDAY) is None


def test_a_session_before_the_books_that_nobody_tells_of_takes_the_periods_that_contain_it(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    monday = segment(MONDAY, "0", "103", "10300", "10403")
    build_day_by_day(
        con,
        tmp_path,
        evening(MONDAY, answer([held("100", "50", "4000", MONDAY)], history=(*TOLD, monday))),  # not of Friday
    )
    assert [row[0] for row in history(con)] == [*BEFORE, THURSDAY, MONDAY]
    assert read(con, "mtd, ytd, itd, gap_days", "pnl.period", MONDAY) == (103, None, None, 1)
    assert read(con, "twr_mtd, twr_ytd, drawdown", "pnl.period", MONDAY) == (Decimal("0.01"), None, None)
    assert read(con, "mtd, itd", "pnl.period", THURSDAY) == (300, 300)


@pytest.mark.parametrize("missed", [1, 2, 10])
@pytest.mark.parametrize("told", ["all", "none", "the first"])
def test_missed_evenings_are_told_by_the_broker_or_covered_and_never_counted_twice(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, missed: int, told: str
) -> None:
    days = [session.date for session in CALENDAR.sessions(THURSDAY, date(2025, 11, 30))][: missed + 2]
    many = {"all": missed, "none": 0, "the first": 1}[told]
    # the broker has 4 a day, where the shares make 10: what is left of it is in the row that covers the gap
    said = [segment(day, "1", "3", "1000", "1004") for day in days[1 : many + 1]]
    said.append(segment(days[-1], "0", "10", "1000", "1010"))
    first = (segment(days[0], "0", "0", "1000", "1000"),)
    build_day_by_day(
        con,
        tmp_path,
        ten_a_day(days[0], THURSDAY, history=first),
        ten_a_day(days[-1], THURSDAY, history=(*first, *said)),
    )
    left = missed - many
    source = "SPAN" if not many else "REMAINDER"
    assert history(con) == [
        (days[0], "BOOKS", 1, 0),
        *((day, "BROKER", 1, 4) for day in days[1 : many + 1]),
        (days[-1], source, 1 + left, 10 * (missed + 1) - 4 * many),
    ]
    assert read(con, "itd, gap_days, from_books, from_broker", "pnl.period", days[-1]) == (
        *(10 * (missed + 1), left, 2, many),
    )
    # where the broker tells of all of it, what it leaves unexplained is a break, and neither figure gives way
    compared = (
        "select difference, status from quality.reconciliation "
        "where check_name = 'total_vs_history' and trading_date = $1"
    )
    assert con.execute(compared, [days[-1]]).fetchone() == ((None, "NOT_CHECKED") if left else (6 * missed, "BREAK"))
    growth = Decimal("1.004") ** many * Decimal("1.01")
    linked = read(con, "round(twr_itd, 8)", "pnl.period", days[-1])
    assert linked == (None if left else round(growth - 1, 8))
    holes = "select sessions, holes from pnl.performance where \"window\" = 'ITD' and as_of = $1 and account_id = '100'"
    assert con.execute(holes, [days[-1]]).fetchone() == (2 + many, left)


def test_an_evening_that_was_missed_last_is_told_before_anything_covers_it(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    friday, monday = segment(FRIDAY, "0", "103", "10300", "10403"), segment(MONDAY, "0", "7", "10403", "10410")
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)], history=TOLD)),
        evening(FRIDAY, refused(friday)),
        evening(MONDAY, refused()),
    )
    assert history(con)[-1] == (FRIDAY, "BROKER", 1, 103)
    assert read(con, "itd, from_broker", "pnl.period", FRIDAY) == (403, 4)
    holes = "select as_of, sessions, holes from pnl.performance where \"window\" = 'ITD' and account_id is null"
    assert con.execute(f"{holes} order by as_of").fetchall()[-2:] == [(FRIDAY, 5, 0), (MONDAY, 5, 1)]
    build_day_by_day(
        con, tmp_path, evening(TUESDAY, answer([held("100", "52", "4000", TUESDAY)], history=(friday, monday)))
    )
    # 200 over three sessions, of which the broker has 103 and 7
    assert history(con)[-3:] == [
        *((FRIDAY, "BROKER", 1, 103), (MONDAY, "BROKER", 1, 7), (TUESDAY, "REMAINDER", 1, 90)),
    ]


def test_what_the_history_says_in_mid_session_is_no_figure_of_the_day(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    noon = datetime(2025, 10, 31, 16, tzinfo=UTC)
    build_day_by_day(
        con,
        tmp_path,
        ten_a_day(THURSDAY, THURSDAY),
        evening(FRIDAY, refused(segment(FRIDAY, "0", "99", "1000", "1099")), at=noon),
        ten_a_day(MONDAY, THURSDAY),
    )
    assert history(con) == [(THURSDAY, "BOOKS", 1, None), (MONDAY, "SPAN", 2, 20)]


def test_a_correction_of_the_brokers_history_restates_it_and_what_was_said_is_kept(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    corrected = segment(BEFORE[1], "0", "-40", "10100", "10060")
    thursday = evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)], history=TOLD))
    friday = evening(FRIDAY, answer([held("100", "50", "4000", FRIDAY)], history=(corrected,)))
    build_day_by_day(con, tmp_path, thursday, friday)
    assert history(con, f"{ROWS}, known_from")[1] == (BEFORE[1], "BROKER", 1, -40, friday.at)
    assert history(con, f"{ROWS}, known_from")[0] == (BEFORE[0], "BROKER", 1, 100, thursday.at)
    assert read(con, "itd", "pnl.period", THURSDAY) == 310
    then = con.execute(
        "select total_pnl, version from pnl.missed_day_as_known($1) where trading_date = $2", [thursday.at, BEFORE[1]]
    )
    assert then.fetchall() == [(-50, 1)]
    assert read(con, "reason", "pnl.missed_day", BEFORE[1]) == "BROKER_HISTORY_CHANGED"


def test_an_account_that_was_closed_and_opened_again_has_no_days_in_between(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    friday = [segment(FRIDAY, "0", "10", "5010", "0")]
    other = answer([held("1", "50", "50", THURSDAY)])
    days = [session.date for session in CALENDAR.sessions(THURSDAY, date(2025, 11, 30))]
    opened_again = days[5]

    def evenings(closed_day: date) -> Evening:
        return evening(closed_day, {"200": other}, closed={"100": FRIDAY})

    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, {"100": answer([held("100", "50", "4000", THURSDAY)]), "200": other}),
        evening(FRIDAY, {"100": answer([], history=tuple(friday)), "200": other}),
        *(evenings(day) for day in days[2:5]),
        evening(opened_again, {"100": answer([]), "200": other}),
        evening(days[6], {"100": answer([held("100", "51", "5100", days[6])]), "200": other}),
    )
    of_account = con.execute(f"select {ROWS} from pnl.account_history where account_id = '100' order by all").fetchall()
    assert [row[:3] for row in of_account] == [
        *((day, "BOOKS", 1) for day in (THURSDAY, FRIDAY, opened_again, days[6])),
    ]
    assert read(con, "gap_days", "pnl.period", days[6], "account_id = '100'") == 0


def test_a_closed_period_keeps_what_it_was_closed_with_where_the_broker_tells_of_its_gap(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build_day_by_day(
        con,
        tmp_path,
        evening(THURSDAY, answer([held("100", "50", "4000", THURSDAY)])),
        evening(MONDAY, answer([held("100", "52", "4000", MONDAY)], history=(segment(FRIDAY, "0", "120"),))),
    )
    lock_period(con, MONDAY, at=CALENDAR.session(MONDAY).close + timedelta(hours=1))
    build_day_by_day(
        con,
        tmp_path,
        evening(TUESDAY, answer([held("100", "53", "4000", TUESDAY)], history=(segment(FRIDAY, "0", "150"),))),
    )
    # the broker's word of Friday moves between the two months, and the sum of both stays
    assert history(con)[1:] == [(FRIDAY, "BROKER", 1, 150), (MONDAY, "REMAINDER", 1, 50), (TUESDAY, "BOOKS", 1, 100)]
    assert read(con, "itd", "pnl.period", TUESDAY) == 300
