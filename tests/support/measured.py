"""Which tests count lines and branches: of a test with many parameters the first, since the others run the same lines;
none of faults, which break a run that other tests follow to its end, none that takes long by its marker, and none that
hypothesis draws, which runs the same lines hundreds of times. Of the tests end to end, those that are alone with what
they run: commands, the demo, the explorer. The others start the same again, in processes that count for long.

Counting makes a test a quarter slower, and nearly all of the time of a run is spent on such tests. What only they run
is missing in the figures, so they never say too much.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from coverage import Coverage

if TYPE_CHECKING:
    import pytest

#: How many parameters of a test count.
FIRST = 1
#: The folders whose tests don't count, and which of them do all the same.
ELSEWHERE = ("tests/faults/", "tests/e2e/")
ALONE = tuple(f"tests/e2e/test_{name}" for name in ("cli_", "demo.py", "explorer.py"))
#: Markers of tests that don't count: the first two of pyproject.toml, and hypothesis' own.
TAKE_LONG = ("heavy", "kill", "hypothesis")
#: By these variables a process that a test starts counts, too (`patch = ["subprocess"]` in pyproject.toml).
OF_CHILDREN = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
#: What a test that doesn't count has not got of them.
_taken: dict[str, str] = {}


def not_counting(items: Iterable[pytest.Item]) -> set[str]:
    """The ids of the tests that don't count."""
    before: Counter[str] = Counter()
    found = set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        before[test] += 1
        takes_long = any(item.get_closest_marker(marker) for marker in TAKE_LONG)
        elsewhere = test.startswith(ELSEWHERE) and not test.startswith(ALONE)
        if before[test] > FIRST or takes_long or elsewhere:
            found.add(item.nodeid)
    return found


@contextmanager
def uncounted() -> Iterator[None]:
    """Whatever the block runs, in this process or in one that it starts, is not counted."""
    counting = Coverage.current()
    if counting is None:
        yield
        return
    _taken.update({name: os.environ.pop(name) for name in OF_CHILDREN if name in os.environ})
    counting.stop()
    # beginning again, it would look through all modules for what was imported too early, and fail at dlt's logger,
    # which answers with a function whatever it is asked for; processes that a test starts don't look either
    counting._warn_preimported_source = False
    try:
        yield
    finally:
        os.environ.update(_taken)
        counting.start()


def counts() -> bool:
    """Whether this process counts now."""
    return Coverage.current() is not None


def as_if_it_counted() -> dict[str, str]:
    """The environment of a process that later tests share with this one, whether or not this one counts."""
    return {**os.environ, **_taken}


def save_what_was_counted() -> None:
    """Before a process is forked again and again: what it has counted until now is written once, and by no fork."""
    if (counting := Coverage.current()) is not None:
        counting.save()


def stop_counting() -> None:
    """In a process that was forked from one that counts: leave it to others, and write nothing at its end."""
    if (counting := Coverage.current()) is not None:
        counting.stop()
        counting._auto_save = False
