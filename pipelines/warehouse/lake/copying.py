"""Books copied from one attached database to another, whole, and compared before anything is kept of them."""

from __future__ import annotations

import duckdb

from pipelines.errors import DaybookError
from pipelines.warehouse.contents import Contents, contents, differences, row_counts

#: By this a build finds that the views, macros and comments of its selects are made.
MADE = "selects"


def copy_books(con: duckdb.DuckDBPyConnection, source: str, target: str) -> dict[str, int]:
    """Copy every table, view and macro of an attached database into one that has none, in the transaction that is open;
    the rows of each table. The next build makes views, macros and comments anew.

    Raises DaybookError where what was copied differs, duckdb.Error where it can't be copied: nothing may be committed.
    """
    con.execute(f"drop table if exists {target}.main.daybook_meta")  # a session that found a lake empty has made it
    con.execute(f"copy from database {source} to {target}")
    original = contents(con, source, comments=False)
    if wrong := differences(_compared(original), _compared(contents(con, target, comments=False))):
        raise DaybookError(f"the copy differs in {', '.join(wrong[:3])}")
    con.execute(f"delete from {target}.main.daybook_meta where key = ?", [MADE])  # noqa: S608  (a name of ours)
    return row_counts(original)


def _compared(found: Contents) -> Contents:
    """Every row of every table, and the types of columns. A view and a macro only by name: a lake and a file write down
    the same one in other words."""
    return {name: (0, "") if name.startswith(("view ", "macro ")) else said for name, said in found.items()}
