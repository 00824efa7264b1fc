"""How the published copy is opened under a name that is gone afterwards.

DuckDB lets every statement write to the files that it has attached, also those attached to be read, and to the logs
beside them: `explain analyze copy ... to` would write over the books. It goes by names. So the copy is attached under a
second name, a hard link in a folder of the reader's own, which is taken away as soon as the file is open: the only name
that a statement may write to is then of a folder that is not there. (A symbolic link would not do: DuckDB follows it.)
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import DaybookError

PREFIX = "daybook-"
#: The ending of the folder beside the copy, where the temporary folder is on another disk. publish.py sweeps them.
BESIDE = ".reading"


@contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary folder for this user alone, gone at the end. Raises DaybookError where none can be made."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as error:
        raise DaybookError(
            f"No temporary folder can be made ({error.strerror or error}): set TMPDIR to one that daybook may write."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary_name(path: Path, own: Path) -> Iterator[Path | None]:
    """A second name of a file for the length of the block, in `own` or else beside the file; None where the file can't
    have one: it is of another user, or its file system has no hard links."""
    folder, name = _linked(path, own)
    try:
        yield name
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _linked(path: Path, own: Path) -> tuple[Path | None, Path | None]:
    for place, prefix in ((own, "name."), (path.parent, f"{path.name}.")):
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=BESIDE, dir=place))
            name = folder / path.name
            os.link(path.resolve(), name)
        except OSError:  # another disk, a folder that can only be read, no hard links
            if folder is not None:
                folder.rmdir()
        else:
            return folder, name
    return None, None
