"""The types of a catalogue of derived tables. The tables themselves are listed in assets/catalog.py, once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from pipelines.warehouse.sql_text import without_comments

Kind = Literal["kept", "whole", "days", "working", "ephemeral", "versions", "view"]
AsKnown = Literal["copied", "window", "day", "day_and_before"]

#: The macro beside the tables that says by which selects they were made: the fingerprint of a catalogue.
MADE_BY = "core.made_by"

_REASON = re.compile(r"select\n(.*) as reason\nfrom ", re.DOTALL)
_SOURCE = re.compile(r"\b(?:from|join)\s+((?:(?:raw|core|pnl|quality)\.)?[a-z][a-z_]*)\b(?!\.)")


@dataclass(frozen=True)
class Table:
    """A table and the file of its select. Folder = schema, file = table.

    Kinds: `kept` is written by a command and only ever made, `whole` is small and made anew; `days` has its
    trading dates replaced; `working` is there for a build alone; `ephemeral` is a part of the selects that read it,
    where it stands as a CTE of its bare name, and is stored nowhere;
    `versions` gains a version of each row that changed (the name is the view of current ones); `view` is
    computed when asked. `key` is what identifies a row of one with versions.

    How its rows as known at an instant are had, for the report of a day: one with versions has them, a view is one
    again, and of the others `as_known` says it. `copied`: its rows as they are, where `known_by` names a column those
    that were known by then; `window`, `day`, `day_and_before`: derived again by its own select, for all days that the
    report compares, for the day alone, or for the day and the one before it.

    `in_duckdb`: its select says what only DuckDB can (it reads JSON), or proves what is in the warehouse itself, so
    DuckDB computes it, whoever computes the others.

    `alone` is the file of a select that finds further days on which this table, and no other, is made again: what runs
    (`telling_run`) tell of them changes nothing else.
    """

    name: str
    kind: Kind
    path: Path
    key: tuple[str, ...] = ()
    as_known: AsKnown = "day"
    known_by: str | None = None
    alone: Path | None = None
    in_duckdb: bool = False
    #: The ephemeral tables that its select needs, each after those that it reads itself (`catalog_of` finds them).
    parts: tuple[Table, ...] = ()

    @property
    def schema(self) -> str:
        """The schema of its name."""
        return self.name.partition(".")[0]

    @property
    def bare(self) -> str:
        """Its name without the schema."""
        return self.name.partition(".")[2]

    @property
    def lasts(self) -> bool:
        """Whether it is there when a build is done, and so published."""
        return self.kind not in ("working", "ephemeral")

    @property
    def working(self) -> str:
        """Where a build has its rows: those of a working table, and those that versions are compared with."""
        return self.bare if self.kind == "working" else f"new_{self.bare}"

    @property
    def versions(self) -> str:
        """The table of every version of a row."""
        return f"{self.name}_version"

    @property
    def is_copied(self) -> bool:
        """Whether its rows as known at an instant are rows that it has, and not derived again."""
        return self.kind in ("kept", "whole") or self.as_known == "copied"

    @cached_property
    def text(self) -> str:
        """The one select of the file, without the comment on top."""
        return select_of(self.path)

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names after `from` and `join` in its file: tables, and CTEs of its own."""
        return frozenset(_SOURCE.findall(without_comments(self.text)))

    @cached_property
    def all_reads(self) -> frozenset[str]:
        """The names that its select reads, those of its ephemeral parts included."""
        return self.reads.union(*(part.reads for part in self.parts))

    @cached_property
    def select(self) -> str:
        """The select of the file as it is run: after the ephemeral ones that it reads, which become its CTEs."""
        parts = [f"{part.bare} as (\n{part.text}\n)" for part in self.parts]
        if not parts:
            return self.text
        own = self.text.removeprefix("with ")
        return "with " + ",\n\n".join(parts) + ("\n\n" if own == self.text else ",\n\n") + own

    @cached_property
    def reason(self) -> str:
        """Why a row has a new version: the one expression that reason/NAME.sql selects, over `fresh` and
        `current_version`. Raises ValueError where the file selects something else."""
        found = _REASON.match(select_of(self.path.parent / "reason" / self.path.name))
        if found is None:
            raise ValueError(f"{self.name}: its reason is not `select ... as reason`")
        return found[1]

    @cached_property
    def description(self) -> str:
        """The comment on top of the file, as one paragraph."""
        return description_of(self.path)


# There is one, known by its identity: by its value, each answer that is remembered of it would hash all of its texts.
@dataclass(frozen=True, eq=False)
class Catalog:
    """Every derived table, in the order of its making; the functions that selects call, as statements, and the file of
    Spark's form of them; the selects that
    find days of which something new was said, the one that finds new runs, and the one that finds days that rest on
    others as they were before a build changed them (`unsettled`); and where the columns are described
    (TOML: a section a table, and `columns` for names that mean the same everywhere)."""

    tables: tuple[Table, ...]
    functions: str
    functions_of_spark: Path
    new_run: str
    changed: tuple[str, ...]
    unsettled: str
    columns: Path

    @cached_property
    def fingerprint(self) -> str:
        """All selects as one hash: what a warehouse remembers to know whether its tables are of this daybook."""
        parts = [self.functions, *(f"{table.name} {table.kind} {table.select}" for table in self.tables)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def working_for(self, table: Table) -> list[Table]:
        """The working tables that a table's select reads, in the order of their making."""
        return [each for each in self.of_kind("working") if each.bare in table.all_reads]

    def of_kind(self, *kinds: Kind) -> list[Table]:
        """The tables of some kinds, in their order."""
        return [table for table in self.tables if table.kind in kinds]

    def __getitem__(self, name: str) -> Table:
        """The table of a name. Raises KeyError."""
        found = next((table for table in self.tables if table.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


def catalog_of(*tables: Table, functions: Path, functions_of_spark: Path, changed: Path, columns: Path) -> Catalog:
    """A catalogue of entries and files. `changed` is the folder of the selects that find days to look at again, with
    new_run.sql and unsettled.sql among them."""
    ephemeral = [table for table in tables if table.kind == "ephemeral"]
    whole = tuple(replace(table, parts=tuple(_parts(table, ephemeral).values())) for table in tables)
    selects = {path.stem: select_of(path) for path in sorted(changed.glob("*.sql"))}
    new_run, unsettled = selects.pop("new_run"), selects.pop("unsettled")
    told = tuple(selects.values())
    return Catalog(whole, select_of(functions), functions_of_spark, new_run, told, unsettled, columns)


def _parts(table: Table, ephemeral: Sequence[Table]) -> dict[str, Table]:
    found: dict[str, Table] = {}
    for part in ephemeral:
        if part.bare in table.reads:
            found |= {**_parts(part, ephemeral), part.name: part}
    return found


def select_of(path: Path) -> str:
    """The one select of a file, without the comment on top."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(lines[_first(lines) :])


def description_of(path: Path) -> str:
    """The comment on top of a file, as one paragraph."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return " ".join(line.removeprefix("--").strip() for line in lines[: _first(lines)])


def _first(lines: list[str]) -> int:
    """The number of the first line that is no comment."""
    return next(number for number, line in enumerate(lines) if not line.startswith("--"))
