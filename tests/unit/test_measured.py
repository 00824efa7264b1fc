"""Lines are counted by the first parameters of a test, and by what those start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from coverage import CoverageData

from tests.support.measured import FIRST, TAKE_LONG, not_counting

ROOT = Path(__file__).parents[2]
COUNTED = """
import os, sys
from types import ModuleType
from coverage import Coverage
from tests.support.measured import as_if_it_counted, uncounted

def three_lines():
    here = 1
    there = 2
    return here + there

measured = Coverage(data_file={data!r}, config_file=False, source=[{folder!r}], check_preimported=True)
measured.start()
sys.modules["answers_all"] = answers_all = ModuleType("answers_all")
answers_all.__file__, answers_all.__getattr__ = "answers_all.py", lambda name: print
os.environ["COVERAGE_PROCESS_CONFIG"] = "of a child"
with uncounted():
    three_lines()
    assert "COVERAGE_PROCESS_CONFIG" not in os.environ
    assert as_if_it_counted()["COVERAGE_PROCESS_CONFIG"] == "of a child"
assert os.environ.pop("COVERAGE_PROCESS_CONFIG")
{after}
measured.stop()
measured.save()
"""


def test_every_test_counts_and_of_its_parameters_the_first() -> None:
    ids = ["test_a.py::test_one", *(f"test_a.py::test_many[{n}]" for n in range(4)), "test_b.py::test_many[0]"]
    items = [item(each) for each in ids]
    assert not_counting(items) == {f"test_a.py::test_many[{n}]" for n in range(FIRST, 4)}


@pytest.mark.parametrize("marker", TAKE_LONG)
def test_what_takes_long_does_not_count(marker: str) -> None:
    assert not_counting([item("test_a.py::test_one"), item("test_a.py::test_all", marker)]) == {"test_a.py::test_all"}


def test_what_breaks_a_run_or_starts_many_processes_does_not_count_and_the_command_line_does() -> None:
    named = ("tests/e2e/test_cli_a.py::test", "tests/e2e/test_serve.py::test", "tests/faults/test_a.py::test")
    assert not_counting(map(item, named)) == set(named[1:])


def item(name: str, *markers: str) -> Any:
    return SimpleNamespace(nodeid=name, get_closest_marker=lambda marker: marker in markers or None)


def lines_counted(folder: Path, after: str) -> set[int]:
    folder.mkdir()
    script, data = folder / "counted.py", folder / "data"
    script.write_text(COUNTED.format(data=str(data), folder=str(folder), after=after))
    subprocess.run([sys.executable, script], check=True, env={"PYTHONPATH": str(ROOT)})
    found = CoverageData(str(data))
    found.read()
    return set(found.lines(str(script)) or ())


def test_what_runs_uncounted_is_not_among_the_lines_and_what_runs_after_it_is(tmp_path: Path) -> None:
    body = {8, 9, 10}
    assert not lines_counted(tmp_path / "without", "") & body
    assert lines_counted(tmp_path / "with", "three_lines()") >= body
