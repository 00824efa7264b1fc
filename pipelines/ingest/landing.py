"""Landing: one run's tables through dlt into the warehouse, all of them or none.

In two steps, so that whoever has read a run can let go of its rows between them: what is extracted lies in files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.errors import DaybookError
from pipelines.ingest.source import broker_source
from pipelines.warehouse.dlt_pipeline import root_cause

if TYPE_CHECKING:
    from dlt import Pipeline


Tables = dict[str, list[pa.Table]]


def land(pipeline: Pipeline, tables: Tables) -> str:
    """Extract and load one run's tables; the load's id. Raises DaybookError as the two steps do."""
    extract(pipeline, tables)
    return load(pipeline)


def extract(pipeline: Pipeline, tables: Tables) -> None:
    """Write one run's tables, by raw table, into files of dlt's. Raises DaybookError where that can't be done."""
    with _or_kept(pipeline):
        pipeline.extract(broker_source(tables), loader_file_format="parquet")


def load(pipeline: Pipeline) -> str:
    """Load what was extracted; the load's id. Raises DaybookError where dlt could not commit it: it stays pending."""
    with _or_kept(pipeline):
        pipeline.normalize()
        # What Arrow keeps for its next table is DuckDB's to use from here on.
        pa.default_memory_pool().release_unused()
        info = pipeline.load()
        info.raise_on_failed_jobs()
    return str(info.loads_ids[-1])


@contextmanager
def _or_kept(pipeline: Pipeline) -> Iterator[None]:
    """Whatever fails in the block is a DaybookError that says where the snapshot is now."""
    try:
        yield
    except Exception as error:
        kept = (
            f"It is kept in {pipeline.working_dir}, and the next sync loads it first."
            if pipeline.has_pending_data
            else "The archive has every page: `daybook replay` lands it."
        )
        raise DaybookError(f"The snapshot was read but could not be loaded ({root_cause(error)}). {kept}") from error
