"""Landing: one run's tables as Arrow, through dlt into the warehouse, all of them or none. Each has the key that makes
landing it twice the same as landing it once.

In two steps, so that whoever has read a run can let go of its rows between them: what is extracted lies in files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from models.shapes import LANDED
from pipelines.broker.columns import empty, key_of
from pipelines.errors import DaybookError
from pipelines.warehouse.dlt_pipeline import root_cause

if TYPE_CHECKING:  # importing dlt takes a second, and most of those who need a table's shape land nothing
    from dlt import Pipeline
    from dlt.common.schema.typing import TSchemaContractDict
    from dlt.extract import DltResource, DltSource

Tables = dict[str, list[pa.Table]]
UTC_MICROSECONDS = pa.timestamp("us", "UTC")

EXTRACT_RUN = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("trading_date", pa.date32()),
        pa.field("grade", pa.string()),
        pa.field("started_at", UTC_MICROSECONDS),
        pa.field("finished_at", UTC_MICROSECONDS),
        pa.field("clock_source", pa.string()),
        pa.field("clock_skew_ms", pa.int64()),
        pa.field("broker_host", pa.string()),
        pa.field("is_loopback", pa.bool_()),
        pa.field("code_version", pa.string()),
        pa.field("trigger", pa.string()),
        pa.field("status", pa.string()),
        pa.field("accounts_expected", pa.int64()),
        pa.field("accounts_complete", pa.int64()),
        pa.field("trading_date_rule", pa.string()),
    ]
)

EXTRACT_MANIFEST = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("status", pa.string()),
        pa.field("complete", pa.bool_()),
        pa.field("captured_at", UTC_MICROSECONDS),
        pa.field("window_from", UTC_MICROSECONDS),
        pa.field("window_to", UTC_MICROSECONDS),
        pa.field("pages", pa.int64()),
        pa.field("reads", pa.int64()),
        pa.field("rows_landed", pa.int64()),
        pa.field("rows_quarantined", pa.int64()),
        pa.field("total_items", pa.int64()),
        pa.field("http_status", pa.int64()),
        pa.field("request_ids", pa.string()),
        pa.field("error", pa.string()),
        pa.field("findings", pa.string()),
        pa.field("fields_seen", pa.string()),
        pa.field("archive_files", pa.string()),
    ]
)

QUARANTINE = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("ordinal", pa.int64(), nullable=False),
        pa.field("identity", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("row_text", pa.string()),
    ]
)

#: Every raw table: its key, and the table without rows that makes it exist.
TABLES: dict[str, tuple[tuple[str, ...], pa.Table]] = {
    "extract_run": (("run_id",), EXTRACT_RUN.empty_table()),
    "extract_manifest": (("run_id", "account_id", "endpoint"), EXTRACT_MANIFEST.empty_table()),
    "quarantine": (("run_id", "account_id", "endpoint", "ordinal"), QUARANTINE.empty_table()),
    **{shape.name: (key_of(shape), empty(shape)) for shape in LANDED},
}

#: New tables may come with a new daybook; a new column or type has to be a migration, never an accident.
CONTRACT: TSchemaContractDict = {"tables": "evolve", "columns": "freeze", "data_type": "freeze"}


def land(pipeline: Pipeline, tables: Tables) -> str:
    """Extract and load one run's tables; the load's id. Raises DaybookError as the two steps do."""
    extract(pipeline, tables)
    return load(pipeline)


def extract(pipeline: Pipeline, tables: Tables) -> None:
    """Write one run's tables, by raw table, into files of dlt's. Raises DaybookError where that can't be done."""
    given = dict(tables)
    del tables  # dlt's source and its errors have themselves in them, and keep whatever they were made under
    with _or_kept(pipeline):
        pipeline.extract(broker_source(given, _there(pipeline)), loader_file_format="parquet")
    given.clear()


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


def _there(pipeline: Pipeline) -> set[str]:
    """The raw tables that the warehouse has, whatever dlt remembers of another file in its place."""
    with pipeline.sql_client() as client:
        names = client.execute_sql(
            "select table_name from duckdb_tables() where database_name = current_database() and schema_name = %s",
            client.dataset_name,
        )
    return {name for (name,) in names or ()}


def broker_source(tables: Tables, there: Collection[str] = ()) -> DltSource:
    """The dlt source of one run: `tables` holds what was read, by raw table. One without rows is made by it unless it
    is among those that are there: what loads nothing costs as much as what loads little."""
    import dlt

    def broker() -> Iterator[DltResource]:
        for name, (key, nothing) in TABLES.items():
            rows = [table for table in tables.get(name, ()) if table.num_rows]
            if rows or name not in there:
                yield _resource(name, key, rows or [nothing])

    source: DltSource = dlt.source(
        broker, name="broker", max_table_nesting=0, root_key=False, schema_contract=CONTRACT
    )()
    return source


def _resource(name: str, key: tuple[str, ...], batches: list[pa.Table]) -> DltResource:
    import dlt

    def rows() -> Iterator[Any]:
        yield _once(pa.concat_tables(batches), key)

    resource: DltResource = dlt.resource(
        rows,
        name=name,
        write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        primary_key=list(key),
    )
    return resource


def _once(table: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """The table with the first row of each key: two requests of one run may bring the same contract or event."""
    if table.group_by(key).aggregate([]).num_rows == table.num_rows:
        return table
    numbered = table.append_column("_row", pa.array(range(table.num_rows)))
    first = numbered.group_by(key).aggregate([("_row", "min")])["_row_min"]
    return table.take(first.sort())
