"""docs/operators.md against the program: every variable, every command and option, every kind of incident."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from dagster_project.definitions import defs
from daybook.cli.app import app
from pipelines.settings import VARIABLES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"(?:^|`|bin/)(daybook [a-z][^`\n#]*)", PAGE, re.MULTILINE)))


def test_every_variable_is_there_and_no_other() -> None:
    assert set(re.findall(r"`((?:CLEAR_STREET|DAYBOOK)_[A-Z_]+)`", PAGE)) == set(VARIABLES)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_exists_with_its_options(line: str) -> None:
    _, name, *words = shlex.split(line)
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert name in commands
    known = {option for each in commands[name].params for option in each.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_schedule_and_every_kind_of_incident_is_named() -> None:
    for schedule in defs().schedules or []:
        assert f"| `{schedule.name}` |" in PAGE
    sources = [*(ROOT / "dagster_project").glob("*.py"), ROOT / "assets" / "orchestration" / "raw.py"]
    kinds = {kind for path in sources for kind in re.findall(r'kind="([A-Z_]+)"', path.read_text(encoding="utf-8"))}
    assert len(kinds) >= 5
    for kind in kinds:
        assert f"| `{kind}` |" in PAGE


def test_files_and_queries_that_the_page_sends_people_to_are_there() -> None:
    for name in re.findall(r"`(docs/[a-z_/.]+)`", PAGE):
        assert (ROOT / name).is_file(), name
