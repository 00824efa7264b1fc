"""docs/quality.md says of each quality word what the build says of it."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from assets.catalog import CATALOG

PAGE = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")


def test_the_page_has_the_words_of_the_table_that_gives_them() -> None:
    proofs = duckdb.sql(f"select quality, proof from ({CATALOG['pnl.quality_proof'].text})").fetchall()
    assert proofs == re.findall(r"^\| ([A-Z]+) \| (.*) \|$", PAGE, re.MULTILINE)


def test_the_words_are_those_that_sums_are_ranked_by() -> None:
    with duckdb.connect() as con:
        con.execute(CATALOG.functions)
        (ranked,) = con.execute("select qualities()").fetchone() or ((),)
    words = duckdb.sql(f"select quality from ({CATALOG['pnl.quality_proof'].text})").fetchall()
    assert [*dict.fromkeys(quality for (quality,) in words)] == ranked
