"""A run's circumstances: everything, besides the broker's replies, that decides what a run makes of them.

They stand in the archive beside the replies, so that a replay starts from the same point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import TypeAdapter

from pipelines.broker.read import ClockReading
from pipelines.known import Known
from pipelines.settings import Settings


@dataclass(frozen=True)
class Circumstances:
    """How a run began. `accounts` is DAYBOOK_ACCOUNTS; `known` what the warehouse knew, without the option contracts,
    which grow without end: what was asked for shows which were not known. `warehouse_bytes` is the file's size then."""

    run_id: str
    trigger: str
    code_version: str
    broker_host: str
    is_loopback: bool
    accounts: tuple[str, ...]
    started: ClockReading
    known: Known
    warehouse_bytes: int

    def as_json(self) -> dict[str, Any]:
        """As it is written into the archive."""
        found: dict[str, Any] = _CIRCUMSTANCES.dump_python(self, mode="json")
        return found


@dataclass(frozen=True)
class Ending:
    """How a run's reading ended."""

    finished: ClockReading
    trading_date: date

    def as_json(self) -> dict[str, Any]:
        """As it is written into the archive."""
        found: dict[str, Any] = _ENDING.dump_python(self, mode="json")
        return found


_CIRCUMSTANCES = TypeAdapter(Circumstances)
_ENDING = TypeAdapter(Ending)


def circumstances(settings: Settings, run_id: str, trigger: str, started: ClockReading, known: Known) -> Circumstances:
    """The circumstances of a run that begins now."""
    return Circumstances(
        run_id=run_id,
        trigger=trigger,
        code_version=_code_version(),
        broker_host=settings.broker_host,
        is_loopback=settings.is_loopback,
        accounts=settings.accounts,
        started=started,
        known=replace(known, contracts=frozenset()),
        warehouse_bytes=settings.warehouse.stat().st_size if settings.warehouse.exists() else 0,
    )


def circumstances_from(said: dict[str, Any]) -> Circumstances:
    """Those that an archive tells of. Raises ValueError where it can't be one."""
    return _CIRCUMSTANCES.validate_python(said)


def ending_from(said: dict[str, Any]) -> Ending:
    """The ending that an archive tells of. Raises ValueError where it can't be one."""
    return _ENDING.validate_python(said)


def _code_version() -> str:
    try:
        return version("daybook")
    except PackageNotFoundError:
        return "unknown"
