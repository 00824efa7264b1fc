"""A mutant's select asked beside the right one, wherever a build of a book is about to use it: where the two answer
alike, nothing that is made of them can tell which it was. Where they don't, the process is forked, and the copy goes on
with the mutant in its place, to the end of the book and of its check. So a book is built once for all mutants, and
only what comes after the difference is built again.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from threading import Timer
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import duckdb
import pytest

import pipelines.books.build as building
from pipelines.books.catalog import Catalog, Table, select_of
from pipelines.warehouse.tables import make_view, make_working, run_statement
from tests.tools.mutation import Mutant

#: A select, or the rest of a book, that takes longer hangs.
SECONDS = 120
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Wrong:
    """A mutant, the tables that are made in another way with it, by name, whether days are found in another way, and
    the whole catalogue."""

    mutant: Mutant
    tables: Mapping[str, Table]
    finds_days: bool
    catalog: Catalog

    @classmethod
    def of(cls, mutant: Mutant, right: Catalog, wrong: Catalog, folder: Path) -> Wrong:
        """What differs between two catalogues; `folder` keeps a file that is read only when it is used."""
        several = zip(right.tables, wrong.tables, strict=True)
        tables = {ours.name: theirs for ours, theirs in several if _told(ours) != _told(theirs)}
        for table in wrong.tables:
            if table.alone and str(table.alone).endswith(mutant.path):
                kept = folder / f"{mutant.key}.sql"
                kept.write_text(mutant.text, encoding="utf-8")
                tables[table.name] = replace(table, alone=kept)
        return cls(mutant, tables, _finding_days(right) != _finding_days(wrong), wrong)


def _told(table: Table) -> tuple[str, str]:
    return table.select, table.reason if table.kind == "versions" else ""


class Broken(Exception):
    """A mutant's select failed: the book has to be built from the beginning, without that mutant."""


class Fork:
    """One book built with the right selects, and a copy of this process for each mutant that changes something."""

    def __init__(self, wrongs: Sequence[Wrong], right: Catalog) -> None:
        self.right = right
        self.asked = list(wrongs)
        #: In the copy: the mutant that is in its place there, and where to tell how it ended.
        self.wrong: Wrong | None = None
        self._told_to = -1
        #: Of each mutant that changed something, what was wrong with the book; None where nothing was.
        self.verdicts: dict[str, str | None] = {}

    def run(self, build_and_check: Callable[[], None]) -> str | None:
        """Build a book with the questions in their places; what is wrong with it as it should be, None if nothing."""
        while True:
            wrong = None
            try:
                with self.questions():
                    build_and_check()
            except Broken:
                continue
            except Exception as error:  # whatever it is, it was noticed
                wrong = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            if self.wrong:
                os.write(self._told_to, (wrong or "").encode())
                os._exit(0)
            return wrong

    @contextmanager
    def questions(self) -> Iterator[None]:
        """Have every build of the block ask."""
        hooks: dict[str, Any] = {
            "_derive": self._derive,
            "replace_days": self._replace_days,
            "replace_whole": self._replace_whole,
            "changed_days": self._changed_days,
            "days_alone": self._days_alone,
            "dates_of": self._dates_of,
            "_build_alone": self._build_alone,
        }
        self._own = {name: getattr(building, name) for name in hooks}
        with patch.multiple(building, **hooks):
            yield

    # ---- in the places of the functions of a build

    def _derive(self, con: duckdb.DuckDBPyConnection, table: Table, working: Path, values: Values, built: Any) -> None:
        if table.kind == "days" and self._having(table):  # what is there of these days is gone when its select is run
            where = "trading_date between $from_date and $to_date"
            run_statement(con, f"delete from {table.name} where {where}", values)
        self._ask(con, table, values)
        self._own["_derive"](con, self._used(table), working, values, built)

    def _replace_days(self, con: duckdb.DuckDBPyConnection, name: str, select: str, values: Values) -> None:
        if name == building.RUNS and select == self.right[name].select:  # of all ranges before any other table
            self._ask(con, self.right[name], values)
            select = self._used(self.right[name]).select
        self._own["replace_days"](con, name, select, values)

    def _replace_whole(self, con: duckdb.DuckDBPyConnection, name: str, _: str, values: Values) -> None:
        self._ask(con, self.right[name], values)
        self._own["replace_whole"](con, name, self._used(self.right[name]).select, values)

    def _build_alone(self, con: duckdb.DuckDBPyConnection, *rest: Any) -> None:
        self._own["_build_alone"](con, *rest)
        for view in self.right.of_kind("view"):  # no table reads one: they are what is asked of the books afterwards
            self._ask(con, view, {})
            if (used := self._used(view)) is not view:
                make_view(con, view.name, used.select)

    def _changed_days(self, con: duckdb.DuckDBPyConnection, catalog: Catalog, **rest: Any) -> Any:
        own = self._own["changed_days"]
        several = [each for each in self.asked if each.finds_days]
        answers = [(each, self._tried(each, con, partial(own, con, each.catalog, **rest))) for each in several]
        right = own(con, self.wrong.catalog if self.wrong else catalog, **rest)
        for each, days in answers:
            if days != right and self.differs(each):
                return own(con, each.catalog, **rest)
        return right

    def _dates_of(self, con: duckdb.DuckDBPyConnection, query: str, *rest: Any) -> Any:
        own = self._own["dates_of"]
        if query == self.right.unsettled:
            right = own(con, query)
            for each in [each for each in self.asked if each.finds_days]:
                days = self._tried(each, con, partial(own, con, each.catalog.unsettled))
                if days != right and self.differs(each):
                    return days
            query = self.wrong.catalog.unsettled if self.wrong else query
        return own(con, query, *rest)

    def _days_alone(self, con: duckdb.DuckDBPyConnection, table: Table, *rest: Any) -> Any:
        own = self._own["days_alone"]
        days = own(con, self._used(table), *rest)
        for each in self._having(table):
            other = self._tried(each, con, partial(own, con, each.tables[table.name], *rest))
            if other != days and self.differs(each):
                return other
        return days

    # ---- asked

    def _having(self, table: Table) -> list[Wrong]:
        return [each for each in self.asked if table.name in each.tables]

    def _used(self, table: Table) -> Table:
        return self.wrong.tables.get(table.name, table) if self.wrong else table

    def _ask(self, con: duckdb.DuckDBPyConnection, table: Table, values: Values) -> None:
        """Fork for each mutant of a table whose select answers differently here and now."""
        several = self._having(table)
        right = _answer(con, table.select, values) if several else None
        for wrong in several:
            select = wrong.tables[table.name].select
            if select == table.select:  # its reason is another one: that is used where there are versions already
                now = f"select 1 from {table.versions} where trading_date between $from_date and $to_date limit 1"
                differs = table.kind == "versions" and run_statement(con, now, values).fetchone() is not None
            else:
                differs = self._tried(wrong, con, partial(_answer, con, select, values)) != right
            if differs and self.differs(wrong):
                return

    def _tried(self, wrong: Wrong, con: duckdb.DuckDBPyConnection, question: Callable[[], Any]) -> Any:
        """The answer of a mutant. What fails here fails in a build: it is noticed, and its transaction over."""
        timer = Timer(SECONDS, con.interrupt)
        timer.start()
        try:
            return question()
        except duckdb.Error as error:
            self.asked.remove(wrong)
            self.verdicts[wrong.mutant.key] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            con.execute("rollback")
            raise Broken from error
        finally:
            timer.cancel()
            timer.join()

    def differs(self, wrong: Wrong) -> bool:
        """Whether this is the copy, in which the mutant is in its place from now on; the other waits for its end."""
        told, tell = os.pipe()
        folder = Path(mkdtemp())
        pid = os.fork()
        if pid == 0:
            self.wrong, self.asked, self._told_to = wrong, [], tell
            signal.alarm(SECONDS)
            _work_in(folder)
            return True
        os.close(tell)
        with os.fdopen(told, encoding="utf-8") as answer:
            said = answer.read()
        _, status = os.waitpid(pid, 0)
        shutil.rmtree(folder, ignore_errors=True)
        self.asked.remove(wrong)
        self.verdicts[wrong.mutant.key] = said or (f"it ended with {status}" if status else None)
        return False


def _finding_days(catalog: Catalog) -> tuple[str, ...]:
    return catalog.new_run, catalog.unsettled, *catalog.changed


def _work_in(folder: Path) -> None:
    """Have builds keep their working files in a folder of this process: those that are there are another's."""

    def make_here(con: duckdb.DuckDBPyConnection, name: str, _: Path, select: str, values: Values) -> None:
        make_working(con, name, folder, select, values)

    patch.object(building, "make_working", make_here).start()
    patch.object(building, "_folder", lambda _: nullcontext()).start()
    patch.object(building, "shutil", SimpleNamespace(rmtree=lambda *_, **__: None)).start()


def read_whole(catalog: Catalog) -> Catalog:
    """A catalogue whose files have been read: they may change after that."""
    for table in catalog.tables:
        _told(table)
        assert table.alone is None or select_of(table.alone)
    return catalog


def _answer(con: duckdb.DuckDBPyConnection, select: str, values: Values) -> Any:
    """Its rows as a hash that no order of theirs changes."""
    question = f"select count(*), sum(hash(answer)::hugeint) from ({select}) as answer"
    return run_statement(con, question, values).fetchone()


class TestsBeside:
    """A plugin of pytest: which tests have builds that a mutant changes. Nothing is forked: a test may have files and
    threads."""

    def __init__(self, wrongs: Sequence[Wrong], right: Catalog) -> None:
        self.wrongs = wrongs
        self.right = right
        self.tests: dict[str, list[str]] = defaultdict(list)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Ask in each build of a test."""
        noted = _Noted(self.wrongs, self.right)
        try:
            with noted.questions():
                yield
        except BaseException:  # a select that failed ended the test, and nothing is known of the rest
            noted.verdicts |= {each.mutant.key: None for each in self.wrongs}
            raise
        finally:
            for key in noted.verdicts:
                self.tests[key].append(item.nodeid)


class _Noted(Fork):
    def differs(self, wrong: Wrong) -> bool:
        """Only note it."""
        self.asked.remove(wrong)
        self.verdicts[wrong.mutant.key] = None
        return False


def tests_changed_by(wrongs: Sequence[Wrong], right: Catalog, module: str) -> dict[str, list[str]]:
    """Of the key of each mutant the tests of a module that it changes a build of."""
    plugin = TestsBeside(wrongs, right)
    quiet = ["-q", "-p", "no:cacheprovider", "--no-header", "--no-summary", "-W", "ignore"]  # it is imported already
    pytest.main([*quiet, module], plugins=[plugin])
    return plugin.tests
