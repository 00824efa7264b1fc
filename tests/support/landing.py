"""Landing without a network: a book's evenings as rows of raw.*, in an in-memory DuckDB, as a sync would leave them.

`wire_*` say how the broker would send what a book holds; a BrokerServer can be given the same dicts.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa

from models.event import unfold_events
from models.shapes import (
    ACCOUNTS,
    BALANCES,
    EXECUTIONS,
    INSTRUCTIONS,
    INSTRUMENT_EVENTS,
    OPTION_CONTRACTS,
    PORTFOLIO_HISTORY,
    POSITIONS,
    Shape,
)
from pipelines.books.adjustments import COLUMNS
from pipelines.broker.columns import to_batch, with_run
from pipelines.calendar import TradingCalendar
from pipelines.ingest.landing import EXTRACT_MANIFEST, EXTRACT_RUN, TABLES
from pipelines.settings import Realized, Settings
from tests.support.facts import (
    AccountAnswer,
    Adjustment,
    Book,
    Contract,
    Evening,
    Event,
    Instruction,
    Position,
    Segment,
    SignedFill,
)

_CALENDAR = TradingCalendar.load()
_PER_ACCOUNT = ("positions", "position_instructions", "executions", "orders", "balances", "portfolio_history")


def open_raw() -> duckdb.DuckDBPyConnection:
    """A warehouse in memory with empty raw tables."""
    con = duckdb.connect(":memory:", config={"threads": 1})
    con.execute("set timezone = 'UTC'")
    con.execute("create schema raw")
    for name, (_, nothing) in TABLES.items():
        con.register("nothing", nothing.append_column("_dlt_load_id", pa.array([], pa.string())))
        con.execute(f"create table raw.{name} as select * from nothing")
        con.unregister("nothing")
    con.execute(
        """
        create table raw._dlt_loads (
            load_id varchar, schema_name varchar, status bigint, inserted_at timestamptz, schema_version_hash varchar
        )
        """
    )
    return con


def forget(con: duckdb.DuckDBPyConnection) -> None:
    """Take every row out again, but for what dlt says of its tables: they are dear to make, and the next book needs the
    same ones."""
    tables = con.execute(
        """
        select schema_name, table_name from duckdb_tables()
        where schema_name in ('raw', 'core', 'pnl', 'quality') and table_name != '_dlt_version'
        """
    ).fetchall()
    for schema, table in tables:
        con.execute(f"delete from {schema}.{table}")


def settings_of(book: Book, home: Path, base_url: str = "http://127.0.0.1:1") -> Settings:
    """The settings that a book is read with; its adjustments are written to `home`."""
    settings = Settings(base_url=base_url, home=home, realized=cast("Realized", book.realized))
    settings.adjustments.unlink(missing_ok=True)
    if book.adjustments:
        with settings.adjustments.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(COLUMNS)
            lines.writerows(_line(each) for each in book.adjustments)
    return settings


def _line(said: Adjustment) -> list[str | None]:
    numbers = [_number(each) for each in (said.quantity, said.cash, said.value, said.cost_basis)]
    names = [_day(said.day), said.account_id, said.kind, said.instrument_id, said.to_instrument_id]
    return [*names, *numbers, "ops", None]


def land(con: duckdb.DuckDBPyConnection, evening: Evening) -> str:
    """Land one evening; its run id."""
    run_id = f"{evening.at.astimezone(UTC):%Y%m%dT%H%M%S}Z-00000000"
    con.execute("insert into raw._dlt_loads values (?, 'broker', 0, ?, '')", [run_id, evening.at])
    _insert(con, "extract_run", pa.Table.from_pylist([_run_row(run_id, evening)], schema=EXTRACT_RUN), run_id)
    manifest = list(_manifest(run_id, evening))
    _insert(con, "extract_manifest", pa.Table.from_pylist(manifest, schema=EXTRACT_MANIFEST), run_id)
    for shape, rows in _rows(evening):
        if rows:
            _insert(con, shape.name, with_run(run_id, to_batch(shape, [_validated(row) for row in rows])), run_id)
    return run_id


def _insert(con: duckdb.DuckDBPyConnection, name: str, table: pa.Table, load_id: str) -> None:
    con.register("landed", table.append_column("_dlt_load_id", pa.array([load_id] * len(table), pa.string())))
    con.execute(f"insert into raw.{name} by name select * from landed")
    con.unregister("landed")


def _validated(row: Mapping[str, Any]) -> dict[str, Any]:
    """As the models leave it: account ids are text, counts are numbers."""
    changed: dict[str, Any] = {"account_id": str(row["account_id"])} if "account_id" in row else {}
    return {**row, **changed, **({"sequence": int(row["sequence"])} if "sequence" in row else {})}


def _run_row(run_id: str, evening: Evening) -> dict[str, Any]:
    day = _CALENDAR.assign(evening.at)
    complete = sum(_is_complete(answer) for answer in evening.answers.values())
    return {
        "run_id": run_id,
        "trading_date": day.trading_date,
        "grade": day.grade,
        "started_at": evening.at,
        "finished_at": evening.at,
        "clock_source": "API",
        "clock_skew_ms": 0,
        "broker_host": "loopback",
        "is_loopback": True,
        "code_version": "test",
        "trigger": "test",
        "status": "COMPLETE" if complete == len(evening.answers) else "INCOMPLETE",
        "accounts_expected": len(evening.answers),
        "accounts_complete": complete,
        "trading_date_rule": "new_york_0400",
    }


def _is_complete(answer: AccountAnswer) -> bool:
    return answer.positions is not None and answer.whole and answer.instructions is not None


def _manifest(run_id: str, evening: Evening) -> Iterable[dict[str, Any]]:
    yield _manifest_row(run_id, evening, "market_hours", "", None)
    yield _manifest_row(run_id, evening, "accounts", "", evening.answers)
    yield _manifest_row(run_id, evening, "option_contracts", "", evening.contracts or None)
    yield _manifest_row(run_id, evening, "corporate_events", "", evening.events)
    for account, answer in evening.answers.items():
        said: dict[str, Any] = {
            "positions": answer.positions,
            "position_instructions": answer.instructions,
            "executions": answer.fills,
            "balances": None if answer.daily_pnl is None else [answer.daily_pnl],
            "portfolio_history": answer.history,
        }
        for endpoint in _PER_ACCOUNT:
            row = _manifest_row(run_id, evening, endpoint, account, said.get(endpoint))
            if endpoint == "positions" and not answer.whole and answer.positions is not None:
                row |= {"status": "FAILED", "complete": False, "error": "a page was lost"}
                row["total_items"] += 1
            if endpoint == "executions":
                row |= {"window_from": answer.fills_since, "window_to": evening.at}
            yield row


def _manifest_row(
    run_id: str, evening: Evening, endpoint: str, account: str, rows: Iterable[Any] | None
) -> dict[str, Any]:
    count = None if rows is None else len(list(rows))
    return {
        "run_id": run_id,
        "account_id": account,
        "endpoint": endpoint,
        "status": "FAILED" if count is None else "COMPLETE",
        "complete": count is not None,
        "captured_at": evening.at,
        "pages": 0 if count is None else 1,
        "reads": 1,
        "rows_landed": count or 0,
        "rows_quarantined": 0,
        "total_items": count,
        "http_status": 403 if count is None else 200,
        "request_ids": "[]",
        "error": "the broker answered 403" if count is None else None,
        "archive_files": "[]",
    }


def _rows(evening: Evening) -> Iterable[tuple[Shape, list[dict[str, Any]]]]:
    yield ACCOUNTS, [wire_account(account, evening.closed) for account in {**evening.answers, **evening.closed}]
    yield OPTION_CONTRACTS, [wire_contract(each) for each in evening.contracts]
    grouped = wire_events(evening.events).values()
    yield INSTRUMENT_EVENTS, [row for group in grouped for row in unfold_events(group)]
    for account, answer in evening.answers.items():
        yield POSITIONS, [wire_position(account, each) for each in answer.positions or ()]
        yield INSTRUCTIONS, [wire_instruction(account, each) for each in answer.instructions or ()]
        yield EXECUTIONS, [wire_fill(account, each) for each in answer.fills or ()]
        yield PORTFOLIO_HISTORY, [wire_segment(account, each) for each in answer.history or ()]
        if answer.daily_pnl is not None:
            yield BALANCES, [wire_balance(account, answer.daily_pnl) | {"currency": answer.currency}]


# ---- what the broker would send


def wire_account(account: str, closed: Mapping[str, date | None]) -> dict[str, Any]:
    """An account of the listing."""
    status = "CLOSED" if account in closed else "ACTIVE"
    return {"id": account, "status": status, "close_date": _day(closed.get(account))}


def wire_position(account: str, position: Position) -> dict[str, Any]:
    """A row of positions."""
    return {
        "account_id": int(account),
        "instrument_id": position.instrument_id,
        "symbol": position.symbol,
        "instrument_type": position.instrument_type,
        "position_type": "SHORT" if position.quantity < 0 else "LONG",
        "quantity": _number(position.quantity),
        "available_quantity": _number(position.quantity),
        "market_value": _number(position.market_value),
        "cost_basis": _number(position.cost_basis),
        "avg_price": _number(position.avg_price),
        "unrealized_pnl": _number(position.unrealized_pnl),
        "closing_price": _number(position.closing_price),
        "closing_price_date": _day(position.closing_price_date),
        "instrument_price": _number(position.instrument_price),
        "daily_realized_pnl": _number(position.daily_realized_pnl),
        "daily_unrealized_pnl": _number(position.daily_unrealized_pnl),
        "underlying_instrument_id": position.underlying_instrument_id,
    }


def wire_fill(account: str, fill: SignedFill) -> dict[str, Any]:
    """A row of executions."""
    return {
        "account_id": int(account),
        "id": fill.id,
        "order_id": fill.id,
        "instrument_id": fill.instrument_id,
        "side": "BUY" if fill.quantity > 0 else "SELL",
        "quantity": _number(abs(fill.quantity)),
        "price": _number(fill.price),
        "transaction_time": _instant(fill.at),
        "underlying_instrument_id": fill.underlying_instrument_id,
    }


def wire_instruction(account: str, instruction: Instruction) -> dict[str, Any]:
    """A row of positions/instructions."""
    return {
        "account_id": int(account),
        "id": instruction.id,
        "client_instruction_id": instruction.id,
        "instruction_type": instruction.instruction_type,
        "instrument_id": instruction.instrument_id,
        "quantity": _number(instruction.quantity),
        "status": instruction.status,
        "accepted_quantity": _number(instruction.accepted_quantity),
        "created_at": _instant(instruction.created_at),
        "updated_at": _instant(instruction.updated_at),
    }


def wire_contract(contract: Contract) -> dict[str, Any]:
    """A row of option contracts."""
    return {
        "id": contract.id,
        "symbol": contract.symbol,
        "underlying_instrument_id": contract.underlying_instrument_id,
        "contract_type": contract.contract_type,
        "strike_price": _number(contract.strike),
        "expiry": _day(contract.expiry),
        "multiplier": _number(contract.multiplier),
    }


def wire_segment(account: str, segment: Segment) -> dict[str, Any]:
    """A segment of portfolio-history."""
    return {
        "account_id": int(account),
        "date": _day(segment.day),
        "realized_pnl": _number(segment.realized),
        "unrealized_pnl": _number(segment.unrealized),
        "net_pnl": _number(segment.net),
        "sod_equity": _number(segment.sod_equity),
        "eod_equity": _number(segment.eod_equity),
    }


def wire_balance(account: str, daily_pnl: Decimal) -> dict[str, Any]:
    """The balances of an account."""
    return {"account_id": int(account), "currency": "USD", "daily_pnl": _number(daily_pnl)}


def wire_events(events: Iterable[Event]) -> Mapping[str, dict[str, Any]]:
    """Corporate events by instrument, grouped as the broker groups them."""
    grouped: dict[str, dict[str, Any]] = {}
    for event in events:
        known = grouped.setdefault(
            event.instrument_id,
            {"instrument_id": event.instrument_id, "splits": [], "dividends": [], "earnings": [], "ipos": []},
        )
        if event.ratio is not None:
            new, old = event.ratio.as_integer_ratio()
            known["splits"].append({"date": _day(event.day), "numerator": str(new), "denominator": str(old)})
        if event.amount is not None:
            known["dividends"].append({"ex_date": _day(event.day), "dividend_amount": _number(event.amount)})
    return grouped


def _number(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
