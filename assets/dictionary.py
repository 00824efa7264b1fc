"""The data dictionary as it is shipped: `assets/dictionary.json`, which `python -m assets.dictionary_page` writes.

Dagster names every column beside its asset. To ask for them is to make books without a row, and every process that
loads the definitions would: a tenth of a small evening.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

from pipelines.books.dictionary import ColumnEntry, TableEntry

FILE = Path(__file__).with_name("dictionary.json")


@cache
def entries() -> dict[str, TableEntry]:
    """Every published table by its name, schema by schema."""
    said = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        each["name"]: TableEntry(
            each["name"],
            each["kind"],
            each["description"],
            tuple(ColumnEntry(**column) for column in each["columns"]),
        )
        for each in said
    }


def as_file(found: dict[str, TableEntry]) -> str:
    """The file of these tables: a table and a column a line, so that a change shows what changed."""
    return json.dumps([asdict(entry) for entry in found.values()], indent=1, ensure_ascii=False) + "\n"
