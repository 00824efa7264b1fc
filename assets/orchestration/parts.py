"""The evening in parts, as workers read it: a plan of the day, its sixteen parts, and what its books wait for besides.

Assets of their own beside raw.*: an asset has one kind of partitions, and the rows of raw.* are landed by day as well
as by day and part.
"""

from datetime import date
from typing import Any

import dagster as dg

from assets.orchestration.failures import as_dagster_failure
from assets.orchestration.open_books import OpenBooks
from assets.orchestration.partitions import one_run, trading_days
from assets.orchestration.raw import TRIGGER
from assets.orchestration.specs import WRITER
from pipelines.ingest.part_session import part_session
from pipelines.ingest.parts import PARTS
from pipelines.ingest.snapshot import Snapshot, take_part, take_plan
from pipelines.progress import Activity
from pipelines.trading.settle import settle

DAY, PART = "day", "part"
parts = dg.StaticPartitionsDefinition([f"{part:02}" for part in range(PARTS)])


def parts_of(days: dg.DailyPartitionsDefinition) -> dg.MultiPartitionsDefinition:
    """Each part of each of these days."""
    return dg.MultiPartitionsDefinition({DAY: days, PART: parts})


@dg.asset(partitions_def=trading_days, backfill_policy=one_run(), group_name="parts", kinds={"dlt"}, pool=WRITER)
def planned(context: dg.AssetExecutionContext, books: dg.ResourceParam[OpenBooks]) -> dg.MaterializeResult[None]:
    """Which accounts are expected today, landed before any of them is read: a part that never comes leaves gaps."""
    with as_dagster_failure():
        run = take_plan(
            books.con,
            books.settings,
            trigger=context.run.tags.get(TRIGGER, "dagster"),
            partition=date.fromisoformat(context.partition_key),
            clock=books.clock,
            on_progress=books.on_progress,
        )
    return dg.MaterializeResult(metadata={"run": run.run_id, "accounts expected": run.accounts_expected})


@dg.asset(partitions_def=parts_of(trading_days), group_name="parts", kinds={"dlt"}, deps=[planned])
def part(context: dg.AssetExecutionContext, books: dg.ResourceParam[OpenBooks]) -> dg.MaterializeResult[None]:
    """One of the sixteen parts of the day's last plan, read and landed beside the others. One that is landed whole is
    not read again."""
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)  # noqa: S101  (what its partitions are)
    number = int(key.keys_by_dimension[PART])
    with (
        as_dagster_failure(),
        part_session(books.settings, number, on_progress=books.on_progress) as (con, settings),
    ):
        read = take_part(
            con,
            settings,
            number,
            trigger=context.run.tags.get(TRIGGER, "dagster"),
            partition=date.fromisoformat(key.keys_by_dimension[DAY]),
            on_progress=books.on_progress,
        )
    return dg.MaterializeResult(metadata=_told(read))


@dg.asset(partitions_def=trading_days, backfill_policy=one_run(), group_name="parts", kinds={"sql"}, pool=WRITER)
def settled(books: dg.ResourceParam[OpenBooks]) -> None:
    """Trades of unknown outcome, settled by what the parts have read."""
    with as_dagster_failure():
        for sentence in settle(books.con, books.settings):
            books.on_progress(Activity(sentence))


def _told(read: Snapshot | None) -> dict[str, Any]:
    if read is None:
        return {"read": "nothing: no account is in this part, or it is landed whole"}
    accounts = f"{read.accounts_complete} of {read.accounts_expected} whole"
    return {"run": read.run_id, "accounts": accounts, "problems": "; ".join(read.problems[:3]) or "none"}
