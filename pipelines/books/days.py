"""The days of the books, and how each of them stands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from pipelines.errors import INCOMPLETE

if TYPE_CHECKING:
    import duckdb

    from pipelines.books.build import Built

COMPLETE = "COMPLETE"


def statuses(con: duckdb.DuckDBPyConnection) -> dict[date, str]:
    """COMPLETE, INCOMPLETE or BROKEN of every day in the books, in order; none before the first build."""
    there = """
        select 1 from duckdb_views()
        where database_name = current_database() and schema_name = 'quality' and view_name = 'day'
    """
    if con.execute(there).fetchone() is None:
        return {}
    return dict(con.execute("select trading_date, status from quality.day order by trading_date").fetchall())


def built_days(built: Built, known: Iterable[date]) -> list[date]:
    """The days that a build looked at and knows something of, in order."""
    return [day for day in known if any(start <= day <= end for start, end in built.spans)]


def exit_code(states: Iterable[str]) -> int:
    """0 where every day is complete, else 3: of several days the worst."""
    return 0 if all(state == COMPLETE for state in states) else INCOMPLETE
