"""A new lake, and the role of those who may only read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.errors import NotPublished
from pipelines.progress import OnProgress, ignore_progress
from pipelines.settings import Lake, Settings
from pipelines.warehouse.lake.advisory import connect_catalog, lake_lock
from pipelines.warehouse.lake.attach import WRITTEN, attach_lake, lake_of
from pipelines.warehouse.lake.files import check_store
from pipelines.warehouse.lake.readers import grant_reading

if TYPE_CHECKING:
    import duckdb


def create_lake(
    settings: Settings, reader: str | None = None, *, wait: float = 60.0, on_progress: OnProgress = ignore_progress
) -> Iterator[str]:
    """Make the lake of the settings, where there is none, and let `reader` read it; sentences that say what was done.

    Raises ConfigurationError where the settings name no lake, its files' place can't be written or is another lake's,
    or the role can't be one that only reads; StoreAway where that place can't be trusted; LockedOut where somebody else
    is making it; and as `attach_lake` does.
    """
    lake = lake_of(settings)
    with lake_lock(lake, wait=wait, on_progress=on_progress):
        made = _make(lake)
        yield f"{lake} {'is made' if made else 'was there already'}; its files are in {lake.tables}."
        if reader is not None:
            with connect_catalog(lake) as con:
                yield from grant_reading(con, reader)


def _make(lake: Lake) -> bool:
    """Whether it was made now."""
    try:
        attach_lake(lake, WRITTEN).close()
    except NotPublished:
        check_store(lake)
        with attach_lake(lake, WRITTEN, "CREATE_IF_NOT_EXISTS true") as con:
            _settle(con)
        return True
    return False


def _settle(con: duckdb.DuckDBPyConnection) -> None:
    # Rows in the catalog instead of files: PostgreSQL refuses the columns of raw.market_hours, whose one is called
    # current_time, and deletes of them conflict with inserts.
    con.execute(f"CALL {WRITTEN}.set_option('data_inlining_row_limit', 0)")
