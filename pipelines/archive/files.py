"""Files as a whole: read within bounds, written whole or not at all.

What people put where daybook reads is looked at before it is opened: opening a named pipe waits for whoever writes into
it, for ever; a device has no end; and a file of any size would be read into memory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

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


@contextmanager
def whole_file(path: Path, *, durable: bool, replace: bool = True) -> Iterator[IO[bytes]]:
    """A file to write, for this user alone, that gets its name when the block is done: whole, or not at all.

    `durable`: before the block ends, the file and its name are where a power cut can't take them. Without `replace` a
    file that has the name by then keeps it. Raises OSError where the disk refuses.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    draft.unlink(missing_ok=True)  # whatever it is, a pipe or a link: it is not ours
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            with suppress(FileExistsError):
                path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    if durable:
        fsync(path.parent)


def write_whole(path: Path, content: bytes, *, durable: bool, replace: bool = True) -> None:
    """The same for content that is there already."""
    with whole_file(path, durable=durable, replace=replace) as file:
        file.write(content)


def write_all(handle: int, content: bytes) -> None:
    """Every byte to an open file: the system may take fewer at a time."""
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def make_folder(folder: Path, *, exist_ok: bool = False) -> None:
    """A folder for this user alone, and those around it that are missing, where a power cut can't take their names."""
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=exist_ok, mode=0o700)
    for each in new:
        fsync(each.parent)


def share(path: Path, group: str | None, mode: int) -> None:
    """Gives a file or folder to a group, with a mode that lets it read (0640, 0750) or pass (0710). None shares nothing
    and changes nothing. Raises OSError where we are not of that group, LookupError where there is none."""
    if group is None:
        return
    import grp  # not on every system

    os.chown(path, -1, grp.getgrnam(group).gr_gid)  # first: no other group reads it in between
    path.chmod(mode)


def fsync(path: Path) -> None:
    """What a file holds, or the names in a folder, on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def size_in_words(count: int) -> str:
    """A bound in bytes, for people."""
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count // 2**10} KiB"


def _refuse(found: os.stat_result, path: Path) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, not a file", str(path))
