"""How a lake is opened: a database in memory to which it is attached, and which uses it.

DuckDB can open a lake by its address alone; opened so a second time in one process, after PostgreSQL had been
restarted, it was seen to spin for ever. Attached to a database in memory it is not.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from pipelines.errors import ConfigurationError, DaybookError
from pipelines.settings import Lake, Settings
from pipelines.warehouse.contents import literal
from pipelines.warehouse.lake.extensions import load_extensions
from pipelines.warehouse.lake.problems import lake_problem
from pipelines.warehouse.lake.store import open_store

#: The name under which a writer has a lake. Readers have it under that of the published copy.
WRITTEN, READ = "lake", "daybook"
#: No extension from elsewhere, and no secret that the user has kept for other programs.
_OURS_ALONE = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "secret_directory": "/dev/null/secrets",
}


def lake_of(settings: Settings) -> Lake:
    """The lake of the settings. Raises ConfigurationError where they name none."""
    if not isinstance(settings.books, Lake):
        raise ConfigurationError(
            "DAYBOOK_LAKE is not set: set it to the address of a PostgreSQL database, and DAYBOOK_LAKE_DATA to a "
            "bucket or a folder."
        )
    return settings.books


def attach_lake(
    lake: Lake, name: str, *options: str, config: Mapping[str, str | bool | int | float | list[str]] | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection in UTC whose current database is the lake, under `name`; `options` are DuckDB's of ATTACH. Other
    cursors of it have to `use` it themselves.

    Raises NotPublished where there is no lake yet, ConfigurationError for settings that are of no lake or extras that
    are not installed, WrongWarehouse for a lake of a newer DuckLake, DaybookError where it can't be reached.
    """
    con = duckdb.connect(":memory:", config={**_OURS_ALONE, **(config or {})})
    try:
        load_extensions(con)
        con.execute("SET GLOBAL TimeZone = 'UTC'")
        con.execute("SET enable_progress_bar = false")
        con.execute("SET GLOBAL parquet_metadata_cache = true")  # no file of a lake is written twice
        open_store(con, lake)
        wanted = ("CREATE_IF_NOT_EXISTS false", f"DATA_PATH {literal(lake.tables)}", *options)
        con.execute(f"ATTACH {literal('ducklake:postgres:' + lake.catalog)} AS {name} ({', '.join(wanted)})")
        con.execute(f"USE {name}")
    except duckdb.Error as error:
        con.close()
        raise lake_problem(lake, error) from error
    except DaybookError:
        con.close()
        raise
    return con
