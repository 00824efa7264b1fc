"""Whatever is asked of the published books, the question ends: in time, in memory, on Ctrl-C, with its command."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.command_line import DAYBOOK, KEY, daybook, environment
from tests.support.queries import LONG_JOIN, LONG_PLAN, LONG_SCALAR
from tests.support.small_disk import small_disk


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def askers(temporary: Path) -> list[Path]:
    """The processes whose temporary folder is in this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"TMPDIR={temporary}/".encode() in (process / "environ").read_bytes():
                found.append(process)
    return found


def has_copy(process: Path) -> bool:
    """Whether a process has a published copy open, by whatever name."""
    with suppress(OSError):
        return any("daybook.duckdb" in str(handle.readlink()) for handle in (process / "fd").iterdir())
    return False


def eventually(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def asking(query: str, home: Path, temporary: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`daybook sql` with a question that takes long, once DuckDB is at it."""
    process = subprocess.Popen(
        [DAYBOOK, "sql", query, "--timeout", "3600"],
        env=environment(home, "http://127.0.0.1:9", TMPDIR=str(temporary)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        # what a script runs in its background is deaf to SIGINT, and this process would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        eventually(lambda: any(map(has_copy, askers(temporary))) and not any(home.glob("*.reading")))
        yield process
    finally:
        process.kill()
        process.communicate()


class TestHowItEnds:
    @pytest.mark.parametrize("query", [LONG_SCALAR, LONG_JOIN, LONG_PLAN, f"explain analyze {LONG_SCALAR}"])
    @pytest.mark.usefixtures("untouched")
    def test_the_time_limit_ends_whatever_it_is_busy_with(self, home: Path, temporary: Path, query: str) -> None:
        ended = daybook("sql", query, "--timeout", "2", home=home, TMPDIR=str(temporary))
        assert (ended.code, ended.out) == (1, "")
        assert "longer than 2 s" in ended.sentence
        assert askers(temporary) == []
        assert list(temporary.iterdir()) == []

    @pytest.mark.usefixtures("untouched")
    def test_ctrl_c_ends_it_at_once(self, home: Path, temporary: Path) -> None:
        with asking(LONG_SCALAR, home, temporary) as process:
            os.killpg(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (130, b"daybook: Interrupted.\n")
        eventually(lambda: not askers(temporary))
        assert list(temporary.iterdir()) == []

    @pytest.mark.usefixtures("untouched")
    def test_it_ends_with_the_command_that_was_killed_and_leaves_nothing(self, home: Path, temporary: Path) -> None:
        with asking(LONG_SCALAR, home, temporary) as process:
            process.kill()
            eventually(lambda: not askers(temporary))
        assert list(temporary.iterdir()) == []

    def test_the_process_that_asks_has_no_key(self, home: Path, temporary: Path) -> None:
        with asking(LONG_SCALAR, home, temporary):
            (process,) = askers(temporary)
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        assert KEY.encode() not in told
        assert LONG_SCALAR.encode() not in told

    @pytest.mark.parametrize(
        "query", ["select list(range) from range(300000000)", "select length(repeat('a', 4000000000))"]
    )
    @pytest.mark.usefixtures("untouched")
    def test_a_query_that_is_too_large_for_the_memory_is_one_sentence(
        self, home: Path, temporary: Path, query: str
    ) -> None:
        said = self.with_little_memory(query, home, temporary)
        assert "more memory than" in said
        assert "ask for less at a time" in said

    @pytest.mark.usefixtures("untouched")
    def test_a_query_that_spills_too_much_is_one_sentence(self, home: Path, tmp_path: Path) -> None:
        query = "select count(*) from (select distinct range, repeat('x', 300) from range(6000000))"
        with small_disk(tmp_path / "small") as disk:
            said = self.with_little_memory(query, home, disk)
            assert list(disk.iterdir()) == []
        assert "of temporary space" in said
        assert "TMPDIR" in said

    def with_little_memory(self, query: str, home: Path, temporary: Path) -> str:
        ended = subprocess.run(
            [DAYBOOK, "sql", query],
            env=environment(home, TMPDIR=str(temporary)),
            capture_output=True, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (700 * 2**20, 700 * 2**20)),
        )  # fmt: skip
        assert (ended.returncode, ended.stdout) == (1, b""), ended.stderr
        assert ended.stderr.count(b"\n") == 1
        return ended.stderr.decode()
