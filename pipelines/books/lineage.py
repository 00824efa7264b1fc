"""What every derived table is made from, read from the select that makes it: the graph can't disagree with the SQL."""

from __future__ import annotations

import re
from functools import cache

from pipelines.books.catalog import Catalog, Table

_COMMENT = re.compile(r"--[^\n]*")
_SOURCE = re.compile(r"\b(?:from|join)\s+((?:(?:raw|core|pnl|quality)\.)?[a-z][a-z_]*)\b(?!\.)")
#: What a build brings along from elsewhere (pipelines/books/inputs.py). Its own earlier days are no source.
_INPUTS = {"input_session": "raw.market_hours"}


@cache
def sources(catalog: Catalog, table: Table) -> frozenset[str]:
    """The tables that a table's select reads, by name, without itself and dlt's own.

    A working table is gone when the build is done, so what it read counts in its place. The new rows of a versioned
    table count as that table.
    """
    working = {each.working: each for each in catalog.of_kind("working")}
    fresh = {each.working: each.name for each in catalog.of_kind("versions")}
    found: set[str] = set()
    for name in _SOURCE.findall(_COMMENT.sub("", table.select)):
        if name in working:
            found |= sources(catalog, working[name])
        elif name in fresh:
            found.add(fresh[name])
        elif name in _INPUTS:
            found.add(_INPUTS[name])
        elif "." in name:
            found.add(name)
    return frozenset(found - {table.name})
