"""A lake open to be written, and open to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import duckdb

from pipelines.progress import OnProgress, ignore_progress
from pipelines.settings import Lake
from pipelines.warehouse.contents import literal
from pipelines.warehouse.lake.advisory import lake_lock
from pipelines.warehouse.lake.attach import READ, WRITTEN, attach_lake
from pipelines.warehouse.lake.problems import told
from pipelines.warehouse.limits import hold_to


@contextmanager
def open_to_write(
    lake: Lake, *, wait: float = 60.0, on_progress: OnProgress = ignore_progress
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake, under the lock on its books for the block. Raises as `lake_lock` and `attach_lake` do."""
    with lake_lock(lake, wait=wait, on_progress=on_progress):
        con = attach_lake(lake, WRITTEN)
        try:
            with told(lake):
                yield con
        finally:
            con.close()


@contextmanager
def open_to_read(
    lake: Lake,
    config: Mapping[str, str | bool | int | float | list[str]],
    version: int | None = None,
    a_thread: int | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake as it was last committed, or was at a `version`, for reading: no statement can write, or reach any file
    but those of its tables. `a_thread` as in `open_published`. Raises as `attach_lake` does, and DaybookError where it
    is lost on the way."""
    at = () if version is None else (f"SNAPSHOT_VERSION {version}",)
    con = attach_lake(lake, READ, "READ_ONLY", *at, config=config)
    try:
        if a_thread is not None:
            hold_to(con, a_thread)
        con.execute(f"SET allowed_directories = [{literal(lake.tables)}]")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        with told(lake):
            yield con
    finally:
        con.close()
