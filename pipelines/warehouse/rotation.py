"""Which backups of the same books a place has, and how the older ones are let go."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.archive.files import read_file
from pipelines.errors import DaybookError
from pipelines.warehouse.backup import HOME, NOTE, read_backup
from pipelines.warehouse.restoring import remove

_MOST_BYTES = 2**16
#: A backup that was asked for. One that an upgrade made has a label behind its time, and is a person's to delete.
_NAME = re.compile(r"\d{8}T\d{6}Z")


def rotated(folder: Path) -> list[Path]:
    """A backup and those beside it that are of the same home, the newest first. What is damaged, of another home, or
    from before backups said whose they are is not among them."""
    mine = _home(folder)
    found = [note.parent for note in folder.parent.glob(f"*/{NOTE}") if _NAME.fullmatch(note.parent.name)]
    return sorted((each for each in found if _home(each) == mine), key=lambda each: each.name, reverse=True)


def rotate(folder: Path, keep: int) -> list[Path]:
    """Delete all but the `keep` newest backups of the books that `folder` is one of; those that went, the newest first.
    Raises DaybookError where one can't be deleted."""
    gone = [each for each in rotated(folder)[keep:] if each != folder]
    for each in gone:
        try:
            (each / NOTE).unlink()  # first: what is half deleted is no backup
            remove(each)
        except OSError as error:
            raise DaybookError(f"The backup is made, and {each} could not be deleted ({error.strerror}).") from error
    return gone


def _home(folder: Path) -> bytes | None:
    try:
        read_backup(folder)
        return read_file(folder / HOME, _MOST_BYTES)
    except (DaybookError, OSError):
        return None
