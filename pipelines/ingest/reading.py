"""Reading one evening from the broker: which accounts, how far back, and every endpoint of each, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.shapes import POSITIONS
from pipelines.broker.client import BrokerClient
from pipelines.broker.columns import schema_of
from pipelines.broker.read import Finding, Read
from pipelines.calendar import NEW_YORK, Assignment, Override, TradingCalendar
from pipelines.errors import ConfigurationError, NoAccountList
from pipelines.ingest.contradictions import contradicted
from pipelines.ingest.warehouse_state import Known, override_of
from pipelines.progress import Tell

ACCOUNTS_AT_ONCE = 4
HISTORY_SESSIONS = 10
MARKET = "us_equities"
#: Corporate events are asked for again this far back, because some are published late, and this far ahead.
LATE_EVENTS = timedelta(days=14)
AHEAD = timedelta(days=7)
_HOURS = ["date", "status", "today_sessions"]
_NONE_HELD = schema_of(POSITIONS).empty_table().select(["instrument_id", "instrument_type"])


@dataclass(frozen=True)
class Asked:
    """One read, and the window that was asked for, where the endpoint has one."""

    read: Read
    window_from: datetime | None = None
    window_to: datetime | None = None


@dataclass
class Evening:
    """Everything that was read: the day it belongs to, the accounts expected, and every read."""

    day: Assignment
    calendar: TradingCalendar
    expected: list[str] = field(default_factory=list)
    reads: list[Asked] = field(default_factory=list)

    def complete_accounts(self) -> list[str]:
        """Expected accounts whose positions and instructions are both whole."""
        whole = {(asked.read.endpoint, asked.read.account_id) for asked in self.reads if asked.read.complete}
        return [
            account
            for account in self.expected
            if ("positions", account) in whole and ("position_instructions", account) in whole
        ]

    def problems(self) -> list[str]:
        """A sentence for each read that makes the day incomplete."""
        return [
            asked.read.error or f"{asked.read.endpoint} of {asked.read.account_id} is not whole"
            for asked in self.reads
            if not asked.read.complete and asked.read.endpoint in ("positions", "position_instructions")
        ]


def read_evening(client: BrokerClient, now: datetime, known: Known, only: tuple[str, ...], tell: Tell) -> Evening:
    """Read everything that belongs to the trading day of `now`. Raises NoAccountList, Unauthorized,
    ConfigurationError."""
    hours = client.market_hours(now.astimezone(NEW_YORK).date(), MARKET)
    calendar = TradingCalendar.load([*known.overrides, *_said(hours)])
    evening = Evening(calendar.assign(now), calendar)
    evening.reads.append(Asked(hours))
    evening.reads.append(Asked(client.accounts()))
    listed = evening.reads[-1].read
    evening.expected = _expected(listed, known, only, evening.day.trading_date)
    unlisted = set(evening.expected) - {row["account_id"] for row in _listed_rows(listed)}
    tell(f"{len(evening.expected)} accounts to read")
    with _pool() as pool:
        for reads in pool.map(lambda account: _account(client, account, now, known, evening), evening.expected):
            evening.reads += reads
            positions = reads[0].read
            if positions.account_id in unlisted:
                _note_unlisted(positions)
            state = "" if positions.complete else f" - NOT WHOLE: {positions.error}"
            tell(f"account {positions.account_id}: {positions.rows} positions on {positions.pages} pages{state}")
    evening.reads += _instruments(client, evening, known)
    return evening


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that nobody waits for once something went wrong: Ctrl-C and a 401 end the run, not the slowest
    account."""
    pool = ThreadPoolExecutor(ACCOUNTS_AT_ONCE)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _said(hours: Read) -> list[Override]:
    """What the broker says of the day. Where that makes no sense, the read gets a finding, and our calendar decides."""
    said = []
    for row in (row for batch in hours.batches for row in batch.select(_HOURS).to_pylist()):
        try:
            said.append(override_of(*(row[name] for name in _HOURS)))
        except ValueError as why:
            message = f"the market hours of {row['date']} make no sense ({why}), so the shipped calendar decides"
            hours.findings.append(Finding("hours_not_believed", "WARN", message, value=row["today_sessions"]))
    return [override for override in said if override is not None]


def _expected(listed: Read, known: Known, only: tuple[str, ...], today: date) -> list[str]:
    """Accounts listed today or expected on the last complete day, minus closed ones, within DAYBOOK_ACCOUNTS."""
    if not listed.complete:
        raise NoAccountList(f"The list of accounts could not be read whole, so nothing was promoted: {listed.error}")
    rows = _listed_rows(listed)
    seen = {row["account_id"] for row in rows}
    closed = {
        row["account_id"]
        for row in rows
        if row["status"] == "CLOSED" or (row["close_date"] is not None and row["close_date"] < today)
    }
    closed |= {account for account, day in known.closed.items() if account not in seen and day < today}
    strangers = [account for account in only if account not in seen | known.expected]
    if strangers:
        raise ConfigurationError(
            f"DAYBOOK_ACCOUNTS names {', '.join(strangers)}, which this key does not see: "
            f"it sees {', '.join(sorted(seen)) or 'no account'}."
        )
    return sorted(account for account in (seen | known.expected) - closed if not only or account in only)


def _listed_rows(listed: Read) -> list[dict[str, Any]]:
    return [row for batch in listed.batches for row in batch.select(["account_id", "status", "close_date"]).to_pylist()]


def _note_unlisted(positions: Read) -> None:
    """Say that the broker doesn't list an account any more that was there on the last complete day."""
    message = (
        f"account {positions.account_id} was there on the last complete day, and the broker lists it no longer: "
        "to let it go, name the other accounts in DAYBOOK_ACCOUNTS"
    )
    positions.findings.append(Finding("account_not_listed", "WARN", message))
    if not positions.complete:
        positions.error = f"{positions.error or 'its positions are not whole'}; {message}"


def _account(client: BrokerClient, account: str, now: datetime, known: Known, evening: Evening) -> list[Asked]:
    since = _fills_since(evening, known.last_complete.get(account))
    start = _history_since(evening, known.last_complete.get(account))
    today = evening.day.trading_date
    return [
        Asked(client.positions(account)),
        Asked(client.instructions(account)),
        Asked(client.executions(account, since, now), since, now),
        Asked(client.orders(account, since, now), since, now),
        Asked(client.balances(account)),
        Asked(client.portfolio_history(account, start, today)),
    ]


def _fills_since(evening: Evening, last_complete: date | None) -> datetime:
    """The close two sessions before the account's last complete day: late fills come with the next evening."""
    day = last_complete or evening.day.trading_date
    for _ in range(2):
        day = evening.calendar.previous(day)
    return evening.calendar.session(day).close


def _history_since(evening: Evening, last_complete: date | None) -> date:
    today = evening.day.trading_date
    if last_complete is None:
        return date(today.year, 1, 1)
    start = today
    for _ in range(HISTORY_SESSIONS - 1):
        start = evening.calendar.previous(start)
    return min(start, last_complete)


def _instruments(client: BrokerClient, evening: Evening, known: Known) -> list[Asked]:
    """Contracts of options not seen before or contradicted by their own row, and corporate events of what is held."""
    held = _held(evening)
    options = sorted(_options_to_read(evening, held, known))
    others = sorted({instrument for instrument, kind in held if kind not in ("OPTION", "CASH")})
    today = evening.day.trading_date
    start = min([*known.last_complete.values(), today - LATE_EVENTS])
    contracts = _or_not_asked("option_contracts", options, lambda: client.option_contracts(options))
    events = _or_not_asked("corporate_events", others, lambda: client.events(others, start, today + AHEAD))
    return [Asked(contracts), Asked(events)]


def _options_to_read(evening: Evening, held: set[tuple[str, str]], known: Known) -> set[str]:
    wanted = {instrument for instrument, kind in held if kind == "OPTION"} - known.contracts.keys()
    pages = (page for asked in evening.reads if asked.read.endpoint == "positions" for page in asked.read.batches)
    return wanted.union(*(contradicted(page, known.contracts) for page in pages))


def _or_not_asked(endpoint: str, wanted: Iterable[str], read: Callable[[], Read]) -> Read:
    """A read, or where there is nothing to ask about, a read that never was (no page, no status)."""
    return read() if wanted else Read(endpoint)


def _held(evening: Evening) -> set[tuple[str, str]]:
    """Instruments in today's positions and fills, each with its type; a fill tells an option by its underlying."""
    found = pa.concat_tables([_NONE_HELD, *_types(evening)]).group_by(_NONE_HELD.column_names).aggregate([]).to_pydict()
    held = {(one, kind) for one, kind in zip(*found.values(), strict=True) if one is not None}
    options = {instrument for instrument, kind in held if kind == "OPTION"}
    return {(instrument, kind) for instrument, kind in held if kind != "UNKNOWN" or instrument not in options}


def _types(evening: Evening) -> Iterator[pa.Table]:
    for asked in evening.reads:
        for batch in asked.read.batches:
            if asked.read.endpoint == "positions":
                yield batch.select(_NONE_HELD.column_names)
            elif asked.read.endpoint == "executions":
                is_option = pc.is_valid(batch["underlying_instrument_id"])
                kinds = pc.if_else(is_option, "OPTION", "UNKNOWN")
                yield pa.table([batch["instrument_id"], kinds], schema=_NONE_HELD.schema)
