"""The archive: every reply as received, compressed, written before anything is made of it.

A run has a folder, `archive/2025-10/<run id>/`, of two files. `pages.json.zst` is the replies one after the other, in
the order in which they came: any zstd tool shows the bodies, exactly as the broker sent them. Before each stands a
frame that such tools skip, with the reply's entry as JSON. `run.json` says how the run began and, once its
reading has ended, how it ended, with the hash of the pages: a run without that seal was killed or failed, and was
never landed.
Names come from dates and the run's id only: nothing that a broker sends can name a file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import orjson
import zstandard

from pipelines.archive.files import make_folder, write_all, write_whole
from pipelines.broker.read import ReceivedReply

PAGES = "pages.json.zst"
RUN = "run.json"
FORMAT = 1
#: The first of the sixteen magic numbers of frames that zstd tools skip; the length of the frame follows.
SKIPPED = 0x184D2A50
HEAD = struct.Struct("<II")

Entry = dict[str, Any]
_TOLD = tuple(field.name for field in fields(ReceivedReply) if field.name != "body")


class Archive:
    """One run's folder, being written. Called with each reply; `files` lists what was written, by endpoint and account.

    The broker's clock names the folder, so the reply that tells the time waits in memory until `begin`. Threads may
    share it. The disk is waited for once, before the run is sealed: one that isn't sealed is never landed.
    """

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], list[Entry]] = {}
        self._waiting: list[ReceivedReply] = []
        self._folder: Path | None = None
        self._began: Entry = {}
        self._pages = -1
        self._hash = hashlib.sha256()
        self._written = 0
        #: Why nothing can be written any more: a disk that failed once may say yes the next time, and have nothing.
        self._broken: OSError | None = None
        self._writing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._writing:
            # a thread that nobody waits for may still come, and must not write to whatever is open then
            self._broken = self._broken or OSError(errno.EBADF, "the archive of this run is closed")
            if self._pages >= 0:
                os.close(self._pages)
                self._pages = -1

    def begin(self, folder: Path, context: Entry) -> None:
        """From here on replies are written to `folder`, which must be new."""
        make_folder(folder)
        self._folder, self._began = folder, {"format": FORMAT, "began": context}
        self._pages = os.open(folder / PAGES, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        # this syncs the folder too, with the pages' name in it
        write_whole(folder / RUN, _sealed(self._began), durable=True)
        for received in self._waiting:
            self(received)
        self._waiting.clear()

    def __call__(self, received: ReceivedReply) -> None:
        """Write one reply and its entry. Raises OSError where the disk refuses: then nothing is parsed."""
        if self._folder is None:
            self._waiting.append(received)
            return
        packed = zstandard.ZstdCompressor(level=1).compress(received.body) if received.error is None else b""
        entry = _entry(received, len(packed))
        end = self._append(_head(entry) + packed)
        if received.error is None:
            listed = listing_of(entry, end - len(packed))
            with self._writing:
                self.files.setdefault((received.endpoint, received.account_id), []).append(listed)

    def close(self, ending: Entry) -> None:
        """Seal the run: its reading has ended, and these are its pages."""
        if self._folder is None:
            return
        with self._writing, self._or_never_again():
            os.fdatasync(self._pages)
        pages = {"file": PAGES, "bytes": self._written, "sha256": self._hash.hexdigest()}
        write_whole(self._folder / RUN, _sealed({**self._began, "ended": ending, "pages": pages}), durable=True)

    def _append(self, record: bytes) -> int:
        """Where the record ends in the file."""
        with self._writing, self._or_never_again():
            write_all(self._pages, record)
            self._hash.update(record)
            self._written += len(record)
            return self._written

    @contextmanager
    def _or_never_again(self) -> Iterator[None]:
        if self._broken:
            raise OSError(self._broken.errno, self._broken.strerror)
        try:
            yield
        except OSError as error:
            self._broken = error
            raise


def listing_of(entry: Entry, offset: int) -> Entry:
    """A reply as the manifest lists it: where it is, how long it is there, and what proves that it is the one."""
    kept = ("read", "page", "status", "request_id", "received_at", "sha256", "bytes", "packed")
    return {"file": PAGES, "offset": offset, **{name: entry[name] for name in kept}}


def _entry(received: ReceivedReply, packed: int) -> Entry:
    return {
        **{name: getattr(received, name) for name in _TOLD},
        "received_at": received.received_at.isoformat(),
        "began_at": received.began_at.isoformat() if received.began_at else None,
        "sha256": hashlib.sha256(received.body).hexdigest(),
        "bytes": len(received.body),
        "packed": packed,
    }


def _head(entry: Entry) -> bytes:
    text = orjson.dumps(entry)
    return HEAD.pack(SKIPPED, len(text)) + text


def _sealed(run: Mapping[str, Any]) -> bytes:
    """run.json with a hash of itself, so that a changed word is noticed."""
    return orjson.dumps({**run, "sha256": seal_of(run)}, option=orjson.OPT_INDENT_2)


def seal_of(run: Mapping[str, Any]) -> str:
    """The hash of all that run.json says, but for the hash itself."""
    told = {name: value for name, value in run.items() if name != "sha256"}
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
