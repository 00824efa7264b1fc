"""The file that an answer is written to is never in the home, and is whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.support.command_line import daybook
from tests.support.queries import LONG_SCALAR


class TestWhereItIsWritten:
    @pytest.mark.parametrize("name", ["daybook.duckdb", "warehouse.duckdb", "new.csv", "archive/new.csv", "run.lock"])
    @pytest.mark.usefixtures("untouched")
    def test_an_output_among_the_books_is_refused(self, home: Path, name: str) -> None:
        ended = daybook("sql", "select 1", "-f", "csv", "-o", str(home / name), home=home)
        assert ended.code == 2
        assert "is in DAYBOOK_HOME" in ended.sentence

    @pytest.mark.usefixtures("untouched")
    def test_an_output_that_leads_into_the_books_is_refused(self, home: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").symlink_to(home)
        for path in (tmp_path / "elsewhere" / "daybook.duckdb", home / "dlt" / ".." / "daybook.duckdb"):
            ended = daybook("sql", "select 1", "-f", "csv", "-o", str(path), home=home)
            assert ended.code == 2
            assert "is in DAYBOOK_HOME" in ended.sentence

    @pytest.mark.usefixtures("untouched")
    def test_a_link_to_the_books_is_replaced_and_not_followed(self, home: Path, tmp_path: Path) -> None:
        link = tmp_path / "out.csv"
        link.symlink_to(home / "daybook.duckdb")
        assert daybook("sql", "select 1 as x", "-f", "csv", "-o", str(link), home=home).code == 0
        assert (link.is_symlink(), link.read_text()) == (False, "x\n1\n")

    def test_a_file_is_for_its_user_alone_and_whole_or_not_at_all(self, home: Path, tmp_path: Path) -> None:
        target = tmp_path / "out.csv"
        target.write_text("former")
        target.chmod(0o644)
        failed = daybook("sql", f"select 1 union all {LONG_SCALAR}", "--timeout", "1", "-o", str(target), home=home)
        assert (failed.code, target.read_text()) == (1, "former")
        assert daybook("sql", "select 1 as x", "-f", "csv", "-o", str(target), home=home).code == 0
        assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("x\n1\n", 0o600)
        assert list(tmp_path.iterdir()) == [target]

    def test_what_is_not_a_file_is_refused(self, home: Path, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path / "pipe", tmp_path):
            ended = daybook("sql", "select 1", "-o", str(path), home=home)
            assert ended.code == 2
            assert "is not a file" in ended.sentence
