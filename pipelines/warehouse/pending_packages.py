"""How many packages wait to be loaded, counted as files: importing dlt and Arrow for it would take a second."""

from __future__ import annotations

from pathlib import Path


def packages_waiting(folder: Path) -> int:
    """How many packages an earlier run has left in dlt's folder, extracted and not loaded yet."""
    places = (Path("normalize") / "extracted", Path("load") / "normalized")
    return sum(count_entries(folder / "daybook" / place) for place in places)


def count_entries(folder: Path) -> int:
    """How many entries a folder has; 0 where there is no such folder."""
    return len(list(folder.iterdir())) if folder.is_dir() else 0
