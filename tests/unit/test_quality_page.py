"""docs/quality.md says of each quality word what the build says of it."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from assets.catalog import CATALOG

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")


def test_the_page_has_the_words_of_the_table_that_gives_them() -> None:
    proofs = duckdb.sql(f"select quality, proof from ({CATALOG['pnl.quality_proof'].text})").fetchall()
    assert proofs == re.findall(r"^\| ([A-Z]+) \| (.*) \|$", PAGE, re.MULTILINE)


def test_the_words_are_those_that_sums_are_ranked_by() -> None:
    with duckdb.connect() as con:
        con.execute(CATALOG.functions)
        (ranked,) = con.execute("select qualities()").fetchone() or ((),)
    words = duckdb.sql(f"select quality from ({CATALOG['pnl.quality_proof'].text})").fetchall()
    assert [*dict.fromkeys(quality for (quality,) in words)] == ranked


#: Words of the two selects that are no flags, and flags that they put together.
NO_FLAGS = {"OPENING", "INTRADAY_ROUND_TRIP", "OPENED", "CLOSED", "FLIPPED", "SEMANTICS_", "PRICE_"}
MADE_UP = {"SEMANTICS_SINCE_COST", "SEMANTICS_SINCE_PRIOR_CLOSE", "PRICE_STALE", "PRICE_IMPLIED", "PRICE_RESTATED"}
KINDS = {"ID_CHANGE", "CASH_IN_LIEU", "CASH_SETTLEMENT"}


def _read(*folders: str, suffix: str) -> str:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob(f"*{suffix}"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def _names_on_page(pattern: str) -> list[str]:
    rows = [line.split(" | ")[0] for line in PAGE.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(f"`({pattern})`", row)]


def test_every_flag_is_on_the_page_and_no_other() -> None:
    selects = CATALOG["pnl.position_daily"].text + CATALOG["pnl.event_leg"].text
    given = set(re.findall(r"(?:then|else) '([A-Z_]{5,})'\s+end", selects))
    given |= set(re.findall(r"then '([A-Z_]{5,})'", selects))
    assert sorted(_names_on_page("[A-Z_]+")) == sorted((given - NO_FLAGS) | MADE_UP | KINDS)


def test_every_finding_is_on_the_page_and_no_other() -> None:
    given = set(re.findall(r"'([a-z_]+)' as check_name", _read("assets/quality", suffix=".sql")))
    given -= set(re.findall(r"'([a-z_]+)' as check_name", CATALOG["quality.comparison"].text)) | {"check_name"}
    makers = "Finding|Problem|Broken|Moved|fail|_fail|_note|_problem"
    code = _read("models", "pipelines", suffix=".py")
    given |= set(re.findall(rf'\b(?:{makers})\(\s*"([a-z_]+)"', code))
    named = dict(re.findall(r'^([A-Z_]+) = "([a-z_]+)"$', code, re.MULTILINE))
    given |= {named[name] for name in re.findall(rf"\b(?:{makers})\(\s*([A-Z_]{{3,}})\b", code)}
    assert sorted(_names_on_page("[a-z_]+")) == sorted(given)
