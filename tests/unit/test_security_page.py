"""docs/security.md: every sentence has its test, and every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
LINES = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| what |", "|---"))]


@pytest.mark.parametrize("line", LINES, ids=[line.split("|")[1].strip() for line in LINES])
def test_every_sentence_has_a_test_that_is_there(line: str) -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    proof = line.split("|")[3]
    names, files = re.findall(r"`(test_\w+)`", proof), re.findall(r"`(tests/[\w/]+\.py)`", proof)
    assert names or files
    assert [name for name in names if f"def {name}(" not in sources] == []
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_every_concern_has_its_line() -> None:
    assert len(LINES) == 11


def test_the_proxy_that_is_documented_leads_to_the_port_and_the_host_of_the_ui() -> None:
    from dagster_project.instance import HOST

    ports = set(re.findall(rf"proxy_pass http://{re.escape(HOST)}:(\d+);|-L \d+:{re.escape(HOST)}:(\d+)", PAGE))
    assert {port for pair in ports for port in pair if port} == {"3000"}
