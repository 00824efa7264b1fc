"""The table of settings: every variable that daybook reads, everywhere the same, and up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daybook.settings_page import PAGES, ROOT, table, written
from pipelines.settings import VARIABLES, Settings

PACKAGES = ("daybook", "dagster_project", "assets", "pipelines", "models")
NAME = re.compile(r"\b(?:CLEAR_STREET|DAYBOOK)_[A-Z_]*[A-Z]\b")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_table_is_on_the_page_and_up_to_date(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert page.count(table()) == 1, "run `python -m daybook.settings_page` and commit the pages"
    assert written(page.replace("`DAYBOOK_HOME` |", "`OTHER` |")) == page


def test_every_variable_has_a_row_with_the_default_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", table(), re.MULTILINE))
    assert set(rows) == set(VARIABLES)
    assert rows["DAYBOOK_HOME"] == f"`{Settings.model_fields['home'].default}`"
    assert rows["DAYBOOK_ALERT_WEBHOOK"] == "none"


def test_the_code_names_no_other_variable() -> None:
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    named = {name for path in sources for name in NAME.findall(path.read_text(encoding="utf-8"))}
    assert named == set(VARIABLES)


def test_the_example_of_an_environment_has_every_variable_and_only_defaults() -> None:
    lines = re.findall(r"^#?(\w+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name, _ in lines} == set(VARIABLES)
    said = {name: value for name, value in lines if value}
    assert Settings.from_env(said) == Settings.from_env({})
