"""Small disks of a test's own: one to be filled, one whose files can share blocks."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 2**20
DISK = 96 * MIB
SHARING_DISK = 256 * MIB


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own for the block; skips where this user may not mount one."""
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs"):
        yield folder


@contextmanager
def sharing_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own for the block, on which two files can share blocks (Btrfs); skips where there can be none."""
    if (make := shutil.which("mkfs.btrfs")) is None:
        pytest.skip("mkfs.btrfs (btrfs-progs) is not there to make a disk whose files can share blocks")
    image = folder.with_name(f"{folder.name}.image")
    with image.open("wb") as file:
        file.truncate(SHARING_DISK)
    subprocess.run([make, "--quiet", "--mixed", str(image)], check=True, capture_output=True)
    try:
        with _mounted(folder, "-o", "loop", str(image)):
            yield folder
    finally:
        image.unlink()


@contextmanager
def _mounted(folder: Path, *what: str) -> Iterator[None]:
    folder.mkdir()
    mounted = subprocess.run(["mount", *what, str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"this user can't mount a small disk: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
