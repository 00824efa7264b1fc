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
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this user can't mount a small disk: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def sharing_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own for the block, on which two files can share blocks (Btrfs); skips where there can be none."""
    folder.mkdir()
    if (make := shutil.which("mkfs.btrfs")) is None:
        pytest.skip("mkfs.btrfs (btrfs-progs) is not there to make a disk whose files can share blocks")
    image = folder.with_name(f"{folder.name}.image")
    with image.open("wb") as file:
        file.truncate(SHARING_DISK)
    subprocess.run([make, "--quiet", "--mixed", str(image)], check=True, capture_output=True)
    mounted = subprocess.run(["mount", "-o", "loop", str(image), str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"this user can't mount a small disk: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        image.unlink()
