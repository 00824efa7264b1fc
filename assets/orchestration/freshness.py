"""Whether the last evening is in the books: a check of one trading day, and which day that is at an instant.

Nothing that runs with the evening can notice that there was none, so a sensor asks (dagster_project/watch.py).
"""

from datetime import UTC, date, datetime, time, timedelta

import dagster as dg
import duckdb

from assets.catalog import CATALOG
from assets.orchestration.published import published
from pipelines.calendar import NEW_YORK, TradingCalendar
from pipelines.errors import DaybookError
from pipelines.ingest.warehouse_state import broker_overrides
from pipelines.settings import Books, Settings
from pipelines.warehouse.connect import open_published

#: When a day's evening has passed, in New York: an hour after the last quotes, and the run of 19:55 long over.
EVENING_OVER = time(21)
MISSING = "MISSING"
_STATUS = "select status from quality.day where trading_date = ? and finished_at is not null"
_FIRST = "select min(trading_date) from core.run where is_end_of_day(grade)"
_REPLAYED = "select is_loopback from raw.extract_run order by run_id desc limit 1"


@dg.asset_check(asset=published, name="fresh")
def fresh() -> dg.AssetCheckResult:
    """The last evening that has passed is in the published copy, and COMPLETE. It knows holidays and half days.

    Of the day, not of the partition of some run: Dagster has checks with partitions only as a preview.
    """
    day = last_evening(known_calendar(), datetime.now(UTC))
    status = day_status(Settings.from_env().books, day)
    return dg.AssetCheckResult(
        passed=status == "COMPLETE", description=f"{day} is {status}", metadata={"partition": day.isoformat()}
    )


def known_calendar() -> TradingCalendar:
    """The shipped sessions with the broker's own calendar over them, as far as the published copy has it.

    The run of 03:30 asks the broker about the day that begins: so an unscheduled closure is known before the evening.
    """
    try:
        with open_published(Settings.from_env().books) as con:
            return TradingCalendar.load(broker_overrides(con))
    except (DaybookError, duckdb.Error):
        return TradingCalendar.load()  # nothing published yet, or nobody can read it: the run will tell, if it matters


def last_evening(calendar: TradingCalendar, now: datetime) -> date:
    """The last session whose evening has passed at `now`. Raises ConfigurationError beyond the calendar."""
    local = now.astimezone(NEW_YORK)
    day = local.date() if local.time() >= EVENING_OVER else local.date() - timedelta(days=1)
    return day if calendar.is_session(day) else calendar.previous(day)


def day_status(published: Books, day: date) -> str:
    """COMPLETE, INCOMPLETE, BROKEN, or MISSING where no run has closed the day. Raises as `open_published`."""
    with open_published(published) as con:
        return _day_status(con, day)


def expected_day_status(published: Books, day: date) -> str | None:
    """As `standing`; None where no end of day is due: the day is before the books, or they are a stand-in's replay."""
    with open_published(published) as con:
        con.execute(CATALOG.functions)
        replayed, first = con.execute(_REPLAYED).fetchone(), con.execute(_FIRST).fetchone()
        if replayed is None or replayed[0] or first is None or first[0] is None or day < first[0]:
            return None
        return _day_status(con, day)


def _day_status(con: duckdb.DuckDBPyConnection, day: date) -> str:
    row = con.execute(_STATUS, [day]).fetchone()
    return str(row[0]) if row else MISSING
