"""What every derived table is made from, read from the select that makes it: the graph can't disagree with the SQL."""

from __future__ import annotations

import re
from functools import cache

from assets.catalog import TABLES, Table

_COMMENT = re.compile(r"--[^\n]*")
_SOURCE = re.compile(r"\b(?:from|join)\s+((?:(?:raw|core|pnl|quality)\.)?[a-z][a-z_]*)\b(?!\.)")
#: What a build brings along from elsewhere (pipelines/books/inputs.py). Its own earlier days are no source.
_INPUTS = {"input_session": "raw.market_hours"}
#: A build's own tables: what is here for one transaction only.
_WORKING = {table.bare: table for table in TABLES if table.kind == "working"}
_FRESH = {table.working: table for table in TABLES if table.kind == "versions"}


@cache
def sources(table: Table) -> frozenset[str]:
    """The tables that a table's select reads, by name, without itself and dlt's own.

    A working table is gone when the build is done, so what it read counts in its place. The new rows of a versioned
    table count as that table.
    """
    found: set[str] = set()
    for name in _SOURCE.findall(_COMMENT.sub("", table.select)):
        if name in _WORKING:
            found |= sources(_WORKING[name])
        elif name in _FRESH:
            found.add(_FRESH[name].name)
        elif name in _INPUTS:
            found.add(_INPUTS[name])
        elif "." in name:
            found.add(name)
    return frozenset(found - {table.name})
