"""How the books stand, for `daybook status`: from the published copy and the files beside it, changing nothing."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.alerts.history import last_failure
from pipelines.calendar import TradingCalendar
from pipelines.errors import ConfigurationError, DaybookError, first_line
from pipelines.ingest.retention import growth
from pipelines.settings import Lake, Settings
from pipelines.warehouse.pending_packages import count_entries, packages_waiting

if TYPE_CHECKING:
    import duckdb

_LAST_RUN = """
    select run_id, trading_date, grade, status, finished_at, accounts_complete, accounts_expected,
        is_loopback, broker_host
    from raw.extract_run where trigger is distinct from 'trading' order by run_id desc limit 1
"""
#: What was found out later of a trade is a run of its own, and no trade.
_LAST_TRADE = """
    select run.run_id, manifest.endpoint as operation, manifest.account_id, run.status, run.finished_at
    from raw.extract_run as run
    inner join raw.extract_manifest as manifest on run.run_id = manifest.run_id
    where run.trigger = 'trading' and run.run_id not like '%-resolved' order by run.run_id desc limit 1
"""
_LAST_DAY = """
    select trading_date, status, finality, accounts_complete, accounts_expected, accounts_known, grade,
        accounts_recovered
    from quality.day order by trading_date desc limit 1
"""
_LAST_KNOWN = "select max(trading_date) from quality.day where accounts_known > 0"
_ACCOUNTS = """
    select
        expected.account_id,
        names.short_name as name,
        case
            when expected.is_complete and account_eod.grade = 'RECOVERED' then 'RECOVERED'
            when expected.is_complete then 'COMPLETE'
            when account_eod.grade = 'RECOVERED' then 'RECOVERED IN PART'
            when expected.is_known then 'NO INSTRUCTIONS'
            else expected.reason
        end as state,
        coalesce(account_eod.position_count, exposure.position_count) as position_count,
        account_eod.executions_loaded
    from core.expected_day as expected
    left join core.account_eod
        on expected.account_id = account_eod.account_id and expected.trading_date = account_eod.trading_date
    left join pnl.exposure_daily as exposure
        on account_eod.account_id = exposure.account_id and account_eod.trading_date = exposure.trading_date
        and account_eod.grade = 'RECOVERED'
    left join (
        select account_id, short_name
        from raw.accounts
        qualify row_number() over (partition by account_id order by run_id desc) = 1
    ) as names on expected.account_id = names.account_id
    where expected.trading_date = $day order by expected.account_id
"""
_GAPS = """
    select account_id, reason, min(trading_date) as first, max(trading_date) as last, count(*) as days
    from quality.gap group by account_id, reason order by last desc, account_id limit 10
"""
_FINDINGS = """
    select severity, count(*) filter (where trading_date = $day) as last_day, count(*) as in_all
    from quality.finding group by severity order by severity
"""
_RECONCILED = """
    select status, count(*) filter (where trading_date = $day) as last_day, count(*) as in_all
    from quality.reconciliation group by status order by status
"""
_DAYS = "select status, count(*) as days from quality.day group by status order by status"


@dataclass
class Health:
    """How the books stand. `problems` are sentences about what keeps the rest from being known."""

    home: str
    broker: str
    last_run: dict[str, Any] | None = None
    last_trade: dict[str, Any] | None = None
    unpublished_run: str | None = None
    last_day: dict[str, Any] | None = None
    last_known: date | None = None
    days: dict[str, int] = field(default_factory=dict)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    reconciled: list[dict[str, Any]] = field(default_factory=list)
    sessions_behind: int | None = None
    last_session: date | None = None
    calendar_days_left: int = 0
    pending_packages: int = 0
    quarantined_packages: int = 0
    running: dict[str, Any] | None = None
    last_failure: dict[str, Any] | None = None
    files: dict[str, int] = field(default_factory=dict)
    disk_free: int = 0
    growth: dict[str, int | None] | None = None
    problems: list[str] = field(default_factory=list)
    lake: str | None = None


def read_health(settings: Settings, now: datetime) -> Health:
    """How the books of `settings.home` stand at `now`. Raises nothing that a person's input can cause."""
    from pipelines.warehouse.connect import open_published
    from pipelines.warehouse.missing_books import refuse_fresh_start

    health = Health(str(settings.home), settings.broker_host)
    health.lake = str(settings.books) if settings.has_lake else None
    _look_at_files(health, settings)
    calendar = TradingCalendar.load()
    try:
        with open_published(settings.books) as con:
            calendar = _read_books(health, con, settings.archive)
    except DaybookError as error:
        health.problems.append(str(error))
    try:
        refuse_fresh_start(settings)
    except DaybookError as error:
        health.problems.append(str(error))
    health.calendar_days_left = calendar.days_left(now.date())
    _set_freshness(health, calendar, now)
    return health


def _read_books(health: Health, con: duckdb.DuckDBPyConnection, archive: Path) -> TradingCalendar:
    import duckdb

    from pipelines.ingest.warehouse_state import broker_overrides
    from pipelines.warehouse.tables import dates_of, rows_of

    try:
        health.last_run = next(iter(rows_of(con, _LAST_RUN)), None)
        health.last_trade = next(iter(rows_of(con, _LAST_TRADE)), None)
        health.broker = health.last_run["broker_host"] if health.last_run else health.broker
        health.last_day = next(iter(rows_of(con, _LAST_DAY)), None)
        health.last_known = next(iter(dates_of(con, _LAST_KNOWN)), None)
        if health.last_day:
            day = {"day": health.last_day["trading_date"]}
            health.accounts = rows_of(con, _ACCOUNTS, day)
            health.findings = rows_of(con, _FINDINGS, day)
            health.reconciled = rows_of(con, _RECONCILED, day)
        health.gaps = rows_of(con, _GAPS)
        health.days = {row["status"]: row["days"] for row in rows_of(con, _DAYS)}
        overrides = broker_overrides(con)
    except duckdb.Error as error:
        raise DaybookError(f"The published books can't be read ({first_line(error)}).") from error
    health.unpublished_run = _later_run(archive, health.last_run)
    return TradingCalendar.load(overrides)


def _later_run(archive: Path, published: dict[str, Any] | None) -> str | None:
    """The last run that was begun, where the published books don't have it. Run ids sort by time."""
    months = sorted(path for path in archive.glob("*") if path.is_dir())
    runs = sorted(path.name for path in months[-1].glob("*")) if months else []
    return runs[-1] if runs and (published is None or runs[-1] > published["run_id"]) else None


def _look_at_files(health: Health, settings: Settings) -> None:
    health.pending_packages = packages_waiting(settings.dlt)
    health.quarantined_packages = count_entries(settings.home / "quarantine")
    for path in (settings.warehouse, settings.published):
        if path.exists():
            health.files[path.name] = path.stat().st_size
    there = next(path for path in (settings.home, *settings.home.parents) if path.is_dir())
    try:
        health.growth = asdict(growth(settings)) if settings.archive.is_dir() else None
    except DaybookError as error:
        health.problems.append(str(error))
    health.disk_free = shutil.disk_usage(there).free
    health.running = _running(settings.run_lock) or _running_elsewhere(settings)
    failure = last_failure(settings)
    health.last_failure = asdict(failure) if failure else None


def _running(lock: Path) -> dict[str, Any] | None:
    """Who holds the run lock, by the note beside it; a note whose process is gone tells of nobody."""
    from pipelines.warehouse.lock import read_holder

    try:
        note = read_holder(lock)
        if os.name == "posix":
            os.kill(int(note["pid"]), 0)  # signal 0 asks, and sends nothing
    except PermissionError:
        return note  # it is there, and somebody else's
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note


def _running_elsewhere(settings: Settings) -> dict[str, Any] | None:
    """Who holds the books of a lake, on whatever host."""
    if not isinstance(settings.books, Lake):
        return None
    from pipelines.warehouse.lake.advisory import read_holder

    try:
        return read_holder(settings.books)
    except DaybookError:
        return None  # whoever reads the books next says why


def _set_freshness(health: Health, calendar: TradingCalendar, now: datetime) -> None:
    """How many finished sessions the books lack. Books of a stand-in are of whatever days it replayed: not measured."""
    if health.last_run is not None and health.last_run["is_loopback"]:
        return
    try:
        today = calendar.assign(now)
        finished = today.trading_date if today.eod_eligible else calendar.previous(today.trading_date)
        health.last_session = finished
        if health.last_known is not None:
            after = calendar.sessions(health.last_known, finished)
            health.sessions_behind = max(len(after) - 1, 0)
    except ConfigurationError as error:
        health.problems.append(str(error))
