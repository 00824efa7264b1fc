"""How much memory and temporary space DuckDB may take: whoever asks, a share of what nobody else uses; a build and a
report, as much as their threads need. What doesn't fit is spilled: a million positions take no longer for it, and a
machine that does other work keeps its memory."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import duckdb

from pipelines.warehouse.contents import literal

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
LEAST_MEMORY = 256 * 2**20
MOST_TEMPORARY = 4 * 2**30
#: Of a build each thread: what it sorts, joins and writes at a time, several times over. Of a report half as much.
BUILD_THREAD = 512 * 2**20
REPORT_THREAD = 256 * 2**20
_TOLD = re.compile(r"([0-9.]+) ([KMGT])iB")


def memory_limit() -> int | None:
    """Half of the memory that is free, in bytes; None where this system doesn't say, and DuckDB's own limit holds."""
    bounds = (_free_on_machine(), _free_in_container(), _allowed())
    free = [bound for bound in bounds if bound is not None]
    return max(min(free) // 2, LEAST_MEMORY) if free else None


def hold_to(con: duckdb.DuckDBPyConnection, a_thread: int) -> str | None:
    """Has a connection's DuckDB take so many bytes for each of its threads, two at least, where it may take more: then
    what it might take before, as it writes it.

    There are statements that it can't finish so, however much it may spill: who calls this tries them again without.
    """
    row = con.execute("SELECT current_setting('threads'), current_setting('memory_limit')").fetchone()
    threads, former = row or (1, "")
    enough, may = a_thread * max(int(threads), 2), _TOLD.fullmatch(former)
    if may is not None and float(may[1]) * 1024 ** ("KMGT".index(may[2]) + 1) <= enough:
        return None
    try:
        let_go(con, f"{enough // 2**20}MiB")
    except duckdb.OutOfMemoryException:  # it holds more at the moment
        return None
    return str(former)


def let_go(con: duckdb.DuckDBPyConnection, limit: str) -> None:
    """Has a connection's DuckDB take so much, as it writes it."""
    con.execute(f"SET GLOBAL memory_limit = {literal(limit)}")


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
