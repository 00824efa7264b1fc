"""What holds for the repository as a whole: whose code is imported, what lies in which folder, what no file may say."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from assets.catalog import TABLES
from pipelines.settings import code_version

ROOT = Path(__file__).parents[2]
PACKAGES = ("daybook", "dagster_project", "assets", "pipelines", "models")
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
SELECTS = sorted(path for folder in ("assets", "pipelines") for path in (ROOT / folder).rglob("*.sql"))
#: Schemas that have tables; `report` asks questions of them.
SCHEMAS = ("core", "pnl", "quality")
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))

#: Folders of one machine, and places where packages come from: they differ from user to user.
ELSEWHERE = re.compile(
    r"(?<![\w.])/(?:work|root|home|Users)/\w|pypi\.|python[h]osted|npm[j]s|index[-_]url", re.IGNORECASE
)


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


@cache
def own_files() -> list[Path]:
    """Everything that is or may be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout, so nothing tells our files from others")
    return [path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file()]


def code_of(path: Path) -> str:
    """A select without its comments and texts."""
    return re.sub(r"--[^\n]*|'(?:[^']|'')*'", "", path.read_text())


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_that_is_imported_is_ours(package: str) -> None:
    # their names are common: a dependency that ships one of them would win, or lose, by the order of sys.path
    assert Path(str(importlib.import_module(package).__file__)).parent == ROOT / package


def test_every_select_is_a_table_of_the_catalog_and_the_other_way_round() -> None:
    files = {path for schema in SCHEMAS for path in (ROOT / "assets" / schema).glob("*.sql")}
    assert {table.path for table in TABLES} == files


@pytest.mark.parametrize("path", SELECTS, ids=names(SELECTS))
def test_every_select_begins_with_what_its_table_is(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith("-- ")
    assert len(first.split()) > 5


@pytest.mark.parametrize("path", SELECTS, ids=names(SELECTS))
def test_no_select_names_a_number_type_without_its_digits(path: Path) -> None:
    # a bare decimal is DECIMAL(18,3) in DuckDB and DECIMAL(10,0) in Spark; a float is no type for money
    bare = re.findall(r"\b(?:decimal|numeric)\b(?!\s*\()|\b(?:float[48]?|real)\b", code_of(path), re.IGNORECASE)
    assert bare == []


def test_no_file_names_a_folder_of_one_machine_or_a_place_to_fetch_packages() -> None:
    said = []
    for path in own_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        said += [f"{path.relative_to(ROOT)}: {found[0]}" for line in lines if (found := ELSEWHERE.search(line))]
    assert said == []


@pytest.mark.parametrize("path", LOCKS, ids=names(LOCKS))
def test_every_locked_package_has_a_version_and_hashes(path: Path) -> None:
    text = re.sub(r"\s*\\\n\s+", " ", re.sub(r"(?m)^\s*#.*\n", "", path.read_text()))
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines
    for line in lines:
        assert re.match(r"[\w.\[\]-]+==\S+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+$", line.strip()), line


def test_the_runtime_environment_has_no_pandas_and_the_duckdb_that_was_chosen() -> None:
    locked = (ROOT / "requirements" / "runtime.txt").read_text()
    assert "\nduckdb==1.5.5 " in locked
    assert not re.search(r"(?m)^(pandas|numpy)==", locked)


def test_no_module_is_longer_than_a_person_reads() -> None:
    lengths = {path: len(path.read_text().splitlines()) for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert lengths
    assert {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > 400} == {}


def test_the_newest_release_of_the_changelog_is_this_version() -> None:
    said = re.findall(r"(?m)^## (.*)$", (ROOT / "CHANGELOG.md").read_text())
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", each) for each in said[1:]]
    assert said[0] == "[Unreleased]"
    assert released
    assert all(released), said
    dates = [date.fromisoformat(each[2]) for each in released if each]
    assert dates == sorted(dates, reverse=True)
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert stated == (released[0] or "")[1] == code_version()


def test_nothing_but_pyproject_states_the_version() -> None:
    stated = f'"{code_version()}"'
    again = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py") if stated in path.read_text()]
    assert again == []


def test_the_changelog_has_the_sections_of_its_form() -> None:
    sections = set(re.findall(r"(?m)^### (.*)$", (ROOT / "CHANGELOG.md").read_text()))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_no_function_is_longer_than_a_person_reads() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name in (*PACKAGES, "bench")
        for path in (ROOT / name).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lengths) > 1000
    assert {name: length for name, length in lengths.items() if length > 40} == {}


def test_imports_point_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_decision_says_where_it_stands_why_and_what_follows() -> None:
    numbers = [path.name[:4] for path in DECISIONS]
    assert numbers == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]
    for path in DECISIONS:
        headings = [line for line in path.read_text().splitlines() if line.startswith("## ")]
        assert headings == ["## Status", "## Context", "## Decision", "## Consequences"], path.name
