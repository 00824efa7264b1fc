"""What docs/analysts.md tells people to type is typed here, on the books of the examples."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.example_books import ACCOUNTS, LAST, Books

PAGE = Path(__file__).parents[2] / "docs" / "analysts.md"
SHELL = Path(sys.executable).with_name("duckdb")
pytestmark = pytest.mark.heavy


def block(heading: str, books: Books) -> str:
    """The code under a heading of the page, with the path of the books in it."""
    section = PAGE.read_text(encoding="utf-8").partition(f"### {heading}\n")[2].partition("\n### ")[0]
    (code,) = re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)
    return str(code).replace(".daybook/daybook.duckdb", str(books.published))


def march(books: Books, account: str) -> Decimal:
    """What an account made in the last month of the books."""
    return sum((books.made(account, day) for day in books.known(account) if day.month == LAST.month), Decimal(0))


def test_duckdbs_own_shell_reads_the_file_as_the_page_says(books: Books) -> None:
    command = block("From the command line", books).replace("duckdb ", f"{SHELL} ", 1)
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    answered = {row["trading_date"]: row["total_pnl"] for row in csv.DictReader(ended.stdout.splitlines())}
    made = sum(books.made(account, LAST) for account in ACCOUNTS)
    assert Decimal(answered[str(LAST)]) == made


def test_duckdbs_own_shell_can_not_write_what_the_page_opens_read_only(books: Books) -> None:
    command: list[str | Path] = [SHELL, "-readonly", books.published, "-c", "delete from core.calendar"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "read-only" in ended.stderr


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # between DuckDB and pandas 3.1
def test_pandas_sums_what_the_books_sum(books: Books) -> None:
    names: dict[str, Any] = {}
    exec(block("pandas", books), names)  # noqa: S102  (our own page)
    for account in ACCOUNTS:
        assert names["by_month"][account]["2005-03"] == pytest.approx(float(march(books, account)))


def test_polars_sums_it_to_the_cent(books: Books) -> None:
    names: dict[str, Any] = {}
    exec(block("polars", books), names)  # noqa: S102  (our own page)
    rows = {(row["account_id"], row["trading_date"].month): row for row in names["by_month"].to_dicts()}
    for account in ACCOUNTS:
        assert rows[account, 3]["total_pnl"] == march(books, account)


def test_the_page_names_only_tables_that_there_are(books: Books) -> None:
    import duckdb

    named = set(re.findall(r"`((?:core|pnl|quality|raw)\.[a-z_]+)`", PAGE.read_text(encoding="utf-8")))
    with duckdb.connect(books.published, read_only=True) as con:
        there = {
            f"{schema}.{table}"
            for schema, table in con.execute("select distinct schema_name, table_name from duckdb_columns()").fetchall()
        }
    assert named
    assert named <= there
