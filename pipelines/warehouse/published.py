"""Publishing, proven: whether the published copy holds the same books as the warehouse. The two files are compared,
whatever a run says that it did. In a lake a commit is the publication, and there is nothing to copy or compare."""

from __future__ import annotations

import duckdb

from pipelines.errors import BuildFailed, DaybookError, first_line
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.identity import check_still_ours
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish

#: Every run, version and column that a copy holds, how its days stand, and all rows of the newest of them, in one row:
#: two files that differ in it are not the same books.
_EDITION = """
    with newest as (select max(trading_date) as day from core.expected_day)

    select
        (select (count(*), max(run_id)) from core.run),
        (select (count(*), max(known_from)) from pnl.position_daily_version),
        (select (count(*), max(known_from)) from pnl.account_daily_version),
        (select count(*) from core.expected_day),
        (select count(*) from core.period_lock),
        (select (count(*), max(run_id)) from quality.finding),
        (select (count(*), max(run_id)) from raw.extract_run),
        (select string_agg(concat_ws(' ', trading_date, status), ',' order by trading_date) from quality.day),
        (select sum(hash(kept)) from pnl.account_daily as kept, newest where kept.trading_date = newest.day),
        (select sum(hash(kept)) from pnl.position_daily as kept, newest where kept.trading_date = newest.day),
        (
            select string_agg(
                concat_ws(' ', schema_name, table_name, column_name, data_type), ','
                order by schema_name, table_name, column_name
            )
            from duckdb_columns()
            where database_name = current_database() and list_contains($1, schema_name)
        )
"""


def _says(settings: Settings, edition: object) -> bool:
    try:
        return _published(settings) == edition
    except (DaybookError, duckdb.Error):
        return False  # none yet, an older daybook's, or not readable: a new copy is due


def _published(settings: Settings) -> object:
    with open_published(settings.books) as copy:
        return _edition(copy)


def _edition(con: duckdb.DuckDBPyConnection) -> object:
    return con.execute(_EDITION, [PUBLISHED_SCHEMAS]).fetchone()


def publish_books(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Publish what is committed, and read it again. Raises BuildFailed, WarehouseReplaced; DaybookError where the lock
    on a lake was lost."""
    if not settings.has_lake:
        publish(con, settings.published, PUBLISHED_SCHEMAS, settings.publish_group)
    check_published(con, settings)


def check_published(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """To be asked before anybody is told that a day is closed.

    Raises WarehouseReplaced where the warehouse is no longer the file that was opened; BuildFailed where the published
    copy can't be read, or isn't what the warehouse says: its runs, its days and how they stand. DaybookError where the
    lock on a lake was lost.
    """
    check_still_ours(settings)
    if not _has_published(settings):
        _check(settings, _edition(con))


def _has_published(settings: Settings) -> bool:
    """Whether the commit was the publication; the home notes when, as the time of a published copy tells it."""
    if settings.has_lake:
        settings.published_note.touch(mode=0o600)
    return settings.has_lake


def _check(settings: Settings, expected: object) -> None:
    check_still_ours(settings)
    try:
        found = _published(settings)
    except (DaybookError, duckdb.Error) as error:
        raise BuildFailed(
            f"{settings.published} can't be read after it was published ({first_line(error).rstrip('.')}): "
            "run `daybook build`, which publishes again."
        ) from error
    if found != expected:
        raise BuildFailed(
            f"{settings.published} is not the copy that this run published: somebody has put another one in its place. "
            "The warehouse has the day; run `daybook build`, which publishes again."
        )


def publish_if_behind(con: duckdb.DuckDBPyConnection, settings: Settings) -> bool:
    """Publish unless the published copy says the same already; whether a copy was made. It is read again before
    anybody hears of it. Raises as `publish_books` does.

    Compared by what the two files hold, not by what this run did: a run that was killed between build and publish is
    made good by the next one.
    """
    check_still_ours(settings)
    if _has_published(settings):
        return False
    edition = _edition(con)
    if _says(settings, edition):
        return False
    publish(con, settings.published, PUBLISHED_SCHEMAS, settings.publish_group)
    _check(settings, edition)
    return True
