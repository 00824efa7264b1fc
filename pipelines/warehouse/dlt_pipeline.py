"""The dlt pipeline on the warehouse, and what an earlier run left pending in it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import duckdb

from pipelines.archive.places import send_waiting
from pipelines.settings import Settings
from pipelines.warehouse.pending_packages import forget_normalized_twice, packages_waiting
from pipelines.warehouse.tables import exists

if TYPE_CHECKING:
    from dlt import Pipeline

PENDING_ATTEMPTS = 3
#: A run that was killed after dlt noted its load and before the package was put away is noted once more when
#: the package is finished. Whoever counts rows of committed loads would count them twice, and call the snapshot torn.
_NOTED_TWICE = "delete from raw._dlt_loads where rowid not in (select min(rowid) from raw._dlt_loads group by load_id)"


def open_pipeline(con: duckdb.DuckDBPyConnection, folder: Path) -> Pipeline:
    """The dlt pipeline on an open warehouse. Its folder holds what is extracted and not yet loaded: it must survive."""
    import dlt

    from pipelines.warehouse.destination import Warehouse, credentials_of
    from pipelines.warehouse.dlt_home import settle_in

    settle_in(folder)
    pipeline: Pipeline = dlt.pipeline(
        pipeline_name="daybook",
        destination=Warehouse(credentials_of(con), destination_name="duckdb"),
        dataset_name="raw",
        pipelines_dir=str(folder),
    )
    return pipeline


def import_dlt_meanwhile() -> None:
    """Have dlt imported while something else is waited for: it takes half a second, and landing comes last."""
    Thread(target=import_module, args=("pipelines.warehouse.destination",), name="import dlt").start()


def finish_pending(con: duckdb.DuckDBPyConnection, settings: Settings) -> str | None:
    """Load what an earlier run extracted, once its archive is where it belongs. What can't be loaded is moved to
    DAYBOOK_HOME/quarantine, and a sentence says so.

    Without this dlt would load the old package in today's stead and extract nothing, with a warning. Raises StoreAway
    where a lake's archive can't be written.
    """
    alerts = send_waiting(settings)
    alert = _finish(open_pipeline(con, settings.dlt), settings) if packages_waiting(settings.dlt) else None
    if exists(con, "raw._dlt_loads"):
        con.execute(_NOTED_TWICE)
    return " ".join(filter(None, [*alerts, alert])) or None


def _finish(pipeline: Pipeline, settings: Settings) -> str | None:
    forget_normalized_twice(settings.dlt)
    last: Exception | None = None
    for _ in range(PENDING_ATTEMPTS):
        if not pipeline.has_pending_data:
            break
        try:
            pipeline.run(loader_file_format="parquet")
        except Exception as error:
            last = error
    return _set_aside(pipeline, settings.home / "quarantine", last) if pipeline.has_pending_data else None


def _set_aside(pipeline: Pipeline, quarantine: Path, why: Exception | None) -> str:
    target = quarantine / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copytree(pipeline.working_dir, target)
    pipeline.abort_packages()
    return (
        f"An earlier run's packages could not be loaded ({root_cause(why)}); they were moved to {target}, and nothing "
        "of them is in the books. The archive still has every page: `daybook replay` lands it again."
    )


def root_cause(error: BaseException | None) -> str:
    """The first line of the error at the bottom of a chain: dlt says first where in its own pipeline it was."""
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if error is not None and lines else type(error).__name__
