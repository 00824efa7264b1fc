"""The published copy: what people, BI tools and notebooks open, swapped in whole at the end of a run."""

import dagster as dg

from assets.failures import said_plainly
from assets.open_books import OpenBooks
from assets.partitions import one_run, trading_days
from assets.specs import WRITER, leaves
from pipelines.evening import PUBLISHED_SCHEMAS
from pipelines.warehouse.publish import publish


@dg.asset(
    deps=leaves(),
    partitions_def=trading_days,
    backfill_policy=one_run(),
    group_name="published",
    kinds={"duckdb"},
    pool=WRITER,
)
def published(books: dg.ResourceParam[OpenBooks]) -> dg.MaterializeResult[None]:
    """daybook.duckdb: raw, core, pnl and quality as of now. Whoever has the former copy open keeps reading that one."""
    path = books.settings.published
    with said_plainly():
        publish(books.con, path, PUBLISHED_SCHEMAS)
    books.tell(f"published {path}")
    return dg.MaterializeResult(metadata={"file": dg.MetadataValue.path(path), "bytes": path.stat().st_size})
