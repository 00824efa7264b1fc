"""DuckDB's extensions for a lake, from the wheels that they were installed with: nothing is downloaded, and nothing is
written outside of the environment."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import duckdb

from pipelines.errors import ConfigurationError, first_line
from pipelines.warehouse.contents import literal

#: In the order in which they are loaded: the lake's needs that of PostgreSQL, which isn't loaded by itself here.
_NAMES = ("httpfs", "postgres_scanner", "ducklake")
_MISSING = "DAYBOOK_LAKE is set, and what a lake needs is not installed: install daybook with its extra `lake`."


def load_extensions(con: duckdb.DuckDBPyConnection) -> None:
    """Load them into a connection. Raises ConfigurationError where they are not installed, or are of another DuckDB."""
    for path in _paths():
        try:
            con.execute(f"LOAD {literal(path)}")
        except duckdb.Error as error:
            raise ConfigurationError(
                f"DuckDB {duckdb.__version__} can't load {path.name} ({first_line(error).rstrip('.')}): install "
                "daybook's extra `lake` as it is locked."
            ) from error


def require_psycopg() -> None:
    """Raises ConfigurationError where the driver that holds a lake's locks is not installed."""
    if find_spec("psycopg") is None:
        raise ConfigurationError(_MISSING)


@cache
def _paths() -> tuple[Path, ...]:
    return tuple(_path(name) for name in _NAMES)


def _path(name: str) -> Path:
    package = find_spec(f"duckdb_extension_{name}")
    places = package.submodule_search_locations if package else None
    for place in places or ():
        for path in Path(place).glob(f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"):
            return path
    raise ConfigurationError(_MISSING if not places else f"{_MISSING} It needs DuckDB {duckdb.__version__}'s own.")
