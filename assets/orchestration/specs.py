"""A table as Dagster sees it: its key, what it is made from, what it and its columns mean. All read, none repeated."""

from collections.abc import Iterator

import dagster as dg

from assets.catalog import CATALOG, TABLES
from assets.dictionary import entries
from pipelines.books.dictionary import TableEntry
from pipelines.books.lineage import sources

#: The warehouse has one writer. The pool's limit of 1 is set in dagster.yaml (dagster_project/instance.py).
WRITER = "duckdb_write"


def key(table: str) -> dg.AssetKey:
    """pnl.position_daily is the asset pnl/position_daily."""
    return dg.AssetKey(table.split("."))


def raw_specs() -> list[dg.AssetSpec]:
    """The tables that the sync lands."""
    return [_spec(entry, "dlt", []) for entry in entries().values() if entry.name.startswith("raw.")]


def book_specs() -> list[dg.AssetSpec]:
    """The tables that a build derives, in the order of their making."""
    return [_spec(entries()[name], "sql", made_from) for name, made_from in _derived()]


def leaves() -> list[dg.AssetKey]:
    """The tables that no other is made from: whoever depends on them depends on all."""
    specs = [*raw_specs(), *book_specs()]
    read = {dep.asset_key for spec in specs for dep in spec.deps}
    return [spec.key for spec in specs if spec.key not in read]


def _derived() -> Iterator[tuple[str, list[str]]]:
    for table in TABLES:
        if table.kind == "versions":
            yield table.versions, sorted(sources(CATALOG, table))
            yield table.name, [table.versions]
        elif table.lasts:
            yield table.name, sorted(sources(CATALOG, table))


def _spec(entry: TableEntry, made_with: str, made_from: list[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=key(entry.name),
        deps=[key(name) for name in made_from],
        description=entry.description,
        group_name=entry.name.partition(".")[0],
        kinds={"duckdb", made_with},
        metadata={
            "dagster/table_name": entry.name,
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(c.name, c.type.lower(), description=c.description) for c in entry.columns]
            ),
        },
    )
