"""docs/reliability.md: every fault has its line, and every test that a line names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_every_fault_has_a_line_that_names_a_test() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| F")]
    assert [line.split("|")[1].strip() for line in lines] == [f"F{number}" for number in range(1, 28)]
    assert all(re.search(r"`test_\w+`|`tests/[\w/]+\.py`", line) for line in lines)


def test_every_test_that_is_named_is_there() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert len(named) > 40
    assert [name for name in named if f"def {name}(" not in sources] == []
    files = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)
    assert [file for file in files if not (ROOT / file).exists()] == []
