"""A file is written whole or not at all, and where it is to outlast a power cut, on disk in that order."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pipelines.archive.files import read_file, whole_file, write_whole
from pipelines.warehouse.pending_packages import forget_normalized_twice, packages_waiting

CONTENT = b"what is to stay"


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system is asked to do, in order: what is on disk is told with how much of it there was by then."""
    asked: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(handle: int) -> None:
        found = os.fstat(handle)
        asked.append("folder" if stat.S_ISDIR(found.st_mode) else f"{found.st_size} bytes")
        real_fsync(handle)

    def replace(source: Path, target: Path) -> None:
        asked.append("name")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return asked


def test_what_is_durable_is_on_disk_before_it_has_its_name_and_then_the_name_is(
    tmp_path: Path, order: list[str]
) -> None:
    write_whole(tmp_path / "kept", CONTENT, durable=True)
    assert order == [f"{len(CONTENT)} bytes", "name", "folder"]


def test_what_is_not_durable_waits_for_no_disk(tmp_path: Path, order: list[str]) -> None:
    write_whole(tmp_path / "kept", CONTENT, durable=False)
    assert order == ["name"]


def fill_the_disk(path: Path, *, durable: bool) -> None:
    with whole_file(path, durable=durable) as file:
        file.write(CONTENT)
        raise OSError("the disk is full")


@pytest.mark.parametrize("durable", [True, False])
def test_a_block_that_fails_leaves_the_former_file_and_no_draft(tmp_path: Path, *, durable: bool) -> None:
    (tmp_path / "kept").write_bytes(b"former")
    with pytest.raises(OSError, match="full"):
        fill_the_disk(tmp_path / "kept", durable=durable)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"kept": b"former"}


def test_without_replace_a_file_that_is_there_keeps_its_name(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write_whole(tmp_path / "kept", content, durable=False, replace=False)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"kept": b"first"}


def test_a_file_is_its_users_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "kept", CONTENT, durable=True)
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o600


def test_a_file_of_as_much_as_it_may_have_is_read_and_one_of_more_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(CONTENT)
    assert read_file(tmp_path / "kept", len(CONTENT)) == CONTENT
    with pytest.raises(OSError, match="it has more than 0 KiB"):
        read_file(tmp_path / "kept", len(CONTENT) - 1)
    with pytest.raises(OSError, match="it is a folder, not a file"):
        read_file(tmp_path)


def test_a_package_that_dlt_has_normalized_is_not_normalized_again(tmp_path: Path) -> None:
    for place in ("normalize/extracted/1.1", "load/normalized/1.1", "normalize/extracted/2.2"):
        (tmp_path / "daybook" / place).mkdir(parents=True)
    assert packages_waiting(tmp_path) == 3  # a run was killed between the two
    forget_normalized_twice(tmp_path)
    assert packages_waiting(tmp_path) == 2
    assert (tmp_path / "daybook" / "normalize" / "extracted" / "2.2").is_dir()
    forget_normalized_twice(tmp_path / "none")
