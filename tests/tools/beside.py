"""A mutant's select asked beside the right one, at the end of each build of books that are built as they should be:
where the two never answer differently, nothing that is made of them can tell which it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest

import pipelines.books.build as building
from pipelines.books.catalog import Catalog
from pipelines.warehouse.tables import run_statement
from tests.tools.mutation import Mutant

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """The select of a table, and a mutant of it."""

    right: str
    wrong: str


class Selects:
    """The pairs of mutants, each made once."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._tables = {str(table.path.relative_to(folder)): table for table in catalog.tables}
        self._known: dict[str, Pair | None] = {}

    def of(self, mutant: Mutant) -> Pair | None:
        """Its pair; None where its file is of no table."""
        if mutant.key not in self._known:
            self._known[mutant.key] = self._made(mutant)
        return self._known[mutant.key]

    def _made(self, mutant: Mutant) -> Pair | None:
        right = self._tables.get(mutant.path)
        if right is None:
            return None
        with TemporaryDirectory() as name:
            path = Path(name) / "mutant.sql"
            path.write_text(mutant.text, encoding="utf-8")
            return Pair(right.select, replace(right, path=path).select)


class Beside:
    """Pairs by a key, and the keys of those that have answered differently in some build."""

    def __init__(self, pairs: Mapping[str, Pair]) -> None:
        self.pairs = pairs
        self.differing: set[str] = set()

    @contextmanager
    def each_build(self) -> Iterator[None]:
        """Ask where the days of a build are made and what it worked with is still there."""
        build_days = building._build_days

        def and_ask(
            con: duckdb.DuckDBPyConnection, catalog: Catalog, working: Path, values: Values, built: Any
        ) -> None:
            build_days(con, catalog, working, values, built)
            self._ask(con, values)

        building._build_days = and_ask
        try:
            yield
        finally:
            building._build_days = build_days

    def _ask(self, con: duckdb.DuckDBPyConnection, values: Values) -> None:
        known: dict[str, Any] = {}
        for key, pair in self.pairs.items():
            if key in self.differing:
                continue
            if pair.right not in known:
                known[pair.right] = _answer(con, pair.right, values)
            self.differing.add(key)  # one whose select fails, too: that ends the transaction
            if _answer(con, pair.wrong, values) == known[pair.right]:
                self.differing.remove(key)


def _answer(con: duckdb.DuckDBPyConnection, select: str, values: Values) -> Any:
    """Its rows as a hash that no order of theirs changes."""
    question = f"select count(*), sum(hash(answer)::hugeint) from ({select}) as answer"
    return run_statement(con, question, values).fetchone()


class TestsBeside:
    """A plugin of pytest: which tests build books that a mutant changes."""

    def __init__(self, pairs: Mapping[str, Pair]) -> None:
        self.pairs = pairs
        self.tests: dict[str, list[str]] = defaultdict(list)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Ask in each build of a test."""
        beside = Beside(self.pairs)
        try:
            with beside.each_build():
                yield
        except BaseException:
            beside.differing |= (
                self.pairs.keys()
            )  # a select that failed ended the test, and nothing is known of the rest
            raise
        finally:
            for key in beside.differing:
                self.tests[key].append(item.nodeid)


def tests_changed_by(pairs: Mapping[str, Pair], module: str) -> dict[str, list[str]]:
    """Of each key the tests of a module whose books its mutant changes."""
    plugin = TestsBeside(pairs)
    quiet = ["-q", "-p", "no:cacheprovider", "--no-header", "--no-summary", "-W", "ignore"]  # it is imported already
    pytest.main([*quiet, module], plugins=[plugin])
    return plugin.tests
