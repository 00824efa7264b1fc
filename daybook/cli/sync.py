"""`daybook sync`: read the current trading day from the broker and land it. No orchestrator, no build."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from daybook.cli import console
from daybook.cli.options import AsJson, Wait
from pipelines.errors import INCOMPLETE

if TYPE_CHECKING:
    from pipelines.ingest.snapshot import Snapshot


def sync(*, wait: Wait = 60.0, json: AsJson = False) -> int:
    """Read every account's day from the broker, and land it.

    Needs CLEAR_STREET_API_KEY. Which day it is, the broker's clock says. Before the close the snapshot is kept, but is
    not the day's end. `daybook build` makes the P&L of it; `daybook eod` does both.

    \b
    Examples:
      daybook sync
      daybook sync --json
      DAYBOOK_ACCOUNTS=100001,100002 daybook sync
    """
    from pipelines.ingest.snapshot import take_snapshot
    from pipelines.settings import Settings
    from pipelines.trading.settle import settle
    from pipelines.warehouse.session import warehouse_session  # --help need not pay for it

    settings = Settings.from_env()
    settings.reading_key()  # before anything is made or waited for
    with (
        console.progress("reading") as on_progress,
        warehouse_session(settings, wait=wait, on_progress=console.show_event) as con,
    ):
        snapshot = take_snapshot(con, settings, on_progress=on_progress)
        settled = settle(con, settings)
    _report(snapshot, settled, json)
    return 0 if snapshot.is_complete or not snapshot.is_end_of_day else INCOMPLETE


def _report(snapshot: Snapshot, settled: list[str], json: bool) -> None:  # noqa: FBT001
    for alert in snapshot.alerts:
        console.notice(f"ALERT: {alert}")
    for sentence in settled:
        console.notice(sentence)
    if json:
        console.show_json({**snapshot_as_json(snapshot), "trades": settled})
        return
    state = "COMPLETE" if snapshot.is_complete else "INCOMPLETE"
    console.say(
        f"{snapshot.trading_date} {snapshot.grade}: {state}, "
        f"{snapshot.accounts_complete}/{snapshot.accounts_expected} accounts complete (run {snapshot.run_id})"
    )
    for problem in snapshot.problems:
        console.say(f"- {console.printable(problem)}")
    if not snapshot.is_end_of_day:
        console.say("The market has not closed: this snapshot is kept, but it is not the end of the day.")


def snapshot_as_json(snapshot: Snapshot) -> dict[str, object]:
    """A snapshot as JSON-ready values, for --json."""
    return {
        **asdict(snapshot),
        "is_complete": snapshot.is_complete,
        "is_end_of_day": snapshot.is_end_of_day,
    }
