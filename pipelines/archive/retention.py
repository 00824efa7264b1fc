"""Growth, and what may be done about it: the warehouse without its free blocks, the archive without its oldest runs.

Nothing here happens by itself.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipelines.archive.durable_files import fsync
from pipelines.archive.read import ArchivedRun, Damaged, archived_runs
from pipelines.errors import DaybookError, NotPublished, first_line
from pipelines.ingest.warehouse_state import landed_runs
from pipelines.progress import Tell
from pipelines.settings import Settings
from pipelines.warehouse.connect import PRUNED, open_warehouse, remember, remembered
from pipelines.warehouse.contents import Contents, contents, differences, literal
from pipelines.warehouse.lock import run_lock
from pipelines.warehouse.publish import check_space
from pipelines.warehouse.restoring import finish_if_killed

#: Growth is told over so many of the last evenings.
EVENINGS = 20


@dataclass(frozen=True)
class Growth:
    """How large things are, in bytes. The growth per evening is None where too few evenings are archived to tell."""

    archive: int
    runs: int
    archive_per_evening: int | None
    warehouse_per_evening: int | None


@dataclass(frozen=True)
class Compacted:
    """The warehouse file before and after, in bytes. Of a dry run `after` is what it would be, about."""

    before: int
    after: int
    done: bool


@dataclass
class Pruned:
    """Runs of the archive that were deleted, or would be; and those that are old enough and were kept, with why."""

    runs: list[str] = field(default_factory=list)
    bytes: int = 0
    kept: list[str] = field(default_factory=list)


def growth(settings: Settings) -> Growth:
    """The archive's size, and by how much it and the warehouse have grown per evening lately. Reads no page."""
    runs = archived_runs(settings.archive)
    recent = runs[-EVENINGS:]
    evenings: dict[date, int] = {}
    sizes: list[tuple[date, int]] = []
    for run in recent:
        try:
            if run.is_sealed:
                day = run.ended.trading_date
                evenings[day] = evenings.get(day, 0) + size_of(run.folder)
                sizes.append((day, run.began.warehouse_bytes))
        except (Damaged, KeyError, ValueError, TypeError):
            continue  # status tells sizes; `daybook verify` tells damage
    days = len({day for day, _ in sizes}) - 1
    grown = (sizes[-1][1] - sizes[0][1]) // days if days > 0 else None
    return Growth(
        archive=sum(size_of(run.folder) for run in runs),
        runs=len(runs),
        archive_per_evening=sum(evenings.values()) // len(evenings) if evenings else None,
        warehouse_per_evening=grown,
    )


def compact(settings: Settings, *, dry_run: bool = False, wait: float = 60.0, tell: Tell = lambda _: None) -> Compacted:
    """Write the warehouse anew without the blocks that nothing uses, prove that it is the same, and put it in place.

    Takes the run lock. Raises NotPublished where there is no warehouse, DaybookError, with the warehouse as it was,
    where it can't be done.
    """
    path = settings.warehouse
    finish_if_killed(settings.home)
    if not path.exists():
        raise NotPublished(f"There is no warehouse at {path}: nothing to compact.")
    draft = path.with_name(f"{path.name}.compacting")
    with run_lock(settings.run_lock, wait=wait, on_wait=tell):
        _remove(draft)
        try:
            with open_warehouse(path, wait=wait, on_wait=tell) as con:
                before, free = _blocks(con)
                if dry_run:
                    return Compacted(before, before - free, done=False)
                check_space(path, path.parent)
                expected = _rewrite(con, draft, tell)
            _check_same(draft, expected, tell)
            _swap(draft, path)
        except (OSError, duckdb.Error) as error:
            raise DaybookError(f"The warehouse was not compacted ({first_line(error)}); it is as it was.") from error
        finally:
            _remove(draft)
    return Compacted(before, path.stat().st_size, done=True)


def prune(settings: Settings, con: duckdb.DuckDBPyConnection, before: date, *, dry_run: bool = False) -> Pruned:
    """Delete the archived runs of trading days before `before` that are landed and as they were written.

    The caller holds the run lock; `con` is the open warehouse. A run that isn't in the books is kept: its pages are all
    that there is of it. Raises OSError where the disk refuses.
    """
    landed = landed_runs(con)
    pruned = Pruned()
    for run in archived_runs(settings.archive):
        why = _why_kept(run, before, landed)
        if why == "":
            pruned.runs.append(run.run_id)
            pruned.bytes += size_of(run.folder)
            if not dry_run:
                _remember_pruned(con, run.ended.trading_date)  # first: whoever misses the run is told why
                _delete(run.folder)
        elif why is not None:
            pruned.kept.append(f"Run {run.run_id} is kept: {why}.")
    return pruned


def size_of(folder: Path) -> int:
    """The bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _why_kept(run: ArchivedRun, before: date, landed: set[str]) -> str | None:
    """Empty for a run to delete, None for one that is too young, else why it stays all the same."""
    try:
        if not run.is_sealed:
            old = run.run_id < f"{before:%Y%m%d}"  # ids begin with the day
            return "its reading never ended, so nothing of it is in the books" if old else None
        if run.ended.trading_date >= before:
            return None
    except Damaged as damage:
        return str(damage).rstrip(".")
    return "" if run.run_id in landed else "it is not in the books (`daybook replay` lands it)"


def _remember_pruned(con: duckdb.DuckDBPyConnection, day: date) -> None:
    if (before := (day + timedelta(days=1)).isoformat()) > (remembered(con, PRUNED) or ""):
        remember(con, PRUNED, before)


def _delete(folder: Path) -> None:
    """First out of sight, then away: a run half deleted would look damaged."""
    going = folder.with_name(f".{folder.name}.pruned")
    folder.rename(going)
    shutil.rmtree(going)
    fsync(folder.parent)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _blocks(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """The file's size and how much of it nothing uses."""
    con.execute("checkpoint")
    row: Any = con.execute("select block_size, total_blocks, free_blocks from pragma_database_size()").fetchone()
    return row[0] * row[1], row[0] * row[2]


def _rewrite(con: duckdb.DuckDBPyConnection, draft: Path, tell: Tell) -> Contents:
    """Writes the copy; what the original holds."""
    tell("writing the warehouse anew")
    name = str((con.execute("select current_database()").fetchone() or ("",))[0])
    con.execute(f"attach {literal(draft)} as compacted")
    con.execute(f'copy from database "{name}" to compacted')
    con.execute("detach compacted")
    tell("reading the original")
    return contents(con)


def _check_same(draft: Path, expected: Contents, tell: Tell) -> None:
    tell("reading what was written")
    with duckdb.connect(draft, read_only=True) as con:
        wrong = differences(expected, contents(con))
    if wrong:
        raise OSError(f"the copy differs in {', '.join(wrong[:3])}")


def _swap(draft: Path, path: Path) -> None:
    draft.chmod(0o600)
    fsync(draft)
    draft.replace(path)
    fsync(path.parent)


def _remove(draft: Path) -> None:
    for left in (draft, draft.with_name(f"{draft.name}.wal")):
        left.unlink(missing_ok=True)
