"""The random books of tests/integration/test_pnl_properties.py, which an oracle knows the P&L of, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
from hypothesis import given, settings

from pipelines.books.build import build
from pipelines.books.catalog import Catalog
from tests.integration.test_pnl_properties import DRAWN, check_against_oracle, check_identities, was_recovered
from tests.support.books import books
from tests.support.facts import Book
from tests.support.landing import land, settings_of


@dataclass(frozen=True)
class DrawnBook:
    """A random book, the same every time."""

    number: int
    book: Book
    day_by_day: bool = False

    @property
    def name(self) -> str:
        """Which it is."""
        return f"drawn book {self.number}" + (", day by day" if self.day_by_day else "")

    @property
    def kind(self) -> str:
        """How it is built."""
        return "drawn, day by day" if self.day_by_day else "drawn, in one go"

    @property
    def size(self) -> int:
        """How many positions are told in it."""
        return sum(len(answer.positions or ()) for each in self.book.evenings for answer in each.answers.values())

    def build(self, con: duckdb.DuckDBPyConnection, home: Path, catalog: Catalog) -> None:
        """Land every evening of it, and build each for itself or all in one go."""
        prepared = settings_of(self.book, home)
        for evening in self.book.evenings:
            land(con, evening)
            if self.day_by_day or evening is self.book.evenings[-1]:
                build(con, prepared, catalog, built_at=evening.at)

    def check(self, con: duckdb.DuckDBPyConnection) -> None:
        """Whether its tables say what the oracle says."""
        if not was_recovered(con):
            check_against_oracle(con, self.book)
            check_identities(con)


def drawn_books() -> list[DrawnBook]:
    """Those that the test draws."""
    found: list[Book] = []

    @settings(**DRAWN)
    @given(book=books(4))
    def draw(book: Book) -> None:
        found.append(book)

    draw()
    return [DrawnBook(number, book) for number, book in enumerate(found, 1)]
