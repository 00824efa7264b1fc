"""deploy/: units that systemd takes, tight ones; settings that a shell reads too; commands that there are."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.main import get_command

from daybook.cli.app import app
from pipelines.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(path for path in (DEPLOY / "systemd").iterdir() if path.suffix in (".service", ".timer"))
SERVICES = [path.name for path in UNITS if path.suffix == ".service"]
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
#: The exposure that `systemd-analyze security` may tell, in tenths: 0 is none, 100 all.
MOST_EXPOSURE = 20


def analyze(*arguments: str | Path) -> str:
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units as they are for this installation: systemd looks for the command."""
    here = Path(sys.executable).with_name("daybook")
    for path in UNITS:
        text = path.read_text().replace("/opt/daybook/.venv/bin/daybook", str(here))
        (tmp_path / path.name).write_text(text.replace("file:///opt/daybook", f"file://{ROOT}"))
    return [tmp_path / path.name for path in UNITS]


@needs_systemd
def test_systemd_takes_the_units_without_a_word(units: list[Path]) -> None:
    assert analyze("verify", "--man=no", *units) == ""
    next_times = analyze("calendar", "--iterations=5", "Tue..Sat 04:30 America/New_York")
    assert "Tue..Sat 04:30 America/New_York" in (DEPLOY / "systemd" / "daybook-backup.timer").read_text()
    assert next_times.count("UTC") >= 5


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_the_units_are_hardened(units: list[Path], name: str) -> None:
    (unit,) = [path for path in units if path.name == name]
    said = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager", unit)
    assert re.search(r"Overall exposure level for \S+: \d", said)


def test_the_documents_that_units_name_and_the_commands_that_they_run_are_there() -> None:
    for path in UNITS:
        text = path.read_text()
        for name in re.findall(r"file:///opt/daybook/(\S+)", text):
            assert (ROOT / name).is_file(), name
        for line in re.findall(r"^ExecStart=/opt/daybook/\.venv/bin/daybook (.*)$", text, re.MULTILINE):
            name, *words = shlex.split(line)
            command = get_command(app).commands[name]  # type: ignore[attr-defined]
            known = {option for each in command.params for option in each.opts}
            assert {word for word in words if word.startswith("--")} <= known


def test_a_shell_reads_the_environment_file_and_every_line_is_a_setting() -> None:
    text = (DEPLOY / "daybook.env").read_text()
    names = set(re.findall(r"^#?([A-Z][A-Z_]+)=", text, re.MULTILINE))
    assert names - set(VARIABLES) == {"PGPASSFILE"}
    told = subprocess.run(
        ["sh", "-c", f"set -a; . {shlex.quote(str(DEPLOY / 'daybook.env'))}; env"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    read = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    assert Settings.from_env(read).home == Path("/var/lib/daybook")
    shown = re.sub(r"^#(?=[A-Z_]+=)", "", text, flags=re.MULTILINE)
    examples = dict(line.split("=", 1) for line in shown.splitlines() if re.match(r"[A-Z_]+=", line))
    del examples["DAYBOOK_PUBLISH_GROUP"]  # no group of this machine
    assert Settings.from_env(examples).report_to == ("desk@example.com",)


@pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None, reason="systemd-tmpfiles is not installed")
def test_what_is_old_goes_and_what_is_new_stays(tmp_path: Path) -> None:
    text = (DEPLOY / "tmpfiles.d" / "daybook.conf").read_text().replace("/var/lib/daybook", str(tmp_path))
    (tmp_path / "daybook.conf").write_text(text)
    for age, name in ((100, "old"), (10, "new")):
        for folder in ("logs", "dagster/storage"):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
            os.utime(path, (time.time(), time.time() - age * 86400))
    subprocess.run(["systemd-tmpfiles", "--clean", tmp_path / "daybook.conf"], check=True, capture_output=True)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["dagster/storage/new", "daybook.conf", "logs/new"]
