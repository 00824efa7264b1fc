"""`daybook backfill`: the broker's history of P&L read again from a day on, and built."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assets.catalog import CATALOG
from daybook.cli import console
from daybook.cli.options import AsJson, Wait, parse_day
from pipelines.errors import INCOMPLETE
from pipelines.progress import Activity

if TYPE_CHECKING:
    import duckdb

    from pipelines.ingest.snapshot import Snapshot
    from pipelines.settings import Settings

#: What a run landed of each account's history, and what it could not read.
_READ = """
    select
        account_id, complete, error, rows_landed,
        (select min(date) from raw.portfolio_history as history
        where history.run_id = manifest.run_id and history.account_id = manifest.account_id) as first_day,
        (select max(message) from quality.finding
        where finding.run_id = manifest.run_id and finding.account_id = manifest.account_id
            and check_name in ($not_read, $not_reached)) as left_out
    from raw.extract_manifest as manifest
    where run_id = $run_id and endpoint = 'portfolio_history'
    order by account_id
"""


@dataclass(frozen=True)
class HistoryRead:
    """What came of an account's history: sessions from the first day on, and in a sentence what did not come."""

    account_id: str
    sessions: int
    first_day: date | None
    problem: str | None


def backfill(
    *,
    start: Annotated[
        date, typer.Option("--from", parser=parse_day, metavar="DATE", help="The first day to read again.")
    ],
    fills: Annotated[
        bool, typer.Option("--fills", help="Read the fills again, too, of the last 31 days at most.")
    ] = False,
    wait: Wait = 60.0,
    json: AsJson = False,
) -> int:
    """Read the broker's history of every account's P&L again from a day on, and build what changed.

    Needs CLEAR_STREET_API_KEY. The first evening reads that history whole, and each evening the last ten sessions and
    what is still missing; this is for a correction of the broker's that lies further back. It is a sync besides: the
    current trading day is read too. Past positions can't be read: the broker has none.

    Fills are read each evening back to two sessions before the last complete day. With --fills they are read from the
    day on, and days whose fills the broker has corrected since are restated. A fill that the broker lists no longer
    counts as withdrawn, so ask for no more days than it keeps.

    \b
    Examples:
      daybook backfill --from 2024-01-02
      daybook backfill --from 2024-01-02 --json
      daybook backfill --fills --from 2024-01-02
    """
    from pipelines.calendar import TradingCalendar
    from pipelines.settings import Settings

    settings = Settings.from_env()
    settings.reading_key()  # before anything is made or waited for
    TradingCalendar.load().is_session(start)  # raises where no calendar reaches
    snapshot, read = _read_again(settings, start, wait, fills=fills)
    if json:
        console.show_json({"run_id": snapshot.run_id, "alerts": snapshot.alerts, "accounts": [*map(asdict, read)]})
    else:
        _report(snapshot.alerts, read)
    return INCOMPLETE if any(each.problem for each in read) else 0


def _read_again(settings: Settings, start: date, wait: float, *, fills: bool) -> tuple[Snapshot, list[HistoryRead]]:
    """Sync with the history from a day on, build and publish: the snapshot, and what came of the history."""
    from pipelines.books.build import build
    from pipelines.books.resolved import resolve_ended
    from pipelines.ingest.snapshot import take_snapshot
    from pipelines.trading.settle import settle
    from pipelines.warehouse.published import publish_if_behind
    from pipelines.warehouse.session import warehouse_session

    with (
        console.progress("reading") as on_progress,
        warehouse_session(settings, wait=wait, on_progress=console.show_event) as con,
    ):
        asked: dict[str, Any] = {"history_from": start, "fills_from": start if fills else None}
        snapshot = take_snapshot(con, settings, trigger="backfill", **asked, on_progress=on_progress)
        settle(con, settings)
        on_progress(Activity("building"))
        build(con, settings, CATALOG)
        publish_if_behind(con, settings)
        resolve_ended(con, settings)
        return snapshot, _history_read(con, snapshot.run_id)


def _history_read(con: duckdb.DuckDBPyConnection, run_id: str) -> list[HistoryRead]:
    from pipelines.ingest.history import NOT_REACHED, NOT_READ
    from pipelines.warehouse.tables import rows_of

    values = {"run_id": run_id, "not_read": NOT_READ, "not_reached": NOT_REACHED}
    return [
        HistoryRead(
            row["account_id"],
            row["rows_landed"] if row["complete"] else 0,
            row["first_day"] if row["complete"] else None,
            row["left_out"] if row["complete"] else row["error"],
        )
        for row in rows_of(con, _READ, values)
    ]


def _report(alerts: list[str], read: list[HistoryRead]) -> None:
    for alert in alerts:
        console.notice(f"ALERT: {alert}")
    for each in read:
        since = f" since {each.first_day}" if each.first_day else ""
        console.say(f"account {each.account_id}: {each.sessions} sessions of history{since}")
        if each.problem:
            console.say(f"- {console.printable(each.problem)}")
