"""What books say of mutants of the SQL: random ones that an oracle knows, and those that were checked by hand.

A mutant is noticed where an assertion fails that the tests of these books make, too: check_against_oracle and
check_identities of tests/integration/test_pnl_properties.py, and check_book of tests/integration/test_scenarios.py.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import duckdb

from pipelines.books.catalog import Catalog
from tests.support.landing import forget, open_raw
from tests.tools.beside import Fork, Wrong, read_whole
from tests.tools.mutants_of_sql import only_rendered
from tests.tools.mutation import Mutant, ProjectCopy

#: How many books of a kind that a mutant changes are checked before it is left to others.
CHECKED = 3


class Buildable(Protocol):
    """A book that can be built from nothing, and checked."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def kind(self) -> str:
        """What it is a book of, and how it is built."""

    @property
    def size(self) -> int:
        """How much is in it, beside others of its kind."""

    def build(self, con: duckdb.DuckDBPyConnection, home: Path, catalog: Catalog) -> None:
        """Build it in a warehouse without a row."""

    def check(self, con: duckdb.DuckDBPyConnection) -> None:
        """Fails where it did not come out as it should."""


class BooksJudge:
    """A warehouse in memory in which books are built, one after the other, and how far each mutant has come."""

    def __init__(self, project: ProjectCopy, right: Catalog, con: duckdb.DuckDBPyConnection, home: Path) -> None:
        self.project = project
        self.right = right
        self.con = con
        self.home = home
        self._wrongs: dict[str, Wrong] = {}
        self._checked: Counter[tuple[str, str]] = Counter()

    @classmethod
    @contextmanager
    def of(cls, project: ProjectCopy, paths: Sequence[str]) -> Iterator[BooksJudge]:
        """One for the block. The right selects are those of `paths` as sqlglot writes them, as the mutants are: a book
        that it writes wrongly does not come out as it should, and says nothing of any mutant."""
        duckdb.default_connection().close()  # it has a thread, that no fork would have
        rendered = {path: only_rendered(path) for path in paths}
        with project.holding(rendered), TemporaryDirectory() as home, open_raw() as con:
            yield cls(project, read_whole(catalog_in(project)), con, Path(home))

    def noticed(self, book: Buildable, mutants: Sequence[Mutant]) -> list[tuple[Mutant, str]]:
        """Those mutants with which the book is wrong, each with what is wrong with it; none where it is wrong without
        any of them, and says nothing."""
        asked = [each for each in mutants if self._checked[each.key, book.kind] < CHECKED]
        fork = Fork([self.wrong_of(each) for each in asked], self.right)
        if wrong := fork.run(lambda: self._build_and_check(book)):
            print(f"{book.name} says nothing of mutants: {wrong}", flush=True)
            return []
        self._checked.update((key, book.kind) for key in fork.verdicts)
        return [(each, f"{book.name}: {said}") for each in asked if (said := fork.verdicts.get(each.key))]

    def _build_and_check(self, book: Buildable) -> None:
        forget(self.con)
        book.build(self.con, self.home, self.right)
        book.check(self.con)

    def wrong_of(self, mutant: Mutant) -> Wrong:
        """What a mutant puts in the place of what."""
        if mutant.key not in self._wrongs:
            with self.project.holding({mutant.path: mutant.text}):
                wrong = read_whole(catalog_in(self.project))
            self._wrongs[mutant.key] = Wrong.of(mutant, self.right, wrong, self.home)
        return self._wrongs[mutant.key]


def catalog_in(project: ProjectCopy) -> Catalog:
    """The catalogue of a copy's own files."""
    spec = importlib.util.spec_from_file_location("catalog_of_a_copy", project.folder / "assets" / "catalog.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    catalog: Catalog = module.CATALOG
    return catalog
