"""Books that are missing: a home that had some is never started afresh in silence.

A warehouse without a run is where a new home begins, and what is left where one was lost. What tells them apart are the
traces that books leave: sealed runs in the archive, a published copy, backups, a write-ahead log.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines.archive.places import place_of, runs_of
from pipelines.archive.read import Damaged, StoredRun
from pipelines.errors import BooksMissing, DaybookError, NotPublished
from pipelines.home import refuse_file_as_home
from pipelines.settings import Settings
from pipelines.warehouse.backup import latest_backup, read_backup
from pipelines.warehouse.connect import open_published, remembered
from pipelines.warehouse.restoring import finish_if_killed
from pipelines.warehouse.tables import exists

#: What a warehouse remembers from the beginning of a replay that adds runs to its end: the first day, or nothing.
REPLAYING = "replaying"
_RUNS = "select 1 from raw.extract_run where trigger <> 'trading' limit 1"


def refuse_fresh_start(settings: Settings) -> None:
    """Raises BooksMissing where there is no warehouse, or an empty file, and traces of books. A lake is looked at when
    it is open."""
    if settings.has_lake or _is_there(settings.warehouse):
        return
    if found := list(traces_of_books(settings)):
        raise BooksMissing(missing_sentence(settings, found))


def refuse_empty_books(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Raises BooksMissing where the open warehouse has no run though there are traces of books, but for those of a
    first run that ended before it was landed; and where a replay into it was not finished."""
    since = remembered(con, REPLAYING)
    if since is not None:
        again = f"`daybook replay{f' --from {since}' if since else ''}`"
        raise BooksMissing(
            f"A replay into {_name(settings)} was interrupted, so days may be missing: run it again ({again}) first."
        )
    if _has_runs(con):
        return
    begun = remembered(con, "schema_version") is not None  # by a run, before it asked for anything
    if found := list(traces_of_books(settings, first_run_too=not begun)):
        raise BooksMissing(missing_sentence(settings, found))


def require_warehouse(settings: Settings, otherwise: str) -> None:
    """For commands that work with what is there, and make no home: a restore that was killed is finished.

    Raises ConfigurationError where the home is no folder, BooksMissing where there is no warehouse and traces of books,
    and NotPublished with the sentence `otherwise` where there never were any. A lake says itself that it isn't there.
    """
    refuse_file_as_home(settings.home)
    finish_if_killed(settings.home)
    refuse_fresh_start(settings)
    if not settings.has_lake and not settings.warehouse.exists():
        raise NotPublished(otherwise)


def make_room(settings: Settings) -> None:
    """Puts what is left of a lost warehouse into quarantine: an empty file is none, and the log of the former must not
    be replayed into the next one. For whoever makes the books anew."""
    wal = settings.warehouse.with_name(settings.warehouse.name + ".wal")
    if _is_there(settings.warehouse):
        return
    left = [path for path in (settings.warehouse, wal) if path.is_file()]
    if left:
        aside = settings.home / "quarantine" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        aside.mkdir(parents=True, mode=0o700)
        for path in left:
            path.rename(aside / path.name)


def traces_of_books(settings: Settings, *, first_run_too: bool = True) -> Iterator[str]:
    """What tells that a home had books, in words. Without `first_run_too` a run in the archive that began with no day
    known is none: it may have been the first one, and have ended before it was landed."""
    sealed = [run for run in runs_of(settings) if _shows_books(run, first_run_too=first_run_too)]
    if sealed:
        yield f"the archive has {len(sealed)} {'run' if len(sealed) == 1 else 'runs'}"
    if _was_published(settings.published):
        yield "there is a published copy"
    if any(_has_books(folder) for folder in _backups(settings.backups)):
        yield "there are backups"
    wal = settings.warehouse.with_name(settings.warehouse.name + ".wal")
    if not _is_there(settings.warehouse) and wal.exists() and wal.stat().st_size:
        yield "its write-ahead log is left"


def missing_sentence(settings: Settings, found: list[str]) -> str:
    """The sentence about books that are missing, with what to do."""
    if settings.has_lake:
        return (
            f"{settings.books} has no run in it, and {' and '.join(found)} in {place_of(settings)} or {settings.home}: "
            "daybook does not start new books here. `daybook replay` lands that archive in the lake, "
            "`daybook lake import` moves the books of a home there; to start new books, set DAYBOOK_LAKE_DATA to a new "
            "place, and DAYBOOK_HOME to a new folder."
        )
    path = settings.warehouse
    state = "has no run in it" if _is_there(path) else "is empty" if path.exists() else "is gone"
    return (
        f"{path} {state}, and {' and '.join(found)}: daybook does not start new books here. "
        f"{how_to_get_back(settings, moved=True)} To start new books, set DAYBOOK_HOME to a new folder."
    )


def how_to_get_back(settings: Settings, *, moved: bool = False) -> str:
    """How to have the books again, from what there is."""
    if settings.has_lake:
        return "Run `daybook replay`, which lands the archive again."
    backup = latest_backup(settings.backups)
    parts = [f"Restore the newest backup: `daybook restore {backup} --force`, then `daybook replay`."] if backup else []
    aside = "" if moved else f"move {settings.warehouse} aside and "
    replay = "run `daybook replay`, which lands the archive again"
    if not runs_of(settings):
        replay = f"copy the archive back to {place_of(settings)} and {replay}"
    parts.append(f"{'Or' if backup else 'There is no backup:'} {aside}{replay}.")
    return " ".join(parts)


def _name(settings: Settings) -> str:
    return str(settings.books if settings.has_lake else settings.warehouse)


def _is_there(warehouse: Path) -> bool:
    return warehouse.exists() and (not warehouse.is_file() or warehouse.stat().st_size > 0)


def _has_runs(con: duckdb.DuckDBPyConnection) -> bool:
    return exists(con, "raw.extract_run") and con.execute(_RUNS).fetchone() is not None


def _shows_books(run: StoredRun, *, first_run_too: bool) -> bool:
    try:
        return run.is_sealed and (first_run_too or bool(run.began["known"]["last_complete"]))
    except Damaged:
        return True
    except (KeyError, ValueError, TypeError):
        return True  # of another daybook


def _was_published(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with open_published(path) as con:
            return _has_runs(con)
    except (DaybookError, duckdb.Error):
        return True  # somebody has it open, or it is damaged: a copy it is


def _backups(folder: Path) -> list[Path]:
    return [note.parent for note in folder.glob("*/backup.json") if not note.parent.name.startswith(".")]


def _has_books(backup: Path) -> bool:
    try:
        return read_backup(backup).tables.get("raw.extract_run", 0) > 0
    except DaybookError:
        return True
