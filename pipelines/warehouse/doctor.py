"""The doctor: looks at everything that can be wrong with a home, and says of each what it means and what to do.

It changes two things only, and moves rather than deletes: a write-ahead log that DuckDB can't replay is put into
quarantine, where the warehouse opens without it; and a restore that was killed is finished. The warehouse is tried in a
process of its own, because a damaged file may take down the process that reads it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb

from pipelines.archive.files import fsync, refuse_special
from pipelines.archive.places import place_of, runs_of
from pipelines.archive.read import Damaged
from pipelines.errors import DaybookError, LockedOut, first_line
from pipelines.settings import Settings
from pipelines.warehouse.backup import latest_backup
from pipelines.warehouse.connect import PRUNED, SCHEMA_VERSION, open_published
from pipelines.warehouse.lock import read_holder, run_lock
from pipelines.warehouse.missing_books import REPLAYING, how_to_get_back, traces_of_books
from pipelines.warehouse.pending_packages import count_entries, packages_waiting
from pipelines.warehouse.restoring import finish_swap, unfinished

Level = Literal["OK", "NOTE", "WARN", "FAIL"]

#: Free space that a run may need: the published copy and its draft, beside the warehouse's own growth.
SPACE = 2.5
LEAST_SPACE = 256 * 2**20

#: Opens a file and reads all of it; says on one line of JSON what it found.
_PROBE = """
import json, sys, duckdb
from pipelines.warehouse.contents import contents, row_counts
def rows(con, query):
    try:
        return con.execute(query).fetchall()
    except duckdb.CatalogException:
        return []
try:
    with duckdb.connect(sys.argv[1], read_only=True) as con:
        print(json.dumps({
            "rows": sum(row_counts(contents(con)).values()),
            "runs": [row[0] for row in rows(con, "select run_id from raw.extract_run")],
            "paged": rows(con, sys.argv[2]),
            "meta": dict(rows(con, "select key, value from main.daybook_meta")),
        }))
except duckdb.Error as error:
    print(json.dumps({"error": str(error).splitlines()[0]}))
"""
#: The runs of the books that were read from pages of the archive, and their days.
_PAGED = """
    select distinct manifest.run_id, cast(run.trading_date as varchar)
    from raw.extract_manifest as manifest
    inner join raw.extract_run as run on manifest.run_id = run.run_id
    where manifest.archive_files <> '[]' and run.trigger <> 'trading'
    order by all
"""


@dataclass(frozen=True)
class Diagnosis:
    """A finding, and what to do about it. FAIL keeps daybook from working, WARN will, NOTE needs nothing."""

    level: Level
    what: str
    advice: str = ""


def examine(settings: Settings, *, dry_run: bool = False) -> list[Diagnosis]:
    """Every diagnosis of a home. With `dry_run` nothing is moved. Raises nothing that a damaged home can cause."""
    if settings.home.exists() and not settings.home.is_dir():
        return [Diagnosis("FAIL", f"{settings.home} is not a folder.", "Set DAYBOOK_HOME to a folder.")]
    if not settings.home.is_dir():
        return [Diagnosis("NOTE", f"There is nothing at {settings.home} yet.", "Run `daybook sync` or `daybook demo`.")]
    found = [*_space(settings), *_modes(settings), *_lock_note(settings.run_lock)]
    try:
        with run_lock(settings.run_lock, wait=0, command="daybook doctor"):
            if dry_run and unfinished(settings.home):
                what = "A restore was killed in the middle: the books are looked at when it is finished."
                return [*found, Diagnosis("FAIL", what, "The next command does that, also this one without --dry-run.")]
            if done := finish_swap(settings.home):
                found.append(Diagnosis("NOTE", done))
            found += [*_warehouse(settings, dry_run=dry_run), *_running_runs(settings.dagster)]
    except LockedOut as error:
        advice = "The warehouse is examined only while no run is using it: try again later."
        found.append(Diagnosis("NOTE", f"{error}", advice))
    except DaybookError as error:
        return [*found, Diagnosis("FAIL", str(error), f"Make {settings.home} writable for you.")]
    return [*found, *_packages(settings), *_backups(settings), *_dagster(settings.dagster)]


def _space(settings: Settings) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(settings.home).free
    size = settings.warehouse.stat().st_size if settings.warehouse.exists() else 0
    need = max(int(size * SPACE), LEAST_SPACE)
    if free < need:
        yield Diagnosis(
            "FAIL" if free < size else "WARN",
            f"The disk of {settings.home} has {free // 2**20} MiB free; an evening may need {need // 2**20} MiB.",
            "Free some space; `daybook compact --dry-run` and `daybook prune --help` say what daybook can give back.",
        )


def _shared(settings: Settings, path: Path) -> int:
    """The bits that DAYBOOK_PUBLISH_GROUP gives to its group; none of a path that is another group's."""
    bits = {settings.home: 0o010, settings.published: 0o040}.get(path, 0)
    if bits and settings.publish_group:
        with suppress(KeyError):
            return bits if path.group() == settings.publish_group else 0
    return 0


def _modes(settings: Settings) -> Iterator[Diagnosis]:
    paths = (settings.home, settings.archive, settings.backups, settings.warehouse, settings.published)
    wide = [path for path in paths if path.exists() and path.stat().st_mode & 0o077 & ~_shared(settings, path)]
    if wide:
        names = ", ".join(str(path) for path in wide)
        yield Diagnosis("WARN", f"Others on this machine may read {names}.", f"chmod go= {names}")


def _lock_note(lock: Path) -> Iterator[Diagnosis]:
    try:
        note = read_holder(lock)
        os.kill(int(note["pid"]), 0)
    except ProcessLookupError:
        yield Diagnosis(
            "NOTE",
            f"Process {note['pid']} ({note['command']}, since {note['since']}) was killed in the middle of its work.",
            "Its lock ended with it; the next run finishes what it left.",
        )
    except (OSError, ValueError, KeyError, TypeError):
        return


def _warehouse(settings: Settings, *, dry_run: bool) -> Iterator[Diagnosis]:
    if settings.has_lake:
        yield from _lake(settings)
        return
    path, wal = settings.warehouse, _wal(settings.warehouse)
    sealed = list(_sealed_runs(settings))
    yield from (each for each in sealed if isinstance(each, Diagnosis))
    runs = [each for each in sealed if isinstance(each, str)]
    if not path.exists():
        if found := list(traces_of_books(settings)):
            what = f"{path} is gone, and {' and '.join(found)}."
            yield Diagnosis("FAIL", what, how_to_get_back(settings, moved=True))
        return
    try:
        refuse_special(path)
    except OSError as error:
        yield Diagnosis("FAIL", f"{path}: {error.strerror}.", f"Take it away. {how_to_get_back(settings, moved=True)}")
        return
    said = _probe(path)
    if "error" in said and wal.exists() and _is_damage(said["error"]) and "error" not in _probe_alone(path):
        yield _quarantine(settings, said["error"], dry_run=dry_run)
        if dry_run:
            return
        said = _probe(path)
    if "error" in said:
        yield _explain(settings, said["error"])
        return
    yield from _contents(settings, said, runs)
    yield from _published(settings, said["runs"])


def _lake(settings: Settings) -> Iterator[Diagnosis]:
    """Whether a lake can be read, and has what was archived. `daybook verify` reads all of its rows."""
    try:
        sealed = list(_sealed_runs(settings))
        with open_published(settings.books) as con:
            said = {
                "runs": [run for (run,) in _rows(con, "select run_id from raw.extract_run")],
                "paged": _rows(con, _PAGED),
                "meta": dict(_rows(con, "select key, value from main.daybook_meta")),
            }
    except (DaybookError, duckdb.Error) as error:
        sentence = str(error) if isinstance(error, DaybookError) else f"{settings.books}: {first_line(error)}."
        yield Diagnosis("FAIL", sentence, "Nothing is lost by it: its catalog and its files are where they were.")
        return
    yield from (each for each in sealed if isinstance(each, Diagnosis))
    yield Diagnosis("OK", f"{settings.books} opens, and has {len(said['runs']):,} runs.")
    yield from _state(settings, said, [each for each in sealed if isinstance(each, str)])


def _rows(con: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    try:
        return con.execute(query).fetchall()
    except duckdb.CatalogException:  # nothing has been landed yet
        return []


def _contents(settings: Settings, said: dict[str, Any], runs: list[str]) -> Iterator[Diagnosis]:
    yield Diagnosis("OK", f"The warehouse opens, and all of its {said['rows']:,} rows can be read.")
    yield from _state(settings, said, runs)


def _state(settings: Settings, said: dict[str, Any], runs: list[str]) -> Iterator[Diagnosis]:
    if int(said["meta"].get("schema_version", 1)) > SCHEMA_VERSION:
        yield Diagnosis("FAIL", "The warehouse was written by a newer daybook.", "Update this one before you use it.")
    if REPLAYING in said["meta"]:
        yield Diagnosis("FAIL", "A replay was interrupted, so days may be missing.", "Run `daybook replay` again.")
    elif not said["runs"] and (
        found := list(traces_of_books(settings, first_run_too="schema_version" not in said["meta"]))
    ):
        what = f"The warehouse has no run in it, and {' and '.join(found)}."
        yield Diagnosis("FAIL", what, how_to_get_back(settings))
        return
    yield from _pages(settings, said)
    lost = sorted(set(runs) - set(said["runs"]))
    if lost:
        waits = packages_waiting(settings.dlt)
        advice = (
            "`daybook replay` lands them." if not waits else "The next sync loads them; else `daybook replay` does."
        )
        yield Diagnosis("WARN", f"{len(lost)} archived runs are not in the books (first {lost[0]}).", advice)


def _pages(settings: Settings, said: dict[str, Any]) -> Iterator[Diagnosis]:
    """Runs of the books whose pages the archive should have: not those that were pruned."""
    pruned = said["meta"].get(PRUNED, "")
    there = {run.run_id for run in runs_of(settings)}
    gone = [run for run, day in said["paged"] if run not in there and day >= pruned]
    if gone:
        yield Diagnosis(
            "WARN",
            f"{len(gone)} runs of the books are not in {place_of(settings)} (first {gone[0]}): they can't be replayed.",
            "Copy their folders back from a backup made --with-archive, or from where the archive was before.",
        )


def _sealed_runs(settings: Settings) -> Iterator[str | Diagnosis]:
    """The ids of the runs whose reading ended, and a diagnosis of each that can't be told."""
    for run in runs_of(settings):
        try:
            if run.is_sealed:
                yield run.run_id
        except Damaged as damage:
            yield Diagnosis("WARN", str(damage), "Restore that folder from a backup made --with-archive.")


def _is_damage(error: str) -> bool:
    return "Could not set lock" not in error and "we can only read versions between" not in error


def _explain(settings: Settings, error: str) -> Diagnosis:
    path = settings.warehouse
    if "Could not set lock" in error:
        return Diagnosis("FAIL", f"Another program has {path} open ({error}).", "Close it there.")
    if "we can only read versions between" in error:
        return Diagnosis(
            "FAIL",
            f"{path} was written by a newer DuckDB than this one ({duckdb.__version__}).",
            f"Use the daybook that wrote it. {how_to_get_back(settings)}",
        )
    what = f"{path} is damaged ({error})." if path.stat().st_size else f"{path} is empty: it has lost its contents."
    return Diagnosis("FAIL", what, how_to_get_back(settings))


def _quarantine(settings: Settings, error: str, *, dry_run: bool) -> Diagnosis:
    """Moves the log aside. What it held is not lost to the books: the archive still has every page."""
    wal = _wal(settings.warehouse)
    what = f"{wal} can't be replayed ({error}); without it the warehouse opens."
    if dry_run:
        return Diagnosis("FAIL", what, "`daybook doctor` without --dry-run moves it into quarantine.")
    target = settings.home / "quarantine" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f") / wal.name
    try:
        target.parent.mkdir(parents=True, mode=0o700)
        wal.rename(target)
        fsync(settings.home)
    except OSError as problem:
        return Diagnosis("FAIL", f"{what} It can't be moved to {target} ({problem.strerror}).", f"Move {wal} yourself.")
    return Diagnosis(
        "WARN",
        f"{what} It was moved to {target}.",
        "What was committed since the last checkpoint is not in the books now: `daybook replay` lands it again.",
    )


def _probe(path: Path) -> dict[str, Any]:
    """What a process of its own finds in a DuckDB file; under "error" why it can't be read."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE, str(path), _PAGED],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        reason = done.stderr.strip().splitlines()
        return {"error": reason[-1] if reason else f"reading it ended the process with {done.returncode}"}
    return said


def _probe_alone(path: Path) -> dict[str, Any]:
    """As `_probe`, of a copy without the write-ahead log, so that neither file is touched."""
    alone = path.with_name(f".{path.name}.{os.getpid()}.alone")
    try:
        try:
            alone.hardlink_to(path)
        except OSError:  # a file system without hard links
            shutil.copyfile(path, alone)
        return _probe(alone)
    except OSError as error:
        return {"error": str(error)}
    finally:
        alone.unlink(missing_ok=True)


def _wal(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _published(settings: Settings, landed: list[str]) -> Iterator[Diagnosis]:
    if not landed:
        return
    advice = "Run `daybook build`, which publishes."
    try:
        with open_published(settings.books) as con:
            row = con.execute("select max(run_id) from raw.extract_run").fetchone()
    except DaybookError as error:
        yield Diagnosis("WARN", str(error), advice)
        return
    except duckdb.Error as error:
        yield Diagnosis("WARN", f"The published books can't be read ({first_line(error)}).", advice)
        return
    if row is None or row[0] is None or row[0] < max(landed):
        yield Diagnosis(
            "WARN", f"The published books are older than the warehouse: they lack run {max(landed)}.", advice
        )


def _packages(settings: Settings) -> Iterator[Diagnosis]:
    if pending := packages_waiting(settings.dlt):
        yield Diagnosis("NOTE", f"{pending} packages are read and not loaded yet.", "The next sync loads them first.")
    if aside := count_entries(settings.home / "quarantine"):
        yield Diagnosis(
            "WARN",
            f"{settings.home / 'quarantine'} holds {aside} things that could not be used.",
            "`daybook replay` lands their runs again from the archive; then the folder may go.",
        )


def _backups(settings: Settings) -> Iterator[Diagnosis]:
    if settings.warehouse.exists() and latest_backup(settings.backups) is None:
        yield Diagnosis("NOTE", "There is no backup.", "`daybook backup` makes one; keep a copy on another machine.")


def _dagster(folder: Path) -> Iterator[Diagnosis]:
    """Slots of Dagster's pools that a run has not given back, though it has ended."""
    held = _ids(folder / "history" / "runs" / "index.db", "select run_id from concurrency_slots where run_id <> ''")
    for run in sorted(held - _going(folder)):
        yield Diagnosis(
            "WARN",
            f"Run {run} of Dagster has ended and still holds a slot, so no other may write.",
            "`daybook serve` frees it within a minute; or free it in the UI: Deployment, Concurrency.",
        )


def _running_runs(folder: Path) -> Iterator[Diagnosis]:
    """Runs that Dagster calls running. It is asked while we hold the run lock, so none of them is at work."""
    for run in sorted(_going(folder)):
        yield Diagnosis(
            "WARN",
            f"Dagster says that run {run} is running, but no process is using the books: it is just starting, or it "
            "was killed, and then no other run can start.",
            "If it was killed, start `daybook serve` again, or end it in the UI (Runs, Terminate, force); else "
            "Dagster does it after max_runtime_seconds. `daybook eod` on the command line waits for neither.",
        )


def _going(folder: Path) -> set[str]:
    query = "select run_id from runs where status in ('STARTED', 'STARTING')"
    return _ids(folder / "history" / "runs.db", query)


def _ids(database: Path, query: str) -> set[str]:
    """The answer of one of Dagster's databases, which is not written to; nothing where there is none."""
    if not database.exists():
        return set()
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as con:
            return {run for (run,) in con.execute(query)}
    except sqlite3.Error:
        return set()  # another version's tables: its own UI tells
