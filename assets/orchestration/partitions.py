"""Trading days as partitions: the sessions of the shipped calendar, in New York, today's included."""

import warnings
from datetime import date, datetime, time, timedelta

import dagster as dg

from pipelines.calendar import NEW_YORK, TradingCalendar

FIRST = date(2000, 1, 3)
_WEEKENDS = "0 0 * * 6,0"


def _holidays(calendar: TradingCalendar) -> list[datetime]:
    """Weekdays without a session; weekends go as one cron line, which keeps the definition small."""
    days = (FIRST + timedelta(days=number) for number in range((calendar.last - FIRST).days + 1))
    closed = (day for day in days if day.weekday() < 5 and not calendar.is_session(day))
    return [datetime.combine(day, time(), NEW_YORK) for day in closed]


#: `end_offset=1`: a day is there as soon as it begins, because its end of day is taken on the day itself.
trading_days = dg.DailyPartitionsDefinition(
    start_date=FIRST.isoformat(),
    timezone=str(NEW_YORK),
    end_offset=1,
    exclusions=[_WEEKENDS, *_holidays(TradingCalendar.load())],
)


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
