"""How much memory an evening of a million positions takes, each step in a process of its own, and all of it in one.

The second evening, so that there is a P&L to make. Memory is the most that a process has held at a time, Python,
Arrow and DuckDB together; what it has spilled to the disk is not in it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from bench.book import DAY
from bench.case import Case, Figure, Result
from bench.endofday import daybook, env
from bench.landing import BEFORE, broker
from bench.report import prose, table
from bench.turns import Run, run_timed

#: Commands that are an evening one after the other, and the day's report as known when it was closed, of one account.
STEPS = {
    "sync": ("sync",),
    "build, publish": ("build",),
    "report": ("report",),
    "report, one account": ("report", "--account", "100001"),
}
WHOLE = "eod"
MOST_MB = 2048


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """The evening before into nothing, the evening step by step, and again as a whole on a copy of the same home."""
    accounts, positions = (2, 1_000) if quick else (20, 50_000)
    home, again = folder / "home", folder / "again"
    with broker(accounts, positions, BEFORE) as (url, _):
        for step in ("sync", "build"):
            run_timed(daybook(step), env(home, url))
    shutil.copytree(home, again)
    with broker(accounts, positions) as (url, _):
        steps = {name: run_timed(daybook(*command), env(home, url))[0] for name, command in STEPS.items()}
        whole, _ = run_timed(daybook("eod"), env(again, url))
    for each in (home, again):
        _check(each, accounts * positions)
    return {"accounts": accounts, "positions": positions, "steps": {**steps, WHOLE: whole}}


def _check(home: Path, rows: int) -> None:
    with duckdb.connect(str(home / "daybook.duckdb"), read_only=True) as con:
        found = con.execute(
            "select count(*), count(total_pnl) from pnl.position_daily where trading_date = ?", [DAY]
        ).fetchone()
    assert found == (rows, rows), found
    assert list((home / "reports").glob(f"**/report_{DAY}.xlsx")), "no report"


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    steps: dict[str, Run] = result["steps"]
    rows = [[name, *(f"{each[one]:,.{digits}f}" for one, digits in COLUMNS)] for name, each in steps.items()]
    return "\n".join(
        [
            "## Memory",
            "",
            *prose(
                f"The second evening of {result['accounts']} accounts with {result['positions']:,} positions each: "
                "each step in a process of its own, then `daybook eod` with all of them in one. DuckDB keeps to a "
                "share of memory for each of its threads, two here, and spills what does not fit."
            ),
            "",
            *table(["", "wall s", "CPU s", "peak MB"], rows),
        ]
    )


#: What is told of a process, with its digits after the point.
COLUMNS = (("wall", 1), ("cpu", 1), ("peak_mb", 0))


def figures(result: Result) -> list[Figure]:
    """The evening as a whole, and its report alone."""
    steps: dict[str, Run] = result["steps"]
    size = f"{result['accounts'] * result['positions']:,} positions"
    return [
        Figure(f"an evening of {size}", steps[WHOLE]["peak_mb"], MOST_MB, unit="MB"),
        Figure(f"its report of {size}", steps["report"]["peak_mb"], MOST_MB, unit="MB"),
        *(Figure(name, each["peak_mb"], unit="MB") for name, each in steps.items() if name not in (WHOLE, "report")),
    ]


CASE = Case("memory", measure, text, figures)
