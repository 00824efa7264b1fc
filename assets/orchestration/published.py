"""The published copy: what people, BI tools and notebooks open, swapped in whole at the end of a run."""

from datetime import date
from typing import Any

import dagster as dg

from assets.orchestration.failures import as_dagster_failure
from assets.orchestration.open_books import OpenBooks
from assets.orchestration.partitions import one_run, partition_days, trading_days
from assets.orchestration.specs import WRITER, leaves
from pipelines.alerts.alert import ping
from pipelines.books.resolved import resolve_ended
from pipelines.progress import Activity
from pipelines.settings import Books, Lake
from pipelines.warehouse.published import publish_books


@dg.asset(
    deps=leaves(),
    partitions_def=trading_days,
    backfill_policy=one_run(),
    group_name="published",
    kinds={"duckdb"},
    pool=WRITER,
)
def published(context: dg.AssetExecutionContext, books: dg.ResourceParam[OpenBooks]) -> dg.MaterializeResult[None]:
    """daybook.duckdb: raw, core, pnl and quality as of now. Whoever has the former copy open keeps reading that one.

    Of a lake there is no copy: what the build has committed is published."""
    with as_dagster_failure():
        publish_books(books.con, books.settings)
    resolve_ended(books.con, books.settings)
    books.on_progress(Activity(f"published {books.settings.books}"))
    if context.run.job_name == "end_of_day" and _is_complete(books, *partition_days(context)):
        ping(books.settings)
    return dg.MaterializeResult(metadata=_where(books.settings.books))


def _where(published: Books) -> dict[str, Any]:
    if isinstance(published, Lake):
        return {"lake": str(published)}
    return {"file": dg.MetadataValue.path(published), "bytes": published.stat().st_size}


def _is_complete(books: OpenBooks, first: date, last: date) -> bool:
    days = books.con.execute(
        "select status from quality.day where trading_date between ? and ?", [first, last]
    ).fetchall()
    return [status for (status,) in days] == ["COMPLETE"]
