"""Whether the whole history can be built anew in time that grows with its days, and in memory that doesn't.

Everything that was derived is dropped from a copy of a warehouse; then it is built from the raw tables in one
transaction, by a process of its own whose DuckDB may take no more than a gigabyte: `python -m bench.rebuild HOME`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from bench.case import Case, Figure, Result
from bench.designs import cpu, peak_mb
from bench.history import REAL, SESSIONS, fill, home, make_history
from bench.report import table
from pipelines.books.build import build
from pipelines.warehouse.connect import remember
from pipelines.warehouse.session import warehouse_session

DUCKDB_MB = 1024
DERIVED = ("core", "pnl", "quality")
BOOKS = """
    select count(*), count(distinct trading_date), sum(total_pnl)::varchar, sum(market_value)::varchar,
        (select sum(total_pnl)::varchar from pnl.account_daily), (select count(*) from core.position_eod),
        (select count(*) from quality.finding), (select count(*) from quality.day where status = 'COMPLETE')
    from pnl.position_daily
"""


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Grow one warehouse to each length of history, and build a copy of it anew."""
    accounts, positions = (2, 500) if quick else (20, 1_000)
    settings, known = make_history(folder / "home", accounts, positions, REAL), REAL
    days: dict[str, Any] = {}
    for length in [4, 8] if quick else [60, 125, 250]:
        with warehouse_session(settings) as con:
            fill(con, known, length)
        known = length
        shutil.copytree(settings.home, folder / "copy")
        days[str(length)] = _anew(folder / "copy")
        shutil.rmtree(folder / "copy")
    return {"accounts": accounts, "positions": positions, "days": days, "duckdb_mb": DUCKDB_MB}


def _anew(copy: Path) -> dict[str, float]:
    """What a process of its own takes to build the copy anew, checked against the books that were there before."""
    before = _books(copy)
    done = subprocess.run(
        [sys.executable, "-m", "bench.rebuild", str(copy)], stdout=subprocess.PIPE, text=True, check=True
    )
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    assert _books(copy) == before, (before, _books(copy))
    return said


def _books(folder: Path) -> tuple[Any, ...]:
    with duckdb.connect(home(folder).warehouse, read_only=True) as con:
        found = con.execute(BOOKS).fetchone()
    assert found
    return found


def rebuild(folder: Path) -> dict[str, float]:
    """Drop what is derived and build it: seconds, and the most memory that this process held until then."""
    settings = home(folder)
    with warehouse_session(settings) as con:
        con.execute(f"set global memory_limit = '{DUCKDB_MB}MiB'")
        for schema in DERIVED:
            con.execute(f"drop schema {schema} cascade")
        remember(con, "selects", "none")
        con.execute("checkpoint")
        began, before = time.perf_counter(), cpu()
        built = build(con, settings, CATALOG, from_date=SESSIONS[0], to_date=_last(con))
        return {
            "seconds": time.perf_counter() - began,
            "cpu": cpu() - before,
            "peak_mb": peak_mb(),
            "versions": built.versions["pnl.position_daily"],
        }


def _last(con: duckdb.DuckDBPyConnection) -> Any:
    found = con.execute("select max(trading_date) from raw.extract_run").fetchone()
    assert found
    return found[0]


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    rows = [
        [
            f"{length} days",
            f"{each['versions']:,}",
            f"{each['seconds']:.1f}",
            f"{each['cpu']:.1f}",
            f"{each['cpu'] / int(length):.3f}",
            f"{each['peak_mb']:,.0f}",
        ]
        for length, each in result["days"].items()
    ]
    return "\n".join(
        [
            "## All of it anew",
            "",
            f"Everything derived is dropped and built again from the raw tables, {result['accounts']} accounts with",
            f"{result['positions']:,} positions each, in one transaction, by a process whose DuckDB may take",
            f"{result['duckdb_mb']:,} MiB. The peak is of the whole process, Python and Arrow included.",
            "",
            *table(["history", "P&L rows", "s", "cpu s", "cpu s a day", "peak MB"], rows),
        ]
    )


def figures(result: Result) -> list[Figure]:
    """That it is linear, and that memory is bounded."""
    days = {int(length): each for length, each in result["days"].items()}
    first, last = min(days), max(days)
    slower = _a_day(days, last) / _a_day(days, first)
    return [
        Figure(
            "a day of the longest history against one of the shortest, cpu",
            slower,
            1.3,
        ),
        Figure("peak memory against what DuckDB may take", days[last]["peak_mb"] / result["duckdb_mb"], 2.0),
        Figure("peak memory, longest history against shortest", days[last]["peak_mb"] / days[first]["peak_mb"], 1.3),
    ]


def _a_day(days: dict[int, dict[str, float]], length: int) -> float:
    return days[length]["cpu"] / length


CASE = Case("rebuild", measure, text, figures)


if __name__ == "__main__":
    print(json.dumps(rebuild(Path(sys.argv[1]))), flush=True)
