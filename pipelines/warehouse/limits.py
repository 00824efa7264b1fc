"""How much memory and temporary space DuckDB may take: whoever asks, a share of what nobody else uses; a build and a
report, as much as their threads need. What doesn't fit is spilled: a million positions take no longer for it, and a
machine that does other work keeps its memory. And how many threads: a small build has one."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

import duckdb

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
LEAST_MEMORY = 256 * 2**20
MOST_TEMPORARY = 4 * 2**30
#: Of a build each thread: what it sorts, joins and writes at a time, several times over. Of a report half as much.
BUILD_THREAD = 512 * 2**20
REPORT_THREAD = 256 * 2**20
#: So many positions a thread takes at a time. Of fewer there is nothing to share: that a second thread is told of each
#: part of a select, of which a build has thousands, costs a quarter of its CPU and saves no time.
ROWS_A_THREAD = 40_960
_TOLD = re.compile(r"([0-9.]+) ([KMGT])iB")


def memory_limit() -> int | None:
    """Half of the memory that is free, in bytes; None where this system doesn't say, and DuckDB's own limit holds."""
    bounds = (_free_on_machine(), _free_in_container(), _allowed())
    free = [bound for bound in bounds if bound is not None]
    return max(min(free) // 2, LEAST_MEMORY) if free else None


def hold_to(con: duckdb.DuckDBPyConnection, a_thread: int) -> int | None:
    """Has a connection's DuckDB take so many bytes for each of its threads, two at least, where it may take more: then
    what it might take before, in bytes.

    There are statements that it can't finish so, however much it may spill: who calls this tries them again without.
    """
    row = con.execute("SELECT current_setting('threads'), current_setting('memory_limit')").fetchone()
    threads, told = row or (1, "")
    enough, may = a_thread * max(int(threads), 2), _TOLD.fullmatch(told)
    # DuckDB tells a tenth and no more, and less than it has: given back as told, it would have less after every build
    former = int((float(may[1]) + 0.05) * 1024 ** ("KMGT".index(may[2]) + 1)) if may is not None else None
    if former is not None and former <= enough:
        return None
    try:
        let_go(con, enough)
    except duckdb.OutOfMemoryException:  # it holds more at the moment
        return None
    return former


def let_go(con: duckdb.DuckDBPyConnection, limit: int) -> None:
    """Has a connection's DuckDB take so many bytes."""
    con.execute(f"SET GLOBAL memory_limit = '{limit}B'")


class Size:
    """What a connection's DuckDB takes of this machine, by how many positions come next: for few, one thread; for more
    than a thread takes at a time, every thread that it had, and `a_thread` bytes of memory for each. In a `with` block,
    after which it may take what it could before."""

    def __init__(self, con: duckdb.DuckDBPyConnection, a_thread: int) -> None:
        """Begins with one thread."""
        self._con = con
        self._a_thread = a_thread
        (self._threads,) = con.execute("SELECT current_setting('threads')").fetchone() or (1,)
        self._former: int | None = None
        self._is_free = False

    def __enter__(self) -> Size:
        """For the block."""
        self.suit(0)
        return self

    def __exit__(self, *_: object) -> None:
        """As it was before. Of a database that an error has ended there is nothing to set."""
        with suppress(duckdb.FatalException):
            self.free()
            self._con.execute(f"SET GLOBAL threads = {self._threads}")

    def suit(self, positions: int) -> None:
        """So many positions come next."""
        many = positions > ROWS_A_THREAD
        self._con.execute(f"SET GLOBAL threads = {self._threads if many else 1}")
        if many and not self._is_free and self._former is None:
            self._former = hold_to(self._con, self._a_thread)

    def free(self) -> bool:
        """From here on no share of memory holds; whether one did."""
        held, self._former, self._is_free = self._former, None, True
        if held is not None:
            let_go(self._con, held)
        return held is not None


def temporary_limit(folder: Path) -> int:
    """How many bytes may be spilled into a folder: 4 GiB, or half of what is free there where that is less."""
    return min(shutil.disk_usage(folder).free // 2, MOST_TEMPORARY)


def readable(size: int) -> str:
    """A size as people write it, such as 3.2 GiB."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size // 2**20} MiB"


def _free_on_machine() -> int | None:
    try:
        found = re.search(r"^MemAvailable: +(\d+) kB$", _MEMINFO.read_text(encoding="ascii"), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return int(found[1]) * 1024 if found else None


def _allowed() -> int | None:
    """What this process may have (`ulimit -d`); None where nothing is said."""
    try:
        import resource
    except ImportError:  # pragma: no cover  (a system without such limits)
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if soft == resource.RLIM_INFINITY else soft


def _free_in_container() -> int | None:
    """What the control group of a container leaves; None where there is none, or it has no limit."""
    try:
        most, used = ((_CGROUP / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current"))
        return max(int(most) - int(used), 0)
    except (OSError, ValueError):
        return None
