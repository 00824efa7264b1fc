"""How many packages wait to be loaded, counted as files: importing dlt and Arrow for it would take a second."""

from __future__ import annotations

import shutil
from pathlib import Path

_EXTRACTED, _NORMALIZED = Path("normalize") / "extracted", Path("load") / "normalized"


def packages_waiting(folder: Path) -> int:
    """How many packages an earlier run has left in dlt's folder, extracted and not loaded yet."""
    return sum(count_entries(folder / "daybook" / place) for place in (_EXTRACTED, _NORMALIZED))


def forget_normalized_twice(folder: Path) -> None:
    """Take away what was extracted of packages that are normalized: dlt does so last, and one whose run was killed
    just before could neither be normalized again nor loaded."""
    normalized = folder / "daybook" / _NORMALIZED
    for package in normalized.iterdir() if normalized.is_dir() else ():
        shutil.rmtree(folder / "daybook" / _EXTRACTED / package.name, ignore_errors=True)


def count_entries(folder: Path) -> int:
    """How many entries a folder has; 0 where there is no such folder."""
    return len(list(folder.iterdir())) if folder.is_dir() else 0
