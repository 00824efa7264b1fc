"""Where a build's seconds go, statement by statement."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipelines.warehouse import tables

#: The file of a working table, and the table's name in it.
_WORKING = re.compile(r"/(\w+)\.\d+\.parquet'")


@contextmanager
def statements() -> Iterator[dict[str, float]]:
    """Seconds spent in the statements of a build, by the table that they write."""
    spent: dict[str, float] = defaultdict(float)
    real = tables.run_statement

    def timed(con: Any, statement: str, values: Any = None) -> Any:
        began = time.perf_counter()
        try:
            return real(con, statement, values)
        finally:
            spent[_what(statement)] += time.perf_counter() - began

    tables.run_statement = timed
    try:
        yield spent
    finally:
        tables.run_statement = real


def _what(statement: str) -> str:
    if working := _WORKING.search(statement):
        return f"copy {working[1]}"
    words = statement.split()
    after = ("table", "into", "from", "update")
    return next((f"{words[0]} {words[at + 1]}" for at, word in enumerate(words[:-1]) if word in after), words[0])
