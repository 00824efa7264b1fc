"""Processes that are run in turn and compared: what one took, how many rounds of each, and their medians."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

#: Set by `python -m bench --rounds N`: how often a case runs each of the things that it compares.
ROUNDS = "DAYBOOK_BENCH_ROUNDS"

Run = dict[str, float]


def rounds(usual: int) -> int:
    """How many rounds to run: as asked for, else as many as this case is used to."""
    return int(os.environ.get(ROUNDS) or usual)


def spent(command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[Run, str]:
    """Run a process to its end: its wall and CPU seconds, those of its own children included, and what it said.

    Raises RuntimeError where it fails.
    """
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"`{' '.join(command)}` ended with {process.returncode}: {said[-500:]}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime}, said


def medians(runs: Iterable[Run]) -> Run:
    """The median of each figure over several runs."""
    each = list(runs)
    return {name: median(run[name] for run in each) for name in each[0]}
