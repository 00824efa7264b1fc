"""What the commands that build have in common: how the days stand, and whether the published copy is behind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from pipelines.errors import INCOMPLETE

if TYPE_CHECKING:
    import duckdb

    from pipelines.books.build import Built
    from pipelines.settings import Settings

COMPLETE = "COMPLETE"


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
    """Publish unless the published copy says the same already; whether it was done. The copy is read again before
    anybody hears of it. Raises BuildFailed, WarehouseReplaced.

    Compared by what the two files hold, not by what this run did: a run that was killed between build and publish is
    made good by the next one.
    """
    from pipelines.warehouse.identity import check_not_replaced
    from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish
    from pipelines.warehouse.published import check_published, is_published

    check_not_replaced(settings.warehouse)
    if is_published(con, settings):
        return False
    publish(con, settings.published, PUBLISHED_SCHEMAS)
    check_published(con, settings)
    return True
