"""Reading one trading day from the broker: which accounts, how far back, and every endpoint of each, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.contract import expiry_of
from models.shapes import PORTFOLIO_HISTORY, POSITIONS
from pipelines.broker.client import BrokerClient
from pipelines.broker.columns import schema_of
from pipelines.broker.read import Finding, Read
from pipelines.calendar import NEW_YORK, Assignment, Override, TradingCalendar
from pipelines.errors import ConfigurationError, NoAccountList
from pipelines.ingest.contradictions import contradicted
from pipelines.ingest.history import asked_last, begin_of, days_to_read, read_years, with_past
from pipelines.ingest.parts import Planned
from pipelines.ingest.run_context import RunContext
from pipelines.ingest.warehouse_state import WarehouseState, override_of
from pipelines.progress import AccountRead, AccountsExpected, OnProgress, ignore_progress

ACCOUNTS_AT_ONCE = 4
HISTORY_SESSIONS = 10
MARKET = "us_equities"
#: Corporate events are asked for again this far back, because some are published late, and this far ahead.
LATE_EVENTS = timedelta(days=14)
AHEAD = timedelta(days=7)
#: Fills are read again on demand, so far back: a broker that keeps them no longer would seem to have withdrawn them.
MOST_FILL_DAYS = 31
#: Prices are asked for of options that expire within so many sessions, today's included, and of what they are on.
EXPIRY_SESSIONS = 5
_LISTED = ["account_id", "status", "open_date", "close_date"]
_HOURS = ["date", "status", "today_sessions"]
_NONE_HELD = schema_of(POSITIONS).empty_table().select(["instrument_id", "instrument_type"])
_OPTION = ["instrument_id", "symbol", "underlying_instrument_id"]
_NO_OPTION = schema_of(POSITIONS).empty_table().select(_OPTION)


@dataclass(frozen=True)
class EndpointRead:
    """One endpoint, read; with the window of time that was asked for, where the endpoint has one."""

    read: Read[pa.Table]
    window_from: datetime | None = None
    window_to: datetime | None = None

    @property
    def was_asked(self) -> bool:
        """Whether the broker was asked at all: a plan asks for nothing of an account."""
        return self.read.pages > 0 or self.read.http_status is not None or self.read.error is not None


@dataclass(frozen=True)
class DayRead:
    """A trading day as it was read: the day, the accounts expected, and every read of an endpoint."""

    day: Assignment
    expected: list[str]
    reads: list[EndpointRead]

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
            if asked.was_asked
            and not asked.read.complete
            and asked.read.endpoint in ("positions", "position_instructions")
        ]


def read_trading_day(
    client: BrokerClient[pa.Table],
    run: RunContext,
    known: WarehouseState,
    on_progress: OnProgress = ignore_progress,
) -> DayRead:
    """Read everything that belongs to the trading day in which a run began, then what is left of the broker's history:
    of every account, of those of a part, or, for a plan, who they are and nothing of them.
    Raises NoAccountList, Unauthorized, ConfigurationError."""
    _refuse_old_fills(run.started.now, run.fills_from)
    roster = _roster_of(run.part, run, known) if run.part else _asked_roster(client, run, known)
    reads = list(roster.reads)
    on_progress(AccountsExpected(len(roster.expected)))
    if run.is_plan:
        reads += [EndpointRead(Read(POSITIONS.name, account)) for account in roster.expected]
        return DayRead(roster.day, roster.expected, reads)
    calendar, opened = roster.calendar, roster.opened
    with _pool() as pool:
        for of_account in pool.map(
            lambda account: _account(client, account, run.started.now, known, calendar, run.fills_from), roster.expected
        ):
            reads += of_account
            positions = of_account[0].read
            if positions.account_id in roster.unlisted:
                _note_unlisted(positions)
            error = None if positions.complete else str(positions.error)
            on_progress(AccountRead(positions.account_id, positions.rows, positions.pages, error))
    reads += _instruments(client, reads, known, calendar, roster.day.trading_date)
    order = asked_last([each.read.account_id for each in reads], known.history_failed)
    with _pool() as pool:
        whole = pool.map(
            lambda place: _with_past(client, reads[place], known, opened, calendar.first, run.history_from), order
        )
        for place, read in zip(order, list(whole), strict=True):
            reads[place] = read
    return DayRead(roster.day, roster.expected, reads)


@dataclass(frozen=True)
class _Roster:
    """Whom a run reads, on which day; when each was opened, and whom the broker lists no longer. `reads` told it."""

    day: Assignment
    calendar: TradingCalendar
    expected: list[str]
    opened: Mapping[str, date | None]
    unlisted: frozenset[str]
    reads: tuple[EndpointRead, ...] = ()


def _asked_roster(client: BrokerClient[pa.Table], run: RunContext, known: WarehouseState) -> _Roster:
    now = run.started.now
    hours = client.market_hours(now.astimezone(NEW_YORK).date(), MARKET)
    calendar = TradingCalendar.load([*known.overrides, *_broker_hours(hours)])
    day = calendar.assign(now)
    listed = client.accounts()
    expected = _expected(listed, known, run, day.trading_date)
    opened = {row["account_id"]: row["open_date"] for row in _listed_rows(listed)}
    unlisted = frozenset(expected) - opened.keys() if listed.complete else frozenset()
    return _Roster(day, calendar, expected, opened, unlisted, (EndpointRead(hours), EndpointRead(listed)))


def _roster_of(part: Planned, run: RunContext, known: WarehouseState) -> _Roster:
    """The roster of a part, as its plan has it: the plan asked for the day's hours, too."""
    calendar = TradingCalendar.load(known.overrides)
    return _Roster(calendar.assign(run.started.now), calendar, sorted(part.opened), part.opened, part.unlisted)


def _refuse_old_fills(now: datetime, fills_from: date | None) -> None:
    if fills_from is not None and now - begin_of(fills_from) > timedelta(days=MOST_FILL_DAYS):
        raise ConfigurationError(
            f"Fills are read again for the last {MOST_FILL_DAYS} days, and {fills_from} is before them."
        )


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """A pool of threads. After an error, Ctrl-C included, it is not waited for: the slowest account must not delay the
    end of the run."""
    pool = ThreadPoolExecutor(ACCOUNTS_AT_ONCE)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _broker_hours(hours: Read[pa.Table]) -> list[Override]:
    """What the broker says of the day. Where that makes no sense, the read gets a finding, and our calendar decides."""
    said = []
    for row in (row for batch in hours.batches for row in batch.select(_HOURS).to_pylist()):
        try:
            said.append(override_of(*(row[name] for name in _HOURS)))
        except ValueError as why:
            message = f"the market hours of {row['date']} make no sense ({why}), so the shipped calendar decides"
            hours.findings.append(Finding("hours_not_believed", "WARN", message, value=row["today_sessions"]))
    return [override for override in said if override is not None]


def _expected(listed: Read[pa.Table], known: WarehouseState, run: RunContext, today: date) -> list[str]:
    """Accounts listed today or expected on the last complete day, minus closed ones, within DAYBOOK_ACCOUNTS. Where one
    of several desks could not be asked for its list, the accounts that have a desk's key are expected, too."""
    only, named = run.accounts, frozenset[str]()
    if not listed.complete and listed.rows and run.lists > 1:
        named = frozenset(run.desk_accounts)
    elif not listed.complete:
        why = str(listed.error).removeprefix("the list of accounts: ")
        raise NoAccountList(f"The list of accounts could not be read whole, so nothing was landed: {why}")
    rows = _listed_rows(listed)
    seen = {row["account_id"] for row in rows} | named
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


def _listed_rows(listed: Read[pa.Table]) -> list[dict[str, Any]]:
    return [row for batch in listed.batches for row in batch.select(_LISTED).to_pylist()]


def _note_unlisted(positions: Read[pa.Table]) -> None:
    """Say that the broker doesn't list an account any more that was there on the last complete day."""
    message = (
        f"account {positions.account_id} was there on the last complete day, and the broker lists it no longer: "
        "to let it go, name the other accounts in DAYBOOK_ACCOUNTS"
    )
    positions.findings.append(Finding("account_not_listed", "WARN", message))
    if not positions.complete:
        positions.error = f"{positions.error or 'its positions are not whole'}; {message}"


def _account(
    client: BrokerClient[pa.Table],
    account: str,
    now: datetime,
    known: WarehouseState,
    calendar: TradingCalendar,
    fills_from: date | None,
) -> list[EndpointRead]:
    today, last_complete = calendar.assign(now).trading_date, known.last_complete.get(account)
    since = _fills_since(calendar, last_complete or today)
    if fills_from is not None:
        since = min(since, begin_of(fills_from))
    start = _history_since(calendar, today, last_complete)
    return [
        EndpointRead(client.positions(account)),
        EndpointRead(client.instructions(account)),
        EndpointRead(client.executions(account, since, now), since, now),
        EndpointRead(client.orders(account, since, now), since, now),
        EndpointRead(client.balances(account)),
        EndpointRead(client.portfolio_history(account, start, today), begin_of(start), now),
    ]


def _with_past(
    client: BrokerClient[pa.Table],
    asked: EndpointRead,
    known: WarehouseState,
    opened: Mapping[str, date | None],
    earliest: date,
    history_from: date | None,
) -> EndpointRead:
    """A whole read of an account's history, with what the warehouse lacks of the years before it."""
    account = asked.read.account_id
    if asked.read.endpoint != PORTFOLIO_HISTORY.name or not asked.read.complete or asked.window_from is None:
        return asked
    before = asked.window_from.astimezone(NEW_YORK).date()
    days = days_to_read(before, known.history.get(account), opened.get(account), earliest, history_from)
    past = read_years(client, account, days, history_from)
    since = begin_of(past.since) if past.since else asked.window_from
    return EndpointRead(with_past(asked.read, past), since, asked.window_to)


def _fills_since(calendar: TradingCalendar, day: date) -> datetime:
    """The close two sessions before the account's last complete day: late fills come with the next evening."""
    for _ in range(2):
        day = calendar.previous(day)
    return calendar.session(day).close


def _history_since(calendar: TradingCalendar, today: date, last_complete: date | None) -> date:
    start = today
    for _ in range(HISTORY_SESSIONS - 1):
        start = calendar.previous(start)
    return min(start, last_complete or start)


def _instruments(
    client: BrokerClient[pa.Table],
    reads: list[EndpointRead],
    known: WarehouseState,
    calendar: TradingCalendar,
    today: date,
) -> list[EndpointRead]:
    """Contracts of options not seen before or contradicted by their own row, the corporate events of what is held, and
    prices of what expires soon."""
    held = _held(reads)
    options = sorted(_options_to_read(reads, held, known))
    others = sorted({instrument for instrument, kind in held if kind not in ("OPTION", "CASH")})
    start = min([*known.last_complete.values(), today - LATE_EVENTS])
    contracts = _or_not_asked("option_contracts", options, lambda: client.option_contracts(options))
    events = _or_not_asked("corporate_events", others, lambda: client.events(others, start, today + AHEAD))
    expiring = _expiring(reads, contracts, calendar, today)
    snapshots = _or_not_asked("market_snapshot", expiring, lambda: client.market_snapshots(expiring))
    return [EndpointRead(contracts), EndpointRead(events), EndpointRead(snapshots)]


def _expiring(
    reads: list[EndpointRead], contracts: Read[pa.Table], calendar: TradingCalendar, today: date
) -> list[str]:
    """Options held or traded that expire within a few sessions, with their underlyings. A contract tells when, else the
    symbol; of an option whose expiry neither tells it may be any day."""
    ahead = calendar.sessions(today, min(today + timedelta(days=21), calendar.last))
    # one of a Saturday trades last on the Friday; where the sessions that are known end, all of them are near
    last = ahead[EXPIRY_SESSIONS].date - timedelta(days=1) if len(ahead) > EXPIRY_SESSIONS else calendar.last
    told = {
        row["id"]: row["expiry"] for batch in contracts.batches for row in batch.select(["id", "expiry"]).to_pylist()
    }
    found: set[str] = set()
    for option in _options(reads):
        expiry = told.get(option["instrument_id"]) or expiry_of(option["symbol"])
        if expiry is None or today <= expiry <= last:
            found.update(each for each in (option["instrument_id"], option["underlying_instrument_id"]) if each)
    return sorted(found)


def _options(reads: list[EndpointRead]) -> list[dict[str, str | None]]:
    """The options held or traded, each once: accounts hold the same ones."""
    found = [_NO_OPTION]
    for each in reads:
        for batch in each.read.batches:
            if each.read.endpoint == "positions":
                found.append(batch.filter(pc.equal(batch["instrument_type"], "OPTION")).select(_OPTION))
            elif each.read.endpoint == "executions":
                found.append(batch.filter(pc.is_valid(batch["underlying_instrument_id"])).select(_OPTION))
    together = pa.concat_tables(found, promote_options="default")  # of a fill, what a position has may be missing
    options: list[dict[str, str | None]] = together.group_by(_OPTION).aggregate([]).to_pylist()
    return options


def _options_to_read(reads: list[EndpointRead], held: set[tuple[str, str]], known: WarehouseState) -> set[str]:
    wanted = {instrument for instrument, kind in held if kind == "OPTION"} - known.contracts.keys()
    lists = (each.read.batches for each in reads if each.read.endpoint == "positions" and each.read.batches)
    return wanted.union(*(contradicted(pages, known.contracts) for pages in lists))


def _or_not_asked(endpoint: str, wanted: Iterable[str], read: Callable[[], Read[pa.Table]]) -> Read[pa.Table]:
    """A read, or where there is nothing to ask about, an empty one: no page and no status, so `NOT_ASKED`."""
    return read() if wanted else Read(endpoint)


def _held(reads: Iterable[EndpointRead]) -> set[tuple[str, str]]:
    """Instruments in today's positions and fills, each with its type; a fill tells an option by its underlying."""
    found = pa.concat_tables([_NONE_HELD, *_types(reads)]).group_by(_NONE_HELD.column_names).aggregate([]).to_pydict()
    held = {(one, kind) for one, kind in zip(*found.values(), strict=True) if one is not None}
    options = {instrument for instrument, kind in held if kind == "OPTION"}
    return {(instrument, kind) for instrument, kind in held if kind != "UNKNOWN" or instrument not in options}


def _types(reads: Iterable[EndpointRead]) -> Iterator[pa.Table]:
    for asked in reads:
        for batch in asked.read.batches:
            if asked.read.endpoint == "positions":
                yield batch.select(_NONE_HELD.column_names)
            elif asked.read.endpoint == "executions":
                is_option = pc.is_valid(batch["underlying_instrument_id"])
                kinds = pc.if_else(is_option, "OPTION", "UNKNOWN")
                yield pa.table([batch["instrument_id"], kinds], schema=_NONE_HELD.schema)
