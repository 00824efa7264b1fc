"""Reading one evening from the broker: which accounts, how far back, and every endpoint of each, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from models.contract import expiry_of
from models.shapes import POSITIONS
from pipelines.broker.client import BrokerClient
from pipelines.broker.columns import schema_of
from pipelines.broker.read import Finding, Read
from pipelines.calendar import NEW_YORK, Assignment, Override, TradingCalendar
from pipelines.errors import ConfigurationError, NoAccountList
from pipelines.ingest.warehouse_state import Known, override_of
from pipelines.progress import Tell

ACCOUNTS_AT_ONCE = 4
HISTORY_SESSIONS = 10
MARKET = "us_equities"
#: Corporate events are asked for again this far back, because some are published late, and this far ahead.
LATE_EVENTS = timedelta(days=14)
AHEAD = timedelta(days=7)
#: Prices are asked for of options that expire within so many sessions, today's included, and of what they are on.
EXPIRY_SESSIONS = 5
_HOURS = ["date", "status", "today_sessions"]
_NONE_HELD = schema_of(POSITIONS).empty_table().select(["instrument_id", "instrument_type"])
_OPTION = ["instrument_id", "symbol", "underlying_instrument_id"]


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
    evening.expected = _expected(evening.reads[-1].read, known, only, evening.day.trading_date)
    tell(f"{len(evening.expected)} accounts to read")
    with _pool() as pool:
        for reads in pool.map(lambda account: _account(client, account, now, known, evening), evening.expected):
            evening.reads += reads
            positions = reads[0].read
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
    """Accounts listed today or in the last complete day, minus closed ones, within DAYBOOK_ACCOUNTS."""
    if not listed.complete:
        raise NoAccountList(f"The list of accounts could not be read whole, so nothing was promoted: {listed.error}")
    rows = [row for batch in listed.batches for row in batch.select(["account_id", "status", "close_date"]).to_pylist()]
    seen = {row["account_id"] for row in rows}
    closed = {
        row["account_id"]
        for row in rows
        if row["status"] == "CLOSED" or (row["close_date"] is not None and row["close_date"] < today)
    }
    strangers = [account for account in only if account not in seen | known.last_accounts]
    if strangers:
        raise ConfigurationError(
            f"DAYBOOK_ACCOUNTS names {', '.join(strangers)}, which this key does not see: "
            f"it sees {', '.join(sorted(seen)) or 'no account'}."
        )
    return sorted(account for account in (seen | known.last_accounts) - closed if not only or account in only)


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
    """Contracts of options not seen before, the corporate events of what is held, and prices of what expires soon."""
    held = _held(evening)
    options = sorted({instrument for instrument, kind in held if kind == "OPTION"} - known.contracts)
    others = sorted({instrument for instrument, kind in held if kind not in ("OPTION", "CASH")})
    today = evening.day.trading_date
    start = min([*known.last_complete.values(), today - LATE_EVENTS])
    contracts = _or_not_asked("option_contracts", options, lambda: client.option_contracts(options))
    events = _or_not_asked("corporate_events", others, lambda: client.events(others, start, today + AHEAD))
    expiring = _expiring(evening, contracts)
    snapshots = _or_not_asked("market_snapshot", expiring, lambda: client.market_snapshots(expiring))
    return [Asked(contracts), Asked(events), Asked(snapshots)]


def _expiring(evening: Evening, contracts: Read) -> list[str]:
    """Options held or traded that expire within a few sessions, with their underlyings. A contract tells when, else the
    symbol; of an option whose expiry neither tells it may be any day."""
    last = evening.day.trading_date
    for _ in range(EXPIRY_SESSIONS - 1):
        last = evening.calendar.next(last)
    last = evening.calendar.next(last) - timedelta(days=1)  # one of a Saturday trades last on the Friday
    told = {
        row["id"]: row["expiry"] for batch in contracts.batches for row in batch.select(["id", "expiry"]).to_pylist()
    }
    found: set[str] = set()
    for option in _options(evening):
        expiry = told.get(option["instrument_id"]) or expiry_of(option["symbol"])
        if expiry is None or evening.day.trading_date <= expiry <= last:
            found.update(each for each in (option["instrument_id"], option["underlying_instrument_id"]) if each)
    return sorted(found)


def _options(evening: Evening) -> Iterator[dict[str, str | None]]:
    for asked in evening.reads:
        for batch in asked.read.batches:
            if asked.read.endpoint == "positions":
                yield from batch.filter(pc.equal(batch["instrument_type"], "OPTION")).select(_OPTION).to_pylist()
            elif asked.read.endpoint == "executions":
                yield from batch.filter(pc.is_valid(batch["underlying_instrument_id"])).select(_OPTION).to_pylist()


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
