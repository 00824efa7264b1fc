"""What lies in a folder and waits for somebody: told without dlt and Arrow, which take a second to import."""

from __future__ import annotations

from pathlib import Path


def packages_waiting(folder: Path) -> int:
    """How many packages an earlier run has left in dlt's folder, extracted and not loaded yet."""
    return entries(folder / "daybook" / "normalize" / "extracted") + entries(folder / "daybook" / "load" / "normalized")


def entries(folder: Path) -> int:
    """How many things a folder holds; 0 where there is none."""
    return len(list(folder.iterdir())) if folder.is_dir() else 0
