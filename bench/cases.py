"""The cases of the benchmark, in the order in which they are run and told."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from bench.case import Case, Result

CASES = {
    "landing": "bench.landing",
    "small": "bench.small",
    "build": "bench.build",
    "rebuild": "bench.rebuild",
    "queries": "bench.queries",
    "periods": "bench.periods",
    "publish": "bench.publish",
    "report": "bench.evening_report",
    "endofday": "bench.endofday",
    "replay": "bench.replaying",
    "memory": "bench.memory",
    "profiles": "bench.profiles",
}


def case(name: str) -> Case:
    """The case of this name."""
    found: Case = import_module(CASES[name]).CASE
    return found


def measure(name: str, folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Measure the case of this name, in this process."""
    return case(name).measure(folder, quick)
