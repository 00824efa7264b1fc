"""Settling the journal: what wasn't landed is, and outcomes that were unknown are looked for in what a sync has read.

Asks the broker nothing and sends nothing: the orders and instructions that the sync has just landed tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb

from pipelines.errors import DaybookError, LockedOut
from pipelines.settings import Settings
from pipelines.trading.journal import Journal, Record, Resolution
from pipelines.trading.landing import land_records, landed

#: A list that was read sooner after a request than this doesn't prove that the request never arrived.
GRACE = timedelta(minutes=2)
#: How far the broker's own stamps may lie before the instant at which we think that we sent.
MARGIN = timedelta(seconds=5)

#: States of an instruction that nobody has asked to cancel.
_STANDING = ("SENT", "UNKNOWN")


class Told(NamedTuple):
    """What a list says of a request: the broker's id of an order or instruction, its key, words for it, and whether it
    shows that the request arrived."""

    id: str
    key: str | None
    words: str
    arrived: bool = True


_LIST = """
    select manifest.run_id, run.finished_at
    from raw.extract_manifest as manifest
    inner join raw.extract_run as run on manifest.run_id = run.run_id
    inner join raw._dlt_loads as committed on run._dlt_load_id = committed.load_id and committed.status = 0
    where
        manifest.account_id = $account and manifest.endpoint = $endpoint and manifest.complete
        and run.started_at >= $sent
        and (manifest.window_from is null or manifest.window_from <= $sent)
    order by run.started_at desc, run.run_id desc limit 1
"""
_INSTRUCTIONS = """
    select id, client_instruction_id, instruction_type, symbol, status, rejection_reason
    from raw.position_instructions
    where run_id = $run and account_id = $account and list_contains($names, coalesce({column}, ''))
    order by client_instruction_id, id
"""
_ORDERS = """
    select id, side, quantity, symbol, status, instrument_id
    from raw.orders
    where
        run_id = $run and account_id = $account and created_at >= $since
        and (
            $name is null
            or instrument_id = $name
            or upper(replace(symbol, ' ', '')) = upper(replace($name, ' ', ''))
            or (instrument_id is null and upper(replace(symbol, ' ', '')) = upper(replace($symbol, ' ', '')))
        )
    order by created_at, id
"""


def settle(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Land what the journal holds and the books don't, and resolve what a sync can tell by now; a sentence for each
    outcome that was or still is unknown. The caller holds the run lock. Never raises for what is in the journal."""
    journal = Journal(settings)
    run_ids = journal.run_ids()
    done = landed(con) if run_ids else set()
    open_ids = [run_id for run_id in run_ids if run_id not in done]
    if not open_ids:
        return []
    try:
        with journal.locked():
            return _settle(con, settings, journal, open_ids)
    except LockedOut:  # somebody trades just now: the next run settles
        return []
    except (DaybookError, duckdb.Error) as error:
        return [f"The journal of trading could not be settled: {error}"]


def _settle(con: duckdb.DuckDBPyConnection, settings: Settings, journal: Journal, open_ids: list[str]) -> list[str]:
    said: list[str] = []
    records = []
    for run_id in open_ids:
        try:
            record = journal.read(run_id)
        except DaybookError as damaged:
            said.append(str(damaged))
            continue
        if record.broker_host != settings.broker_host:
            said.append(f"{journal.path(run_id)} is of {record.broker_host}, another broker: it was not landed.")
            continue
        said += _bring_up_to_date(con, journal, record)
        records.append(record)
    if records:
        said += land_records(con, settings, records)
    return said


def _bring_up_to_date(con: duckdb.DuckDBPyConnection, journal: Journal, record: Record) -> Iterator[str]:
    """Take a record as far as it can be known by now. No process is at it: we hold the journal."""
    if record.state == "PREPARED":
        record.resolution = Resolution("NEVER_SENT", "the process ended before it sent anything", record.now)
        journal.write(record, "RESOLVED")
    if record.state == "SENT":
        record.why = "the process ended before an answer came"
        journal.write(record, "UNKNOWN")
    if record.state == "UNKNOWN":
        record.resolution = resolve(con, record)
        if record.resolution is None:
            yield f"{_named(record)} is still of unknown outcome ({record.why}): {journal.path(record.run_id)}."
            return
        journal.write(record, "RESOLVED")
        yield f"{_named(record)}, whose outcome was unknown: {record.resolution.message}."


def resolve(con: duckdb.DuckDBPyConnection, record: Record) -> Resolution | None:
    """What the last whole list since the request says of it; None where it says nothing yet."""
    sent = record.at("SENT")
    is_order = record.operation.startswith("close")
    if sent is None:
        return None
    found = con.execute(
        _LIST,
        {"account": record.account_id, "endpoint": "orders" if is_order else "position_instructions", "sent": sent},
    ).fetchone()
    if found is None:
        return None
    run_id, finished_at = found
    told = _orders(con, record, run_id, sent) if is_order else _instructions(con, record, run_id)
    missing = [key for key in record.keys if key not in {each.key for each in told}]
    arrived = any(each.arrived for each in told)
    if (missing or not arrived) and finished_at < sent + GRACE:
        return None
    words = [*(each.words for each in told), *(f"{key} is not listed" for key in missing)]
    if arrived:
        return Resolution("FOUND", "; ".join(words), finished_at, run_id, [each.id for each in told])
    return _not_found(record, words, run_id, finished_at)


def _not_found(record: Record, words: list[str], run_id: str, at: datetime) -> Resolution | None:
    if record.operation == "cancel_position_instruction" and not words:
        return None  # an instruction that is no longer listed may have ended either way
    what = "no order was made since" if record.operation.startswith("close") else "; ".join(words)
    return Resolution("NOT_FOUND", f"it was not carried out: {what}", at, run_id)


def _instructions(con: duckdb.DuckDBPyConnection, record: Record, run_id: str) -> list[Told]:
    cancelled = record.instruction_id
    column, names = ("id", [cancelled]) if cancelled else ("client_instruction_id", record.keys)
    values: dict[str, Any] = {"run": run_id, "account": record.account_id, "names": names}
    rows = con.execute(_INSTRUCTIONS.format(column=column), values).fetchall()
    return [
        Told(
            own,
            key,
            f"{key or own} ({kind} {symbol or ''}) is {status}" + (f", {reason}" if reason else "") + f", id {own}",
            arrived=not (cancelled and status in _STANDING),
        )
        for own, key, kind, symbol, status, reason in rows
    ]


def _orders(con: duckdb.DuckDBPyConnection, record: Record, run_id: str, sent: datetime) -> list[Told]:
    values = {
        "run": run_id,
        "account": record.account_id,
        "since": sent - MARGIN,
        "name": record.instrument,
        "symbol": record.symbol,
    }
    rows = con.execute(_ORDERS, values).fetchall()
    return [
        Told(own, None, f"order {own} since then: {side} {quantity.normalize():f} {symbol} is {status}")
        for own, side, quantity, symbol, status, _ in rows
    ]


def _named(record: Record) -> str:
    what = record.symbol or record.instrument or record.instruction_id or ", ".join(record.keys)
    return f"{record.operation} of account {record.account_id}" + (f" ({what})" if what else "")
