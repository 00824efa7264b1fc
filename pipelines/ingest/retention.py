"""How much the archive grows, and the deletion of its oldest runs, when somebody asks for it and never otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import duckdb

from pipelines.archive.places import runs_of
from pipelines.archive.read import Damaged, StoredRun
from pipelines.ingest.warehouse_state import landed_runs
from pipelines.settings import Settings
from pipelines.warehouse.connect import PRUNED, remember, remembered

#: Growth is told over so many of the last evenings.
EVENINGS = 20


@dataclass(frozen=True)
class Growth:
    """How large things are, in bytes. The growth per evening is None where too few evenings are archived to tell."""

    archive: int
    runs: int
    archive_per_evening: int | None
    warehouse_per_evening: int | None


@dataclass
class Pruned:
    """Runs of the archive that were deleted, or would be; and those that are old enough and were kept, with why."""

    runs: list[str] = field(default_factory=list)
    bytes: int = 0
    kept: list[str] = field(default_factory=list)


def growth(settings: Settings) -> Growth:
    """The archive's size, and by how much it and the warehouse have grown per evening lately. Reads no page."""
    runs = runs_of(settings)
    recent = runs[-EVENINGS:]
    evenings: dict[date, int] = {}
    sizes: list[tuple[date, int]] = []
    for run in recent:
        try:
            if run.is_sealed:
                day = run.trading_date
                evenings[day] = evenings.get(day, 0) + run.size
                sizes.append((day, run.began["warehouse_bytes"]))
        except (Damaged, KeyError, ValueError, TypeError):
            continue  # status tells sizes; `daybook verify` tells damage
    days = len({day for day, _ in sizes}) - 1
    grown = (sizes[-1][1] - sizes[0][1]) // days if days > 0 and not settings.has_lake else None
    return Growth(
        archive=sum(run.size for run in runs),
        runs=len(runs),
        archive_per_evening=sum(evenings.values()) // len(evenings) if evenings else None,
        warehouse_per_evening=grown,
    )


def prune(settings: Settings, con: duckdb.DuckDBPyConnection, before: date, *, dry_run: bool = False) -> Pruned:
    """Delete the archived runs of trading days before `before` that are landed and as they were written.

    The caller holds the run lock; `con` is the open warehouse. A run that isn't in the books is kept: its pages are all
    that there is of it. Raises OSError where the disk refuses.
    """
    landed = landed_runs(con)
    pruned = Pruned()
    for run in runs_of(settings):
        why = _why_kept(run, before, landed)
        if why == "":
            pruned.runs.append(run.run_id)
            pruned.bytes += run.size
            if not dry_run:
                _remember_pruned(con, run.trading_date)  # first: whoever misses the run is told why
                run.delete()
        elif why is not None:
            pruned.kept.append(f"Run {run.run_id} is kept: {why}.")
    return pruned


def _why_kept(run: StoredRun, before: date, landed: set[str]) -> str | None:
    """Why a run is not deleted; empty where it is, None where it is too young."""
    try:
        if not run.is_sealed:
            old = run.run_id < f"{before:%Y%m%d}"  # ids begin with the day
            return "its reading never ended, so nothing of it is in the books" if old else None
        if run.trading_date >= before:
            return None
    except Damaged as damage:
        return str(damage).rstrip(".")
    return "" if run.run_id in landed else "it is not in the books (`daybook replay` lands it)"


def _remember_pruned(con: duckdb.DuckDBPyConnection, day: date) -> None:
    if (before := (day + timedelta(days=1)).isoformat()) > (remembered(con, PRUNED) or ""):
        remember(con, PRUNED, before)
