"""The warehouse without its free blocks: written anew, proven the same, and put in place. Never by itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipelines.archive.files import fsync
from pipelines.errors import ConfigurationError, DaybookError, first_line
from pipelines.progress import Activity, OnProgress, ignore_progress
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_warehouse
from pipelines.warehouse.contents import Contents, contents, differences, literal
from pipelines.warehouse.copying import check_space
from pipelines.warehouse.lock import run_lock
from pipelines.warehouse.missing_books import require_warehouse


@dataclass(frozen=True)
class Compacted:
    """The warehouse file before and after, in bytes. Of a dry run `after` is what it would be, about."""

    before: int
    after: int
    done: bool


def compact(
    settings: Settings, *, dry_run: bool = False, wait: float = 60.0, on_progress: OnProgress = ignore_progress
) -> Compacted:
    """Write the warehouse anew without the blocks that nothing uses, prove that it is the same, and put it in place.

    Takes the run lock. Raises NotPublished where there is no warehouse, DaybookError, with the warehouse as it was,
    where it can't be done.
    """
    if settings.has_lake:
        raise ConfigurationError(f"{settings.books} is no file: `daybook lake maintain` gives its space back.")
    path = settings.warehouse
    require_warehouse(settings, f"There is no warehouse at {path}: nothing to compact.")
    draft = path.with_name(f"{path.name}.compacting")
    with run_lock(settings.run_lock, wait=wait, on_progress=on_progress):
        _remove(draft)
        try:
            with open_warehouse(path, wait=wait, on_progress=on_progress) as con:
                before, free = _blocks(con)
                if dry_run:
                    return Compacted(before, before - free, done=False)
                check_space(path, path.parent)
                expected = _rewrite(con, draft, on_progress)
            _check_same(draft, expected, on_progress)
            _swap(draft, path)
        except (OSError, duckdb.Error) as error:
            raise DaybookError(f"The warehouse was not compacted ({first_line(error)}); it is as it was.") from error
        finally:
            _remove(draft)
    return Compacted(before, path.stat().st_size, done=True)


def _blocks(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """The file's size and how much of it nothing uses."""
    con.execute("checkpoint")
    row: Any = con.execute("select block_size, total_blocks, free_blocks from pragma_database_size()").fetchone()
    return row[0] * row[1], row[0] * row[2]


def _rewrite(con: duckdb.DuckDBPyConnection, draft: Path, on_progress: OnProgress) -> Contents:
    """Writes the copy; what the original holds."""
    on_progress(Activity("writing the warehouse anew"))
    name = str((con.execute("select current_database()").fetchone() or ("",))[0])
    con.execute(f"attach {literal(draft)} as compacted")
    con.execute(f'copy from database "{name}" to compacted')
    con.execute("detach compacted")
    on_progress(Activity("reading the original"))
    return contents(con)


def _check_same(draft: Path, expected: Contents, on_progress: OnProgress) -> None:
    on_progress(Activity("reading what was written"))
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
