"""Files that outlast a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Put a file in place whole, or not at all, readable by its owner alone. Raises OSError where the disk refuses."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)  # whatever it is, a pipe or a link: it is not ours
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        write_all(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.replace(path)
    fsync(path.parent)


def write_all(handle: int, content: bytes) -> None:
    """Every byte to an open file: the system may take fewer at a time."""
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def fsync(path: Path) -> None:
    """What a file holds, or the names in a folder, on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
