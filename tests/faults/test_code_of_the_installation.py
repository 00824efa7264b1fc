"""Code and settings come from the installation, never from the folder that somebody happens to stand in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dagster_project.isolation import isolate_children
from tests.e2e.test_explorer import explorer, wait_for
from tests.support.browser import needs_chromium, page
from tests.support.command_line import DAYBOOK, environment
from tests.support.dagster_ui import daybook_dev
from tests.support.fault_books import broker

#: What a process of daybook, of Dagster or of marimo imports after its first line.
MODULES = [
    "alembic", "anyio", "assets", "click", "concurrent", "csv", "ctypes", "dagster", "dagster_graphql",
    "dagster_shared",
    "dagster_webserver", "datetime", "decimal", "dlt", "duckdb", "filelock", "grpc", "hashlib", "httpx", "jinja2",
    "json", "logging", "marimo", "models", "numpy", "orjson", "pandas", "pathlib", "pipelines", "pyarrow",
    "pydantic", "pyrate_limiter", "rich", "shutil", "socket", "sqlalchemy", "sqlglot", "starlette", "subprocess",
    "tempfile",
    "tenacity", "tomlkit", "typer", "typing_extensions", "typst", "tzdata", "uvicorn", "working", "xlsxwriter", "yaml",
    "zstandard",
]  # fmt: skip
#: What Python itself may import before the first line of ours.
FIRST = ["dagster_project", "re", "runpy", "sitecustomize", "usercustomize"]
FILES = {
    ".dlt/config.toml": '[runtime]\nlog_level = "DEBUG"\nrequest_timeout = "not a number"\n[load]\nworkers = "none"\n',
    ".dlt/secrets.toml": "[broken",
    ".dlt/.workspace": "",
    ".env": "DAYBOOK_HOME=/nowhere\nDAGSTER_HOME=/nowhere\nCLEAR_STREET_BASE_URL=http://127.0.0.1:9\n",
    "pyproject.toml": '[tool.dagster]\nmodule_name = "working"\n[tool.marimo.runtime]\npythonpath = ["."]\n[tool.dg]\n',
    "dagster.yaml": "run_launcher:\n  module: working\n  class: Working\n",
    "workspace.yaml": "load_from:\n  - python_module: working\n",
    ".marimo.toml": '[runtime]\npythonpath = ["."]\ndotenv = [".env"]\n',
}
COMMANDS = [
    ("eod",), ("status",), ("status", "--json"), ("sync",), ("build",), ("report",), ("sql", "from pnl.firm_daily"),
    ("sql", "from core.run", "--format", "parquet", "--output", "out.parquet"), ("backup",), ("verify",), ("doctor",),
    ("positions", "list", "--account", "100001"), ("instructions", "list", "--account", "100001"), ("replay",),
    ("compact", "--dry-run"), ("prune", "--archive-before", "2025-01-01", "--dry-run"),
    ("lock", "--through", "2025-10-30", "--yes"), ("--version",), ("--help",),
]  # fmt: skip


@pytest.fixture(scope="module")
def template(home_of_thursday: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a Thursday has been closed, for these tests alone."""
    home = tmp_path_factory.mktemp("thursday") / "home"
    shutil.copytree(home_of_thursday, home)
    return home


def hostile(folder: Path, modules: list[str]) -> Path:
    """A working folder full of modules that leave a mark when they run, and of settings that break everything."""
    (folder / "ran").mkdir(parents=True)
    for name in modules:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'ran' / name)!r}, 'w').close()\nraise SystemExit(77)\n")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def ran(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "ran").iterdir())


def run(command: list[str], folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=250)


def copied(template: Path, home: Path) -> Path:
    subprocess.run(["cp", "-a", str(template), str(home)], check=True)
    return home


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_runs_or_obeys_what_lies_in_the_working_folder(
    template: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    folders = [tmp_path / "clean" / "working", hostile(tmp_path / "hostile" / "working", MODULES + FIRST)]
    folders[0].mkdir(parents=True)
    ended = []
    with broker() as server:
        for folder in folders:
            home = copied(template, folder.parent / "home")
            ended.append(run([str(DAYBOOK), *command], folder, environment(home, server.url)))
    assert ended[1].returncode == ended[0].returncode, ended
    assert ended[1].returncode in (0, 3), ended
    assert ran(folders[1]) == []


def test_the_doctors_verdict_is_the_same_in_every_folder(template: Path, tmp_path: Path) -> None:
    home = copied(template, tmp_path / "home")
    said = [
        run([str(DAYBOOK), "doctor"], folder, environment(home))
        for folder in (tmp_path, hostile(tmp_path / "working", MODULES + FIRST))
    ]
    assert said[0].stdout == said[1].stdout
    assert said[0].returncode == said[1].returncode
    assert ran(tmp_path / "working") == []


def test_dagster_and_all_that_it_starts_take_nothing_from_the_working_folder(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copied(template, tmp_path / "home")
    folder = hostile(tmp_path / "working", MODULES + FIRST)
    monkeypatch.chdir(folder)
    with broker() as server, daybook_dev(environment(home, server.url), tmp_path / "dev.log") as dev:
        assert dev.is_loaded()
    assert ran(folder) == []
    assert "Loaded environment variables from .env" not in (tmp_path / "dev.log").read_text()


@needs_chromium
def test_the_explorer_takes_nothing_from_the_working_folder(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = hostile(tmp_path / "working", MODULES + FIRST)
    monkeypatch.chdir(folder)
    with explorer(template, tmp_path / "explore.log") as address, page() as tab:
        tab.open(address)
        wait_for(tab, "P&L by account and day")
    assert ran(folder) == []


@pytest.mark.parametrize("entries", [":{there}", "{there}:", ".:{there}", "{there}::."])
def test_an_empty_or_relative_entry_of_pythonpath_is_no_door(template: Path, tmp_path: Path, entries: str) -> None:
    folder = hostile(tmp_path / "working", MODULES)
    (tmp_path / "there").mkdir()
    asked = environment(template, PYTHONPATH=entries.format(there=tmp_path / "there"))
    # what measures the tests' coverage is imported before our first line, and takes what it finds
    unmeasured = {name: value for name, value in asked.items() if not name.startswith("COVERAGE")}
    for command in (["status"], ["sql", "select 1"], ["doctor"]):
        ended = run([str(DAYBOOK), *command], folder, unmeasured)
        assert ended.returncode == 0, ended
    assert ran(folder) == []


def test_the_module_started_by_name_leaves_the_working_folder_too(template: Path, tmp_path: Path) -> None:
    folder = hostile(tmp_path / "working", MODULES)
    ended = run([sys.executable, "-m", "daybook", "sql", "select 1"], folder, environment(template))
    assert ended.returncode == 0, ended
    assert ran(folder) == []


def test_a_pythonpath_that_somebody_chose_stays() -> None:
    chosen = {"PYTHONPATH": os.pathsep.join(["", "/opt/more", ".", "here", "/opt/other"])}
    isolate_children(chosen)
    assert chosen == {"PYTHONPATH": "/opt/more:/opt/other", "PYTHONSAFEPATH": "1"}
    empty = {"PYTHONPATH": ""}
    isolate_children(empty)
    assert empty == {"PYTHONSAFEPATH": "1"}
