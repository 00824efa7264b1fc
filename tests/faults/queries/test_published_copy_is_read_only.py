"""The published copy is opened so that no path of the home can be written, also where no parser stands before it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pytest

from pipelines.warehouse.connect import open_published
from pipelines.warehouse.publish import ABANDONED, PUBLISHED_SCHEMAS, publish
from pipelines.warehouse.temporary_name import BESIDE
from tests.support.queries import WRITING, filled, seen


def no_links(*_: object, **__: object) -> None:
    raise OSError(18, "Invalid cross-device link")


@contextmanager
def another_disk(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[None]:
    """As if the temporary folder were on another disk than the home."""
    link = os.link

    def within_one(source: Path, name: Path) -> None:
        if not name.is_relative_to(home):
            no_links()
        link(source, name)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", within_one)
        yield


class TestHowTheFileIsOpened:
    """Statements that the parser would never have let through."""

    def try_all(self, home: Path) -> None:
        before = seen(home)
        for statement in WRITING:
            plain, explained = "{}", "explain analyze {}"
            # DuckDB ends the process at the statement after one that sends its log where it may not write
            apart = "enable_logging" in statement
            for wrappers in [[plain], [explained]] if apart else [[plain, explained]]:
                with open_published(home / "daybook.duckdb") as con:
                    for wrapper in wrappers:
                        with suppress(duckdb.Error):
                            con.execute(wrapper.format(filled(statement, home))).fetchall()
            assert seen(home) == before, statement

    @pytest.mark.usefixtures("untouched")
    def test_no_statement_can_write(self, home: Path) -> None:
        self.try_all(home)

    @pytest.mark.usefixtures("untouched")
    def test_no_statement_can_write_where_the_temporary_folder_is_on_another_disk(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with another_disk(monkeypatch, home):
            self.try_all(home)

    @pytest.mark.usefixtures("untouched")
    def test_no_statement_can_write_where_a_file_can_have_one_name_only(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "link", no_links)
        with open_published(home / "daybook.duckdb") as con:
            assert con.execute("select count(*) from core.run").fetchone() == (1,)
        self.try_all(home)

    @pytest.mark.usefixtures("untouched")
    def test_what_does_not_fit_in_memory_spills_outside_of_the_home_also_then(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pipelines.warehouse.connect.memory_limit", lambda: 64 * 2**20)
        with another_disk(monkeypatch, home), open_published(home / "daybook.duckdb") as con:
            query = "select count(*) from (select distinct range, repeat('x', 100) from range(1000000))"
            assert con.execute(query).fetchone() == (1_000_000,)

    def test_a_second_name_that_a_killed_reader_left_goes_with_the_next_publication(self, tmp_path: Path) -> None:
        published = tmp_path / "daybook.duckdb"
        names = [tmp_path / f"daybook.duckdb.{age}{BESIDE}" for age in ("old", "new")]
        for folder in names:
            folder.mkdir()
            (folder / "daybook.duckdb").write_text("")
        long_ago = time.time() - ABANDONED - 60
        os.utime(names[0], (long_ago, long_ago))
        with duckdb.connect(tmp_path / "warehouse.duckdb") as con:
            publish(con, published, PUBLISHED_SCHEMAS)
        assert [folder.exists() for folder in names] == [False, True]
