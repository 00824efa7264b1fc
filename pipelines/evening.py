"""One evening's hold on the books: the home made ready, the run lock taken, the warehouse open, from the first
page to the published copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb

from pipelines.settings import Settings
from pipelines.warehouse.connect import open_warehouse
from pipelines.warehouse.lock import run_lock

#: What is published: everything that the contract names. dlt's staging stays behind.
PUBLISHED_SCHEMAS = ("raw", "core", "pnl", "quality")

Tell = Callable[[str], None]


@contextmanager
def evening(settings: Settings, *, wait: float = 60.0, tell: Tell | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """The open warehouse, with the run lock held until the block ends.

    A second run waits up to `wait` seconds and `tell`s whom it waits for. Raises LockedOut after that, naming the
    holder's pid, and ConfigurationError where the home can't be written.
    """
    settings.prepare_home()
    with run_lock(settings.run_lock, wait=wait, on_wait=tell):
        con = open_warehouse(settings.warehouse, wait=wait, on_wait=tell)
        try:
            yield con
        finally:
            con.close()
