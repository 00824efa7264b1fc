"""The upkeep of a lake: small files merged, old snapshots forgotten, files that nothing names any more deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from pipelines.archive.bucket import Bucket
from pipelines.archive.places import place_of
from pipelines.errors import DaybookError, first_line
from pipelines.progress import Activity, OnProgress, ignore_progress
from pipelines.settings import Settings
from pipelines.warehouse.lake.attach import WRITTEN, lake_of
from pipelines.warehouse.session import warehouse_session

#: A file that nothing names yet may belong to a landing, or to a reader, that goes on: none takes so long.
LEAST_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Maintained:
    """Files of the tables before and after, snapshots that were forgotten, and files that were deleted."""

    files_before: int
    files: int
    snapshots_forgotten: int
    files_deleted: int


def maintain(
    settings: Settings,
    keep: timedelta,
    *,
    least_age: timedelta = LEAST_AGE,
    wait: float = 60.0,
    on_progress: OnProgress = ignore_progress,
) -> Maintained:
    """Merge the files of each table, forget the snapshots that are older than `keep`, and delete the files that no
    snapshot needs and that are older than `least_age`, and what a killed upload left in the archive.

    Holds the lock on the books. What readers see stays, and so do the files of landings that go on. Raises
    ConfigurationError where the settings name no lake, as `warehouse_session` does, and DaybookError where it can't be
    done: what was done until then is kept, for no step changes what the books say.
    """
    lake = lake_of(settings)
    with warehouse_session(settings, wait=wait, on_progress=on_progress) as con:
        before = _files(con)
        try:
            on_progress(Activity("merging files"))
            con.execute(f"call ducklake_rewrite_data_files('{WRITTEN}')")  # those of which nearly nothing is left
            con.execute(f"call ducklake_merge_adjacent_files('{WRITTEN}')")
            on_progress(Activity("forgetting old snapshots, and deleting what nothing needs"))
            now = datetime.now(UTC)
            forgotten = _call(con, "ducklake_expire_snapshots", now - keep)
            deleted = _call(con, "ducklake_cleanup_old_files", now - least_age)
            deleted += _call(con, "ducklake_delete_orphaned_files", now - least_age)
        except duckdb.Error as error:
            raise DaybookError(
                f"The upkeep of {lake} was given up ({first_line(error).rstrip('.')}): its books are as they "
                "were; run it again."
            ) from error
        return Maintained(before, _files(con), forgotten, deleted + _clean_archive(settings, now - least_age))


def _call(con: duckdb.DuckDBPyConnection, function: str, older_than: datetime) -> int:
    """How many snapshots or files a function of DuckLake's took away."""
    return len(con.execute(f"call {function}('{WRITTEN}', older_than => ?)", [older_than]).fetchall())


def _files(con: duckdb.DuckDBPyConnection) -> int:
    """The files that the tables consist of now."""
    row = con.execute("select sum(file_count) from ducklake_table_info(?)", [WRITTEN]).fetchone()
    return int(row[0] or 0) if row else 0


def _clean_archive(settings: Settings, before: datetime) -> int:
    archive = Bucket(place_of(settings), settings.working)
    left = archive.leftovers(before)
    for name in left:
        archive.delete(name)
    return len(left)
