"""A second file with what a file holds: its blocks shared where the file system can (XFS, Btrfs), else copied.

It is a program, too, `python -I -S copying.py WHAT SOURCE TARGET`, WHAT being clone or copy: whoever has the source
open in DuckDB may not open it again, for closing it would drop the lock that DuckDB holds on it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from pathlib import Path

#: Linux's FICLONE, for which Python has no name. Another system, or a file system that can't, refuses it.
_SHARE_BLOCKS = 0x40049409


def clone(source: Path, target: Path) -> bool:
    """Whether `target` now is a file that shares its blocks with `source`; each then changes for itself. That takes as
    long for a small file as for a large one, and no space."""
    with source.open("rb") as given, target.open("wb") as made:
        try:
            fcntl.ioctl(made, _SHARE_BLOCKS, given.fileno())
        except OSError:
            return False
    return True


def copy(source: Path, target: Path) -> None:
    """Copy a file, to blocks of its own. Raises OSError where that can't be done, or there is not the space."""
    check_space(source, target.parent)
    shutil.copyfile(source, target)


def check_space(source: Path, folder: Path) -> None:
    """Raises OSError where `folder` has no room for a second `source`."""
    need, free = source.stat().st_size, shutil.disk_usage(folder).free
    if free < need:
        raise OSError(f"{folder} has {free // 2**20} MiB free and the copy needs {need // 2**20} MiB")


def main(what: str, source: str, target: str) -> None:
    """Clone where that is asked for and can be done, else copy. What goes wrong is said in a sentence."""
    os.umask(0o077)
    try:
        if what != "clone" or not clone(Path(source), Path(target)):
            copy(Path(source), Path(target))
    except OSError as error:
        sys.exit(error.strerror or str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
