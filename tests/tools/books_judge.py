"""What books say of mutants of the SQL: random ones that an oracle knows, and those that were checked by hand.

A book is built as it should be, with the mutants asked beside their files (beside.py): only where the two answer
differently is the book built again with the mutant in its place, and checked.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Protocol

import duckdb

from pipelines.books.catalog import Catalog
from pipelines.errors import BuildFailed
from tests.support.landing import forget, open_raw
from tests.tools.beside import Beside, Selects
from tests.tools.mutants_of_sql import only_rendered
from tests.tools.mutation import Mutant, ProjectCopy

#: How many books of either kind that a mutant changes are checked before it is left to the other tests.
CHECKED = 3
#: A book that takes longer hangs.
SECONDS = 120.0


class Buildable(Protocol):
    """A book that can be built from nothing, and checked."""

    #: Whether each of its evenings is built for itself.
    day_by_day: bool

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def size(self) -> int:
        """How much is in it, beside others of its kind."""

    def build(self, con: duckdb.DuckDBPyConnection, home: Path, catalog: Catalog) -> None:
        """Build it in a warehouse without a row."""

    def check(self, con: duckdb.DuckDBPyConnection) -> None:
        """Fails where it did not come out as it should."""


class Bench:
    """A warehouse in memory in which books are built, one after the other, by one catalogue: its tables take longer to
    make than to fill."""

    def __init__(self, catalog: Catalog, con: duckdb.DuckDBPyConnection, home: Path) -> None:
        self.catalog = catalog
        self.con = con
        self.home = home

    @classmethod
    @contextmanager
    def of(cls, catalog: Catalog) -> Iterator[Bench]:
        """One for the block."""
        with TemporaryDirectory() as home, open_raw() as con:
            yield cls(catalog, con, Path(home))

    def build(self, book: Buildable) -> None:
        """Build a book, from nothing."""
        forget(self.con)
        book.build(self.con, self.home, self.catalog)

    def wrong_in(self, book: Buildable) -> str | None:
        """What is wrong with a book as it is built here, in a line; None where it comes out as it should."""
        try:
            with self.patience():
                self.build(book)
                book.check(self.con)
        except Exception as error:  # whatever it is, it was noticed
            return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        return None

    @contextmanager
    def patience(self) -> Iterator[None]:
        """Interrupt what hangs in the block."""
        timer = Timer(SECONDS, self.con.interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class BooksJudge:
    """The books of a project copy, and how far each mutant has come with them."""

    def __init__(self, project: ProjectCopy, right: Bench) -> None:
        self.project = project
        self.right = right
        self.selects = Selects(right.catalog, project.folder)
        self._checked: Counter[tuple[str, bool]] = Counter()

    @classmethod
    @contextmanager
    def of(cls, project: ProjectCopy) -> Iterator[BooksJudge]:
        """One for the block."""
        with Bench.of(catalog_in(project)) as right:
            yield cls(project, right)

    def check_rendering(self, paths: Sequence[str], books: Sequence[Buildable]) -> None:
        """Fails where sqlglot's writing of the selects changes a book: nothing could be said of mutants then."""
        texts = {path: only_rendered(path) for path in paths}
        with self.project.holding(texts), Bench.of(catalog_in(self.project)) as bench:
            wrong = {book.name: said for book in books if (said := bench.wrong_in(book))}
        assert not wrong, f"books that are wrong without a mutant: {wrong}"

    def noticed(self, book: Buildable, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, str]]:
        """Those mutants with which the book is wrong, each with what is wrong with it."""
        kind = book.day_by_day
        for mutant in self._changed(book, [each for each in mutants if self._checked[each.key, kind] < CHECKED]):
            self._checked[mutant.key, kind] += 1
            with self.project.holding({mutant.path: mutant.text}), Bench.of(catalog_in(self.project)) as bench:
                wrong = bench.wrong_in(book)
            if wrong:
                yield mutant, f"{book.name}: {wrong}"

    def _changed(self, book: Buildable, mutants: Sequence[Mutant]) -> list[Mutant]:
        pairs = {each.key: self.selects.of(each) for each in mutants}
        beside = Beside({key: pair for key, pair in pairs.items() if pair})
        # what is no table's select decides which days are built again
        beside.differing |= {key for key, pair in pairs.items() if book.day_by_day and not pair}
        while True:
            try:
                with beside.each_build(), self.right.patience():
                    self.right.build(book)
            except (duckdb.Error, BuildFailed):
                continue
            return [mutant for mutant in mutants if mutant.key in beside.differing]


def catalog_in(project: ProjectCopy) -> Catalog:
    """The catalogue of a copy's own files."""
    spec = importlib.util.spec_from_file_location("catalog_of_a_copy", project.folder / "assets" / "catalog.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    catalog: Catalog = module.CATALOG
    return catalog
