"""One trading day read from the broker and landed in raw.*, whole or marked as not whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import duckdb
import pyarrow as pa

from models.shapes import CLOCK, LANDED
from pipelines.archive.places import send_waiting
from pipelines.archive.write import Archive
from pipelines.broker.budget import SHIPPED, Budgets
from pipelines.broker.client import BrokerClient
from pipelines.broker.columns import as_they_are, to_batch, with_run
from pipelines.broker.read import ClockReading, Finding, Read
from pipelines.calendar import END_OF_DAY, TRADING_DATE_RULE, Grade, TradingCalendar
from pipelines.errors import ConfigurationError
from pipelines.ingest.landing import EXTRACT_MANIFEST, EXTRACT_RUN, QUARANTINE, Tables, extract, load
from pipelines.ingest.manifest import as_json, quarantined
from pipelines.ingest.parts import Planned, known_of, landed_whole, planned_part
from pipelines.ingest.reading import DayRead, EndpointRead, read_trading_day
from pipelines.ingest.run_context import Ending, RunContext, run_context
from pipelines.ingest.warehouse_state import WarehouseState, read_warehouse_state
from pipelines.progress import OnProgress, ignore_progress
from pipelines.settings import Settings
from pipelines.warehouse.connect import refuse_other_broker, remember_broker
from pipelines.warehouse.dlt_pipeline import finish_pending, import_dlt_meanwhile, open_pipeline


@dataclass(frozen=True)
class Snapshot:
    """What a run read and landed. `alerts` are sentences for whoever minds the machine, `problems` for who
    reads the day."""

    run_id: str
    trading_date: date
    grade: Grade
    finished_at: datetime
    accounts_expected: int
    accounts_complete: int
    problems: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether positions and instructions of every expected account are whole."""
        return self.accounts_complete == self.accounts_expected

    @property
    def is_end_of_day(self) -> bool:
        """Whether the snapshot was taken after the close, so that it may stand for the day."""
        return self.grade in END_OF_DAY


def take_snapshot(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    *,
    trigger: str = "manual",
    partition: date | None = None,
    clock: ClockReading | None = None,
    history_from: date | None = None,
    fills_from: date | None = None,
    budgets: Budgets = SHIPPED,
    on_progress: OnProgress = ignore_progress,
) -> Snapshot:
    """Read the current trading day from the broker and land it. The caller holds the run lock.

    The broker's clock is asked once before the first page; a caller that had to ask already hands its reading over.
    `budgets` are what reading may take; `history_from` has the broker's history read again from that day on, and
    `fills_from` its fills and orders.
    `partition` is the trading date that the caller means to fill: any other than the broker clock's is refused, for
    positions have no as-of. Raises ConfigurationError, Unauthorized, NoAccountList, WrongWarehouse, DaybookError.
    """
    return _take(
        con, settings, trigger, partition, clock, history_from, fills_from, budgets=budgets, on_progress=on_progress
    )


def take_plan(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    *,
    trigger: str = "manual",
    partition: date | None = None,
    clock: ClockReading | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Snapshot:
    """Ask for the list of accounts and land it, with a row NOT_ASKED for each account that is expected: what its parts
    don't bring is a gap. Raises as take_snapshot."""
    return _take(con, settings, trigger, partition, clock, is_plan=True, on_progress=on_progress)


def take_part(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    part: int,
    *,
    trigger: str = "manual",
    partition: date | None = None,
    clock: ClockReading | None = None,
    budgets: Budgets = SHIPPED,
    on_progress: OnProgress = ignore_progress,
) -> Snapshot | None:
    """Read one of the sixteen parts of the day's last plan and land it; None where there was nothing to read: the plan
    has no account in it, or a run before has landed it whole. Raises as take_snapshot, and NotPlanned."""
    settings.reading_key()
    refuse_other_broker(con, settings.broker_host)
    alert = finish_pending(con, settings)  # it may be this part, read before and not landed
    if clock is None:
        with BrokerClient.of(settings) as client:
            clock = client.clock()
    known = read_warehouse_state(con)
    _refuse_other_days(clock, known, partition)
    planned = planned_part(con, part, TradingCalendar.load(known.overrides).assign(clock.now).trading_date)
    if not planned.opened or landed_whole(con, planned):
        return None
    snapshot = _take(con, settings, trigger, partition, clock, part=planned, budgets=budgets, on_progress=on_progress)
    return replace(snapshot, alerts=[*([alert] if alert else []), *snapshot.alerts])


def _take(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    trigger: str,
    partition: date | None,
    clock: ClockReading | None,
    history_from: date | None = None,
    fills_from: date | None = None,
    *,
    is_plan: bool = False,
    part: Planned | None = None,
    budgets: Budgets = SHIPPED,
    on_progress: OnProgress,
) -> Snapshot:
    settings.reading_key()  # before anything is begun
    alerts, known = _begin(con, settings)
    if part is not None:
        known = known_of(known, part)
    with (
        Archive() as archive,
        BrokerClient.of(settings, keep=to_batch, keep_columns=as_they_are, archive=archive, budgets=budgets) as client,
    ):
        now = client.assume(clock) if clock else client.clock()
        began = run_context(settings, trigger, now, known, history_from, fills_from, is_plan=is_plan, part=part)
        archive.begin(settings.archive / f"{began.started.now:%Y-%m}" / began.run_id, began.as_json())
        _refuse_other_days(began.started, known, partition)
        evening = read_trading_day(client, began, known, on_progress)
        ended = Ending(client.clock(), evening.day.trading_date)
        archive.close(ended.as_json())
    run = Run(began, ended, archive.files)
    snapshot = snapshot_of(run, evening, alerts + run.doubts)
    remember_broker(con, settings.broker_host)  # it has answered with accounts, which are landed now
    extract(pipeline := open_pipeline(con, settings.dlt), tables_of(run, evening))
    del evening  # its rows lie in files now: the memory is for those who load them
    snapshot.alerts.extend(send_waiting(settings))
    load(pipeline)
    return snapshot


def _begin(con: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[list[str], WarehouseState]:
    """What the warehouse knows, once what an earlier run left is landed; and sentences about what was not."""
    refuse_other_broker(con, settings.broker_host)
    alert = finish_pending(con, settings)
    import_dlt_meanwhile()
    return [alert] if alert else [], read_warehouse_state(con)


@dataclass(frozen=True)
class Run:
    """One run whose reading has ended: how it began and ended, and its files in the archive, by endpoint and account.
    Its id sorts by the time when it began."""

    began: RunContext
    ended: Ending
    files: dict[tuple[str, str], list[dict[str, Any]]]

    @property
    def doubts(self) -> list[str]:
        """Sentences that say why the run did not use a time that the broker's clock told."""
        said = (clock.doubt for clock in (self.began.started, self.ended.finished))
        return list(dict.fromkeys(doubt for doubt in said if doubt))


def snapshot_of(run: Run, evening: DayRead, alerts: list[str]) -> Snapshot:
    """The summary of a run, as take_snapshot returns it."""
    return Snapshot(
        run_id=run.began.run_id,
        trading_date=evening.day.trading_date,
        grade=evening.day.grade,
        finished_at=run.ended.finished.now,
        accounts_expected=len(evening.expected),
        accounts_complete=len(evening.complete_accounts()),
        problems=evening.problems(),
        alerts=alerts,
    )


def _refuse_other_days(clock: ClockReading, known: WarehouseState, partition: date | None) -> None:
    if partition is None:
        return
    today = TradingCalendar.load(known.overrides).assign(clock.now).trading_date
    if partition != today:
        raise ConfigurationError(
            f"The broker's clock is in the trading day {today}, so {partition} can't be read: positions have no as-of, "
            f"and today's book would be stamped on another day. Build {partition} from what was landed: "
            f"`daybook build --from {partition} --to {partition}`."
        )


def tables_of(run: Run, evening: DayRead) -> Tables:
    """Everything that a run lands, by raw table."""
    tables: Tables = {shape.name: [] for shape in LANDED}
    for asked in evening.reads:
        tables[asked.read.endpoint] += [with_run(run.began.run_id, batch) for batch in asked.read.batches]
    tables["extract_run"] = [_run_row(run, evening)]
    tables["extract_manifest"] = [_manifest(run, [*evening.reads, *_doubted_clock(run)])]
    tables["quarantine"] = [_quarantine(run, evening.reads)]
    return tables


def _run_row(run: Run, evening: DayRead) -> pa.Table:
    complete = len(evening.complete_accounts())
    began = run.began
    row = {
        "run_id": began.run_id,
        "trading_date": evening.day.trading_date,
        "grade": evening.day.grade,
        "started_at": began.started.now,
        "finished_at": max(run.ended.finished.now, began.started.now),
        "clock_source": began.started.source,
        "clock_skew_ms": round(began.started.skew.total_seconds() * 1000),
        "broker_host": began.broker_host,
        "is_loopback": began.is_loopback,
        "code_version": began.code_version,
        "trigger": began.trigger,
        "status": "COMPLETE" if complete == len(evening.expected) else "INCOMPLETE",
        "accounts_expected": len(evening.expected),
        "accounts_complete": complete,
        "trading_date_rule": TRADING_DATE_RULE,
    }
    return pa.Table.from_pylist([row], schema=EXTRACT_RUN)


def _manifest(run: Run, reads: Iterable[EndpointRead]) -> pa.Table:
    return pa.Table.from_pylist([_manifest_row(run, asked) for asked in reads], schema=EXTRACT_MANIFEST)


def _doubted_clock(run: Run) -> list[EndpointRead]:
    """The clock as a read that failed, where it was not believed."""
    if not run.doubts:
        return []
    findings = [Finding("clock_not_believed", "WARN", doubt) for doubt in run.doubts]
    return [EndpointRead(Read(CLOCK.name, error="; ".join(run.doubts), findings=findings))]


def _manifest_row(run: Run, asked: EndpointRead) -> dict[str, object]:
    read = asked.read
    return {
        "run_id": run.began.run_id,
        "account_id": read.account_id,
        "endpoint": read.endpoint,
        "status": ("COMPLETE" if read.complete else "FAILED") if asked.was_asked else "NOT_ASKED",
        "complete": read.complete,
        "captured_at": read.captured_at,
        "window_from": asked.window_from,
        "window_to": asked.window_to,
        "pages": read.pages,
        "reads": read.reads,
        "rows_landed": read.rows,
        "rows_quarantined": len(read.rejected),
        "total_items": read.total_items,
        "http_status": read.http_status,
        "request_ids": as_json(read.request_ids),
        "error": read.error,
        "findings": as_json(read.findings) if read.findings else None,
        "fields_seen": as_json(read.fields_seen) if read.fields_seen else None,
        "archive_files": as_json(run.files.get((read.endpoint, read.account_id), [])),
    }


def _quarantine(run: Run, reads: Iterable[EndpointRead]) -> pa.Table:
    each = (
        quarantined(run.began.run_id, asked.read.account_id, asked.read.endpoint, asked.read.rejected)
        for asked in reads
    )
    return pa.Table.from_pylist([row for rows in each for row in rows], schema=QUARANTINE)
