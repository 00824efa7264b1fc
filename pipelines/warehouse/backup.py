"""Backups of a home: made while nobody writes, proven by opening and recounting, restored beside what was there.

A backup is a folder, `backups/<time>/`, that appears whole or not at all: the warehouse as a DuckDB file, what dlt has
not loaded yet, adjustments.csv, the journal of trading, on request the archive, and backup.json with the hash
of every file and the number of
rows of every table.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from pipelines.archive.files import fsync, read_file, write_whole
from pipelines.errors import ConfigurationError, DaybookError
from pipelines.progress import Activity, OnProgress, ignore_progress
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_warehouse, remembered
from pipelines.warehouse.contents import contents, differences, row_counts
from pipelines.warehouse.lock import journal_lock, run_lock
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, copy_at_rest, publish
from pipelines.warehouse.restoring import (
    DRAFT,
    JOURNAL,
    PUBLISHED,
    SWAPPED,
    Swap,
    finish_and_log,
    names_in,
    remove,
    swap,
)

NOTE = "backup.json"
#: Whose backup it is, for whoever deletes older ones; beside the note, in which an older daybook knows no more words.
HOME = "home"
WAREHOUSE = "warehouse.duckdb"
#: What a home is, besides its archive.
KEPT = (WAREHOUSE, "adjustments.csv", "dlt", "trading")

#: What to do about books in a lake instead.
NO_FILE = (
    "{lake} has no file to copy: its former snapshots are kept (`daybook sql --at-version N`), pg_dump copies its "
    "catalog, `daybook lake export` makes a home of it that can be backed up."
)
OF_FILES = (
    "A backup is of files, and DAYBOOK_LAKE is set: restore it with DAYBOOK_LAKE unset, then bring that home into "
    "{lake} with `daybook lake import`."
)


@dataclass(frozen=True)
class Backup:
    """What backup.json says: each table's rows, each file's SHA-256, and where the `archive` was, if not in it."""

    made_at: str
    broker_host: str
    duckdb: str
    tables: dict[str, int]
    files: dict[str, str]
    archive: str | None


def make_backup(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    *,
    to: Path | None = None,
    with_archive: bool = False,
    label: str = "",
    on_progress: OnProgress = ignore_progress,
) -> Path:
    """Back up the home whose open warehouse is `con`; the new folder, named by the time and `label`, in the home's own
    or in `to`. The caller holds the run lock.

    Raises DaybookError, with nothing left behind, where it can't be made or is not, read again, what was copied.
    """
    _refuse_lake(settings, NO_FILE)
    now, backups = datetime.now(UTC), settings.backups if to is None else to.expanduser().absolute()
    folder = backups / "-".join(filter(None, [f"{now:%Y%m%dT%H%M%S}Z", label]))
    draft = backups / f".{folder.name}.making"
    try:
        backups.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in backups.glob(".*.making"):  # a killed backup's; we hold the lock
            remove(left)
        if folder.exists():
            raise DaybookError(f"{folder} is there already: two backups were asked for in one second; try again.")
        _fill(con, settings, draft, with_archive=with_archive, on_progress=on_progress)
        tables = _proven_equal(con, draft / WAREHOUSE, on_progress)
        archive = None if with_archive else str(settings.archive)
        host = remembered(con, "broker_host") or settings.broker_host
        backup = Backup(now.isoformat(), host, duckdb.__version__, tables, _hashes(draft), archive)
        write_whole(draft / HOME, os.fsencode(settings.home), durable=True)
        write_whole(draft / NOTE, orjson.dumps(asdict(backup), option=orjson.OPT_INDENT_2), durable=True)
        draft.rename(folder)
        fsync(backups)
    except (OSError, duckdb.Error, subprocess.CalledProcessError) as error:
        raise DaybookError(f"No backup was made ({_reason(error)}): free the space or check the disk.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def read_backup(folder: Path) -> Backup:
    """What a backup says of itself. Raises ConfigurationError where the folder is none, DaybookError where it
    is damaged."""
    try:
        said = orjson.loads(read_file(folder / NOTE))
        backup = Backup(**said)
    except OSError as error:
        raise ConfigurationError(f"{folder} is not a backup: it has no {NOTE} ({error.strerror}).") from error
    except (ValueError, TypeError) as error:
        raise DaybookError(f"{folder / NOTE} is damaged: use another backup.") from error
    return backup


def verify_backup(folder: Path, on_progress: OnProgress = ignore_progress) -> Backup:
    """Read a backup to the last byte, and count the rows of every table. Raises DaybookError for the first
    thing wrong."""
    backup = read_backup(folder)
    for name, digest in backup.files.items():
        on_progress(Activity(f"reading {name}"))
        if not (folder / name).is_file():
            raise DaybookError(f"{folder / name} is gone: use another backup.")
        if _digest(folder / name) != digest:
            raise DaybookError(f"{folder / name} is damaged: it is not what was backed up; use another backup.")
    on_progress(Activity("counting"))
    found = row_counts(_contents_of(folder / WAREHOUSE))
    wrong = sorted(name for name in found.keys() | backup.tables.keys() if found.get(name) != backup.tables.get(name))
    if wrong:
        raise DaybookError(f"{folder / WAREHOUSE} has not the rows that were backed up in {', '.join(wrong[:3])}.")
    return backup


def restore(
    folder: Path,
    settings: Settings,
    *,
    force: bool = False,
    wait: float = 60.0,
    on_progress: OnProgress = ignore_progress,
) -> tuple[Backup, Path | None]:
    """Put a backup in the place of the home, proven first, and publish it; the backup, and where the former files are.

    Raises ConfigurationError where the home has books and `force` is not given. With it they are moved aside, never
    deleted; the published copy stays until the restored one takes its place. Killed anywhere, it is finished or undone
    by the next command. Raises DaybookError for a backup that is damaged, LockedOut while a run or a trade goes on.
    """
    _refuse_lake(settings, OF_FILES)
    backup = verify_backup(folder, on_progress)
    settings.prepare_home()
    with run_lock(settings.run_lock, wait=wait, on_progress=on_progress), _nobody_trades(settings, wait):
        finish_and_log(settings.home)
        names = [name for name in SWAPPED if name != "archive" or backup.archive is None]
        there = names_in(settings.home, [*names, PUBLISHED])
        if there and not force:
            raise ConfigurationError(
                f"{settings.home} has books already ({', '.join(there)}): set DAYBOOK_HOME to a new folder, or give "
                "--force, which moves them aside."
            )
        try:
            draft = _draft(folder, settings, list(backup.files), on_progress)
            aside = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
            moved = [name for name in there if name != PUBLISHED]
            planned = Swap(str(folder), aside, moved, names_in(draft, names), published=PUBLISHED in there)
            on_progress(Activity("putting it in place"))
            kept = swap(settings.home, planned)
        except (OSError, duckdb.Error) as error:
            raise DaybookError(f"{folder} could not be restored ({_reason(error)}).") from error
        finally:
            if not (settings.home / JOURNAL).exists():
                with suppress(OSError):
                    remove(settings.home / DRAFT)
    return backup, kept if there else None


def _refuse_lake(settings: Settings, sentence: str) -> None:
    if settings.has_lake:
        raise ConfigurationError(sentence.format(lake=settings.books))


@contextmanager
def _nobody_trades(settings: Settings, wait: float) -> Iterator[None]:
    """Holds the journal of trading, where there is one: it is about to be moved."""
    folder = settings.home / "trading"
    with journal_lock(folder, wait=wait) if folder.is_dir() else nullcontext():
        yield


def _draft(folder: Path, settings: Settings, files: list[str], on_progress: OnProgress) -> Path:
    """A backup copied beside the books and published there: what is left to do after it are renames."""
    draft = settings.home / DRAFT
    on_progress(Activity("copying"))
    remove(draft)
    _copy_tree(folder, draft, files)
    on_progress(Activity("publishing"))
    with open_warehouse(draft / WAREHOUSE) as con:
        publish(con, draft / PUBLISHED, PUBLISHED_SCHEMAS, settings.publish_group)
        con.execute("checkpoint")
    fsync(draft / WAREHOUSE)
    fsync(draft)
    return draft


def latest_backup(backups: Path) -> Path | None:
    """The newest backup of a folder of them."""
    return max((note.parent for note in backups.glob(f"*/{NOTE}") if note.parent.name[0] != "."), default=None)


def _fill(
    con: duckdb.DuckDBPyConnection, settings: Settings, draft: Path, *, with_archive: bool, on_progress: OnProgress
) -> None:
    draft.mkdir(parents=True, mode=0o700)
    on_progress(Activity("copying the warehouse"))
    copy_at_rest(con, draft / WAREHOUSE)
    names = [*KEPT[1:], *(["archive"] if with_archive else [])]
    paths = [path for name in names for path in _files(settings.home / name)]
    _copy_tree(settings.home, draft, [str(path.relative_to(settings.home)) for path in paths])


def _proven_equal(con: duckdb.DuckDBPyConnection, copy: Path, on_progress: OnProgress) -> dict[str, int]:
    """The rows of every table, once the copy has been read whole and is the same as the warehouse."""
    on_progress(Activity("reading the copy"))
    found = _contents_of(copy)
    wrong = differences(contents(con), found)
    if wrong:
        raise DaybookError(f"No backup was made: the copy differs from the warehouse in {', '.join(wrong[:3])}.")
    return row_counts(found)


def _contents_of(path: Path) -> dict[str, tuple[int, str]]:
    try:
        with duckdb.connect(path, read_only=True) as con:
            return contents(con)
    except duckdb.Error as error:
        raise DaybookError(f"{path} can't be read ({_reason(error)}).") from error


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    yield from sorted(each for each in path.rglob("*") if each.is_file() and not each.is_symlink())


def _hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): _digest(path) for path in _files(folder)}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_tree(source: Path, target: Path, names: list[str]) -> None:
    """Copies files, durably, with the folders that they lie in."""
    folders = set()
    for name in names:
        if not (copy := target / name).resolve().is_relative_to(target.resolve()):
            raise DaybookError(f"{source / NOTE} names a file outside of the backup: it is not one of ours.")
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(source / name, copy)
        copy.chmod(0o600)
        fsync(copy)
        folders.add(copy.parent)
    for folder in folders:
        fsync(folder)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said: Any = getattr(error, "stderr", None) or str(error)
    return str(said).strip().splitlines()[-1] if str(said).strip() else type(error).__name__
