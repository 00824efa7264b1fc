"""The books of a home moved into a lake, and back: everything that can't be made again, counted and compared.

What is moved stays where it was. The archive goes first, run by run, then what people wrote, then the tables in one
transaction: whatever is killed leaves the lake without books, and the same command goes on from there. A home that is
made appears whole, or not at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.archive.bucket import Bucket
from pipelines.archive.files import fsync, read_file, write_whole
from pipelines.archive.places import place_of, runs_of
from pipelines.archive.read import StoredRun
from pipelines.errors import ConfigurationError, DaybookError, NotPublished, first_line
from pipelines.progress import Activity, OnProgress, ignore_progress
from pipelines.settings import Lake, Settings
from pipelines.warehouse.connect import open_warehouse, refuse_other_broker
from pipelines.warehouse.contents import literal
from pipelines.warehouse.dlt_pipeline import finish_pending
from pipelines.warehouse.lake.attach import WRITTEN, lake_of
from pipelines.warehouse.lake.copying import copy_books
from pipelines.warehouse.lake.opening import open_to_write
from pipelines.warehouse.lock import journal_lock, run_lock
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.missing_books import refuse_empty_books
from pipelines.warehouse.restoring import finish_and_log
from pipelines.warehouse.session import warehouse_session

#: What people wrote, and what was asked of the broker; a lake's home has them, too.
WRITTEN_BY_PEOPLE = ("adjustments.csv", "benchmarks.csv")
JOURNAL = "trading"
_AGAIN = "Mend that, and run it again."
#: Makes the views, macros and comments of an open warehouse, and whatever its inputs have changed.
Finish = Callable[[duckdb.DuckDBPyConnection, Settings], None]


@dataclass(frozen=True)
class Moved:
    """What was moved: rows by table, runs of the archive, and files that people or trading wrote."""

    tables: dict[str, int]
    runs: int
    files: int

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(self.tables.values())


def import_home(
    settings: Settings, home: Path, finish: Finish, *, wait: float = 60.0, on_progress: OnProgress = ignore_progress
) -> Moved:
    """Move the books of an embedded home into the empty lake of the settings. The home stays as it is.

    A home of an earlier daybook is migrated first, after a backup; what it had read and not landed is landed. Raises
    ConfigurationError where the lake, or DAYBOOK_HOME, has books, WrongWarehouse where they are another broker's,
    BooksMissing where the home lost its own, LockedOut where either is in use, StoreAway and DaybookError, with the
    lake as it was, where it can't be done.
    """
    lake = lake_of(settings)
    old = _embedded(settings, home)
    _refuse_as_source(settings, old)
    settings.prepare_home()
    with (
        run_lock(old.run_lock, wait=wait, on_progress=on_progress),
        journal_lock(old.home / JOURNAL, wait=wait) if (old.home / JOURNAL).is_dir() else nullcontext(),
        run_lock(settings.run_lock, wait=wait, on_progress=on_progress),
        open_to_write(lake, wait=wait, on_progress=on_progress) as con,
    ):
        _refuse_books_in(con, lake)
        files = _to_copy(old.home, settings.home)
        _bring_up_to_date(old, settings, on_progress)
        with _or_said(f"The books of {old.home} were not moved", f"{lake} is without books, as it was. {_AGAIN}"):
            runs = _send_archive(runs_of(old), Bucket(place_of(settings), settings.working), on_progress)
            _copy(files, old.home, settings.home)
            on_progress(Activity("copying the tables, and reading them again"))
            con.execute(f"attach {literal(old.warehouse)} as moved (read_only)")
            tables = _copied(con, "moved", WRITTEN)
            con.execute("detach moved")
        on_progress(Activity("building"))
        with _or_said(f"The books of {old.home} are in {lake}, but could not be built there", "run `daybook build`."):
            finish(con, settings)
    return Moved(tables, runs, len(files))


def export_home(
    settings: Settings, home: Path, finish: Finish, *, wait: float = 60.0, on_progress: OnProgress = ignore_progress
) -> Moved:
    """Move the books of the lake into an embedded home that is new. The lake stays as it is.

    Raises ConfigurationError where something is there already, NotPublished where the lake has no run, and
    otherwise as `import_home` does, with nothing left behind.
    """
    lake_of(settings)
    new = home.expanduser().absolute()
    _refuse_as_target(new)
    draft = _embedded(settings, new.with_name(f".{new.name}.exporting"))
    with warehouse_session(settings, wait=wait, on_progress=on_progress) as con:
        finish_pending(con, settings)
        if not _has_rows(con):
            raise NotPublished(f"{settings.books} has no run in it: there is nothing to export.")
        with (
            _or_said(f"The books were not exported to {new}", f"nothing was left there. {_AGAIN}"),
            _drafted(draft, new),
        ):
            on_progress(Activity("copying the tables, and reading them again"))
            con.execute(f"attach {literal(draft.warehouse)} as moved")
            tables = _copied(con, WRITTEN, "moved")
            con.execute("detach moved")
            files = _to_copy(settings.home, draft.home)
            _copy(files, settings.home, draft.home)
            runs = _send_archive(runs_of(settings), Bucket(str(draft.archive), draft.working), on_progress)
            on_progress(Activity("building"))
            with open_warehouse(draft.warehouse) as copy:
                finish(copy, draft)
    return Moved(tables, runs, len(files))


def _embedded(settings: Settings, home: Path) -> Settings:
    """The settings of a home without a lake."""
    return settings.model_copy(update={"home": home.expanduser().absolute(), "lake": None, "lake_data": None})


def _refuse_as_source(settings: Settings, old: Settings) -> None:
    if old.home.resolve() == settings.home.resolve():
        raise ConfigurationError(
            f"{old.home} is DAYBOOK_HOME: set that to a new folder, for a home that is moved stays as it is."
        )
    if not old.warehouse.is_file():
        raise ConfigurationError(f"{old.home} is not a home with books: it has no {old.warehouse.name}.")
    if there := [name for name in ("warehouse.duckdb", "archive") if _has_something(settings.home / name)]:
        raise ConfigurationError(
            f"DAYBOOK_HOME ({settings.home}) has books already ({', '.join(there)}): set it to a new folder."
        )


def _refuse_as_target(new: Path) -> None:
    if new.exists() and not (new.is_dir() and not any(new.iterdir())):
        raise ConfigurationError(f"{new} is not empty: name a folder that isn't there yet.")


def _has_something(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _refuse_books_in(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    tables = "select 1 from duckdb_tables() where database_name = ? and table_name <> 'daybook_meta' limit 1"
    if con.execute(tables, [WRITTEN]).fetchone():
        raise ConfigurationError(
            f"{lake} has tables already: make another with `daybook lake create`, in a database and a place of its own."
        )


def _has_rows(con: duckdb.DuckDBPyConnection) -> bool:
    found = con.execute(
        "select 1 from duckdb_tables() where database_name = ? and schema_name = 'raw' and table_name = 'extract_run'",
        [WRITTEN],
    ).fetchone()
    return found is not None and con.execute("select 1 from raw.extract_run limit 1").fetchone() is not None


def _bring_up_to_date(old: Settings, settings: Settings, on_progress: OnProgress) -> None:
    """The home as it is left by a run of today's daybook."""
    finish_and_log(old.home)
    with open_warehouse(old.warehouse, on_progress=on_progress) as con:
        refuse_empty_books(con, old)
        refuse_other_broker(con, settings.broker_host)
        migrate(con, old, on_progress=on_progress)
        if alert := finish_pending(con, old):
            on_progress(Activity(alert))


def _copied(con: duckdb.DuckDBPyConnection, source: str, target: str) -> dict[str, int]:
    con.execute("begin")
    try:
        rows = copy_books(con, source, target)
        con.execute("commit")
    except (duckdb.Error, DaybookError):
        with suppress(duckdb.Error):
            con.execute("rollback")
        raise
    return rows


def _send_archive(runs: list[StoredRun], to: Bucket, on_progress: OnProgress) -> int:
    """How many runs were sent: those that are sealed."""
    sent = 0
    for run in runs:
        if run.is_sealed:
            on_progress(Activity(f"the archive of run {run.run_id}"))
            with run.at_hand() as here:
                to.keep(here)
            sent += 1
    return sent


def _to_copy(source: Path, target: Path) -> list[str]:
    """The files of people and of trading. Raises ConfigurationError where the target has others under their names."""
    names = [name for name in WRITTEN_BY_PEOPLE if (source / name).is_file()]
    names += [str(path.relative_to(source)) for path in sorted((source / JOURNAL).glob("*.json"))]
    for name in names:
        if (target / name).exists() and read_file(target / name) != read_file(source / name):
            raise ConfigurationError(f"{target / name} is another than {source / name}: keep one of them aside.")
    return names


def _copy(names: list[str], source: Path, target: Path) -> None:
    for name in names:
        (target / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(target / name, read_file(source / name), durable=True)


@contextmanager
def _drafted(draft: Settings, new: Path) -> Iterator[None]:
    """A home that is made in the block and gets its name when that is done."""
    shutil.rmtree(draft.home, ignore_errors=True)  # a killed export's
    draft.prepare_home()
    try:
        yield
        fsync(draft.warehouse)
        os.replace(draft.home, new)  # noqa: PTH105  (onto a folder that is empty, which pathlib says nothing of)
        fsync(new.parent)
    finally:
        shutil.rmtree(draft.home, ignore_errors=True)


@contextmanager
def _or_said(what: str, then: str) -> Iterator[None]:
    """Says what was not done and what to do then, where something of the block fails."""
    try:
        yield
    except (duckdb.Error, OSError, DaybookError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        kind = type(error) if isinstance(error, DaybookError) else DaybookError
        raise kind(f"{what} ({reason.rstrip('.')}): {then}") from error
