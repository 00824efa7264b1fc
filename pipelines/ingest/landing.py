"""Landing: one run's tables through dlt into the warehouse, all of them or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.errors import DaybookError
from pipelines.ingest.source import broker_source
from pipelines.warehouse.dlt_pipeline import root_cause

if TYPE_CHECKING:
    from dlt import Pipeline


def land(pipeline: Pipeline, tables: dict[str, list[pa.Table]]) -> str:
    """Land one run's tables, and let go of them; the load's id. Raises DaybookError where dlt could not commit them:
    what it had extracted by then stays pending."""
    try:
        pipeline.extract(broker_source(tables), loader_file_format="parquet")
        pipeline.normalize()
        # What Arrow keeps for its next table is DuckDB's to use from here on.
        pa.default_memory_pool().release_unused()
        info = pipeline.load()
        info.raise_on_failed_jobs()
    except Exception as error:
        kept = (
            f"It is kept in {pipeline.working_dir}, and the next sync loads it first."
            if pipeline.has_pending_data
            else "The archive has every page: `daybook replay` lands it."
        )
        raise DaybookError(f"The snapshot was read but could not be loaded ({root_cause(error)}). {kept}") from error
    return str(info.loads_ids[-1])
