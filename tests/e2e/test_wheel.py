"""The wheel: whole, at work on every Python that it is for, never beside other people's packages of the same names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("assets", "dagster_project", "daybook", "models", "pipelines")
UV = shutil.which("uv") or ROOT / ".uv" / "bin" / "uv"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("CLEAR_STREET", "DAYBOOK"))}


def run(*command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    environ = {**ENVIRONMENT, **more}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)


def interpreter(version: str) -> Path:
    """A Python of a version on this machine, from the PATH or pyenv; a test without one is skipped."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{version}.*/bin/python")
    for path in (shutil.which(f"python{version}"), *sorted(pyenv)):
        if path and run(path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").stdout.strip() == version:
            return Path(path)
    pytest.skip(f"there is no Python {version} on this machine")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("*.whl")
    return made


def test_everything_of_the_packages_is_in_the_wheel_and_nothing_else(wheel: Path) -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout, so nothing tells our files from others")
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == set(listed.stdout.splitlines())


@pytest.mark.heavy
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_wheel_runs_the_demo_in_a_clean_environment(wheel: Path, tmp_path: Path, version: str) -> None:
    python, own = interpreter(version), tmp_path / "env"
    if not Path(UV).is_file():
        pytest.skip("there is no uv to make an environment with")
    assert run(UV, "venv", "--quiet", "--python", python, own).returncode == 0
    locked = ROOT / "requirements" / "runtime.txt"
    installed = run(UV, "pip", "install", "--quiet", "--python", own, "--constraint", locked, wheel)
    assert installed.returncode == 0, installed.stderr
    shown = run(own / "bin" / "daybook", "demo", "--days", "2", DAYBOOK_HOME=str(tmp_path / "home"))
    assert shown.returncode == 0, shown.stderr
    assert "2 of 2 days COMPLETE, 2005-02-01 to 2005-02-02" in shown.stdout


@pytest.mark.parametrize("name", [package for package in PACKAGES if package != "daybook"])
@pytest.mark.parametrize("how", ["package", "module"])
def test_a_stranger_that_python_finds_first_is_refused_in_a_sentence_and_never_run(
    tmp_path: Path, name: str, how: str
) -> None:
    stranger = tmp_path / (f"{name}/__init__.py" if how == "package" else f"{name}.py")
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    refused = run(Path(sys.executable).with_name("daybook"), "--version", PYTHONPATH=str(tmp_path))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"daybook: Python finds another package under the name of daybook's '{name}' ({stranger}): install daybook "
        "alone in a virtual environment, and leave what is called so out of PYTHONPATH.\n"
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", [package for package in PACKAGES if package != "daybook"])
def test_a_stranger_that_was_installed_over_ours_is_refused(wheel: Path, tmp_path: Path, name: str) -> None:
    ZipFile(wheel).extractall(tmp_path)
    command = ["-P", "-c", "import daybook; print('started')"]
    assert run(sys.executable, *command, PYTHONPATH=str(tmp_path)).stdout == "started\n"
    (tmp_path / name / "__init__.py").write_text('"""Models of somebody else."""\n')
    refused = run(sys.executable, *command, PYTHONPATH=str(tmp_path))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"another package under the name of daybook's '{name}'" in refused.stderr
