"""The data dictionary on a page and in a file: `python -m assets.dictionary_page` writes both."""

from __future__ import annotations

from pathlib import Path

from assets.catalog import CATALOG
from assets.dictionary import FILE, as_file
from pipelines.books.dictionary import ColumnEntry, TableEntry, entries
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS

PAGE = Path(__file__).parents[1] / "docs" / "data-dictionary.md"

_PREFACE = """\
# Data dictionary

Every table of the published copy (`daybook.duckdb`), column by column. `python -m assets.dictionary_page` writes this
page from the models, the `.sql` files and `assets/columns.toml`; change it there. The same words are inside the file
itself (`select table_name, column_name, comment from duckdb_columns()`) and beside every asset in Dagster.

Quantities and prices are `DECIMAL(24,8)`, money is `DECIMAL(28,10)` in the account's currency, instants are
`TIMESTAMPTZ`, dates are New York trading dates. A gain is positive, a short position is negative, and null is unknown,
never zero.
"""
_SCHEMAS = {
    "raw": "What the broker said, as it said it: facts, append-only.",
    "core": "What the books rest on: accounts, instruments and trading days, from the snapshots that speak for them.",
    "pnl": "Daily P&L, versioned, and what is counted from it.",
    "quality": "How far the books can be trusted, day by day.",
}


def page() -> str:
    """The whole page, as Markdown."""
    parts = [_PREFACE]
    for schema in PUBLISHED_SCHEMAS:
        parts.append(f"## {schema}\n\n{_SCHEMAS[schema]}\n")
        parts += [_section(entry) for entry in entries(CATALOG).values() if entry.name.startswith(f"{schema}.")]
    return "\n".join(parts)


def _section(entry: TableEntry) -> str:
    about = f"A view. {entry.description}" if entry.kind == "view" else entry.description
    if f"{entry.name}_version" in entries(CATALOG):
        about += f"\n\n`{entry.name}_as_known(ts)` gives these rows as they were known at the instant `ts`."
    rows = "\n".join(_row(column) for column in entry.columns)
    return f"### {entry.name}\n\n{about}\n\n| column | type | meaning |\n|---|---|---|\n{rows}\n"


def _row(column: ColumnEntry) -> str:
    meaning = column.description.replace("|", "\\|")
    return f"| `{column.name}` | {column.type} | {meaning} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    FILE.write_text(as_file(entries(CATALOG)), encoding="utf-8")
