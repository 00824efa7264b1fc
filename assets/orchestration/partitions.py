"""Trading days as partitions: the sessions of the shipped calendar, in New York, today's included."""

import warnings
from datetime import date, datetime, time, timedelta

import dagster as dg

from assets.orchestration.known_books import KnownBooks
from pipelines.calendar import NEW_YORK, TradingCalendar

FIRST = date(2000, 1, 3)
_WEEKENDS = "0 0 * * 6,0"


def _holidays(calendar: TradingCalendar) -> list[datetime]:
    """Weekdays without a session; weekends go as one cron line, which keeps the definition small."""
    days = (FIRST + timedelta(days=number) for number in range((calendar.last - FIRST).days + 1))
    closed = (day for day in days if day.weekday() < 5 and not calendar.is_session(day))
    return [datetime.combine(day, time(), NEW_YORK) for day in closed]


def _days(first: date, last: date | None = None) -> dg.DailyPartitionsDefinition:
    """`end_offset=1`: a day is there as soon as it begins, because its end of day is taken on the day itself."""
    return dg.DailyPartitionsDefinition(
        start_date=first.isoformat(),
        end_date=None if last is None else (last + timedelta(days=1)).isoformat(),
        timezone=str(NEW_YORK),
        end_offset=1 if last is None else 0,
        exclusions=[_WEEKENDS, *(day for day in _CLOSED if day.date() >= first)],
    )


_CLOSED = _holidays(TradingCalendar.load())
#: Every trading day of the shipped calendar, whichever of them any books have.
trading_days = _days(FIRST)


def days_of(known: KnownBooks, *, is_live: bool) -> dg.DailyPartitionsDefinition:
    """The trading days that books can have: from their first one on, for nothing before it is missing.

    Where nothing is published yet, from the last session on; of a stand-in broker all, for it may replay any. Books
    that nobody adds to (`is_live` is False: a stand-in's, whose broker is gone) end with their last day.
    """
    if known.first is None:
        return trading_days if known.replayed else _days(_session_before(datetime.now(NEW_YORK).date()))
    return _days(max(known.first, FIRST), None if is_live else known.last)


def _session_before(day: date) -> date:
    """The session before a day: at night it is the one that a run is for. Beyond the calendar, its last one."""
    calendar = TradingCalendar.load()
    return calendar.previous(min(day, calendar.last))


def one_run() -> dg.BackfillPolicy:
    """A backfill of many days as one run. Dagster calls the parameter beta, in a warning that people would see."""
    warnings.filterwarnings("ignore", "Parameter `backfill_policy` of function", dg.BetaWarning)
    return dg.BackfillPolicy.single_run()


def partition_days(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """The first and last trading date that a run is for. Raises Failure for a run without a partition."""
    if not (context.has_partition_key or context.has_partition_key_range):
        raise dg.Failure(
            "This run names no trading day: `daybook eod` asks the broker's clock; `dagster job execute` is told "
            'with --tags \'{"dagster/partition": "2025-11-26"}\'.',
            allow_retries=False,
        )
    keys = context.partition_key_range
    return date.fromisoformat(keys.start), date.fromisoformat(keys.end)
