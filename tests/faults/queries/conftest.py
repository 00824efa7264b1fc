"""A home whose published books are asked, and nothing of which may change."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.queries import everything, seen


@pytest.fixture(scope="module")
def home(home_of_thursday: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a Thursday has been closed, for these tests alone."""
    home = tmp_path_factory.mktemp("thursday") / "home"
    shutil.copytree(home_of_thursday, home)
    return home


@pytest.fixture
def untouched(home: Path) -> Iterator[None]:
    """Fails where a test has written anything in the home."""
    before = seen(home)
    yield
    assert seen(home) == before


@pytest.fixture(scope="module", autouse=True)
def _untouched_by_all(home: Path) -> Iterator[None]:
    """Fails where anything in the home holds something other than before, to the byte."""
    before = everything(home)
    yield
    assert everything(home) == before
