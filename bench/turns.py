"""Processes that are run in turn and compared: what one took, how many rounds of each, and their medians."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from tempfile import TemporaryFile
from typing import TypeVar

#: Set by `python -m bench --rounds N`: how often a case runs each of the things that it compares.
ROUNDS = "DAYBOOK_BENCH_ROUNDS"

Run = dict[str, float]
Returned = TypeVar("Returned")


def rounds(usual: int) -> int:
    """How many rounds to run: as asked for, else as many as this case is used to."""
    return int(os.environ.get(ROUNDS) or usual)


def run_timed(command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[Run, str]:
    """Run a process to its end: its wall and CPU seconds, those of its own children included, the most memory that it,
    or one of them, has held, and what it said.

    Raises RuntimeError where it fails, with the last words of it.
    """
    began = time.perf_counter()
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env) as process,
    ):
        assert process.stdout
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            last = (said + errors.read())[-2_000:]
            raise RuntimeError(f"`{' '.join(command)}` ended with {process.returncode}: {last}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}, said


def alone(step: Callable[..., Returned], *arguments: object) -> Returned:
    """A function of a module, called in a new process: what it imports, and its memory, are its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(step, *arguments).result()


def medians(runs: Iterable[Run]) -> Run:
    """The median of each figure over several runs; of what only some of them did, with nothing for the others."""
    each = list(runs)
    names = {name: None for run in each for name in run}
    return {name: median(run.get(name, 0.0) for run in each) for name in names}
