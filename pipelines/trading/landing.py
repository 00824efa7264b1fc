"""What a record of the journal is in raw.*: a run of its own, with trigger `trading`, that is nobody's end of day.

Its manifest row is named after the operation, not after the list that a sync reads: an answer is no list, and what
isn't in it is not absent. Rows keep the names of the lists' tables, raw.orders and raw.position_instructions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from models.shapes import INSTRUCTIONS, ORDERS
from models.trading import NIL, Answer, Rejection
from pipelines.broker.columns import to_batch, with_run
from pipelines.broker.read import Finding
from pipelines.calendar import TRADING_DATE_RULE, TradingCalendar
from pipelines.ingest.landing import EXTRACT_MANIFEST, EXTRACT_RUN, QUARANTINE, Tables, land
from pipelines.ingest.manifest import as_json, quarantined
from pipelines.ingest.warehouse_state import read_warehouse_state
from pipelines.settings import Settings
from pipelines.trading.journal import Record
from pipelines.warehouse.connect import remember_broker
from pipelines.warehouse.dlt_pipeline import finish_pending, open_pipeline
from pipelines.warehouse.tables import exists

TRIGGER = "trading"
#: The run that lands what was found out later about an outcome that was unknown.
RESOLVED = "-resolved"

Json = dict[str, Any]


def land_records(con: duckdb.DuckDBPyConnection, settings: Settings, records: Sequence[Record]) -> list[str]:
    """Land records, all in one load; sentences about what an earlier load left. The caller holds the run lock.

    Landing one again changes nothing. Raises WrongWarehouse, and DaybookError where it can't be loaded: then dlt keeps
    it, and the journal too.
    """
    remember_broker(con, settings.broker_host)
    alert = finish_pending(con, settings)
    calendar = TradingCalendar.load(read_warehouse_state(con).overrides)
    tables: Tables = {}
    for part in (each for record in records for each in _parts(record, calendar)):
        for name, batches in part.items():
            tables.setdefault(name, []).extend(batches)
    land(open_pipeline(con, settings.dlt), tables)
    return [alert] if alert else []


def landed(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The run ids of records of which nothing is left to land or to find out."""
    if not exists(con, "raw.extract_manifest"):
        return set()
    rows = con.execute(
        """
        select run.run_id, run.status from raw.extract_run as run
        inner join raw._dlt_loads as committed on run._dlt_load_id = committed.load_id and committed.status = 0
        where run.trigger = $trigger
        """,
        {"trigger": TRIGGER},
    ).fetchall()
    return {run_id.removesuffix(RESOLVED) for run_id, status in rows if status != "UNKNOWN"}


def outcome_of(record: Record) -> str:
    """DONE, PARTIAL, REJECTED, UNKNOWN or NEVER_SENT: what was known when the request was over."""
    if record.resolution is not None and record.resolution.outcome == "NEVER_SENT":
        return "NEVER_SENT"
    answer = record.parsed_answer()
    return answer.outcome if answer else "UNKNOWN"


def identified(run_id: str, rows: Sequence[Json], *, only_refused: bool = False) -> list[Json]:
    """Instructions as they are landed: those without an id of their own get one, for all that were rejected at the door
    share the id of zeros. The broker's own stays in `extra` as `broker_id`. With `only_refused` a second row of an id
    is the same thing again, unless it was refused: so it is with orders."""
    made, seen = [], {NIL}
    for number, row in enumerate(rows, 1):
        own = row["id"]
        is_another = own in seen and (own == NIL or not only_refused or row.get("status") == "REJECTED")
        made.append({**row, "id": f"rejected:{run_id}:{number}", "broker_id": own} if is_another else row)
        seen.add(own)
    return made


def _parts(record: Record, calendar: TradingCalendar) -> Iterator[Tables]:
    yield _request_tables(record, calendar)
    if record.resolution is not None and record.resolution.outcome != "NEVER_SENT":
        yield _resolution_tables(record, calendar)


def _request_tables(record: Record, calendar: TradingCalendar) -> Tables:
    answer = record.parsed_answer()
    outcome = outcome_of(record)
    ended = record.at("ANSWERED") or record.at("UNKNOWN") or record.at("RESOLVED") or record.began_at
    tables: Tables = {
        "extract_run": [_run(record, calendar, record.run_id, outcome, record.began_at, ended)],
        "extract_manifest": [_manifest(record, record.run_id, outcome, ended, answer, _findings(record, outcome))],
    }
    if answer is None:
        return tables
    tables["quarantine"] = [_quarantine(record, answer)]
    named = identified(record.run_id, answer.orders, only_refused=True)
    orders = [{"account_id": record.account_id, **row} for row in _distinct(named)]
    tables["orders"] = [with_run(record.run_id, to_batch(ORDERS, orders))]
    instructions = identified(record.run_id, answer.instructions)
    tables["position_instructions"] = [with_run(record.run_id, to_batch(INSTRUCTIONS, instructions))]
    return tables


def _resolution_tables(record: Record, calendar: TradingCalendar) -> Tables:
    found = record.resolution
    assert found is not None  # noqa: S101  (the caller has looked)
    run_id = record.run_id + RESOLVED
    severity = "INFO" if found.outcome == "FOUND" else "WARN"
    findings = [Finding("trade_resolved", severity, found.message, value=record.run_id, expected=found.run_id)]
    where = f"an answer to {record.run_id} never came; the lists of {found.run_id} have this"
    findings += [Finding("trade_found", "INFO", where, value=each) for each in found.found]
    return {
        "extract_run": [_run(record, calendar, run_id, found.outcome, found.at, found.at)],
        "extract_manifest": [_manifest(record, run_id, found.outcome, found.at, None, findings)],
    }


def _distinct(rows: Sequence[Json]) -> list[Json]:
    """Rows by their id, the last of each: a key may be landed once in a run."""
    return list({row["id"]: row for row in rows}.values())


def _run(
    record: Record, calendar: TradingCalendar, run_id: str, outcome: str, began: datetime, ended: datetime
) -> pa.Table:
    day = calendar.assign(began)
    row = {
        "run_id": run_id,
        "trading_date": day.trading_date,
        "grade": day.grade,
        "started_at": began,
        "finished_at": max(ended, began),
        "clock_source": record.clock_source,
        "clock_skew_ms": round(record.skew_us / 1000),
        "broker_host": record.broker_host,
        "is_loopback": record.is_loopback,
        "code_version": record.code_version,
        "trigger": TRIGGER,
        "status": outcome,
        "accounts_expected": 0,
        "accounts_complete": 0,
        "trading_date_rule": TRADING_DATE_RULE,
    }
    return pa.Table.from_pylist([row], schema=EXTRACT_RUN)


def _manifest(
    record: Record, run_id: str, outcome: str, ended: datetime, answer: Answer | None, findings: list[Finding]
) -> pa.Table:
    request_ids = [record.request_id] if answer and record.request_id else []
    row = {
        "run_id": run_id,
        "account_id": record.account_id,
        "endpoint": record.operation,
        "status": outcome,
        "complete": outcome == "DONE",
        "captured_at": ended,
        "pages": 1 if answer else 0,
        "reads": 1 if answer else 0,
        "rows_landed": len(answer.rows) if answer else 0,
        "rows_quarantined": len(answer.unreadable) if answer else 0,
        "http_status": record.answer.status if answer and record.answer else None,
        "request_ids": as_json(request_ids),
        "error": answer.error.message if answer and answer.error else record.why,
        "findings": as_json(findings),
        "archive_files": as_json([{"file": f"trading/{record.run_id}.json"}]),
    }
    return pa.Table.from_pylist([row], schema=EXTRACT_MANIFEST)


def _findings(record: Record, outcome: str) -> list[Finding]:
    """The request itself as a finding, so that it stands among the day's; and what the answer made notice."""
    severity = "INFO" if outcome in ("DONE", "REJECTED", "NEVER_SENT") else "WARN"
    what = f"{record.method} {record.path} by {record.caller}: {outcome}" + (f" ({record.why})" if record.why else "")
    found = [Finding("trade", severity, what, value=record.body or None)]
    answer = record.parsed_answer()
    if answer is None or not answer.rows:
        found += [_asked(line) for line in record.preview]
    return found + _noticed(answer) if answer else found


def _asked(line: Json) -> Finding:
    """A line of what was asked for, where no row of an answer tells it."""
    quantity = str(line.get("quantity") or line.get("contracts") or "").removeprefix("-") or None
    what = line.get("side") or line.get("instruction_type")
    said = {"what": what, "quantity": quantity, "symbol": line.get("symbol")}
    words = f"asked for, and no answer names it: {what} {quantity} {line.get('symbol')}"
    return Finding("trade_asked", "INFO", words, line.get("instrument_id"), as_json(said))


def _noticed(answer: Answer) -> list[Finding]:
    """What an answer made notice: rows that aren't as documented, keys that it doesn't name, reasons of rejections."""
    problems = [Finding(p.check_name, p.severity, p.message, p.instrument_id, p.value) for p in answer.problems]
    lost = "the answer has no row with the key that was sent"
    silent = [Finding("key_not_echoed", "WARN", lost, value=key) for key in answer.not_echoed]
    return problems + silent + [_rejected(answer, each) for each in answer.rejections]


def _rejected(answer: Answer, each: Rejection) -> Finding:
    words = f"{each.description} [{each.reason}]" if each.reason else each.description
    return Finding("trade_rejected", "INFO", words, answer.rows[each.row - 1].get("instrument_id"), each.key)


def _quarantine(record: Record, answer: Answer) -> pa.Table:
    rows = quarantined(record.run_id, record.account_id, record.operation, answer.unreadable)
    return pa.Table.from_pylist(rows, schema=QUARANTINE)
