"""The swap of a restore: renames alone, listed in a journal before the first of them.

A restore copies and publishes the backup into a draft beside the books; killed before the journal is there, it has
changed nothing. From the journal on, whoever comes next carries the renames on to their end, or, where one was refused,
back to their beginning. The published copy is replaced last, in one step: readers keep the former one until then.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from models.printable import printable
from pipelines.archive.files import fsync, read_file, write_whole
from pipelines.errors import DaybookError, LockedOut
from pipelines.warehouse.lock import run_lock

JOURNAL = "restoring.json"
DRAFT = ".restoring"
MOST_BYTES = 2**20
REPLACED = "replaced"
PUBLISHED = "daybook.duckdb"
#: What a restore may replace, in the order of the moves: the log after its warehouse, the published copy not among
#: them. A name that is not here is none that a restore has written.
SWAPPED = ("warehouse.duckdb", "warehouse.duckdb.wal", "adjustments.csv", "dlt", "trading", "archive")

logger = logging.getLogger("daybook.home")


@dataclass(frozen=True)
class Swap:
    """What restoring.json says: which names of the home are `moved` to the folder `aside` of `replaced`, which names of
    the draft are `placed` in the home, whether there was a `published` copy, and whether all of it is to be undone
    because the disk refused one."""

    backup: str
    aside: str
    moved: list[str]
    placed: list[str]
    published: bool
    undo: bool = False


def swap(home: Path, planned: Swap) -> Path:
    """Put the draft in the place of the books; the folder of what was there. The caller holds the run lock.

    Raises DaybookError where the disk refuses: then the books are what they were.
    """
    aside = home / REPLACED / planned.aside
    try:
        _write(home, planned)
        _roll_forward(home, aside, planned)
    except OSError as error:
        undone = replace(planned, undo=True)
        try:
            _write(home, undone)
            _roll_back(home, aside, undone)
            _end(home)
        except OSError as worse:
            raise _unfinished_error(planned, worse) from error
        raise DaybookError(
            f"{planned.backup} could not be restored ({error.strerror}); the books are those of before."
        ) from error
    with suppress(OSError):  # all is in its place: the next command takes away what is left
        _end(home)
    return aside


def unfinished(home: Path) -> bool:
    """Whether a restore is going on in a home, or was killed there."""
    return os.path.lexists(home / JOURNAL) or os.path.lexists(home / DRAFT)


def finish_swap(home: Path) -> str | None:
    """Finish or undo what a killed restore has begun; the sentence that says which, None where there was nothing to do.
    The caller holds the run lock, so no restore is going on.

    Raises DaybookError where it can't be done: then nothing may be done to these books.
    """
    return _finish(home) if unfinished(home) else None


def finish_and_log(home: Path) -> None:
    """The same, with a warning in the log where something was done."""
    if done := finish_swap(home):
        _log(done)


def finish_if_killed(home: Path) -> None:
    """The same for those who only read and hold no lock. Where it can't be done they read the copy that is there, which
    is whole: it logs why, and raises nothing."""
    if not unfinished(home):
        return
    try:
        with run_lock(home / "run.lock", wait=0):
            finish_and_log(home)
    except LockedOut:
        return  # the restore is going on
    except DaybookError as error:
        _log(str(error))


def remove(path: Path) -> None:
    """Take away a file, a folder with all that is in it, or a link: what a link leads to is somebody else's."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _finish(home: Path) -> str:
    if not os.path.lexists(home / JOURNAL):
        remove(home / DRAFT)
        return "A restore was killed before it had changed anything: its draft is removed, the books are as they were."
    planned = _read(home)
    aside = home / REPLACED / planned.aside
    try:
        (_roll_back if planned.undo else _roll_forward)(home, aside, planned)
        _end(home)
    except OSError as error:
        raise _unfinished_error(planned, error) from error
    if planned.undo:
        return f"The restore of {planned.backup} that had failed is undone: the books are those of before."
    kept = f" What was there before is in {aside}." if aside.exists() else ""
    return f"The restore of {planned.backup} that was killed is finished now.{kept}"


def _roll_forward(home: Path, aside: Path, planned: Swap) -> None:
    """Every step that is left to take. What is in the draft has not been placed; what is aside has been moved."""
    draft = home / DRAFT
    if planned.moved or planned.published:
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in planned.moved:
        waits = name not in planned.placed or os.path.lexists(draft / name)
        if waits and os.path.lexists(home / name) and not os.path.lexists(aside / name):
            _move(home / name, aside / name)
    _sync(home, aside)
    for name in planned.placed:
        if os.path.lexists(draft / name):
            _clear(home / name, aside)
            _move(draft / name, home / name)
    _sync(home)
    _publish(home, draft, aside, planned)


def _publish(home: Path, draft: Path, aside: Path, planned: Swap) -> None:
    """The last step: the copy that people open, at once. The former one is kept with the rest."""
    target = home / PUBLISHED
    if not os.path.lexists(draft / PUBLISHED):
        return
    if planned.published and not os.path.lexists(aside / PUBLISHED):
        with suppress(FileNotFoundError):  # somebody has taken it away since
            _link(target, aside / PUBLISHED)
    # left by somebody who opened the former copy for writing; DuckDB would replay it into the new one
    target.with_name(target.name + ".wal").unlink(missing_ok=True)
    _move(draft / PUBLISHED, target)
    _sync(home, aside)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _roll_back(home: Path, aside: Path, planned: Swap) -> None:
    """Every step undone, the last one first."""
    draft = home / DRAFT
    if os.path.lexists(aside / PUBLISHED):
        _move(aside / PUBLISHED, home / PUBLISHED)
        (aside / PUBLISHED).unlink(missing_ok=True)  # renaming one of two names of one file leaves both
    elif not planned.published:
        (home / PUBLISHED).unlink(missing_ok=True)
    for name in reversed(planned.placed):
        if os.path.lexists(home / name) and not os.path.lexists(draft / name):
            _move(home / name, draft / name)
    for name in reversed(planned.moved):
        if os.path.lexists(aside / name):
            _clear(home / name, aside)
            _move(aside / name, home / name)
    _sync(home, aside)
    if aside.is_dir() and not any(aside.iterdir()):
        aside.rmdir()


def _end(home: Path) -> None:
    remove(home / DRAFT)
    (home / JOURNAL).unlink(missing_ok=True)
    fsync(home)


def _move(source: Path, target: Path) -> None:
    source.rename(target)


def _clear(path: Path, aside: Path) -> None:
    """Frees a path. An empty folder is removed, because prepare_home made it; anything else is moved to `aside`."""
    if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
        path.rmdir()
    elif os.path.lexists(path):
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = sum(each.name.startswith(path.name) for each in aside.iterdir())
        _move(path, aside / f"{path.name}.{number}")


def _sync(*folders: Path) -> None:
    for folder in folders:
        if folder.is_dir():
            fsync(folder)


def _write(home: Path, planned: Swap) -> None:
    write_whole(home / JOURNAL, orjson.dumps(asdict(planned), option=orjson.OPT_INDENT_2), durable=True)


def _read(home: Path) -> Swap:
    try:
        planned = Swap(**orjson.loads(read_file(home / JOURNAL, MOST_BYTES)))
        strange = {*planned.moved, *planned.placed} - {*SWAPPED}
        if strange or Path(planned.aside).name != planned.aside:
            raise ValueError(planned.aside)
    except (OSError, ValueError, TypeError) as error:
        raise DaybookError(
            f"{home / JOURNAL} says which restore was killed and can't be read: what was there before is in "
            f"{home / REPLACED}, what was to come in {home / DRAFT}. Put one of them in place and remove the file."
        ) from error
    return planned


def _unfinished_error(planned: Swap, error: OSError) -> DaybookError:
    what, where = "undone" if planned.undo else "finished", error.filename or "the disk"
    return DaybookError(
        f"The restore of {planned.backup} was begun and can't be {what} ({error.strerror}: {where}): put that right, "
        "and the next command goes on with it."
    )


def _log(sentence: str) -> None:
    logger.warning("%s", printable(sentence))


def names_in(folder: Path, names: Iterable[str]) -> list[str]:
    """Those of the names that a folder has, but for folders with nothing in them."""
    return [name for name in names if _is_something(folder / name)]


def _is_something(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else os.path.lexists(path)
