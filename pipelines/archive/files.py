"""Files that people put where daybook reads: looked at before they are opened, and never read without end.

Opening a named pipe waits for whoever writes into it, for ever; a device has no end; and a file of any size would be
read into memory.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_file(path: Path, most: int | None = None) -> bytes:
    """What a file holds. Raises OSError, with a reason for people, where it is none, or has more than `most` bytes."""
    refuse_special(path)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        _refuse(os.fstat(handle), path)  # it may have been swapped in between
        content = file.read() if most is None else file.read(most + 1)
    if most is not None and len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {size_in_words(most)}", str(path))
    return content


def refuse_special(path: Path) -> None:
    """Raises OSError where a path is there and no file: FileNotFoundError is left to whoever opens it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    _refuse(found, path)


def size_in_words(count: int) -> str:
    """A bound in bytes, for people."""
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count // 2**10} KiB"


def _refuse(found: os.stat_result, path: Path) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, not a file", str(path))
