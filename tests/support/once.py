"""What costs seconds to make is made once in a test run, by whichever worker asks for it first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

#: The folder that all workers of this test run share: tests/conftest.py says where it is.
SHARED: Path | None = None


def shared() -> Path:
    """That folder. Fails outside a test run."""
    assert SHARED is not None, "no test run has said where its workers share what they make"
    return SHARED


def made_once(root: Path, name: str, make: Callable[[Path], object]) -> Path:
    """A folder below `root`, which the workers share, as `make` made it. Not to be changed: it is everybody's.

    What was made by halves, because making it failed, is made again by the next that asks, in a folder of its own.
    """
    with FileLock(root / f"{name}.lock"):
        note = root / f"{name}.made"
        if not note.exists():
            folder = root / f"{name}-{len(list(root.glob(f'{name}-*')))}"
            make(folder)
            note.write_text(folder.name)
        return root / note.read_text()
