"""What books say of mutants of the SQL: random ones that an oracle knows, and those that were checked by hand.

A book is built as it should be, and at the end of each of its builds the select of every mutant's file is asked beside
the mutant: only where the two answer differently is the book built again with the mutant in its place, and checked.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any, Protocol

import duckdb

import pipelines.books.build as building
from pipelines.books.catalog import Catalog
from pipelines.errors import BuildFailed
from pipelines.warehouse.tables import run_statement
from tests.support.landing import forget, open_raw
from tests.tools.mutants_of_sql import only_rendered
from tests.tools.mutation import Mutant, ProjectCopy

Values = Mapping[str, Any]
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
        self._checked: Counter[tuple[str, bool]] = Counter()
        self._selects: dict[str, tuple[str, str] | None] = {}

    @classmethod
    @contextmanager
    def of(cls, project: ProjectCopy) -> Iterator[BooksJudge]:
        """One for the block."""
        with Bench.of(_catalog_in(project)) as right:
            yield cls(project, right)

    def check_rendering(self, paths: Sequence[str], books: Sequence[Buildable]) -> None:
        """Fails where sqlglot's writing of the selects changes a book: nothing could be said of mutants then."""
        texts = {path: only_rendered(path) for path in paths}
        with self.project.holding(texts), Bench.of(_catalog_in(self.project)) as bench:
            wrong = {book.name: said for book in books if (said := bench.wrong_in(book))}
        assert not wrong, f"books that are wrong without a mutant: {wrong}"

    def noticed(self, book: Buildable, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, str]]:
        """Those mutants with which the book is wrong, each with what is wrong with it."""
        kind = book.day_by_day
        for mutant in self._changed(book, [each for each in mutants if self._checked[each.key, kind] < CHECKED]):
            self._checked[mutant.key, kind] += 1
            with self.project.holding({mutant.path: mutant.text}), Bench.of(_catalog_in(self.project)) as bench:
                wrong = bench.wrong_in(book)
            if wrong:
                yield mutant, f"{book.name}: {wrong}"

    def _changed(self, book: Buildable, mutants: Sequence[Mutant]) -> list[Mutant]:
        for mutant in mutants:
            if mutant.key not in self._selects:
                self._selects[mutant.key] = _selects(self.right.catalog, mutant, self.project.folder)
        selects = self._selects
        # what is no table's select decides which days are built again
        changed = {mutant.key for mutant in mutants if book.day_by_day and selects[mutant.key] is None}

        def ask(con: duckdb.DuckDBPyConnection, values: Values) -> None:
            known: dict[str, Any] = {}
            for mutant in mutants:
                if mutant.key not in changed and (pair := selects[mutant.key]):
                    if mutant.path not in known:
                        known[mutant.path] = _answer(con, pair[0], values)
                    changed.add(mutant.key)  # one whose select fails, too: that ends the transaction
                    if _answer(con, pair[1], values) == known[mutant.path]:
                        changed.remove(mutant.key)

        while True:
            try:
                with _asked_after_each_build(ask), self.right.patience():
                    self.right.build(book)
            except (duckdb.Error, BuildFailed):
                continue
            return [mutant for mutant in mutants if mutant.key in changed]


def _catalog_in(project: ProjectCopy) -> Catalog:
    """The catalogue of a copy's own files."""
    spec = importlib.util.spec_from_file_location("catalog_of_a_copy", project.folder / "assets" / "catalog.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    catalog: Catalog = module.CATALOG
    return catalog


def _selects(catalog: Catalog, mutant: Mutant, folder: Path) -> tuple[str, str] | None:
    """The select of a mutant's file, and of the mutant; None where the file is of no table."""
    right = next((table for table in catalog.tables if table.path == folder / mutant.path), None)
    if right is None:
        return None
    with TemporaryDirectory() as name:
        path = Path(name) / "mutant.sql"
        path.write_text(mutant.text, encoding="utf-8")
        return right.select, replace(right, path=path).select


@contextmanager
def _asked_after_each_build(ask: Callable[[duckdb.DuckDBPyConnection, Values], None]) -> Iterator[None]:
    """Have a question asked where the days of a build are made and what it worked with is still there."""
    build_days = building._build_days

    def and_ask(con: duckdb.DuckDBPyConnection, catalog: Catalog, working: Path, values: Values, built: Any) -> None:
        build_days(con, catalog, working, values, built)
        ask(con, values)

    building._build_days = and_ask
    try:
        yield
    finally:
        building._build_days = build_days


def _answer(con: duckdb.DuckDBPyConnection, select: str, values: Values) -> Any:
    """Its rows as a hash that no order of theirs changes."""
    question = f"select count(*), sum(hash(answer)::hugeint) from ({select}) as answer"
    return run_statement(con, question, values).fetchone()
