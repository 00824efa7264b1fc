"""What holds for every test, and what is made once for all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from tests.support import once
from tests.support.care import two_evenings
from tests.support.example_books import Books, example_books
from tests.support.fault_books import thursday
from tests.support.measured import not_counting, uncounted
from tests.support.once import made_once
from tests.support.threads import one_thread

# a machine with other work to do is no fault of what is tested: a timing is never an assertion
settings.register_profile("daybook", deadline=None, print_blob=True)
settings.load_profile("daybook")
one_thread()

# Hypothesis draws constants of whatever modules of ours are loaded: with them a test that is the same every time by its
# setting would try other examples after other tests, and in another worker.
providers._get_local_constants = lambda: providers._local_constants
UNCOUNTED = pytest.StashKey[set[str]]()


@pytest.hookimpl(trylast=True)  # hypothesis marks what it draws before that
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest begins first: no worker is left alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("heavy") is None)
    config.stash[UNCOUNTED] = not_counting(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Lines and branches are counted by the first parameters of a test (tests/support/measured.py)."""
    if item.nodeid not in item.config.stash[UNCOUNTED]:
        return (yield)
    with uncounted():
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of this test run have in common."""
    base = tmp_path_factory.getbasetemp()
    once.SHARED = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return once.SHARED


@pytest.fixture(scope="session")
def home_of_thursday(shared: Path) -> Path:
    """A home in which a Thursday has been closed (tests/support/fault_books.py), not to be changed."""
    return made_once(shared, "thursday", thursday)


@pytest.fixture(scope="session")
def home_of_two_evenings(shared: Path) -> Path:
    """A home of a Thursday and a Friday (tests/support/care.py), not to be changed."""
    return made_once(shared, "two-evenings", two_evenings)


@pytest.fixture(scope="session")
def books(shared: Path) -> Books:
    """Books with something to ask about (tests/support/example_books.py); a module may have others."""
    return example_books(shared)
