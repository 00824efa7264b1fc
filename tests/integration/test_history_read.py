"""The broker's history of years past: from the opening of an account on, a year at a time, until all of it is there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import CATALOG
from pipelines.books.as_known import open_known
from pipelines.broker.budget import Budgets, Limits
from pipelines.errors import ConfigurationError
from pipelines.ingest import reading
from pipelines.ingest.history import Days, days_to_read
from pipelines.ingest.replay import replay
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish
from tests.support.broker_server import Fault, account
from tests.support.desk import FRIDAY, HELD, MONDAY, THURSDAY, Desk, desk, hold
from tests.support.evenings import CALENDAR

pytestmark = pytest.mark.heavy  # evenings, one after the other

PARTIAL = {"code": 207, "message": "some days are missing"}


def sessions(first: str, last: str) -> list[dict[str, Any]]:
    """A history that makes a dollar a session."""
    return [
        {
            "date": session.date.isoformat(),
            "realized_pnl": "1",
            "unrealized_pnl": "0",
            "net_pnl": "1",
            "sod_equity": "1000",
            "eod_equity": "1001",
        }
        for session in CALENDAR.sessions(date.fromisoformat(first), date.fromisoformat(last))
    ]


def partial(skip: int, times: int = 1, account_id: str | None = None) -> Fault:
    """An answer in part, after so many whole ones."""
    in_part = {"status": 207, "edit": lambda whole: whole.update(error=PARTIAL)}
    return Fault("portfolio-history", account_id, skip=skip, times=times, **in_part)  # type: ignore[arg-type]


@pytest.fixture
def opened_in_2023(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose account was opened on 15 March 2023, and whose broker tells of all its days."""
    history = {100: sessions("2023-03-15", "2025-11-03")}
    of_account = account(100, open_date="2023-03-15")
    with desk(tmp_path, accounts=[of_account], positions=HELD, instructions={}, history=history) as made:
        yield made


def asked(d: Desk) -> list[tuple[str, str]]:
    """The windows that were asked for since the last look."""
    windows = [(each.query["start_date"], each.query["end_date"]) for each in d.broker.asked("portfolio-history")]
    d.broker.requests.clear()
    return windows


def left(d: Desk) -> list[str]:
    """The days that a run noted as not read, the last run's last."""
    query = "select value from quality.finding where check_name like 'history_not_rea%' order by run_id, account_id"
    return [value for (value,) in d.ask(query)]


def told(d: Desk) -> list[tuple[Any, ...]]:
    return d.ask("select source, count(*), min(trading_date) from pnl.account_history group by all order by all desc")


def test_the_first_evening_reads_back_to_the_opening_and_later_ones_the_last_ten_sessions(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    d.evening(THURSDAY)
    assert asked(d) == [
        ("2025-10-17", "2025-10-30"),
        ("2025-01-01", "2025-10-16"),
        ("2024-01-01", "2024-12-31"),
        ("2023-03-15", "2023-12-31"),
    ]
    before = len(CALENDAR.sessions(date(2023, 3, 15), date(2025, 10, 29)))
    assert told(d) == [("BROKER", before, date(2023, 3, 15)), ("BOOKS", 1, date(2025, 10, 30))]
    assert d.ask("select itd, from_broker, gap_days from pnl.period where trading_date = '2025-10-30'") == [
        (Decimal(before + 1), before, 0)
    ]
    d.evening(FRIDAY)
    assert asked(d) == [("2025-10-20", "2025-10-31")]
    assert left(d) == []


def test_where_nobody_says_when_it_was_opened_a_year_without_a_day_is_the_end(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    d.broker.accounts[0]["open_date"] = None
    d.evening(THURSDAY)
    assert asked(d)[-2:] == [("2023-01-01", "2023-12-31"), ("2022-01-01", "2022-12-31")]
    d.evening(FRIDAY)
    assert asked(d) == [("2025-10-20", "2025-10-31")]


def test_a_year_that_comes_in_part_is_not_used_and_asked_for_again_the_next_evening(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    d.broker.faults.append(partial(skip=2))  # 2024
    d.evening(THURSDAY)
    assert left(d) == ["2024-01-01/2024-12-31"]
    year = "select count(*) from pnl.account_history where year(trading_date) = $1"
    assert [d.ask(year, each) for each in (2023, 2024)] == [[(len(sessions("2023-03-15", "2023-12-31")),)], [(0,)]]
    # nobody knows 2024, so nobody knows what was made since the opening; this year is known
    assert d.ask("select ytd, itd, gap_days from pnl.period where trading_date = '2025-10-30'") == [
        (Decimal(len(sessions("2025-01-01", "2025-10-30"))), None, len(sessions("2024-01-01", "2024-12-31")))
    ]
    asked(d)
    d.evening(FRIDAY)
    assert asked(d)[1:] == [("2024-01-01", "2024-12-31")]
    assert d.ask("select itd, gap_days from pnl.period where trading_date = '2025-10-30'") == [
        (Decimal(len(sessions("2023-03-15", "2025-10-30"))), 0)
    ]
    d.evening(MONDAY)
    assert len(asked(d)) == 1


def test_a_year_that_times_out_does_not_keep_the_others_nor_the_day_from_being_read(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    d.broker.faults.append(Fault("portfolio-history", skip=2, times=5, status=504))  # 2024, and every retry
    d.evening(THURSDAY)
    assert left(d) == ["2024-01-01/2024-12-31"]
    assert d.ask("select status from quality.day") == [("COMPLETE",)]
    assert d.ask("select min(trading_date) from pnl.account_history") == [(date(2023, 3, 15),)]


def test_days_that_nobody_asked_for_are_not_taken_for_those_of_a_year(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    again = sessions("2025-10-17", "2025-10-30")
    d.broker.faults.append(Fault("portfolio-history", skip=2, edit=lambda whole: whole["data"].update(segments=again)))
    d.evening(THURSDAY)
    assert left(d) == ["2024-01-01/2024-12-31"]
    whole = len(sessions("2023-03-15", "2023-12-31")) + len(sessions("2025-01-01", "2025-10-30"))
    assert d.ask("select count(*), count(distinct date) from raw.portfolio_history") == [(whole, whole)]


def test_after_two_years_that_fail_the_evening_stops_and_the_next_goes_on(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    d.broker.faults.append(partial(skip=1, times=2))  # this year so far, and 2024
    d.evening(THURSDAY)
    assert len(asked(d)) == 3
    assert left(d) == ["2023-03-15/2025-10-16"]
    d.evening(FRIDAY)
    assert [first for first, _ in asked(d)] == ["2025-10-20", "2025-01-01", "2024-01-01", "2023-03-15"]
    assert d.ask("select count(*) from pnl.account_history") == [(len(sessions("2023-03-15", "2025-10-31")),)]


def test_what_the_budget_does_not_allow_is_left_for_the_next_evening(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    snapshot = d.sync(THURSDAY, budgets=Budgets(history=Limits(answers=1)))
    assert snapshot.is_complete
    d.build()
    assert left(d) == ["2023-03-15/2024-12-31"]
    asked(d)
    d.evening(FRIDAY)
    assert [first for first, _ in asked(d)] == ["2025-10-20", "2024-01-01", "2023-03-15"]


def test_an_account_whose_years_never_come_does_not_use_up_every_evening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ACCOUNTS_AT_ONCE", 1)  # or the order could not be told
    accounts = [account(number, open_date="2024-03-15") for number in (100, 200)]
    history = {number: sessions("2024-03-15", "2025-11-03") for number in (100, 200)}
    books: dict[str, Any] = {"positions": {100: [], 200: []}, "instructions": {}, "history": history}
    told: list[list[str]] = []
    with desk(tmp_path, accounts=accounts, **books) as d:
        for evening, answers in ((THURSDAY, 3), (FRIDAY, 1), (MONDAY, 10)):
            d.broker.faults[:] = [partial(skip=1, times=2, account_id="100")]
            d.sync(evening, budgets=Budgets(history=Limits(answers=answers)))
            d.build()
            read = [each for each in d.broker.asked("portfolio-history") if each.query["end_date"] < "2025-10-20"]
            told.append([f"{each.path.split('/')[3]} {each.query['start_date'][:4]}" for each in read])
            d.broker.requests.clear()
        found = d.ask(
            "select trading_date, account_id, check_name from quality.finding "
            "where check_name like 'history_not_rea%' order by all"
        )
    assert told == [
        ["100 2025", "100 2024", "200 2025"],  # in vain, twice; and then the budget was used up
        ["200 2024"],  # the one that was not reached comes first, and the other one not at all
        ["100 2025", "100 2024"],  # it is asked again once there is time for it
    ]
    assert found == [
        (date(2025, 10, 30), "100", "history_not_read"),
        (date(2025, 10, 30), "200", "history_not_reached"),
        (date(2025, 10, 31), "100", "history_not_reached"),
        (date(2025, 11, 3), "100", "history_not_read"),
    ]


def test_a_broker_that_does_not_give_the_history_is_not_asked_for_more_of_it(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        assert len(asked(d)) == 1
        assert d.ask("select status from quality.day") == [("COMPLETE",)]
        assert left(d) == []
        d.broker.books["portfolio-history"] = {"100": sessions("2025-10-01", "2025-10-31")}
        d.evening(FRIDAY)
        assert len(asked(d)) > 1
        assert d.ask("select min(trading_date) from pnl.account_history") == [(date(2025, 10, 1),)]


def test_the_books_of_an_earlier_daybook_get_the_history_with_their_next_evening(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    d.evening(THURSDAY)
    d.con.execute("update raw.extract_manifest set window_from = null where endpoint = 'portfolio_history'")
    d.con.execute("delete from raw.portfolio_history where date < '2025-10-17'")
    asked(d)
    d.evening(FRIDAY)
    assert [first for first, _ in asked(d)] == ["2025-10-20", "2025-01-01", "2024-01-01", "2023-03-15"]
    assert left(d) == []


def test_history_is_read_again_from_a_day_on_and_restates_what_the_broker_has_corrected(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    d.evening(THURSDAY)
    book = d.broker.books["portfolio-history"]
    assert book is not None
    (corrected,) = [row for row in book["100"] if row["date"] == "2024-05-06"]
    corrected["realized_pnl"] = "5"
    d.evening(FRIDAY)
    day = "select total_pnl, known_from from pnl.account_history where trading_date = '2024-05-06'"
    assert d.ask(day)[0][0] == 1
    asked(d)
    hold(d, "100", "151.00", "14500.00", "2025-10-31")
    with pytest.raises(ConfigurationError, match="for the last 31 days, and 2025-09-30 is before them"):
        d.sync("2025-10-31T22:00:00+00:00", fills_from=date(2025, 9, 30))
    d.broker.requests.clear()
    d.sync("2025-10-31T22:00:00+00:00", history_from=date(2024, 5, 1), fills_from=date(2025, 10, 2))
    # a fill that was corrected later than the evenings look back comes, too
    (fills,) = d.broker.asked("executions")
    assert fills.query["from"] == "2025-10-02T04:00:00Z"
    d.build()
    assert [first for first, _ in asked(d)] == ["2025-10-20", "2025-01-01", "2024-05-01"]
    assert d.ask(day) == [(Decimal(5), datetime.fromisoformat("2025-10-31T22:00:00+00:00"))]
    assert d.ask("select version, reason from pnl.missed_day where trading_date = '2024-05-06'") == [
        (2, "BROKER_HISTORY_CHANGED")
    ]
    # what was said of the days before is still there
    assert d.ask("select min(trading_date) from pnl.account_history") == [(date(2023, 3, 15),)]


def test_books_as_known_at_an_instant_have_the_history_as_it_was_told_by_then(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    d.evening(THURSDAY)
    book = d.broker.books["portfolio-history"]
    assert book is not None
    (corrected,) = [row for row in book["100"] if row["date"] == "2025-10-21"]
    corrected |= {"realized_pnl": "5", "net_pnl": "5", "eod_equity": "1005"}
    d.evening(FRIDAY)
    publish(d.con, d.settings.published, PUBLISHED_SCHEMAS)
    sessions_told = len(sessions("2023-03-15", "2025-10-30"))
    for known_at, made in ((datetime.fromisoformat(THURSDAY), 1), (None, 5)):
        with open_known(CATALOG, d.settings.published, date(2025, 10, 30), known_at, ()) as known:
            query = "select total_pnl from pnl.account_history where trading_date = '2025-10-21'"
            assert known.con.execute(query).fetchone() == (made,)
            itd = known.con.execute("select itd from pnl.period where trading_date = '2025-10-30'").fetchone()
            assert itd == (sessions_told - 1 + made,)
            query = "select total_pnl, sessions from pnl.performance where \"window\" = 'ITD' and as_of = '2025-10-30'"
            assert known.con.execute(query).fetchall() == [(sessions_told - 1 + made, sessions_told)] * 2


def test_a_replay_lands_the_years_that_came_and_asks_for_what_was_left(opened_in_2023: Desk) -> None:
    d = opened_in_2023
    d.broker.faults.append(partial(skip=2))
    d.evening(THURSDAY)
    d.evening(FRIDAY)
    rows = "select run_id, account_id, date, realized_pnl from raw.portfolio_history order by all"
    manifest = (
        "select run_id, complete, window_from, rows_landed, findings from raw.extract_manifest "
        "where endpoint = 'portfolio_history' order by all"
    )
    before = d.ask(rows), d.ask(manifest)
    replayed = replay(d.con, d.settings)
    assert replayed.damaged == []
    assert (d.ask(rows), d.ask(manifest)) == before


def test_days_are_asked_for_from_the_opening_or_from_where_people_say() -> None:
    before, opened, first = date(2025, 10, 17), date(2023, 3, 15), date(2000, 1, 3)
    whole = Days(opened, date(2025, 10, 16))
    assert days_to_read(before, None, opened, first, None) == [whole]
    assert days_to_read(before, None, date(1999, 1, 1), first, None) == [Days(first, whole.last)]
    assert days_to_read(before, (), opened, first, None) == []
    # opened today: there is nothing before it
    assert days_to_read(before, None, date(2025, 10, 30), first, None) == []
    assert days_to_read(before, None, opened, first, date(2024, 7, 1)) == [
        Days(date(2024, 7, 1), whole.last),
        Days(opened, date(2024, 6, 30)),
    ]
    gap = Days(date(2024, 1, 1), date(2024, 12, 31))
    assert days_to_read(before, (gap,), opened, first, date(2024, 7, 1)) == [
        Days(date(2024, 7, 1), whole.last),
        Days(date(2024, 1, 1), date(2024, 6, 30)),
    ]
