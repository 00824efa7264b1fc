"""The trading calendar: the shipped sessions, the broker's word over them, and the day an instant belongs to."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.books.inputs import _session_table
from pipelines.calendar import Assignment, Override, TradingCalendar
from pipelines.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT.parent / "shared" / "scenarios" / "scenarios.json"
NEW_YORK = ZoneInfo("America/New_York")
CALENDAR = TradingCalendar.load()
# exchange_calendars 4.13 reads a pandas attribute that pandas 3.1 means to change; it is a development tool here
library_warning = pytest.mark.filterwarnings("ignore:Series.values returning:DeprecationWarning")


def local(day: str, at: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time.fromisoformat(at), NEW_YORK)


@library_warning
def test_the_shipped_sessions_are_those_of_exchange_calendars() -> None:
    import exchange_calendars

    theirs = exchange_calendars.get_calendar("XNYS", start="2000-01-01", end=str(CALENDAR.last)).schedule
    ours = CALENDAR.sessions(CALENDAR.first, CALENDAR.last)
    assert [session.date for session in ours] == [day.date() for day in theirs.index]
    assert [session.open for session in ours] == [at.to_pydatetime() for at in theirs["open"]]
    assert [session.close for session in ours] == [at.to_pydatetime() for at in theirs["close"]]


@library_warning
def test_the_shipped_file_is_what_its_generator_writes() -> None:
    generator = runpy.run_path(str(ROOT / "tests" / "tools" / "generate_sessions.py"))
    shipped = (ROOT / "pipelines" / "sessions.csv").read_text(encoding="utf-8").splitlines()
    assert shipped[1:] == generator["lines"]()[1:]  # the first line names the library's version


def test_the_calendar_needs_no_pandas() -> None:
    code = "import sys, pipelines.calendar as c; c.TradingCalendar.load(); sys.exit('pandas' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def scenario_s57() -> list[Any]:
    if not SCENARIOS.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"{SCENARIOS} is not here"))]
    scenarios = json.loads(SCENARIOS.read_text(encoding="utf-8"))["scenarios"]
    return list(next(each for each in scenarios if each["id"] == "S57")["expected_calendar"])


@pytest.mark.parametrize("expected", scenario_s57(), ids=lambda each: each.get("at", "absent"))
def test_an_instant_belongs_to_the_day_that_the_scenario_says(expected: dict[str, Any]) -> None:
    assigned = CALENDAR.assign(datetime.fromisoformat(expected["at"]))
    assert str(assigned.trading_date) == expected["trading_date"]
    assert assigned.grade == expected["grade"]
    assert assigned.eod_eligible is expected["eod_eligible"]


@pytest.mark.parametrize(
    ("day", "at", "trading_date", "grade"),
    [
        ("2025-11-26", "03:59:59.999999", "2025-11-25", "LATE"),
        ("2025-11-26", "04:00", "2025-11-26", "PRE_OPEN"),
        ("2025-11-26", "09:29:59.999999", "2025-11-26", "PRE_OPEN"),
        ("2025-11-26", "09:30", "2025-11-26", "INTRADAY"),
        ("2025-11-26", "15:59:59.999999", "2025-11-26", "INTRADAY"),
        ("2025-11-26", "16:00", "2025-11-26", "POST_CLOSE"),
        ("2025-11-26", "20:00", "2025-11-26", "POST_CLOSE"),
        ("2025-11-26", "20:00:00.000001", "2025-11-26", "LATE"),
        ("2025-11-27", "12:00", "2025-11-26", "LATE"),  # Thanksgiving
        ("2025-11-28", "03:59", "2025-11-26", "LATE"),  # the night after a holiday
        ("2025-11-28", "13:00", "2025-11-28", "POST_CLOSE"),  # half day
        ("2025-03-09", "03:30", "2025-03-07", "LATE"),  # clocks go forward
        ("2025-11-02", "01:30", "2025-10-31", "LATE"),  # clocks go back: 01:30 happens twice
        ("2024-02-29", "17:00", "2024-02-29", "POST_CLOSE"),
    ],
)
def test_the_boundaries_of_a_day_are_new_yorks(day: str, at: str, trading_date: str, grade: str) -> None:
    assigned = CALENDAR.assign(local(day, at).astimezone(UTC))
    assert (str(assigned.trading_date), assigned.grade) == (trading_date, grade)


@given(
    st.timedeltas(timedelta(0), timedelta(days=10_500)).map(lambda age: datetime(2000, 1, 4, tzinfo=UTC) + age),
    st.timedeltas(timedelta(0), timedelta(days=10)),
)
def test_a_later_instant_never_belongs_to_an_earlier_day(instant: datetime, later: timedelta) -> None:
    first = CALENDAR.assign(instant)
    second = CALENDAR.assign(instant + later)
    order = ["PRE_OPEN", "INTRADAY", "POST_CLOSE", "LATE"]
    assert CALENDAR.is_session(first.trading_date)
    assert (first.trading_date, order.index(first.grade)) <= (second.trading_date, order.index(second.grade))


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        CALENDAR.assign(datetime(2025, 11, 26, 12, tzinfo=UTC).replace(tzinfo=None))


def test_neighbours_skip_weekends_and_holidays() -> None:
    assert CALENDAR.previous(date(2025, 11, 28)) == date(2025, 11, 26)
    assert CALENDAR.next(date(2025, 11, 26)) == date(2025, 11, 28)
    assert CALENDAR.previous(date(2025, 11, 30)) == date(2025, 11, 28)  # asked on a Sunday
    assert CALENDAR.next(date(2025, 11, 29)) == date(2025, 12, 1)
    week = CALENDAR.sessions(date(2025, 11, 24), date(2025, 11, 30))
    assert [session.date.day for session in week] == [24, 25, 26, 28]
    assert [session.early for session in week] == [False, False, False, True]
    assert CALENDAR.sessions(date(2025, 11, 28), date(2025, 11, 24)) == []


def test_a_day_without_a_session_has_none() -> None:
    assert not CALENDAR.is_session(date(2025, 11, 27))
    with pytest.raises(ConfigurationError, match="2025-11-27 is not a trading day"):
        CALENDAR.session(date(2025, 11, 27))


def test_the_broker_can_close_a_day() -> None:
    closed = TradingCalendar.load([Override(date(2025, 11, 26), None, None)])
    assert not closed.is_session(date(2025, 11, 26))
    assert closed.previous(date(2025, 11, 28)) == date(2025, 11, 25)
    assert closed.assign(local("2025-11-26", "17:00")) == Assignment(date(2025, 11, 25), "LATE")


def test_the_broker_can_open_a_day_and_shorten_one() -> None:
    saturday = Override(date(2025, 11, 29), local("2025-11-29", "09:30"), local("2025-11-29", "16:00"))
    short = Override(date(2025, 12, 1), local("2025-12-01", "09:30"), local("2025-12-01", "12:15"))
    calendar = TradingCalendar.load([saturday, short])
    assert calendar.next(date(2025, 11, 28)) == date(2025, 11, 29)
    assert not calendar.session(date(2025, 11, 29)).early
    assert calendar.session(date(2025, 12, 1)).early
    assert calendar.session(date(2025, 12, 1)).close == datetime(2025, 12, 1, 17, 15, tzinfo=UTC)
    assert calendar.assign(local("2025-12-01", "12:20")).grade == "POST_CLOSE"
    assert calendar.session(date(2025, 12, 2)) == CALENDAR.session(date(2025, 12, 2))


def test_the_brokers_last_word_on_a_day_counts() -> None:
    day = date(2025, 11, 26)
    hours = Override(day, local("2025-11-26", "09:30"), local("2025-11-26", "16:00"))
    assert TradingCalendar.load([Override(day, None, None), hours]).is_session(day)
    assert not TradingCalendar.load([hours, Override(day, None, None)]).is_session(day)


def test_hours_that_are_no_hours_are_refused() -> None:
    opening = local("2025-11-26", "09:30")
    for said in (Override(opening.date(), opening, None), Override(opening.date(), opening, opening)):
        with pytest.raises(ConfigurationError, match="2025-11-26"):
            TradingCalendar.load([said])


def test_outside_the_table_nothing_is_guessed() -> None:
    beyond = CALENDAR.last + timedelta(days=4)
    sentence = f"shipped sessions end on {CALENDAR.last}"
    with pytest.raises(ConfigurationError, match=sentence):
        CALENDAR.assign(datetime.combine(beyond, time(12), UTC))
    with pytest.raises(ConfigurationError, match=sentence):
        CALENDAR.is_session(beyond)
    with pytest.raises(ConfigurationError, match=sentence):
        CALENDAR.sessions(CALENDAR.first, beyond)
    with pytest.raises(ConfigurationError, match=sentence):
        CALENDAR.next(CALENDAR.last)
    with pytest.raises(ConfigurationError, match="begin on 2000-01-03"):
        CALENDAR.previous(CALENDAR.first)
    with pytest.raises(ConfigurationError, match="begin on 2000-01-03"):
        CALENDAR.assign(datetime(1999, 12, 31, 18, tzinfo=UTC))


def test_the_end_of_the_table_is_known_ahead() -> None:
    assert CALENDAR.last >= date(2027, 12, 31)
    assert CALENDAR.days_left(CALENDAR.last - timedelta(days=90)) == 90
    assert CALENDAR.days_left(CALENDAR.last + timedelta(days=1)) == -1


def test_a_session_that_the_broker_tells_otherwise_is_a_conflict_and_the_others_are_as_shipped() -> None:
    def told(day: int, close: int) -> Override:
        opened = datetime(2025, 11, day, 14, 30, tzinfo=UTC)
        return Override(opened.date(), opened, opened.replace(hour=close, minute=0))

    overrides = (told(3, 21), told(5, 18), told(8, 18), Override(date(2025, 11, 4), None, None))
    week = {date(2025, 11, day) for day in range(3, 10)}
    rows = {
        row["trading_date"].day: row for row in _session_table(overrides).to_pylist() if row["trading_date"] in week
    }
    assert {day: (row["source"], row["conflict"]) for day, row in rows.items()} == {
        3: ("API", False),
        5: ("API", True),
        6: ("LIBRARY", False),
        7: ("LIBRARY", False),
        8: ("API", True),
    }
    assert rows[5]["early_close"]
