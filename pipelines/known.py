"""What the warehouse already knows and the next read depends on: accounts, their last complete day, contracts,
the broker's calendar."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

import duckdb
import orjson

from pipelines.calendar import Override
from pipelines.warehouse.tables import exists

_LAST_COMPLETE = """
    select manifest.account_id, max(run.trading_date)
    from raw.extract_manifest as manifest
    inner join raw.extract_run as run on manifest.run_id = run.run_id
    inner join raw._dlt_loads as committed on run._dlt_load_id = committed.load_id and committed.status = 0
    where manifest.endpoint = 'positions' and manifest.complete and run.grade in ('POST_CLOSE', 'LATE')
    group by manifest.account_id
"""

_HOURS = """
    select date, status, today_sessions from raw.market_hours
    where market = 'us_equities'
    qualify row_number() over (partition by date order by run_id desc) = 1
"""


@dataclass(frozen=True)
class Known:
    """`last_complete` is each account's last trading date with a whole end-of-day snapshot."""

    last_complete: dict[str, date] = field(default_factory=dict)
    contracts: frozenset[str] = frozenset()
    overrides: tuple[Override, ...] = ()

    @property
    def last_accounts(self) -> frozenset[str]:
        """The accounts of the last complete day."""
        latest = max(self.last_complete.values(), default=None)
        return frozenset(account for account, day in self.last_complete.items() if day == latest)


def read_known(con: duckdb.DuckDBPyConnection) -> Known:
    """What is known so far; nothing, in a warehouse that was never filled."""
    if not _has_raw(con):
        return Known()
    return Known(
        last_complete=dict(con.execute(_LAST_COMPLETE).fetchall()),
        contracts=frozenset(row[0] for row in con.execute("select distinct id from raw.option_contracts").fetchall()),
        overrides=tuple(broker_overrides(con)),
    )


def broker_overrides(con: duckdb.DuckDBPyConnection) -> list[Override]:
    """What the broker's own calendar has said of each day that was asked for: its hours, or that the market
    was closed."""
    said = (override_of(*row) for row in con.execute(_HOURS).fetchall())
    return [override for override in said if override is not None]


def override_of(day: date, status: str | None, sessions: str | None) -> Override | None:
    """One answer of the market-hours endpoint as a calendar override; None where it says neither hours nor a
    closed day."""
    regular = (orjson.loads(sessions) or {}).get("regular") if sessions else None
    if regular and regular.get("open") and regular.get("close"):
        return Override(day, datetime.fromisoformat(regular["open"]), datetime.fromisoformat(regular["close"]))
    kind = (orjson.loads(status) or {}).get("day_type") if status else None
    return Override(day, None, None) if kind in ("HOLIDAY", "WEEKEND") else None


def landed_runs(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The ids of the runs that have rows in the warehouse."""
    if not exists(con, "raw.extract_run"):
        return set()
    return {row[0] for row in con.execute("select run_id from raw.extract_run").fetchall()}


def _has_raw(con: duckdb.DuckDBPyConnection) -> bool:
    return exists(con, "raw.extract_run") and exists(con, "raw._dlt_loads")
