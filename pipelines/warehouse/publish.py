"""Publishing: the copy of the warehouse that people open, swapped in whole.

The file is copied as a file and what isn't published is dropped from the copy: some twenty times faster than letting
DuckDB write every row again (`COPY FROM DATABASE`), and views, macros, comments and the order of rows come along.
Where the file system can share blocks, it grows with what is dropped and not with the books.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipelines.archive.files import fsync, share
from pipelines.errors import BuildFailed, first_line
from pipelines.warehouse import copying
from pipelines.warehouse.identity import check_not_replaced
from pipelines.warehouse.temporary_name import BESIDE

#: What is published, in the order of its making: everything that the contract names. dlt's staging stays behind.
PUBLISHED_SCHEMAS = ("raw", "core", "pnl", "quality")

#: Seconds after which a second name of the copy is nobody's: a reader needs it for as long as opening takes.
ABANDONED = 3600.0

# A process of its own copies the file. In ours, closing the warehouse file would drop the lock that DuckDB holds on it.
_COPY = ("-I", "-S", copying.__file__)


def publish(con: duckdb.DuckDBPyConnection, target: Path, schemas: Sequence[str], group: str | None = None) -> None:
    """Puts a copy of the open warehouse's `schemas`, as committed, in the place of `target`, at once or not at all.

    It is for this user alone, and for `group` to read. Whoever has the former copy open keeps reading that one. Call it
    under the run lock, with nothing uncommitted. A schema that the warehouse doesn't have is left out. Raises
    BuildFailed where it can't be done: the former copy stands.
    """
    _sweep(target)
    draft = target.with_name(f"{target.name}.{os.getpid()}.publishing")
    try:
        copy_at_rest(con, draft, shared=True)
        _prune(draft, schemas)
        _swap(draft, target, group)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip() or f"copying ended with {error.returncode}"
        raise BuildFailed(f"{target} was not published: {reason.splitlines()[-1]}.") from error
    except (OSError, LookupError, duckdb.Error) as error:
        raise BuildFailed(f"{target} was not published: {first_line(error)}.") from error
    finally:
        _sweep(target)


def copy_at_rest(con: duckdb.DuckDBPyConnection, draft: Path, *, shared: bool = False) -> None:
    """Copies the open warehouse's file, with all that is committed in it, to `draft`. Their blocks may be `shared`
    where a bad one in both does no harm: not in a backup.

    Raises WarehouseReplaced where the path names another file by now, CalledProcessError and duckdb.Error where it
    can't be done, or there is not the space."""
    with con.cursor() as cursor, _at_rest(cursor) as source:
        check_not_replaced(source)
        subprocess.run(
            [sys.executable, *_COPY, "clone" if shared else "copy", str(source), str(draft)],
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        check_not_replaced(source)


@contextmanager
def _at_rest(cursor: duckdb.DuckDBPyConnection) -> Iterator[Path]:
    """The warehouse file, with all that is committed in it, unchanging for the block.

    An open transaction that has written something keeps every connection of this process from checkpointing (one that
    has only read does not, tried on 1.5.5), and only a checkpoint changes what the file says: commits go to the WAL.
    """
    cursor.execute("CHECKPOINT")
    cursor.execute("BEGIN")
    cursor.execute("CREATE TABLE main.daybook_publishing (never_committed BOOLEAN)")
    try:
        row = cursor.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()").fetchone()
        if row is None or not row[0]:
            raise ValueError("a database in memory has no file to publish")
        yield Path(row[0])
    finally:
        cursor.execute("ROLLBACK")


def _prune(draft: Path, schemas: Sequence[str]) -> None:
    """Drops what isn't published and leaves one closed file, without a WAL."""
    with duckdb.connect(draft) as copy:
        there = copy.execute("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal").fetchall()
        for (schema,) in there:
            if schema not in schemas and schema != "main":  # DuckDB keeps `main` even when it is empty
                copy.execute(f"DROP SCHEMA {_name(schema)} CASCADE")
        if "main" not in schemas:
            _empty_main(copy)
        copy.execute("CHECKPOINT")


def _empty_main(copy: duckdb.DuckDBPyConnection) -> None:
    held = copy.execute(
        """
        SELECT 'VIEW', view_name FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal
        UNION ALL
        SELECT 'TABLE', table_name FROM duckdb_tables() WHERE schema_name = 'main' AND NOT internal
        UNION
        SELECT CASE function_type WHEN 'table_macro' THEN 'MACRO TABLE' ELSE 'MACRO' END, function_name
        FROM duckdb_functions() WHERE schema_name = 'main' AND NOT internal AND database_name = current_database()
        """
    ).fetchall()
    for kind, name in held:
        copy.execute(f"DROP {kind} main.{_name(name)}")


def _swap(draft: Path, target: Path, group: str | None) -> None:
    draft.chmod(0o600)
    share(draft, group, 0o640)
    fsync(draft)
    # Left by somebody who opened the former copy for writing; DuckDB would replay it into the new one.
    target.with_name(target.name + ".wal").unlink(missing_ok=True)
    draft.replace(target)
    fsync(target.parent)


def _sweep(target: Path) -> None:
    """Removes the drafts of publications that were killed, with what DuckDB made beside them, and the second names of
    the copy that killed readers left."""
    abandoned = time.time() - ABANDONED
    names = [name for name in target.parent.glob(f"{target.name}.*{BESIDE}") if name.lstat().st_mtime < abandoned]
    for left in [*target.parent.glob(f"{target.name}.*.publishing*"), *names]:
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
