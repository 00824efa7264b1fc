"""The schedules name the right partition, or say why there is nothing to do: on every kind of day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from assets.orchestration.partitions import trading_days
from dagster_project.schedules import after_close, final, late_marks, recover
from pipelines.calendar import NEW_YORK, TradingCalendar

HALF_PAST_ONE, HALF_PAST_FOUR = time(13, 20), time(16, 20)
ALL = (after_close, final, late_marks, recover)
HALF_PAST_EIGHT = time(8, 30)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path))


def asked(schedule: dg.ScheduleDefinition, day: str | date, at: time) -> str | None:
    """The partition that a schedule asks for at a New York time; None where it skips."""
    answer = evaluate(schedule, day, at)
    return answer.partition_key if isinstance(answer, dg.RunRequest) else None


def evaluate(schedule: dg.ScheduleDefinition, day: str | date, at: time) -> dg.RunRequest | dg.SkipReason:
    local = datetime.combine(date.fromisoformat(str(day)), at, NEW_YORK)
    answer = schedule(dg.build_schedule_context(scheduled_execution_time=local.astimezone(UTC)))
    assert isinstance(answer, (dg.RunRequest, dg.SkipReason))
    return answer


def reason(schedule: dg.ScheduleDefinition, day: str, at: time) -> str:
    answer = evaluate(schedule, day, at)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message
    return answer.skip_message


@pytest.mark.parametrize(
    ("day", "half_past_one", "half_past_four", "in_the_evening", "at_night"),
    [
        ("2025-11-26", None, "2025-11-26", "2025-11-26", "2025-11-25"),  # a Wednesday
        ("2025-11-27", None, None, None, "2025-11-26"),  # Thanksgiving
        ("2025-11-28", "2025-11-28", None, "2025-11-28", "2025-11-26"),  # the half day after it
        ("2025-11-29", None, None, None, "2025-11-28"),  # Saturday
        ("2025-11-30", None, None, None, "2025-11-28"),  # Sunday
        ("2025-12-01", None, "2025-12-01", "2025-12-01", "2025-11-28"),  # the Monday after
        ("2025-01-09", None, None, None, "2025-01-08"),  # a day of mourning, announced ten days before
        ("2025-01-10", None, "2025-01-10", "2025-01-10", "2025-01-08"),
        ("2001-09-11", None, None, None, "2001-09-10"),
        ("2001-09-17", None, "2001-09-17", "2001-09-17", "2001-09-10"),  # after four days that nobody planned
        ("2025-12-24", "2025-12-24", None, "2025-12-24", "2025-12-23"),  # Christmas Eve
        ("2026-03-06", None, "2026-03-06", "2026-03-06", "2026-03-05"),  # the Friday before clocks go forward
        ("2026-03-08", None, None, None, "2026-03-06"),  # the Sunday that they do, at 02:00
        ("2026-03-09", None, "2026-03-09", "2026-03-09", "2026-03-06"),
        ("2025-10-31", None, "2025-10-31", "2025-10-31", "2025-10-30"),  # the Friday before they go back
        ("2025-11-02", None, None, None, "2025-10-31"),
        ("2025-11-03", None, "2025-11-03", "2025-11-03", "2025-10-31"),
        ("2026-01-02", None, "2026-01-02", "2026-01-02", "2025-12-31"),
    ],
)
def test_each_schedule_names_the_day_that_it_closes(
    day: str, half_past_one: str | None, half_past_four: str | None, in_the_evening: str | None, at_night: str | None
) -> None:
    assert asked(after_close, day, HALF_PAST_ONE) == half_past_one
    assert asked(after_close, day, HALF_PAST_FOUR) == half_past_four
    assert asked(final, day, time(19, 55)) == in_the_evening
    assert asked(late_marks, day, time(3, 30)) == at_night


@pytest.mark.parametrize("year", [2001, 2025])
def test_what_a_schedule_asks_for_is_what_the_broker_clock_will_say(year: int) -> None:
    calendar = TradingCalendar.load()
    first = date(year, 1, 1)
    for day in (first + timedelta(days=number) for number in range(365)):
        ticks = {
            datetime.combine(day, at, NEW_YORK): asked(schedule, day, at)
            for schedule, at in [
                (after_close, HALF_PAST_ONE),
                (after_close, HALF_PAST_FOUR),
                (final, time(19, 55)),
                (late_marks, time(3, 30)),
            ]
        }
        runs = [(at, partition) for at, partition in ticks.items() if partition]
        assert len(runs) == (3 if calendar.is_session(day) else 1), day
        for at, partition in runs:
            told = calendar.assign(at)
            assert partition == told.trading_date.isoformat()
            assert told.eod_eligible, (at, partition)
            assert trading_days.has_partition_key(partition)


def test_a_skipped_tick_says_why() -> None:
    assert reason(after_close, "2025-11-26", HALF_PAST_ONE) == "2025-11-26 closes at 16:00: too early."
    assert reason(after_close, "2025-11-28", HALF_PAST_FOUR) == "2025-11-28 closed at 13:00: done earlier today."
    assert reason(after_close, "2025-11-27", HALF_PAST_FOUR) == "2025-11-27 is not a trading day."
    assert reason(final, "2025-11-27", time(19, 55)) == "2025-11-27 is not a trading day."


def test_the_schedules_run_by_themselves_on_the_clock_of_new_york() -> None:
    for schedule in ALL:
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
        assert schedule.execution_timezone == "America/New_York"
        assert schedule.job_name == "end_of_day"
    assert list(after_close.cron_schedule) == ["20 13 * * 1-5", "20 16 * * 1-5"]
    assert final.cron_schedule == "55 19 * * 1-5"
    assert late_marks.cron_schedule == "30 3 * * *"
    assert recover.cron_schedule == "30 8 * * 1-5"


def test_the_same_tick_is_never_run_twice_and_two_ticks_never_share_a_key() -> None:
    keys = [
        answer.run_key
        for day in ("2025-11-26", "2025-11-28", "2025-11-29", "2025-11-30")
        for schedule, at in [(after_close, HALF_PAST_ONE), (after_close, HALF_PAST_FOUR), (final, time(19, 55)),
                             (late_marks, time(3, 30))]
        if isinstance(answer := evaluate(schedule, day, at), dg.RunRequest)
    ]  # fmt: skip
    assert len(set(keys)) == len(keys) == 8
    first, again = (evaluate(final, "2025-11-26", time(19, 55)) for _ in range(2))
    assert isinstance(first, dg.RunRequest)
    assert isinstance(again, dg.RunRequest)
    assert first.run_key == again.run_key


def test_a_tick_that_is_evaluated_late_keeps_its_day() -> None:
    local = datetime(2025, 11, 26, 16, 20, tzinfo=NEW_YORK)
    context = dg.build_schedule_context(scheduled_execution_time=local.astimezone(UTC))
    answer = after_close(context)  # the machine's clock is long past it
    assert isinstance(answer, dg.RunRequest)
    assert answer.partition_key == "2025-11-26"


def publish_hours(home: Path, day: str, status: str, sessions: str | None) -> None:
    """A published copy in which the broker has spoken of one day."""
    with duckdb.connect(home / "daybook.duckdb") as con:
        con.execute("create schema raw")
        con.execute(
            "create table raw.market_hours "
            "(run_id varchar, market varchar, date date, status varchar, today_sessions varchar)"
        )
        con.execute("insert into raw.market_hours values ('r', 'us_equities', ?, ?, ?)", [day, status, sessions])


def test_a_closure_that_only_the_broker_knows_of_is_skipped(tmp_path: Path) -> None:
    publish_hours(tmp_path, "2025-11-26", '{"day_type": "HOLIDAY"}', None)
    assert asked(after_close, "2025-11-26", HALF_PAST_FOUR) is None
    assert reason(final, "2025-11-26", time(19, 55)) == "2025-11-26 is not a trading day."
    assert asked(late_marks, "2025-11-27", time(3, 30)) == "2025-11-25"


@pytest.mark.parametrize(
    ("closes", "half_past_one", "half_past_four"),
    [("13:00", "2025-11-26", None), ("14:00", None, "2025-11-26"), ("15:59", None, "2025-11-26")],
)
def test_an_early_close_that_only_the_broker_knows_of_is_kept(
    tmp_path: Path, closes: str, half_past_one: str | None, half_past_four: str | None
) -> None:
    hours = f'{{"regular": {{"open": "2025-11-26T09:30:00-05:00", "close": "2025-11-26T{closes}:00-05:00"}}}}'
    publish_hours(tmp_path, "2025-11-26", '{"day_type": "EARLY_CLOSE"}', hours)
    assert asked(after_close, "2025-11-26", HALF_PAST_ONE) == half_past_one
    assert asked(after_close, "2025-11-26", HALF_PAST_FOUR) == half_past_four


def test_a_session_that_only_the_broker_knows_of_is_named_and_left_to_a_person(tmp_path: Path) -> None:
    hours = '{"regular": {"open": "2025-11-27T09:30:00-05:00", "close": "2025-11-27T16:00:00-05:00"}}'
    publish_hours(tmp_path, "2025-11-27", '{"day_type": "TRADING_DAY"}', hours)
    assert "run `daybook sync` and `daybook build`" in reason(final, "2025-11-27", time(19, 55))


def test_a_published_copy_that_can_not_be_read_does_not_stop_the_schedules(tmp_path: Path) -> None:
    (tmp_path / "daybook.duckdb").write_bytes(b"not a database")
    assert asked(final, "2025-11-26", time(19, 55)) == "2025-11-26"
    (tmp_path / "daybook.duckdb").unlink()
    with duckdb.connect(tmp_path / "daybook.duckdb") as con:
        con.execute("create table something_else (a integer)")
    assert asked(final, "2025-11-26", time(19, 55)) == "2025-11-26"


def test_the_end_of_the_shipped_calendar_is_an_error_and_not_a_quiet_skip() -> None:
    with pytest.raises(Exception, match="The shipped sessions end on"):
        evaluate(final, TradingCalendar.load().last + timedelta(days=7), time(19, 55))


def publish_days(home: Path, **days: tuple[str, int, int, int]) -> None:
    """A published copy whose books begin on 24 November, with days by their number in November: how they stand,
    accounts expected, known and recovered."""
    with duckdb.connect(home / "daybook.duckdb") as con:
        for schema in ("core", "quality"):
            con.execute(f"create schema {schema}")
        con.execute("create table core.run as select date '2025-11-24' as trading_date, 'POST_CLOSE' as grade")
        con.execute(
            "create table quality.day (trading_date date, status varchar, accounts_expected int, accounts_known int, "
            "accounts_recovered int)"
        )
        for day, standing in days.items():
            con.execute("insert into quality.day values (?, ?, ?, ?, ?)", [f"2025-11-{day[1:]}", *standing])


def test_the_morning_after_an_evening_that_nobody_read_recovers_it(tmp_path: Path) -> None:
    publish_days(tmp_path, d24=("COMPLETE", 2, 2, 0))
    answer = evaluate(recover, "2025-11-26", HALF_PAST_EIGHT)
    assert isinstance(answer, dg.RunRequest)
    assert answer.partition_key == "2025-11-26"  # the session that the broker's clock is in
    assert answer.tags["daybook/trigger"] == "recover"
    told = TradingCalendar.load().assign(datetime(2025, 11, 26, 8, 30, tzinfo=NEW_YORK))
    assert (told.trading_date.isoformat(), told.grade) == (answer.partition_key, "PRE_OPEN")


def test_the_morning_after_an_evening_without_one_of_the_accounts_recovers_that_one(tmp_path: Path) -> None:
    publish_days(tmp_path, d24=("COMPLETE", 2, 2, 0), d25=("INCOMPLETE", 2, 1, 0))
    assert asked(recover, "2025-11-26", HALF_PAST_EIGHT) == "2025-11-26"


def test_a_morning_with_nothing_to_recover_says_so(tmp_path: Path) -> None:
    assert "Nothing has been published" in reason(recover, "2025-11-26", HALF_PAST_EIGHT)
    publish_days(
        tmp_path,
        d24=("COMPLETE", 2, 2, 0),
        d25=("INCOMPLETE", 2, 2, 0),
        d26=("COMPLETE", 2, 2, 1),
        d28=("BROKEN", 2, 2, 0),
    )
    said = {
        day: reason(recover, f"2025-{day}", HALF_PAST_EIGHT) for day in ("11-24", "11-25", "11-26", "11-27", "11-28")
    }
    assert said == {
        "11-24": "No end of day is due for 2025-11-21 in these books.",
        "11-25": "The end of 2025-11-24 was read: it is COMPLETE.",
        "11-26": "The end of 2025-11-25 was read: it is INCOMPLETE.",
        "11-27": "2025-11-27 is not a trading day.",
        "11-28": "2025-11-26 was recovered already.",
    }
    assert reason(recover, "2025-12-01", HALF_PAST_EIGHT) == "The end of 2025-11-28 was read: it is BROKEN."
