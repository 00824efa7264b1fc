"""What the commands that build have in common: how the days stand, and whether the published copy is behind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from pipelines.errors import INCOMPLETE, DaybookError

if TYPE_CHECKING:
    import duckdb

    from assets.build import Built
    from pipelines.settings import Settings

COMPLETE = "COMPLETE"

#: Every run, version and column that a copy holds, in one row: two files that differ in it are not the same books.
_EDITION = """
    select
        (select (count(*), max(run_id)) from core.run),
        (select (count(*), max(known_from)) from pnl.position_daily_version),
        (select (count(*), max(known_from)) from pnl.account_daily_version),
        (select count(*) from core.expected_day),
        (select count(*) from core.period_lock),
        (select (count(*), max(run_id)) from quality.finding),
        (
            select string_agg(
                concat_ws(' ', schema_name, table_name, column_name, data_type), ','
                order by schema_name, table_name, column_name
            )
            from duckdb_columns()
            where database_name = current_database() and schema_name in ('raw', 'core', 'pnl', 'quality')
        )
"""


def statuses(con: duckdb.DuckDBPyConnection) -> dict[date, str]:
    """COMPLETE, INCOMPLETE or BROKEN of every day in the books, in order; none before the first build."""
    there = con.execute("select 1 from duckdb_views() where schema_name = 'quality' and view_name = 'day'").fetchone()
    if there is None:
        return {}
    return dict(con.execute("select trading_date, status from quality.day order by trading_date").fetchall())


def built_days(built: Built, known: Iterable[date]) -> list[date]:
    """The days that a build looked at and knows something of, in order."""
    return [day for day in known if any(start <= day <= end for start, end in built.spans)]


def exit_code(states: Iterable[str]) -> int:
    """0 where every day is complete, else 3: of several days the worst."""
    return 0 if all(state == COMPLETE for state in states) else INCOMPLETE


def publish_if_behind(con: duckdb.DuckDBPyConnection, settings: Settings) -> bool:
    """Publish unless the published copy says the same already; whether it was done. Raises BuildFailed.

    Compared by what the two files hold, not by what this run did: a run that was killed between build and publish is
    made good by the next one.
    """
    from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish

    if _published_edition(settings) == con.execute(_EDITION).fetchone():
        return False
    publish(con, settings.published, PUBLISHED_SCHEMAS)
    return True


def _published_edition(settings: Settings) -> object:
    import duckdb

    from pipelines.warehouse.connect import open_published

    try:
        with open_published(settings.published) as copy:
            return copy.execute(_EDITION).fetchone()
    except (DaybookError, duckdb.Error):
        return None  # none yet, an older daybook's, or not readable: a new copy is due
