"""docs/operators.md against the program: every variable, every command and option, every kind of incident."""

from __future__ import annotations

import re
import shlex
import subprocess
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


def _blocks(language: str) -> list[str]:
    pages = [PAGE, (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")]
    return [block for page in pages for block in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)]


def _cron_lines() -> list[str]:
    """The commands of the pages' cron tables: what is behind the five fields of time, as cron gives it to sh."""
    lines = [line for block in _blocks("cron") for line in block.splitlines() if not line.startswith("CRON_TZ=")]
    assert len(lines) >= 5
    return [line.split(maxsplit=5)[5] for line in lines]


def test_every_cron_line_hands_its_command_what_the_file_of_settings_says(tmp_path: Path) -> None:
    """Run as they stand, by sh with next to nothing in its environment; only the two places are those of the test."""
    (settings,) = [block for block in _blocks("sh") if re.match(r"[A-Z_]+=", block)]
    file, program = tmp_path / "daybook.env", tmp_path / "bin" / "daybook"
    file.write_text(settings)
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$1 $CLEAR_STREET_API_KEY $DAYBOOK_HOME"\n')
    program.chmod(0o700)
    for line in _cron_lines():
        assert "%" not in line, "cron makes a line end of it"
        moved = line.replace("/etc/daybook.env", str(file)).replace("/opt/daybook/.venv/bin/daybook", str(program))
        assert moved.count(str(tmp_path)) >= 2
        ended = subprocess.run(["/bin/sh", "-c", moved], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True)
        for told in ended.stdout.decode().splitlines():
            assert told.split()[1:] == ["...", "/var/lib/daybook"], line
        assert ended.stdout


def test_the_systemd_unit_runs_a_command_that_exists_with_the_same_file_of_settings() -> None:
    (unit,) = [block for block in _blocks("ini") if "[Service]" in block]
    (command,) = re.findall(r"^ExecStart=/opt/daybook/\.venv/bin/daybook ([a-z]+)$", unit, re.MULTILINE)
    assert command in get_command(app).commands  # type: ignore[attr-defined]
    assert "EnvironmentFile=/etc/daybook.env" in unit
