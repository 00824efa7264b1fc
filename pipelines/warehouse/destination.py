"""Where dlt loads a run: DuckDB, each table merged straight from its file.

dlt's own merge copies a file into a staging table, looks for repeated keys there, and copies the rows again. Here one
transaction takes away the rows that have the file's keys and puts the file's in: a run that was killed anywhere may do
it once more, and what it writes is what is kept. DuckDB looks for the keys only where the run's id can be, so that it
costs the same after a day and after years.
"""

from __future__ import annotations

import duckdb
from dlt.common.configuration import configspec
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.client import LoadJob, RunnableLoadJob
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.normalizers.naming import NamingConvention
from dlt.destinations import duckdb as DuckDb  # noqa: N812  (a class with a module's name)
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration, DuckDbCredentials
from dlt.destinations.impl.duckdb.duck import DuckDbClient

from pipelines.warehouse.tables import is_lake


class MergeFile(RunnableLoadJob):
    """The rows of one parquet file, in place of those in its table that have the same primary keys."""

    _job_client: WarehouseClient

    def run(self) -> None:
        """Merge the rows of the file into its table, in one transaction."""
        client = self._job_client.sql_client
        table = client.make_qualified_table_name(self.load_table_name)
        key = [name for name, column in self._load_table["columns"].items() if column.get("primary_key")]
        same = " and ".join(f"landed.{name} = came.{name}" for name in map(client.escape_column_name, key))
        with client.begin_transaction():
            client.execute_sql(
                f"delete from {table} as landed using read_parquet(%s) as came where {same}", self._file_path
            )
            client.execute_sql(f"insert into {table} by name select * from read_parquet(%s)", self._file_path)


class WarehouseClient(DuckDbClient):
    """dlt's client of DuckDB, with that job for the files of tables that are merged."""

    def should_load_data_to_staging_dataset(self, table_name: str) -> bool:  # noqa: ARG002
        """False: no table is loaded by way of a staging table."""
        return False

    def create_load_job(
        self,
        table: PreparedTableSchema,
        file_path: str,
        load_id: str,
        restore: bool = False,  # noqa: FBT001, FBT002
    ) -> LoadJob:
        """The job that loads a file."""
        if table["write_disposition"] == "merge" and file_path.endswith(".parquet"):
            return MergeFile(file_path)
        return super().create_load_job(table, file_path, load_id, restore)


@configspec(init=False)
class WarehouseConfiguration(DuckDbClientConfiguration):
    """dlt's settings of DuckDB. The text that dlt makes of them would import SQLAlchemy: a tenth of a small evening."""

    def __str__(self) -> str:
        return "warehouse"


def credentials_of(con: duckdb.DuckDBPyConnection) -> DuckDbCredentials:
    """An open warehouse as dlt takes it. A cursor begins in the database in memory to which a lake is attached: dlt has
    every one of its own use the lake, or it would land in that memory without a word."""
    return DuckDbCredentials(con, local_config={"schema": "lake"} if is_lake(con) else None)


class Warehouse(DuckDb):
    """The destination, made from an open connection."""

    spec = WarehouseConfiguration

    def capabilities(
        self, config: DuckDbClientConfiguration | None = None, naming: NamingConvention | None = None
    ) -> DestinationCapabilitiesContext:
        """What DuckDB can. Its settings have no part in that: dlt works them out to say it, thirty times a run."""
        return super().capabilities(self.spec() if config is None else config, naming)

    @property
    def client_class(self) -> type[WarehouseClient]:
        """The class of the client that dlt makes for each job."""
        return WarehouseClient
