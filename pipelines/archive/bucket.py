"""The archive where it outlives the machine that read it: in a bucket of S3's kind, or a folder that machines share.

The same two files a run, in the same folders, as in a home. The seal goes last, when the pages have been read back:
what has none is an upload that was killed, and no run.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from pyarrow import fs

from pipelines.addresses import S3
from pipelines.archive.files import fsync, make_folder, whole_file
from pipelines.archive.read import ArchivedRun, Damaged, StoredRun
from pipelines.archive.stores import advice_of, file_system, reason_of
from pipelines.archive.write import PAGES, RUN
from pipelines.errors import DaybookError, StoreAway

_PIECE = 2**20


@dataclass(frozen=True)
class Bucket:
    """An archive at `place`: `s3://bucket/prefix`, or a folder. What is fetched lies in `scratch` while it is needed.

    Raises StoreAway where it can't be reached, or refuses. Without `compression=None` pyarrow goes by a file's name,
    and would unpack it.
    """

    place: str
    scratch: Path

    @cached_property
    def files(self) -> fs.FileSystem:
        """The client; paths of it begin with `root`."""
        with self._or_away("reached"):
            return file_system(self.place)[0]

    @property
    def root(self) -> str:
        """The archive's own path."""
        return self.place.removeprefix(S3).rstrip("/")

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of this machine's file system."""
        return not self.place.startswith(S3)

    def runs(self) -> list[BucketRun]:
        """Every sealed run, in the order of the broker's clock."""
        sizes: dict[tuple[str, str], dict[str, int]] = {}
        for each in self._listed():
            if each.base_name in (PAGES, RUN):
                month, run_id = each.path.split("/")[-3:-1]
                sizes.setdefault((run_id, month), {})[each.base_name] = each.size
        return [
            BucketRun(self, f"{month}/{run_id}", sum(of_run.values()))
            for (run_id, month), of_run in sorted(sizes.items())
            if RUN in of_run
        ]

    def keep(self, run: ArchivedRun) -> None:
        """Put a sealed run here, proven and durable, its seal last; one that is here stays as it is.

        Raises Damaged where the run is not what was written, DaybookError where another one has its name.
        """
        name, seal = f"{run.folder.parent.name}/{run.run_id}", run.seal
        there = self.read(f"{name}/{RUN}")
        if there == seal:
            return
        if there is not None:
            raise DaybookError(f"{self.place}/{name} is another run than {run.place}: keep one of them aside.")
        run.prove()
        self._put(run.folder / PAGES, f"{name}/{PAGES}")
        if self._digest(f"{name}/{PAGES}") != run.said["pages"]["sha256"]:
            raise StoreAway(f"{self.place}/{name}/{PAGES} is not what was sent.")
        self._put(run.folder / RUN, f"{name}/{RUN}")
        if self.read(f"{name}/{RUN}") != seal:
            raise StoreAway(f"{self.place}/{name}/{RUN} is not what was sent.")

    def read(self, name: str) -> bytes | None:
        """A small file; None where there is none."""
        with self._or_away("read"):
            try:
                with self.files.open_input_stream(f"{self.root}/{name}", compression=None) as file:
                    return bytes(file.read())
            except FileNotFoundError:
                return None

    def fetch(self, name: str, to: Path) -> None:
        """Copy a file to this machine. Raises Damaged where it is gone."""
        with self._or_away("read"), to.open("wb") as copy:
            try:
                file = self.files.open_input_stream(f"{self.root}/{name}", compression=None)
            except FileNotFoundError:
                raise Damaged(f"{self.place}/{name} is gone.") from None
            with file:
                shutil.copyfileobj(file, copy, _PIECE)

    def leftovers(self, before: datetime) -> list[str]:
        """What belongs to no sealed run, and was written before an instant: an upload or a deletion was killed."""
        found = self._listed()
        sealed = {_folder_of(each) for each in found if each.base_name == RUN}
        return [
            each.path.removeprefix(f"{self.root}/")
            for each in found
            if each.mtime < before and (_folder_of(each) not in sealed or each.base_name not in (PAGES, RUN))
        ]

    def delete(self, name: str) -> None:
        """Delete a file, which may be gone already."""
        with self._or_away("written"):
            try:
                self.files.delete_file(f"{self.root}/{name}")
            except FileNotFoundError:
                return

    def _listed(self) -> list[fs.FileInfo]:
        with self._or_away("read"):
            found = self.files.get_file_info(fs.FileSelector(self.root, recursive=True, allow_not_found=True))
        return [each for each in found if each.is_file]

    def _put(self, source: Path, name: str) -> None:
        with self._or_away("written"), source.open("rb") as file:
            if self.is_folder:
                target = Path(self.root) / name
                make_folder(target.parent, exist_ok=True)
                with whole_file(target, durable=True) as copy:
                    shutil.copyfileobj(file, copy, _PIECE)
            else:
                with self.files.open_output_stream(f"{self.root}/{name}", compression=None) as upload:
                    shutil.copyfileobj(file, upload, _PIECE)

    def _digest(self, name: str) -> str:
        digest = hashlib.sha256()
        with self._or_away("read"), self.files.open_input_stream(f"{self.root}/{name}", compression=None) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        return digest.hexdigest()

    @contextmanager
    def _or_away(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # pyarrow's own are of that kind
            why = f"({reason_of(error)}): {advice_of(str(error))}"
            raise StoreAway(f"The archive {self.place} can't be {what} {why}.") from error


def _folder_of(file: fs.FileInfo) -> str:
    return str(file.path.rpartition("/")[0])


@dataclass(frozen=True)
class BucketRun(StoredRun):
    """A sealed run in a bucket: `name` is its month and id, `listed` the bytes of its files."""

    bucket: Bucket
    name: str
    listed: int

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.name.rpartition("/")[2]

    @property
    def place(self) -> str:
        """Its address."""
        return f"{self.bucket.place}/{self.name}"

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return self.listed

    @property
    def is_sealed(self) -> bool:
        """Nothing else is sent. It is not read to tell: there may be thousands."""
        return True

    @property
    def seal(self) -> bytes:
        """Its run.json, byte by byte; empty where it has just been deleted."""
        return self._seal

    @cached_property
    def _seal(self) -> bytes:
        return self.bucket.read(f"{self.name}/{RUN}") or b""

    @contextmanager
    def at_hand(self) -> Iterator[ArchivedRun]:
        """Its files, fetched."""
        if self.bucket.is_folder:
            yield ArchivedRun(Path(self.bucket.root) / self.name)
            return
        self.bucket.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="archive-", dir=self.bucket.scratch) as own:
            folder = Path(own) / self.name
            folder.mkdir(parents=True)
            for file in (PAGES, RUN):
                self.bucket.fetch(f"{self.name}/{file}", folder / file)
            yield ArchivedRun(folder)

    def delete(self) -> None:
        """The seal first: what is left of a deletion that was killed is no run, and goes when it is asked for again."""
        for file in (RUN, PAGES):
            self.bucket.delete(f"{self.name}/{file}")
        if self.bucket.is_folder:
            self._forget_folders(Path(self.bucket.root) / self.name)

    def _forget_folders(self, folder: Path) -> None:
        for each in (folder, folder.parent):
            if not any(each.iterdir()):
                each.rmdir()
                fsync(each.parent)
