"""One command under Python's profiler, in a process of its own: `python -m bench.profiled OUT daybook COMMAND...`, or
`python -m bench.profiled OUT floor URL FOLDER` for a design of bench/designs.py.

Every thread of Python's is watched by its own CPU time. OUT gets JSON: CPU seconds by whose code they were, as
`owner` tells it; those that no thread of Python's took are DuckDB's and Arrow's own threads.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import re
import runpy
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

from bench.result_files import ROOT

#: Functions by file, line and name, as the profiler has them.
Function = tuple[str, int, str]
THREADS = "DuckDB's and Arrow's own threads"
OURS = "daybook"
FLOOR = "the floor's script"
IMPORTS = "importing modules"
PYTHON = "Python itself"
#: What belongs together, by the package that it is in.
GROUPS = {
    "duckdb": "DuckDB",
    "_duckdb": "DuckDB",
    "pyarrow": "Arrow",
    "h11": "HTTP (httpx, httpcore, h11)",
    "httpx": "HTTP (httpx, httpcore, h11)",
    "httpcore": "HTTP (httpx, httpcore, h11)",
    "_socket": "HTTP (httpx, httpcore, h11)",
    "_hashlib": "hashing and packing pages",
    "zstandard": "hashing and packing pages",
    "sqlalchemy": "SQLAlchemy, Alembic, SQLite",
    "alembic": "SQLAlchemy, Alembic, SQLite",
    "sqlite3": "SQLAlchemy, Alembic, SQLite",
    "pydantic_core": "pydantic",
    "dlt": "dlt",
    "dagster": "Dagster",
    "dagster_shared": "Dagster",
}
_BUILTIN = re.compile(r"method (\w+)\.\w|of '(\w+)\.")
_IMPORTING = ("<module>", "<built-in method builtins.exec>", "<built-in method builtins.__build_class__>")


def owner(function: Function) -> str | None:
    """Whose code a function is; None where it is Python's own, and works for whoever calls it."""
    file, _, name = function
    if file.startswith("<frozen importlib") or name in _IMPORTING or "marshal.loads" in name:
        return IMPORTS
    if file == "~":
        found = _BUILTIN.search(name)
        package = (found[1] or found[2]) if found else ""
        return GROUPS.get(package) or (package if package in ("orjson", "pydantic") else None)
    path = Path(file)
    if "site-packages" in path.parts:
        package = path.parts[path.parts.index("site-packages") + 1].removesuffix(".py")
        return GROUPS.get(package, package)
    if path.is_relative_to(ROOT):
        return FLOOR if path.is_relative_to(ROOT / "bench") else OURS
    return None


class Owners:
    """Who the functions of a profile work for: a function of Python's own, those who call it, by how long."""

    def __init__(self, profile: cProfile.Profile) -> None:
        self.stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
        self._known: dict[Function, dict[str, float]] = {}

    def shares(self, function: Function) -> dict[str, float]:
        """The share of each owner, together 1."""
        if function not in self._known:
            self._known[function] = {PYTHON: 1.0}  # where functions call each other in a ring
            self._known[function] = self._of(function)
        return self._known[function]

    def _of(self, function: Function) -> dict[str, float]:
        if whose := owner(function):
            return {whose: 1.0}
        took = {caller: edge[3] + 1e-9 for caller, edge in self.stats[function][4].items() if caller != function}
        shares: dict[str, float] = defaultdict(float)
        for caller, seconds in took.items():
            for whose, share in self.shares(caller).items():
                shares[whose] += share * seconds / sum(took.values())
        return shares or {PYTHON: 1.0}


def by_owner(profiles: list[cProfile.Profile]) -> dict[str, float]:
    """CPU seconds of each owner."""
    seconds: dict[str, float] = defaultdict(float)
    for profile in profiles:
        owners = Owners(profile)
        for function, (_, _, own, _, _) in owners.stats.items():
            for whose, share in owners.shares(function).items():
                seconds[whose] += own * share
    return seconds


def main() -> None:
    """Run what was asked for and write what it took."""
    out, what, *arguments = sys.argv[1:]
    profiles: list[cProfile.Profile] = []
    run = threading.Thread.run

    def watched(thread: threading.Thread) -> None:
        profiles.append(cProfile.Profile(time.thread_time))
        profiles[-1].runcall(run, thread)

    threading.Thread.run = watched  # type: ignore[method-assign, assignment]
    profiles.append(cProfile.Profile(time.thread_time))
    module = "daybook" if what == "daybook" else "bench.designs"
    sys.argv = [what, *arguments] if what == "daybook" else [module, what, *arguments]
    began = time.process_time()
    try:
        profiles[0].runcall(runpy.run_module, module, run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            raise
    finally:
        took = time.process_time() - began
        seconds = by_owner(profiles)
        seconds[THREADS] = max(took - sum(seconds.values()), 0.0)
        Path(out).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
