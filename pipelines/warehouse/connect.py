"""How the books are opened: the warehouse file by its one writer, the published copy, or a lake, by anyone.

The warehouse is opened without a config, as dlt opens it: in one process DuckDB refuses a second connection to a file
whose config differs. For the same reason nothing in the process may open the warehouse file by other means while it is
connected: closing that file would drop DuckDB's lock on it, without a word.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipelines.archive.files import refuse_special
from pipelines.errors import DaybookError, LockedOut, NotPublished, WrongWarehouse, first_line
from pipelines.home import refuse_file_as_home
from pipelines.progress import OnProgress, Waiting, ignore_progress
from pipelines.settings import Books, Lake
from pipelines.warehouse.contents import literal
from pipelines.warehouse.identity import note_opened
from pipelines.warehouse.limits import hold_to, memory_limit, temporary_limit
from pipelines.warehouse.restoring import finish_if_killed
from pipelines.warehouse.tables import is_lake
from pipelines.warehouse.temporary_name import private_folder, temporary_name

SCHEMA_VERSION = 3  # the last step of migrations.py
#: What a warehouse remembers of `daybook prune`: the trading day before which runs of the archive were deleted.
PRUNED = "archive_pruned_before"
_META = "CREATE TABLE IF NOT EXISTS main.daybook_meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL)"
_HELD = re.compile(r"Conflicting lock is held in (?:(?P<program>.+) \()?PID (?P<pid>\d+)")
_NEWER = "we can only read versions between"


def open_warehouse(
    path: Path, *, wait: float = 30.0, on_progress: OnProgress = ignore_progress
) -> duckdb.DuckDBPyConnection:
    """The warehouse, to read and write, in UTC; made where there is none, for this user alone (umask 077 from here on).

    Waits up to `wait` seconds while another process has it open, and tells `on_progress` which. Raises LockedOut with
    its pid after that, and DaybookError where the file can't be opened at all.
    """
    os.umask(0o077)  # DuckDB makes the WAL and its spill files later, whenever it needs them
    _refuse_special(path)
    con = _connect(path, wait, on_progress)
    note_opened(path)
    try:
        path.chmod(0o600)  # one made before, or copied here
        con.execute("SET GLOBAL TimeZone = 'UTC'")  # global: cursors and dlt's duplicates must agree
        con.execute("SET GLOBAL autoinstall_known_extensions = false")
        con.execute("SET GLOBAL autoload_known_extensions = false")
        con.execute("SET enable_progress_bar = false")  # a long statement would draw one on stdout
    except (OSError, duckdb.Error) as error:
        con.close()
        raise DaybookError(f"{path} can't be opened ({error}).") from error
    return con


@contextmanager
def open_published(
    books: Books, version: int | None = None, *, a_thread: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published books as they are now, for reading: no statement can write, or reach any other file, extension or
    setting. What does not fit into memory goes to a temporary folder that is this reader's own, and ends with it.
    Of a lake, as it was at a `version` where one is given: the number of a snapshot. `a_thread`: the most memory that
    DuckDB takes for each of its threads, in bytes; without it, and where nothing can be spilled, half of what is free.

    They are attached to a connection of its own as `daybook`, not opened by their path: within a process DuckDB would
    hand out a copy that is open already, even when a newer one has been published over it.
    A restore that was killed is finished first. Raises NotPublished where there is none, ConfigurationError where the
    home is no folder, LockedOut where somebody has it open for writing, DaybookError where the file can't be read, and
    of a lake as `attach_lake` does.
    """
    if isinstance(books, Path):
        _find_published(books)
    with private_folder() as own:
        if isinstance(books, Lake):
            from pipelines.warehouse.lake.opening import open_to_read

            with open_to_read(books, _reading(own), version, a_thread) as con:
                yield con
            return
        con = _attached(books, own, a_thread)
        try:
            yield con
        finally:
            con.close()


def _find_published(path: Path) -> None:
    refuse_file_as_home(path.parent)
    finish_if_killed(path.parent)
    if not path.exists():
        raise NotPublished(f"Nothing has been published at {path} yet: run `daybook eod` (or `daybook demo`) first.")
    _refuse_special(path)


def _attached(path: Path, own: Path, a_thread: int | None) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(":memory:", config=_reading(own))
    try:
        con.execute("SET GLOBAL TimeZone = 'UTC'")
        with temporary_name(path, own) as name:
            con.execute(f"ATTACH {literal(name or path)} AS daybook (READ_ONLY)")
        con.execute("USE daybook")
        if name is None:
            con.execute("SET temp_directory = ''")
        elif a_thread is not None:
            hold_to(con, a_thread)
        con.execute("SET enable_external_access = false")
        if name is None:  # no file can be opened from here on, a temporary one neither
            con.execute("SET disabled_filesystems = 'LocalFileSystem'")
        con.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        con.close()
        held = _held(path, error)
        raise (LockedOut(held.reason) if held else _unreadable(path, error)) from error
    return con


def _reading(own: Path) -> dict[str, str | bool | int | float | list[str]]:
    """The settings of a connection that reads."""
    memory = memory_limit()
    return {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",  # a table's name is never a variable of ours
        "temp_directory": str(own / "spilled"),
        "max_temp_directory_size": f"{temporary_limit(own)}B",
        **({"memory_limit": f"{memory}B"} if memory else {}),
    }


def _refuse_special(path: Path) -> None:
    """Raises DaybookError for what is no file: DuckDB would wait for ever for whoever writes into a pipe."""
    try:
        refuse_special(path)
    except OSError as error:
        raise DaybookError(f"{path} can't be opened ({error.strerror}): take it away.") from error


def refuse_other_broker(con: duckdb.DuckDBPyConnection, host: str) -> None:
    """Makes sure that the warehouse holds nobody's books, or those of this broker (Settings.broker_host). From here on
    it has its schema version, which says that a run has begun.

    Raises WrongWarehouse where it holds another broker's, or was written by a newer daybook.
    """
    con.execute(_META)
    known = dict(con.execute("SELECT key, value FROM main.daybook_meta").fetchall())
    if int(known.get("schema_version", SCHEMA_VERSION)) > SCHEMA_VERSION:
        raise WrongWarehouse("The warehouse was written by a newer daybook: update this one before you use it.")
    if (former := known.get("broker_host", host)) != host:
        raise WrongWarehouse(
            f"The warehouse holds the books of {former}, not of {host}: set "
            f"{'DAYBOOK_LAKE to another lake' if is_lake(con) else 'DAYBOOK_HOME to another folder'} for {host}, or "
            "CLEAR_STREET_BASE_URL back."
        )
    if "schema_version" not in known:
        remember(con, "schema_version", str(SCHEMA_VERSION))


def remember_broker(con: duckdb.DuckDBPyConnection, host: str) -> None:
    """Writes into the warehouse whose books it holds, once: when something of that broker's is landed, for an address
    that never answered may be a mistyped one. Raises WrongWarehouse as `refuse_other_broker` does."""
    refuse_other_broker(con, host)
    if remembered(con, "broker_host") is None:
        remember(con, "broker_host", host)


def remembered(con: duckdb.DuckDBPyConnection, key: str) -> str | None:
    """What the warehouse remembers under a key; None where it doesn't."""
    con.execute(_META)
    found = con.execute("SELECT value FROM main.daybook_meta WHERE key = ?", [key]).fetchone()
    return found[0] if found else None


def remember(con: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
    """Have the warehouse remember a value, instead of what it remembered under that key."""
    con.execute(_META)
    con.execute("DELETE FROM main.daybook_meta WHERE key = ?", [key])
    con.execute("INSERT INTO main.daybook_meta VALUES (?, ?)", [key, value])


def forget(con: duckdb.DuckDBPyConnection, key: str) -> None:
    """Delete what the warehouse remembers under a key."""
    con.execute(_META)
    con.execute("DELETE FROM main.daybook_meta WHERE key = ?", [key])


def _connect(path: Path, wait: float, on_progress: OnProgress) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait
    pause, told = 0.05, None
    while True:
        try:
            return duckdb.connect(path)
        except duckdb.Error as error:
            waiting = _held(path, error)
            if waiting is None:
                raise _unreadable(path, error) from error
            if time.monotonic() >= deadline:
                waited = f" (waited {wait:g} s for it)" if wait else ""
                raise LockedOut(f"{waiting.reason.removesuffix('.')}{waited}.") from error
            if waiting != told:
                on_progress(waiting)
                told = waiting
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(2 * pause, 1.0)


def _held(path: Path, error: duckdb.Error) -> Waiting | None:
    """The process that has the file open; None where the file can't be opened for another reason."""
    if "Could not set lock on file" not in str(error):
        return None
    held = _HELD.search(str(error))
    if held is None:
        return Waiting("another process", path)
    program = f" ({held['program']})" if held["program"] else ""
    return Waiting(f"process {held['pid']}{program}", path)


def _unreadable(path: Path, error: duckdb.Error) -> DaybookError:
    if _NEWER in str(error):
        return DaybookError(
            f"{path} was written by a newer DuckDB than this one ({duckdb.__version__}): "
            "use the daybook that wrote it, or restore a backup."
        )
    reason = first_line(error)
    return DaybookError(f"{path} can't be opened ({reason}): `daybook doctor` says what can be done.")
