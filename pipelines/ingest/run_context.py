"""A run's context: everything, besides the broker's replies, that decides what a run makes of them.

It is kept in the archive beside the replies, so that a replay starts from the same point.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.broker.read import ClockReading
from pipelines.calendar import Override
from pipelines.ingest.history import days_from
from pipelines.ingest.parts import Planned
from pipelines.ingest.warehouse_state import WarehouseState
from pipelines.settings import Settings, code_version

Json = dict[str, Any]
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class RunContext:
    """How a run began. `accounts` is DAYBOOK_ACCOUNTS; `known` what the warehouse knew, without the option contracts,
    which grow without end: what was asked for shows which were not known. `warehouse_bytes` is its size then;
    `history_from` and `fills_from` the days from which the broker's history and its fills were asked for again, where
    they were. A plan only lands which accounts are expected (`is_plan`); a `part` of one reads some of them.
    `desk_accounts` are those that have a key of their desk's, `lists` how many keys were asked which accounts they
    see."""

    run_id: str
    trigger: str
    code_version: str
    broker_host: str
    is_loopback: bool
    accounts: tuple[str, ...]
    started: ClockReading
    known: WarehouseState
    warehouse_bytes: int
    history_from: date | None = None
    fills_from: date | None = None
    is_plan: bool = False
    part: Planned | None = None
    desk_accounts: tuple[str, ...] = ()
    lists: int = 1

    def as_json(self) -> Json:
        """As it is written into the archive."""
        known = self.known
        return asdict(self) | {
            "started": _clock_said(self.started),
            "history_from": _iso_text(self.history_from),
            "fills_from": _iso_text(self.fills_from),
            "part": _part_said(self.part),
            "known": {
                "last_complete": _iso_dates(known.last_complete),
                "expected": sorted(known.expected),
                "closed": _iso_dates(known.closed),
                "history": {account: ", ".join(map(str, left)) for account, left in known.history.items()},
                "history_failed": sorted(known.history_failed),
                "overrides": [
                    [_iso_text(each.date), _iso_text(each.open), _iso_text(each.close)] for each in known.overrides
                ],
            },
        }


@dataclass(frozen=True)
class Ending:
    """How a run's reading ended."""

    finished: ClockReading
    trading_date: date

    def as_json(self) -> Json:
        """As it is written into the archive."""
        return {"finished": _clock_said(self.finished), "trading_date": self.trading_date.isoformat()}


def new_run_id(now: datetime, part: Planned | None = None) -> str:
    """An id that sorts by the broker's time; of a part, with what its plan's id has after that."""
    token = f"{part.token}-{secrets.token_hex(2)}" if part else secrets.token_hex(4)
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S}Z-{token}"


def run_context(
    settings: Settings,
    trigger: str,
    started: ClockReading,
    known: WarehouseState,
    history_from: date | None = None,
    fills_from: date | None = None,
    *,
    is_plan: bool = False,
    part: Planned | None = None,
) -> RunContext:
    """The context of a run that begins now."""
    return RunContext(
        run_id=new_run_id(started.now, part),
        trigger=trigger,
        code_version=code_version(),
        broker_host=settings.broker_host,
        is_loopback=settings.is_loopback,
        accounts=settings.accounts,
        started=started,
        known=replace(known, contracts={}),
        warehouse_bytes=_size_of(settings.warehouse) + _size_of(settings.warehouse.with_name("warehouse.duckdb.wal")),
        history_from=history_from,
        fills_from=fills_from,
        is_plan=is_plan,
        part=part,
        desk_accounts=tuple(account for desk in settings.desk_keys for account in desk.accounts),
        lists=max(len(settings.desk_keys) + (settings.api_key is not None), 1) if settings.desk_keys else 1,
    )


def run_context_from(said: Json) -> RunContext:
    """Those that an archive tells of. Raises KeyError, ValueError or TypeError where it can't be one."""
    overrides = (
        Override(date.fromisoformat(day), _moment(open_), _moment(close))
        for day, open_, close in said["known"]["overrides"]
    )
    known = said["known"]
    last = _days(known["last_complete"])
    # an archive of before says whose last day was whole last
    latest = [account for account, day in last.items() if day == max(last.values())]
    return RunContext(
        **said
        | {
            "accounts": tuple(said["accounts"]),
            "desk_accounts": tuple(said.get("desk_accounts", ())),
            "started": _clock(said["started"]),
            "known": WarehouseState(
                last_complete=last,
                expected=frozenset(known.get("expected", latest)),
                closed=_days(known.get("closed", {})),
                overrides=tuple(overrides),
                history={account: tuple(days_from(left)) for account, left in known.get("history", {}).items()},
                history_failed=frozenset(known.get("history_failed", ())),
            ),
            "history_from": _day(said.get("history_from")),
            "fills_from": _day(said.get("fills_from")),
            "part": _part(part) if (part := said.get("part")) else None,
        }
    )


def ending_from(said: Json) -> Ending:
    """The ending that an archive tells of. Raises as `run_context_from`."""
    return Ending(_clock(said["finished"]), date.fromisoformat(said["trading_date"]))


def _part_said(part: Planned | None) -> Json | None:
    if part is None:
        return None
    opened = {account: _iso_text(day) for account, day in part.opened.items()}
    return asdict(part) | {
        "trading_date": part.trading_date.isoformat(),
        "opened": opened,
        "unlisted": sorted(part.unlisted),
    }


def _part(said: Json) -> Planned:
    opened = {account: date.fromisoformat(day) if day else None for account, day in said["opened"].items()}
    day, unlisted = date.fromisoformat(said["trading_date"]), frozenset(said["unlisted"])
    return Planned(said["plan_id"], said["part"], day, opened, unlisted)


def _clock_said(clock: ClockReading) -> Json:
    said = {"now": clock.now.isoformat(), "source": clock.source, "skew_us": clock.skew // MICROSECOND}
    return said | ({"doubt": clock.doubt} if clock.doubt else {})


def _clock(said: Json) -> ClockReading:
    now, skew = datetime.fromisoformat(said["now"]), said["skew_us"] * MICROSECOND
    return ClockReading(now, said["source"], skew, said.get("doubt"))


def _iso_text(moment: date | None) -> str | None:
    return moment.isoformat() if moment else None


def _iso_dates(days: Mapping[str, date]) -> dict[str, str]:
    return {account: day.isoformat() for account, day in days.items()}


def _days(said: Mapping[str, str]) -> dict[str, date]:
    return {account: date.fromisoformat(day) for account, day in said.items()}


def _day(said: str | None) -> date | None:
    return date.fromisoformat(said) if said else None


def _moment(said: str | None) -> datetime | None:
    return datetime.fromisoformat(said) if said else None


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
