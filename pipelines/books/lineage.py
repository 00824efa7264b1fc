"""What every derived table is made from, read from the select that makes it: the graph can't disagree with the SQL."""

from __future__ import annotations

from functools import cache

from pipelines.books.catalog import Catalog, Table

#: What a build brings along from elsewhere (pipelines/books/inputs.py). Its own earlier days are no source.
_INPUTS = {"input_session": "raw.market_hours"}


@cache
def sources(catalog: Catalog, table: Table) -> frozenset[str]:
    """The tables that a table's select reads, by name, without itself and dlt's own.

    A working table is gone when the build is done, and an ephemeral one never was there, so what they read counts in
    their place. The new rows of a versioned table count as that table.
    """
    passing = {each.bare: each for each in catalog.of_kind("working", "ephemeral")}
    fresh = {each.working: each.name for each in catalog.of_kind("versions")}
    found: set[str] = set()
    for name in table.reads:
        if name in passing:
            found |= sources(catalog, passing[name])
        elif name in fresh:
            found.add(fresh[name])
        elif name in _INPUTS:
            found.add(_INPUTS[name])
        elif "." in name:
            found.add(name)
    return frozenset(found - {table.name})
