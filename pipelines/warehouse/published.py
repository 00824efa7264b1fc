"""Publishing, proven: whether the published copy holds the same books as the warehouse. The two files are compared,
whatever a run says that it did. In a lake a commit is the publication, and there is nothing to copy or compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb

from pipelines.errors import BuildFailed, DaybookError, first_line
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.identity import check_still_ours
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish
from pipelines.warehouse.tables import run_statement

#: Every run, version and column that a copy holds, how its days stand, and all rows of the newest of them: two files
#: that differ in an answer are not the same books. Asked one by one: one select of them all takes three times as long.
_EDITION = (
    "select count(*), max(run_id) from core.run",
    "select count(*), max(known_from) from pnl.position_daily_version",
    "select count(*), max(known_from) from pnl.account_daily_version",
    "select count(*) from core.expected_day",
    "select count(*) from core.period_lock",
    "select count(*), max(run_id) from quality.finding",
    "select count(*), max(run_id) from raw.extract_run",
    "select string_agg(concat_ws(' ', trading_date, status), ',' order by trading_date) from quality.day",
    """
    select sum(hash(kept)) from pnl.account_daily as kept
    where kept.trading_date = (select max(trading_date) from core.expected_day)
    """,
    """
    select sum(hash(kept)) from pnl.position_daily as kept
    where kept.trading_date = (select max(trading_date) from core.expected_day)
    """,
    """
    select string_agg(
        concat_ws(' ', schema_name, table_name, column_name, data_type), ','
        order by schema_name, table_name, column_name
    )
    from duckdb_columns()
    where database_name = current_database() and list_contains($schemas, schema_name)
    """,
)


def _says(settings: Settings, edition: Sequence[object]) -> bool:
    """Whether the published copy answers the same. The first answer that differs is enough."""
    try:
        with open_published(settings.books) as copy:
            return all(each == known for each, known in zip(_edition(copy), edition, strict=True))
    except (DaybookError, duckdb.Error):
        return False  # none yet, an older daybook's, or not readable: a new copy is due


def _edition(con: duckdb.DuckDBPyConnection) -> Iterator[object]:
    for question in _EDITION:
        yield run_statement(con, question, {"schemas": PUBLISHED_SCHEMAS}).fetchone()


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
        _check(settings, [*_edition(con)])


def _has_published(settings: Settings) -> bool:
    """Whether the commit was the publication; the home notes when, as the time of a published copy tells it."""
    if settings.has_lake:
        settings.published_note.touch(mode=0o600)
    return settings.has_lake


def _check(settings: Settings, expected: Sequence[object]) -> None:
    check_still_ours(settings)
    try:
        with open_published(settings.books) as copy:
            found = [*_edition(copy)]
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
    edition = [*_edition(con)]
    if _says(settings, edition):
        return False
    publish(con, settings.published, PUBLISHED_SCHEMAS, settings.publish_group)
    _check(settings, edition)
    return True
