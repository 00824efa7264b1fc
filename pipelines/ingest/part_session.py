"""The warehouse, open to land one part: on a lake beside the other parts, and in a file one after another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from pipelines.progress import OnProgress, ignore_progress
from pipelines.settings import Lake, Settings
from pipelines.warehouse.session import warehouse_session

#: Locks of a lake from this number on are those of its parts.
_FIRST_LOCK = 100


@contextmanager
def part_session(
    settings: Settings, part: int, *, wait: float = 900.0, on_progress: OnProgress = ignore_progress
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Settings]]:
    """The open warehouse, and the settings with which the part is landed: on a lake with a folder of the part's own, so
    that what a killed worker had extracted is loaded by whoever reads the part next on this machine.

    Raises LockedOut where the part is being read already, and as `warehouse_session` does.
    """
    lake = settings.books
    if not isinstance(lake, Lake):
        with warehouse_session(settings, wait=wait, on_progress=on_progress) as con:
            yield con, settings
        return
    from pipelines.warehouse.lake.advisory import lake_lock
    from pipelines.warehouse.lake.attach import WRITTEN, attach_lake

    os.umask(0o077)
    mine = settings.model_copy(update={"home": settings.home / "parts" / f"{part:02}"})
    mine.dlt.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lake_lock(lake, _FIRST_LOCK + part, wait=wait, on_progress=on_progress):
        con = attach_lake(lake, WRITTEN)
        try:
            yield con, mine
        finally:
            con.close()
