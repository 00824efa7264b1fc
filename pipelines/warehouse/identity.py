"""Notices that the warehouse is no longer this process's own: its file was replaced, so that what a run writes goes
into a file that nobody will open again, or the lock on the lake was lost."""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.errors import WarehouseReplaced
from pipelines.settings import Lake, Settings

_opened: dict[Path, tuple[int, int] | None] = {}


def note_opened(path: Path) -> None:
    """To be called right after the file was opened. By name alone: opening it once more would drop DuckDB's lock."""
    _opened[path.absolute()] = _file(path)


def check_still_ours(settings: Settings) -> None:
    """Raises WarehouseReplaced where the warehouse is another file than this process opened; DaybookError where the
    lock on the books of a lake was lost."""
    if isinstance(settings.books, Lake):
        from pipelines.warehouse.lake.advisory import check_held

        check_held(settings.books)
    else:
        check_not_replaced(settings.warehouse)


def check_not_replaced(path: Path) -> None:
    """Raises WarehouseReplaced where the path names another file than this process opened, or none."""
    if path.absolute() in _opened and _file(path) != _opened[path.absolute()]:
        raise WarehouseReplaced(
            f"{path} was replaced or removed while this run had it open, so what the run did is not in the books. What "
            "was read is in the archive: keep others from moving the file; `daybook doctor` says what is missing."
        )


def _file(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  (as little as can be asked of a path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
