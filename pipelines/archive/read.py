"""Reading the archive: which runs it has, whether they are as they were written, and every reply of one."""

from __future__ import annotations

import hashlib
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import zstandard

from pipelines.archive.files import fsync, read_file
from pipelines.archive.write import FORMAT, HEAD, PAGES, RUN, SKIPPED, Entry, listing_of, seal_of
from pipelines.errors import DaybookError


class Damaged(DaybookError):
    """A file of the archive is not what was written; the message names it."""


@dataclass(frozen=True)
class ArchivedReply:
    """A reply, or a request that was given up: its entry (what was asked, times, status) and where its body is."""

    entry: Entry
    offset: int

    @property
    def what(self) -> str:
        """Which reply it is, for people."""
        of = f" of account {self.entry['account_id']}" if self.entry["account_id"] else ""
        return f"page {self.entry['page']} of {self.entry['endpoint']}{of}"


class StoredRun(ABC):
    """A run of the archive, wherever it lies. Raises Damaged where what it says of itself is not what was written."""

    @property
    @abstractmethod
    def run_id(self) -> str:
        """The run's id."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it is, for people."""

    @property
    @abstractmethod
    def size(self) -> int:
        """The bytes of its files."""

    @property
    @abstractmethod
    def is_sealed(self) -> bool:
        """Whether the run's reading came to its end: one that was killed, or failed, was never landed."""

    @property
    @abstractmethod
    def seal(self) -> bytes:
        """Its run.json, byte by byte."""

    @abstractmethod
    def at_hand(self) -> AbstractContextManager[ArchivedRun]:
        """Its files in a folder of this machine, until the block ends."""

    @abstractmethod
    def delete(self) -> None:
        """Deletes it; one that is half deleted does not look damaged."""

    @cached_property
    def said(self) -> dict[str, Any]:
        """What its run.json says."""
        try:
            said = orjson.loads(self.seal)
            if said["sha256"] != seal_of(said):
                raise Damaged(f"{self.place}/{RUN} is damaged: it is not what was written.")
            if said["format"] > FORMAT:
                raise Damaged(f"{self.place}/{RUN} was written by a newer daybook: update this one to read it.")
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"{self.place}/{RUN} is damaged: it is not what was written.") from error
        return dict(said)

    @property
    def began(self) -> Entry:
        """How it began, as it was written (pipelines/ingest/run_context.py)."""
        return dict(self.said["began"])

    @property
    def ended(self) -> Entry:
        """How it ended, as it was written; only of a sealed run."""
        return dict(self.said["ended"])

    @property
    def trading_date(self) -> date:
        """The trading day that it read; only of a sealed run."""
        return date.fromisoformat(self.said["ended"]["trading_date"])


@dataclass(frozen=True)
class ArchivedRun(StoredRun):
    """One run's folder on this machine. Everything here raises Damaged where the files are not what was written."""

    folder: Path

    @property
    def run_id(self) -> str:
        """The run's id, by the name of the folder."""
        return self.folder.name

    @property
    def place(self) -> str:
        """The folder."""
        return str(self.folder)

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    @property
    def seal(self) -> bytes:
        """Its run.json, byte by byte."""
        try:
            return read_file(self.folder / RUN)
        except OSError as error:
            raise Damaged(f"{self.folder / RUN} can't be read ({error.strerror}).") from error

    @property
    def is_sealed(self) -> bool:
        """Whether the run's reading came to its end: one that was killed, or failed, was never landed."""
        return not self._is_barely_begun and "ended" in self.said

    @property
    def _is_barely_begun(self) -> bool:
        """Whether the run was killed before its run.json was written."""
        pages = self.folder / PAGES
        return not (self.folder / RUN).exists() and not (pages.exists() and pages.stat().st_size)

    @contextmanager
    def at_hand(self) -> Iterator[ArchivedRun]:
        """It is on this machine."""
        yield self

    def delete(self) -> None:
        """Renamed first, then deleted: a run that is half deleted would look damaged."""
        going = self.folder.with_name(f".{self.folder.name}.pruned")
        self.folder.rename(going)
        shutil.rmtree(going)
        fsync(self.folder.parent)
        if not any(self.folder.parent.iterdir()):
            self.folder.parent.rmdir()

    @property
    def records(self) -> list[ArchivedReply]:
        """Every reply, in the order in which they came. What a kill left half written at the end is left out.

        Read anew each time: whoever goes through years of runs must not come to hold the replies of all of them.
        """
        try:
            with (self.folder / PAGES).open("rb") as file:
                return list(_records(file))
        except OSError as error:
            raise Damaged(f"{self.folder / PAGES} can't be read ({error.strerror}).") from error

    def files(self) -> dict[tuple[str, str], list[Entry]]:
        """What the manifest lists, by endpoint and account."""
        found: dict[tuple[str, str], list[Entry]] = {}
        for record in self.records:
            if record.entry["error"] is None:
                key = record.entry["endpoint"], record.entry["account_id"]
                found.setdefault(key, []).append(listing_of(record.entry, record.offset))
        return found

    @contextmanager
    def bodies(self) -> Iterator[Bodies]:
        """The open file of the bodies."""
        try:
            handle = os.open(self.folder / PAGES, os.O_RDONLY)
        except OSError as error:
            raise Damaged(f"{self.folder / PAGES} can't be read ({error.strerror}).") from error
        try:
            yield Bodies(handle, self.folder / PAGES)
        finally:
            os.close(handle)

    def prove(self) -> None:
        """Read every byte: raises Damaged, naming the page where one can be named, unless all is as it was written."""
        with self.bodies() as bodies:
            for record in self.records:
                bodies.read(record)
        sealed = self.said["pages"]
        with (self.folder / PAGES).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sealed["sha256"]:
            raise Damaged(f"{self.folder / PAGES} is damaged: it is not what was written.")


@dataclass(frozen=True)
class Bodies:
    """Reads bodies out of an open file; threads may share it."""

    handle: int
    path: Path

    def read(self, record: ArchivedReply) -> bytes:
        """The body exactly as it was received. Raises Damaged where it is not."""
        entry = record.entry
        packed = os.pread(self.handle, entry["packed"], record.offset)
        if not packed and not entry["bytes"]:
            return b""
        try:
            body = zstandard.ZstdDecompressor().decompress(packed, max_output_size=entry["bytes"] or 1)
        except zstandard.ZstdError:
            body = b""
        if hashlib.sha256(body).hexdigest() != entry["sha256"]:
            raise Damaged(f"{self.path} is damaged: {record.what}, at byte {record.offset}, is not what was received.")
        return body


def archived_runs(archive: Path) -> list[ArchivedRun]:
    """Every run that was begun, in the order of the broker's clock."""
    folders = (path for path in archive.glob("*/*") if path.is_dir() and not path.name.startswith("."))
    return [ArchivedRun(folder) for folder in sorted(folders, key=lambda folder: folder.name)]


def _records(file: BinaryIO) -> Iterator[ArchivedReply]:
    size = os.fstat(file.fileno()).st_size
    while len(start := file.read(HEAD.size)) == HEAD.size:
        magic, length = HEAD.unpack(start)
        try:
            entry = orjson.loads(file.read(length)) if magic == SKIPPED else None
        except ValueError:
            entry = None
        if entry is None or file.tell() + entry["packed"] > size:
            return  # a kill's torn end, or damage, which the hash of the whole tells
        yield ArchivedReply(entry, file.tell())
        file.seek(entry["packed"], os.SEEK_CUR)
