"""What a catalogue of derived tables is made of. Which tables there are stands in assets/catalog.py, once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

Kind = Literal["kept", "whole", "days", "working", "versions", "view"]
AsKnown = Literal["copied", "window", "day", "day_and_before"]


@dataclass(frozen=True)
class Table:
    """A table and the file of its select. Folder = schema, file = table.

    Kinds: `kept` is written by a command and only ever made, `whole` is small and made anew; `days` has its
    trading dates replaced; `working` is there for a build alone;
    `versions` gains a version of each row that changed (the name is the view of current ones); `view` is
    computed when asked. `key` is what identifies a row of one with versions.

    How its rows as known at an instant are had, for the report of a day: one with versions has them, a view is one
    again, and of the others `as_known` says it. `copied`: its rows as they are, where `known_by` names a column those
    that were known by then; `window`, `day`, `day_and_before`: derived again by its own select, for all days that the
    report compares, for the day alone, or for the day and the one before it.
    """

    name: str
    kind: Kind
    path: Path
    key: tuple[str, ...] = ()
    as_known: AsKnown = "day"
    known_by: str | None = None

    @property
    def schema(self) -> str:
        """The schema of its name."""
        return self.name.partition(".")[0]

    @property
    def bare(self) -> str:
        """Its name without the schema."""
        return self.name.partition(".")[2]

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
    def select(self) -> str:
        """The one select of the file, without the comment on top."""
        return select_of(self.path)

    @cached_property
    def description(self) -> str:
        """The comment on top of the file, as one paragraph."""
        return description_of(self.path)


@dataclass(frozen=True)
class Catalog:
    """Every derived table, in the order of its making; the functions that selects call, as statements; and where the
    columns are described (TOML: a section a table, and `columns` for names that mean the same everywhere)."""

    tables: tuple[Table, ...]
    functions: str
    columns: Path

    @cached_property
    def fingerprint(self) -> str:
        """All selects as one hash: what a warehouse remembers to know whether its tables are of this daybook."""
        parts = [self.functions, *(f"{table.name} {table.kind} {table.select}" for table in self.tables)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def of_kind(self, *kinds: Kind) -> list[Table]:
        """The tables of some kinds, in their order."""
        return [table for table in self.tables if table.kind in kinds]

    def __getitem__(self, name: str) -> Table:
        """The table of a name. Raises KeyError."""
        found = next((table for table in self.tables if table.name == name), None)
        if found is None:
            raise KeyError(name)
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
