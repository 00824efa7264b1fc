"""When the day is closed: three times, each for the day that the broker's clock will say it is; and once more in the
morning after it, where nobody read its end.

Written by hand, because Dagster's helpers ask for tomorrow's session on a holiday. The first three do the same; what
they find differs: first prices after the close, then official ones, then those that came overnight.
"""

from datetime import date, datetime, timedelta

import dagster as dg
import duckdb

from assets.orchestration.freshness import known_calendar
from assets.orchestration.partitions import trading_days
from assets.orchestration.raw import TRIGGER
from assets.orchestration.recovery import reason_not_to_recover
from dagster_project.jobs import end_of_day
from pipelines.calendar import NEW_YORK, TradingCalendar
from pipelines.errors import DaybookError, first_line
from pipelines.settings import Settings

AFTER_CLOSE = timedelta(minutes=20)
#: 20 minutes after the close of a half day, and of a whole one.
_AFTER_CLOSE_TICKS = ("20 13 * * 1-5", "20 16 * * 1-5")
_BETWEEN_TICKS = timedelta(hours=3)

Answer = dg.RunRequest | dg.SkipReason


@dg.schedule(
    job=end_of_day,
    cron_schedule=list(_AFTER_CLOSE_TICKS),
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="20 minutes after the close, half days too: the day's first books (FLASH).",
)
def after_close(context: dg.ScheduleEvaluationContext) -> Answer:
    """Today, at the first tick that is at least 20 minutes after its close."""
    at = _scheduled(context)
    calendar = known_calendar()
    if closed := _closed(calendar, at.date()):
        return closed
    session = calendar.session(at.date())
    due = session.close + AFTER_CLOSE
    if at < due:
        return dg.SkipReason(f"{session.date} closes at {session.close.astimezone(NEW_YORK):%H:%M}: too early.")
    if at - _BETWEEN_TICKS >= due:
        return dg.SkipReason(
            f"{session.date} closed at {session.close.astimezone(NEW_YORK):%H:%M}: done earlier today."
        )
    return _close("after_close", at, session.date)


@dg.schedule(
    job=end_of_day,
    cron_schedule="55 19 * * 1-5",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Five minutes before after-hours trading ends: official closes, last fills of the day (FINAL).",
)
def final(context: dg.ScheduleEvaluationContext) -> Answer:
    """Today, if the market opened."""
    at = _scheduled(context)
    return _closed(known_calendar(), at.date()) or _close("final", at, at.date())


@dg.schedule(
    job=end_of_day,
    cron_schedule="30 3 * * *",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="At 03:30, while the broker's clock is still in the previous session: marks that came late.",
)
def late_marks(context: dg.ScheduleEvaluationContext) -> Answer:
    """The previous session. A weekend's nights have the same one: better marks, no new day."""
    at = _scheduled(context)
    return _close("late_marks", at, known_calendar().assign(at).trading_date)


@dg.schedule(
    job=end_of_day,
    cron_schedule="30 8 * * 1-5",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="At 08:30, where the evening before was not read: the day is recovered as far as fills prove it.",
)
def recover(context: dg.ScheduleEvaluationContext) -> Answer:
    """Today's session before it opens, if the end of the one before it is missing in the published books."""
    at = _scheduled(context)
    calendar = known_calendar()
    if closed := _closed(calendar, at.date()):
        return closed
    try:
        reason = reason_not_to_recover(Settings.from_env().books, calendar.previous(at.date()))
    except (DaybookError, duckdb.Error) as error:
        reason = first_line(error)
    return dg.SkipReason(reason) if reason else _close("recover", at, at.date())


def switched_off(schedule: dg.ScheduleDefinition) -> dg.ScheduleDefinition:
    """The schedule as one that has to be switched on by a person."""
    made = schedule.with_attributes()
    made._default_status = dg.DefaultScheduleStatus.STOPPED  # noqa: SLF001  (there is no public way)
    return made


def _scheduled(context: dg.ScheduleEvaluationContext) -> datetime:
    """The instant that the tick was due, in New York: a late daemon must not move the day."""
    return context.scheduled_execution_time.astimezone(NEW_YORK)


def _closed(calendar: TradingCalendar, day: date) -> dg.SkipReason | None:
    return None if calendar.is_session(day) else dg.SkipReason(f"{day} is not a trading day.")


def _close(name: str, at: datetime, day: date) -> Answer:
    if not trading_days.has_partition_key(day.isoformat()):
        return dg.SkipReason(
            f"{day} is a session that only the broker knows of: run `daybook sync` and `daybook build` for it."
        )
    return dg.RunRequest(run_key=f"{name} {at:%Y-%m-%d %H:%M}", partition_key=day.isoformat(), tags={TRIGGER: name})
