"""What every derived table is made from, read from the select that makes it: the graph can't disagree with the SQL."""

from __future__ import annotations

from functools import cache

from assets.catalog import TABLES, Table

#: What a build brings along from elsewhere (assets/inputs.py). Its own earlier days are no source.
_INPUTS = {"input_session": "raw.market_hours"}
#: A build's own tables: what is here for one transaction only, or for one select.
_PASSING = {table.bare: table for table in TABLES if table.kind in ("working", "ephemeral")}
_FRESH = {table.working: table for table in TABLES if table.kind == "versions"}


@cache
def sources(table: Table) -> frozenset[str]:
    """The tables that a table's select reads, by name, without itself and dlt's own.

    A working table is gone when the build is done, and an ephemeral one never was there, so what they read counts in
    their place. The new rows of a versioned table count as that table.
    """
    found: set[str] = set()
    for name in table.reads:
        if name in _PASSING:
            found |= sources(_PASSING[name])
        elif name in _FRESH:
            found.add(_FRESH[name].name)
        elif name in _INPUTS:
            found.add(_INPUTS[name])
        elif "." in name:
            found.add(name)
    return frozenset(found - {table.name})
