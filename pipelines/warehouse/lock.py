"""The run lock: one run at a time works on a home, from its first page to the published copy.

The lock is the operating system's, so it ends with the process that held it, however that ended. Who holds it is
written beside it for the one who waits; that note decides nothing.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipelines.archive.files import read_file, refuse_special, write_whole
from pipelines.errors import DaybookError, LockedOut
from pipelines.progress import OnProgress, Waiting, ignore_progress

MOST_BYTES = 2**16  # of the note
POLL = 0.1  # seconds between two tries


@contextmanager
def run_lock(
    path: Path, *, wait: float = 60.0, command: str | None = None, on_progress: OnProgress = ignore_progress
) -> Iterator[None]:
    """Holds the lock for the block. `command` is what others are told that we are doing: by default, our command line.

    Waits up to `wait` seconds for another run, and tells `on_progress` whom for. Raises LockedOut with its pid after
    that, and DaybookError where the lock file can't be made.
    """
    try:
        refuse_special(path)
    except OSError as error:
        raise DaybookError(f"The run lock {path} can't be taken ({error.strerror}).") from error
    lock = FileLock(path, mode=0o600)
    _acquire(lock, path, wait, on_progress)
    try:
        try:
            _note(path).unlink(missing_ok=True)  # a killed run left it
            _sign(path, command or shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))
        except OSError as error:
            raise DaybookError(f"The run lock {path} can't be signed ({error.strerror}: {error.filename}).") from error
        yield
    finally:
        with suppress(OSError):
            _note(path).unlink(missing_ok=True)
        lock.release()


def _acquire(lock: FileLock, path: Path, wait: float, on_progress: OnProgress) -> None:
    def take() -> str | None:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return _holder(path)
        except OSError as error:
            raise DaybookError(f"The run lock {path} can't be taken ({error.strerror}).") from error
        return None

    wait_for_books(take, wait, on_progress)


def wait_for_books(take: Callable[[], str | None], wait: float, on_progress: OnProgress) -> None:
    """Take a lock on books: `take` tries once, and says who has it where that failed.

    Waits up to `wait` seconds, and tells `on_progress` whom for. Raises LockedOut, which names the holder, after that.
    """
    deadline = time.monotonic() + wait
    told = None
    while (holder := take()) is not None:
        if time.monotonic() >= deadline:
            waited = f"; waited {wait:g} s for it" if wait else ""
            raise LockedOut(f"These books are in use by {holder}{waited}: try again when it is done.")
        if holder != told:
            on_progress(Waiting(holder))
            told = holder
        time.sleep(min(POLL, max(0.0, deadline - time.monotonic())))


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".holder")


def _sign(path: Path, command: str) -> None:
    """Says who holds the lock, whole or not at all: somebody may be reading."""
    note = {"pid": os.getpid(), "command": command, "since": datetime.now(UTC).isoformat(timespec="seconds")}
    write_whole(_note(path), json.dumps(note).encode(), durable=False)


def read_holder(path: Path) -> dict[str, Any]:
    """What is written beside a lock about who holds it, or held it. Raises OSError and ValueError where nothing is."""
    note: dict[str, Any] = json.loads(read_file(_note(path), MOST_BYTES))
    return note


def _holder(path: Path) -> str:
    try:
        note = read_holder(path)
        return f"process {note['pid']} ({note['command']}, since {note['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"  # it has the lock and has not signed yet


@contextmanager
def journal_lock(folder: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Holds the journal of trading, in `folder`, for the block. Raises LockedOut where another process still has it
    after `wait` seconds, DaybookError where it can't be locked."""
    lock = FileLock(folder / "trading.lock", mode=0o600)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise LockedOut("Another daybook is trading from these books just now: try again when it is done.") from None
    except OSError as error:
        raise DaybookError(f"The journal {folder} can't be locked ({error.strerror}).") from error
    try:
        yield
    finally:
        lock.release()
