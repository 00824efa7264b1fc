"""A session of writing: the home made ready, the run lock taken, the warehouse open, be it a file or a lake, from the
first page to the published books."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipelines.errors import DiskFull
from pipelines.progress import OnProgress, ignore_progress
from pipelines.settings import Lake, Settings
from pipelines.warehouse.connect import open_warehouse
from pipelines.warehouse.identity import check_still_ours
from pipelines.warehouse.lock import run_lock
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.missing_books import make_room, refuse_empty_books, refuse_fresh_start
from pipelines.warehouse.restoring import finish_and_log

#: With less room than this nothing is begun. No more is asked for, because a day that isn't read can't be read later:
#: what a large book needs beyond it is found out, and the publication of a large file checks for itself.
LEAST_ROOM = 16 * 2**20  # bytes
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def warehouse_session(
    settings: Settings, *, wait: float = 60.0, on_progress: OnProgress = ignore_progress, rebuilding: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The open warehouse, with the run lock held until the block ends; one of an earlier daybook is migrated first, and
    a restore that was killed is finished. Of a lake the lock on its books is held, too, against other hosts.

    A second run waits up to `wait` seconds and tells `on_progress` whom it waits for. Raises LockedOut after that,
    naming the holder's pid; ConfigurationError where the home can't be written; DiskFull, also where it fills up
    meanwhile; NotPublished where there is no lake yet; BooksMissing where the home had books and the warehouse has
    none, unless the caller is `rebuilding` them; and, when the block has ended, WarehouseReplaced where somebody
    swapped the warehouse meanwhile, DaybookError where the lock on a lake was lost.
    """
    settings.prepare_home()
    with _disk_space(settings.home), run_lock(settings.run_lock, wait=wait, on_progress=on_progress):
        finish_and_log(settings.home)
        with _opened(settings, wait, on_progress, rebuilding=rebuilding) as con:
            if not rebuilding:
                refuse_empty_books(con, settings)
            migrate(con, settings, on_progress=on_progress)
            yield con
            check_still_ours(settings)


@contextmanager
def _opened(
    settings: Settings, wait: float, on_progress: OnProgress, *, rebuilding: bool
) -> Iterator[duckdb.DuckDBPyConnection]:
    if isinstance(settings.books, Lake):
        from pipelines.warehouse.lake.opening import open_to_write

        with open_to_write(settings.books, wait=wait, on_progress=on_progress) as con:
            yield con
        return
    (make_room if rebuilding else refuse_fresh_start)(settings)
    with open_warehouse(settings.warehouse, wait=wait, on_progress=on_progress) as con:
        yield con


@contextmanager
def _disk_space(home: Path) -> Iterator[None]:
    """Says in a sentence that the disk is full, before the block or in it."""
    if (free := shutil.disk_usage(home).free) < LEAST_ROOM:
        raise DiskFull(
            f"The disk of {home} has {free / 2**20:.1f} MiB free, and {LEAST_ROOM // 2**20} are needed to begin: "
            "nothing was done. Free some space and run it again."
        )
    try:
        yield
    except (OSError, duckdb.IOException) as error:
        if getattr(error, "errno", None) in _FULL or "No space left" in str(error):
            raise DiskFull(
                f"The disk of {home} is full, so the run was given up; what was in the books before it is there. "
                "Free some space and run it again."
            ) from error
        raise
