"""Where the rows of a table come from while a build writes them: DuckDB computes them, or somebody else has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from pipelines.books.catalog import Catalog, Table


@dataclass(frozen=True)
class Rows:
    """A select whose rows are a table's. `are_stored`: they lie in files until the build ends, so nothing is gained by
    writing them once more for the selects that read them."""

    select: str
    are_stored: bool = False


class Engine:
    """DuckDB, in this process: a table's rows are computed by its own select, as they are written."""

    #: How many positions are taken at once: days are built together as far as that goes, so that a rebuild of years
    #: needs no more memory than one of a week.
    rows_at_once = 250_000

    def begin(self, con: duckdb.DuckDBPyConnection, catalog: Catalog, values: Mapping[str, Any]) -> None:
        """Days are about to be built, those from `from_date` to `to_date` of `values`; their inputs are made."""

    def rows(self, table: Table) -> Rows:
        """The rows of a table for those days; what is before it in the catalogue is written. Raises BuildFailed."""
        return Rows(table.select)
