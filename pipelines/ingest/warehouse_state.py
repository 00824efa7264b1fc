"""What the warehouse already knows and the next read depends on: accounts, their last complete day, contracts,
the broker's calendar."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import duckdb
import orjson

from pipelines.calendar import END_OF_DAY, NEW_YORK, Override
from pipelines.ingest.history import NOT_REACHED, NOT_READ, Days, days_from
from pipelines.warehouse.tables import exists

_LAST_COMPLETE = """
    select manifest.account_id, max(run.trading_date)
    from raw.extract_manifest as manifest
    inner join raw.extract_run as run on manifest.run_id = run.run_id
    inner join raw._dlt_loads as committed on run._dlt_load_id = committed.load_id and committed.status = 0
    where manifest.endpoint = 'positions' and manifest.complete and list_contains($end_of_day, run.grade)
    group by manifest.account_id
"""

_EXPECTED = """
    with evening as (
        select run.trading_date, run.status, manifest.account_id
        from raw.extract_manifest as manifest
        inner join raw.extract_run as run on manifest.run_id = run.run_id
        inner join raw._dlt_loads as committed on run._dlt_load_id = committed.load_id and committed.status = 0
        where manifest.endpoint = 'positions' and list_contains($end_of_day, run.grade)
    )
    select distinct account_id from evening
    where trading_date >= coalesce((select max(trading_date) from evening where status = 'COMPLETE'), date '0001-01-01')
"""

_CLOSED = """
    select account_id, case when status = 'CLOSED' then coalesce(close_date, date '0001-01-01') else close_date end
    from raw.accounts
    qualify row_number() over (partition by account_id order by run_id desc) = 1
        and (status = 'CLOSED' or close_date is not null)
"""

#: What the last whole read of an account's history left to be asked for, and whether that was asked for in vain; one of
#: an earlier daybook, which never asked, has no window.
_HISTORY = """
    select
        manifest.account_id,
        max_by(
            coalesce(
                list_extract(list_filter(
                    from_json(manifest.findings, '[{"check_name": "VARCHAR", "value": "VARCHAR"}]'),
                    lambda finding: finding.check_name in ($not_read, $not_reached)
                ), 1),
                {'check_name': '', 'value': ''}
            ),
            run.run_id
        )
    from raw.extract_manifest as manifest
    inner join raw.extract_run as run on manifest.run_id = run.run_id
    inner join raw._dlt_loads as committed on run._dlt_load_id = committed.load_id and committed.status = 0
    where manifest.endpoint = 'portfolio_history' and manifest.complete and manifest.window_from is not null
    group by manifest.account_id
"""

_CONTRACTS = """
    select id, cast(try_cast(multiplier as decimal(12, 4)) as double) from raw.option_contracts
    qualify row_number() over (partition by id order by run_id desc) = 1
"""

_HOURS = """
    select date, status, today_sessions from raw.market_hours
    where market = 'us_equities'
    qualify row_number() over (partition by date order by run_id desc) = 1
"""


@dataclass(frozen=True)
class WarehouseState:
    """What the next read depends on: each account's last trading date with a whole end-of-day snapshot, the accounts
    that were expected on the last complete day and since, the closing dates of accounts that were listed as closed, the
    multiplier of each option contract that is landed, which only finds rows that contradict it, the broker's own
    calendar, the days of each account's history that are still to be read, and the accounts of which some were asked
    for last time and did not come."""

    last_complete: dict[str, date] = field(default_factory=dict)
    expected: frozenset[str] = frozenset()
    closed: dict[str, date] = field(default_factory=dict)
    contracts: dict[str, float | None] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    history: dict[str, tuple[Days, ...]] = field(default_factory=dict)
    history_failed: frozenset[str] = frozenset()


def read_warehouse_state(con: duckdb.DuckDBPyConnection) -> WarehouseState:
    """The state of a warehouse; empty where nothing was ever landed."""
    if not _has_raw(con):
        return WarehouseState()
    left = dict(con.execute(_HISTORY, {"not_read": NOT_READ, "not_reached": NOT_REACHED}).fetchall())
    return WarehouseState(
        last_complete=dict(con.execute(_LAST_COMPLETE, {"end_of_day": END_OF_DAY}).fetchall()),
        expected=frozenset(account for (account,) in con.execute(_EXPECTED, {"end_of_day": END_OF_DAY}).fetchall()),
        closed=dict(con.execute(_CLOSED).fetchall()),
        contracts=dict(con.execute(_CONTRACTS).fetchall()),
        overrides=tuple(broker_overrides(con)),
        history={account: tuple(days_from(found["value"])) for account, found in left.items()},
        history_failed=frozenset(account for account, found in left.items() if found["check_name"] == NOT_READ),
    )


def broker_overrides(con: duckdb.DuckDBPyConnection) -> list[Override]:
    """What the broker's own calendar has said of each day that was asked for: its hours, or that the market
    was closed. What makes no sense says nothing: its run has it as a finding."""
    overrides = []
    for row in con.execute(_HOURS).fetchall():
        with suppress(ValueError):
            overrides.append(override_of(*row))
    return [override for override in overrides if override is not None]


def override_of(day: date, status: str | None, sessions: str | None) -> Override | None:
    """One answer of the market-hours endpoint as a calendar override; None where it says neither hours nor a
    closed day. Raises ValueError for hours that can't be those of a session on that day."""
    regular = _object(sessions).get("regular")
    if isinstance(regular, dict) and regular.get("open") and regular.get("close"):
        return _hours(day, regular["open"], regular["close"])
    return Override(day, None, None) if _object(status).get("day_type") in ("HOLIDAY", "WEEKEND") else None


def _hours(day: date, opens: Any, closes: Any) -> Override:
    try:
        hours = Override(day, datetime.fromisoformat(opens), datetime.fromisoformat(closes))
        in_new_york = [each.astimezone(NEW_YORK) for each in (hours.open, hours.close) if each and each.tzinfo]
    except (TypeError, OverflowError) as why:
        raise ValueError(str(why)) from None
    if [each.date() for each in in_new_york] != [day, day] or not in_new_york[0] < in_new_york[1]:
        raise ValueError("not a session of the day")
    return hours


def _object(text: str | None) -> dict[str, Any]:
    """The JSON object of a column, empty where it holds none. Raises ValueError where it is no JSON."""
    held = orjson.loads(text) if text else None
    return held if isinstance(held, dict) else {}


def landed_runs(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The ids of the runs that have rows in the warehouse."""
    if not exists(con, "raw.extract_run"):
        return set()
    return {row[0] for row in con.execute("select run_id from raw.extract_run").fetchall()}


def _has_raw(con: duckdb.DuckDBPyConnection) -> bool:
    return exists(con, "raw.extract_run") and exists(con, "raw._dlt_loads")
