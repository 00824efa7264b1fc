"""What must outlast a power cut is written, on disk, named, and its name on disk, in that order: seen from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.desk import THURSDAY
from tests.support.fault_books import broker
from tests.support.system_calls import CHANGES, RENAMES, SYNCS, Call, can_trace, traced

EVENING = """
import sys
from pathlib import Path

from assets.catalog import CATALOG
from pipelines.report.write import write_report
from pipelines.settings import Settings
from tests.support.fault_books import close_day

settings = Settings(base_url=sys.argv[2], home=Path(sys.argv[1]))
close_day(settings)
write_report(settings, CATALOG, formats=("html", "csv"))
"""

pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is absent, or may not trace a process here")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("durable") / "home"


@pytest.fixture(scope="module")
def calls(home: Path) -> Iterator[list[Call]]:
    """What an evening with its report asked the system to do in its home."""
    with broker(THURSDAY) as server:
        yield traced(EVENING, home, str(home), server.url)


def last(calls: list[Call], names: set[str], path: Path) -> int:
    """Where in the calls this file was last changed, or synced; -1 where it never was."""
    return max((at for at, call in enumerate(calls) if call.name in names and call.paths[0] == path), default=-1)


def named(calls: list[Call], path: Path) -> tuple[int, Path]:
    """Where in the calls a file got its name, and which draft it had been until then."""
    at = max(at for at, call in enumerate(calls) if call.name in RENAMES and call.paths[-1] == path)
    return at, calls[at].paths[0]


def is_durable(calls: list[Call], path: Path) -> bool:
    """Whether a file was whole, for whom it is for, and on disk before it had its name; then its name was on disk, and
    nothing was changed after."""
    at, draft = named(calls, path)
    changed, synced = last(calls, CHANGES, draft), last(calls[:at], SYNCS, draft)
    later = {call.paths[0] for call in calls[at:] if call.name in CHANGES}
    return changed < synced < at < last(calls, SYNCS, path.parent) and not later & {draft, path}


def test_the_pages_are_on_disk_before_the_run_is_sealed(calls: list[Call], home: Path) -> None:
    (pages,) = home.glob("archive/*/*/pages.json.zst")
    sealed, _ = named(calls, pages.with_name("run.json"))
    assert last(calls, CHANGES, pages) < last(calls, SYNCS, pages) < sealed


def test_the_folders_of_a_run_have_their_names_on_disk_before_its_pages_are_written(
    calls: list[Call], home: Path
) -> None:
    (pages,) = home.glob("archive/*/*/pages.json.zst")
    first_page = next(at for at, call in enumerate(calls) if call.name in CHANGES and call.paths[0] == pages)
    for folder in (pages.parent.parent, pages.parent.parent.parent):
        assert Call("fsync", (folder,)) in calls[:first_page]
    opened = next(at for at, call in enumerate(calls) if call.name == "openat" and call.paths[-1] == pages)
    assert Call("fsync", (pages.parent,)) in calls[opened:first_page]


def test_the_sealed_manifest_is_durable(calls: list[Call], home: Path) -> None:
    (sealed,) = home.glob("archive/*/*/run.json")
    assert is_durable(calls, sealed)


def test_the_published_copy_is_durable(calls: list[Call], home: Path) -> None:
    assert is_durable(calls, home / "daybook.duckdb")


def test_every_file_of_the_report_is_durable_and_so_is_its_folder(calls: list[Call], home: Path) -> None:
    files = [path for path in (home / "reports").rglob("*") if path.is_file()]
    assert len(files) > 2
    assert [path for path in files if not is_durable(calls, path)] == []
    for path in files:
        at, _ = named(calls, path)
        assert Call("fsync", (path.parent.parent,)) in calls[:at]
