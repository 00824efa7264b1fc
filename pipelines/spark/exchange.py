"""What Spark reads: rows of the warehouse as Parquet, written by DuckDB within the build's own transaction.

Not the lake's own files: those may hold rows that are deleted, and of more than the days that are built. The two tables
that grow with positions lie in a folder a trading date, and only the dates that the selects can look at are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipelines.warehouse.contents import literal
from pipelines.warehouse.tables import run_statement

#: The tables that grow with positions, each by the select that dates its rows.
_DATED = {
    "raw.positions": """
        select positions.*, run.trading_date as on_date
        from raw.positions inner join core.run on positions.run_id = run.run_id
        where run.trading_date between $lower and $upper
    """,
    "core.position_eod": """
        select *, trading_date as on_date from core.position_eod
        where trading_date between $lower and $upper and trading_date not between $from_date and $to_date
    """,
}
#: A table of trading dates that is made again is read for other days than those that are built.
_OTHER_DAYS = "select * from {name} where trading_date not between $from_date and $to_date"

#: Selects look at most four weeks beyond the days that they are about, and the days that these are compared with: of
#: every account that was asked about, the last known one, and of a recovered one the last that was read.
_LOWER = """
    select least(min(earlier.trading_date), min(earlier.anchor_date), $from_date) - 31
    from input_earlier_eod as earlier
    where earlier.account_id in (
        select manifest.account_id from raw.extract_manifest as manifest
        inner join core.run on manifest.run_id = run.run_id
        where run.trading_date between $from_date and $to_date + 31
    )
"""
_TYPES = {
    "VARCHAR": "string",
    "JSON": "string",
    "BIGINT": "bigint",
    "INTEGER": "int",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "TIMESTAMP": "timestamp_ntz",
    "VARCHAR[]": "array<string>",
    "HUGEINT": "double",  # as DuckDB writes it
}


class Exchange:
    """Rows on their way to Spark, in a folder that the build removes. `values` are those of the days that are built."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path, values: Mapping[str, Any]) -> None:
        self._con = con
        self._folder = folder
        (lower,) = run_statement(con, _LOWER, values).fetchone()
        upper = date.fromordinal(values["to_date"].toordinal() + 31)
        self._values = {
            **values,
            "lower": lower or date.fromordinal(values["from_date"].toordinal() - 31),
            "upper": upper,
        }

    def write(self, name: str, *, other_days: bool = False) -> tuple[Path, int]:
        """Write the rows of a relation that Spark may look at, of the days that are not built where `other_days`: their
        folder, and how many they are."""
        folder = self._folder / name
        folder.mkdir(mode=0o700, parents=True)
        select = _DATED.get(name) or (_OTHER_DAYS.format(name=name) if other_days else f"select * from {name}")
        if is_dated(name):
            target, how = folder, "format parquet, partition_by (on_date), overwrite_or_ignore"
        else:
            target, how = folder / "rows.parquet", "format parquet"
        statement = f"copy ({select}) to {literal(target)} ({how})"
        (rows,) = run_statement(self._con, statement, self._values).fetchone()
        return folder, int(rows)

    def columns(self, name: str) -> dict[str, str]:
        """The columns of a relation, each with its type in Spark."""
        found = self._con.execute(f"describe {name}").fetchall()
        return {column: _type(kind) for column, kind, *_ in found}

    def declared(self, name: str) -> str:
        """The same as Spark declares columns."""
        return ", ".join(f"`{column}` {kind}" for column, kind in self.columns(name).items())


def is_dated(name: str) -> bool:
    """Whether a table's rows lie in a folder a trading date (`on_date`)."""
    return name in _DATED


def _type(kind: str) -> str:
    return kind.lower() if kind.startswith("DECIMAL") else _TYPES[kind]
