"""raw.*: one run of the sync as one multi-asset. A snapshot is landed whole: its tables change together."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from assets.orchestration.failures import as_dagster_failure
from assets.orchestration.open_books import OpenBooks
from assets.orchestration.partitions import one_run, partition_days, trading_days
from assets.orchestration.specs import WRITER, raw_specs
from pipelines.alerts.alert import Alert, run_link
from pipelines.ingest.snapshot import Snapshot, take_snapshot
from pipelines.progress import Activity
from pipelines.trading.settle import settle

#: The tag of a run that says what started it.
TRIGGER = "daybook/trigger"


@dg.multi_asset(
    name="raw",
    specs=raw_specs(),
    partitions_def=trading_days,
    backfill_policy=one_run(),  # as that of the books, so that a job has one; a backfill is refused once, not N times
    pool=WRITER,
)
def raw(context: dg.AssetExecutionContext, books: dg.ResourceParam[OpenBooks]) -> Iterator[dg.MaterializeResult[None]]:
    """Everything that the broker says of the current trading day, read and landed as one snapshot.

    Any other day is refused, because positions have no as-of: a past day is built again from what was landed.
    """
    day = _one_day(*partition_days(context))
    trigger = context.run.tags.get(TRIGGER, "dagster")
    with as_dagster_failure():
        snapshot = take_snapshot(
            books.con, books.settings, trigger=trigger, partition=day, clock=books.clock, on_progress=books.on_progress
        )
        settled = settle(books.con, books.settings)
    for sentence in settled:
        books.on_progress(Activity(sentence))
    _speak_up(books, snapshot, run_link(books.settings, context.run.run_id))
    _refuse_closed_day(snapshot, day)
    for spec in raw_specs():
        yield dg.MaterializeResult(asset_key=spec.key, metadata=_landed(books, snapshot, ".".join(spec.key.path)))


def _one_day(first: date, last: date) -> date:
    if first != last:
        raise dg.Failure(
            f"{first} to {last} can't be read from the broker: positions have no as-of, so only the trading day "
            f"that its clock is in can be. Build past days again: `daybook build --from {first} --to {last}`.",
            allow_retries=False,
        )
    return first


def _landed(books: OpenBooks, snapshot: Snapshot, table: str) -> dict[str, Any]:
    found = books.con.execute(f"select count(*) from {table} where run_id = ?", [snapshot.run_id]).fetchone()  # noqa: S608
    return {
        "dagster/partition_row_count": found[0] if found else 0,
        "run": snapshot.run_id,
        "grade": snapshot.grade,
        "taken at": dg.MetadataValue.timestamp(snapshot.finished_at),
        "accounts": f"{snapshot.accounts_complete} of {snapshot.accounts_expected} whole",
    }


def _speak_up(books: OpenBooks, snapshot: Snapshot, link: str | None) -> None:
    """Alerts of the machine's, and those of a day that some account is missing from."""
    for sentence in snapshot.alerts:
        day, run = snapshot.trading_date, snapshot.run_id
        books.alert(Alert(sentence, "See DAYBOOK_HOME/quarantine.", day, run, kind="QUARANTINE", link=link))
    if snapshot.is_end_of_day and not snapshot.is_complete:
        books.alert(
            Alert(
                f"{snapshot.accounts_complete} of {snapshot.accounts_expected} accounts are whole: "
                f"{'; '.join(snapshot.problems)}.",
                "The day stands as INCOMPLETE; run `daybook eod` again before 04:00 New York of the next trading day.",
                snapshot.trading_date,
                snapshot.run_id,
                kind="INCOMPLETE",
                link=link,
            )
        )


def _refuse_closed_day(snapshot: Snapshot, asked: date) -> None:
    """The broker's own calendar, read with the snapshot, may close a day that the shipped one has open."""
    if snapshot.trading_date != asked:
        raise dg.Failure(
            f"The broker's calendar has no session on {asked}: what was read belongs to {snapshot.trading_date}, was "
            "landed there, and is built with `daybook build`.",
            allow_retries=False,
        )
