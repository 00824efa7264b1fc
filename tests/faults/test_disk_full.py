"""F2: a disk that fills up at any step ends in one sentence, leaves the published books, and is made good by space."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.errors import BuildFailed, DiskFull
from pipelines.ingest.snapshot import take_snapshot
from pipelines.settings import Settings
from pipelines.warehouse.published import publish_if_behind
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import Fault
from tests.support.command_line import Ended, daybook
from tests.support.fault_books import BIG, broker, close_day, published
from tests.support.small_disk import MIB, small_disk


def fill(disk: Path, *, but: int) -> Path:
    """Fill the disk with a file, except for so many bytes."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    size = shutil.disk_usage(disk).free - but
    with ballast.open("wb") as file:
        for _ in range(size // MIB):
            file.write(b"\xff" * MIB)
        file.write(b"\xff" * (size % MIB))
    return ballast


def _fill_up(disk: Path, room: int) -> None:
    fill(disk, but=room)


def assert_one_sentence(ended: Ended) -> None:
    assert ended.code in (1, 2)
    assert "Traceback" not in ended.err
    assert "should not have happened" not in ended.err, ended.err
    assert ended.err.count("daybook: ") == 1


@pytest.fixture
def disk(tmp_path: Path, home_of_thursday: Path) -> Iterator[Path]:
    """A home after a Thursday, on a small disk of its own."""
    with small_disk(tmp_path / "disk") as made:
        shutil.copytree(home_of_thursday, made / "home")
        yield made / "home"


def assert_made_good(settings: Settings) -> None:
    """With room again, the evening that was given up is closed whole."""
    assert close_day(settings).is_complete
    books, _ = published(settings)
    assert [(str(row[0]), row[1]) for row in books["quality.day"]] == [
        ("2025-10-30", "COMPLETE"),
        ("2025-10-31", "COMPLETE"),
    ]


def test_nothing_is_begun_without_room_to_begin(disk: Path) -> None:
    with broker() as server:
        settings = Settings(base_url=server.url, home=disk)
        before = published(settings)
        for room in (0, 1 * MIB, 15 * MIB):
            ballast = fill(disk, but=room)
            for command in ("sync", "build"):
                assert_one_sentence(daybook(command, home=disk, url=server.url))
            assert server.requests == []
            assert published(settings) == before
            ballast.unlink()
        assert_made_good(settings)


@pytest.mark.parametrize("room", [0, 16 * 1024, 64 * 1024, 256 * 1024, 1 * MIB, 2 * MIB])
def test_a_disk_that_fills_up_while_the_broker_is_read_loses_nothing_that_was_there(room: int, disk: Path) -> None:
    """At the archive, at what dlt extracts, or at the write-ahead log: the less room, the earlier."""
    with broker() as server:
        settings = Settings(base_url=server.url, home=disk)
        before = published(settings)
        server.faults = [Fault("positions", str(BIG), then=lambda _: _fill_up(disk, room))]
        ended = daybook("sync", home=disk, url=server.url)
        if ended.code:
            assert_one_sentence(ended)
        assert room or ended.code
        assert published(settings) == before
        (disk / "ballast").unlink()
        assert_made_good(settings)


@pytest.mark.parametrize("room", [0, 64 * 1024, 512 * 1024])
def test_a_disk_that_fills_up_before_the_build_leaves_the_books_as_they_were(room: int, disk: Path) -> None:
    with broker() as server:
        settings = Settings(base_url=server.url, home=disk)
        before = published(settings)
        with warehouse_session(settings) as con:
            take_snapshot(con, settings)
            fill(disk, but=room)
            with pytest.raises((BuildFailed, DiskFull)):  # noqa: PT012  (whichever of the two meets the full disk)
                build(con, settings, CATALOG)
                publish_if_behind(con, settings)
        assert published(settings) == before
        (disk / "ballast").unlink()
        assert_made_good(settings)


def test_a_disk_without_room_for_the_copy_leaves_the_former_one(disk: Path) -> None:
    with broker() as server:
        settings = Settings(base_url=server.url, home=disk)
        before = published(settings)
        with warehouse_session(settings) as con:
            take_snapshot(con, settings)
            build(con, settings, CATALOG)
            con.execute("checkpoint")
            for room in (0, settings.warehouse.stat().st_size - 4096):
                fill(disk, but=room)
                with pytest.raises(BuildFailed, match="free and the copy needs"):
                    publish_if_behind(con, settings)
                assert published(settings) == before
            (disk / "ballast").unlink()
            assert publish_if_behind(con, settings)
        assert_made_good(settings)


def test_a_report_without_room_leaves_the_books_and_no_half_file(disk: Path) -> None:
    ballast = fill(disk, but=0)
    assert_one_sentence(daybook("report", home=disk))
    assert [path for path in (disk / "reports").rglob("*") if path.is_file() and path.stat().st_size] == []
    ballast.unlink()
    assert daybook("report", home=disk).code == 0
