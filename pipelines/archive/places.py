"""Where a home's archive is: in DAYBOOK_HOME, or, where the warehouse is a lake, beside its tables.

On a lake what comes is written into DAYBOOK_HOME/archive too, reply by reply, for a bucket takes whole files alone. A
run that is sealed is sent, and is gone from there once the lake has it, proven byte by byte. So what DAYBOOK_HOME has
was not sent yet, or was killed while it was reading.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.addresses import S3
from pipelines.archive.read import ArchivedRun, Damaged, StoredRun, archived_runs
from pipelines.errors import StoreAway
from pipelines.settings import Settings

if TYPE_CHECKING:  # a home without a lake needs none of it
    from pipelines.archive.bucket import Bucket

#: The archive's folder in DAYBOOK_LAKE_DATA.
ARCHIVE = "archive"
_KEPT = "What was read stays in {}: the next run sends it and lands it, before anything else."


def place_of(settings: Settings) -> str:
    """Where the archive is, for people."""
    return str(settings.archive) if settings.lake_data is None else f"{settings.lake_data}/{ARCHIVE}"


def runs_of(settings: Settings) -> list[StoredRun]:
    """Every run that was begun, in the order of the broker's clock. Raises StoreAway where the lake's archive can't be
    read."""
    here = archived_runs(settings.archive)
    if settings.lake_data is None:
        return list(here)
    sent = _bucket(settings).runs()
    there = {run.run_id for run in sent}
    return sorted((*sent, *(run for run in here if run.run_id not in there)), key=lambda run: run.run_id)


def runs_at(archive: str, settings: Settings) -> list[StoredRun]:
    """Every run of another archive: a folder, or a place in a bucket as `s3://bucket/prefix`. Raises as `runs_of`."""
    if not archive.startswith(S3):
        return list(archived_runs(Path(archive)))
    from pipelines.archive.bucket import Bucket

    return list(Bucket(archive, settings.working).runs())


def send_waiting(settings: Settings) -> list[str]:
    """Send every sealed run of this home to the lake's archive; sentences about those that are damaged here, and stay.
    Without a lake nothing is done.

    To be called before anything is landed. Raises StoreAway where the archive can't be written: nothing is lost.
    """
    if settings.lake_data is None:
        return []
    problems = []
    for run in archived_runs(settings.archive):
        try:
            if run.is_sealed:
                _bucket(settings).keep(run)
                run.delete()
        except (Damaged, StoreAway, FileNotFoundError) as error:
            if not run.folder.exists():
                continue  # another process of this home has sent it
            if not isinstance(error, Damaged):
                raise StoreAway(f"{error} {_KEPT.format(settings.home)}") from error
            problems.append(f"Run {run.run_id} was not sent to {place_of(settings)}: {error}")
    return problems


def send(settings: Settings, run: ArchivedRun) -> None:
    """Have a sealed run, of whatever archive, in the lake's, too, before it is landed. Raises as `send_waiting`."""
    if settings.lake_data is not None:
        _bucket(settings).keep(run)


def _bucket(settings: Settings) -> Bucket:
    from pipelines.archive.bucket import Bucket

    return Bucket(place_of(settings), settings.working)
