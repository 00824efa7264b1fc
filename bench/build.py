"""Whether one more day costs the same after a month and after a year of history, and how far that is from the least.

An evening is landed and built on a warehouse that grows (bench/history.py). The least that could do, beside it in the
same warehouse (bench/limit.py): DuckDB reads the rows that the day is made of and writes as many as the build does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from assets.catalog import CATALOG
from bench.case import Case, Figure, Result
from bench.designs import cpu, peak_mb
from bench.history import REAL, SESSIONS, fill, make_history
from bench.landing import broker
from bench.limit import Limit
from bench.report import table
from bench.statements import statements
from bench.turns import Run, medians, rounds
from pipelines.books.build import build
from pipelines.ingest.snapshot import take_snapshot
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Grow one warehouse to each length of history, and add days to it there."""
    accounts, positions = (2, 1_000) if quick else (20, 10_000)
    settings, known = make_history(folder, accounts, positions, REAL), REAL
    days: dict[str, Any] = {}
    for length in [4, 8] if quick else [25, 100, 250]:
        with warehouse_session(settings) as con:
            fill(con, known, length)
        times = rounds(1 if quick else 3)
        days[str(length)] = _more_days(settings, (accounts, positions), range(length, length + times))
        known = max(known, length) + times
    return {"accounts": accounts, "positions": positions, "days": days, "peak_mb": peak_mb()}


def _more_days(settings: Settings, size: tuple[int, int], numbers: range) -> dict[str, Any]:
    """Each of these sessions landed and built, with the limit beside it; who goes first takes turns."""
    runs: list[Run] = []
    for number in numbers:
        day = SESSIONS[number]
        with broker(*size, day) as (url, _), warehouse_session(settings) as con:
            reading = Settings(base_url=url, home=settings.home)
            assert take_snapshot(con, reading, partition=day).is_complete
            limit = Limit(con, SESSIONS[number - 1], day)
            runs.append(_in_turn(con, settings, limit, number))
            _check(con, number, size[0] * size[1])
            limit.check()
    made = medians(runs)
    ratio = median(run["build"] / run["limit"] for run in runs)
    ratio_cpu = median(run["build_cpu"] / run["limit_cpu"] for run in runs)
    return {**made, "ratio": ratio, "ratio_cpu": ratio_cpu, "gigabytes": settings.warehouse.stat().st_size / 2**30}


def _in_turn(con: duckdb.DuckDBPyConnection, settings: Settings, limit: Limit, number: int) -> Run:
    run: Run = {}
    with statements() as spent:
        works = {"build": lambda: build(con, settings, CATALOG), "limit": limit.run}
        for name in list(works)[:: 1 if number % 2 else -1]:
            run |= _timed(name, works[name])
    return run | {f"of {name}": each for name, each in spent.items()}


def _timed(name: str, work: Callable[[], Any]) -> Run:
    began, before = time.perf_counter(), cpu()
    work()
    return {name: time.perf_counter() - began, f"{name}_cpu": cpu() - before}


def _check(con: duckdb.DuckDBPyConnection, number: int, rows: int) -> None:
    """The day is there, whole and known, like every day before it."""
    found = con.execute(
        "select count(*), count(total_pnl) from pnl.position_daily where trading_date = ?", [SESSIONS[number]]
    ).fetchone()
    assert found == (rows, rows), found
    known = con.execute("select count(*), count(distinct status), any_value(status) from quality.day").fetchone()
    assert known == (number + 1, 1, "COMPLETE"), known


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    rows = [
        [
            f"{length} days",
            f"{each['build']:.2f}",
            f"{each['limit']:.2f}",
            f"{each['ratio']:.1f} x",
            f"{each['build_cpu']:.2f}",
            f"{each['limit_cpu']:.2f}",
            f"{each['ratio_cpu']:.1f} x",
            f"{each['gigabytes']:.1f}",
        ]
        for length, each in result["days"].items()
    ]
    heads = ["history", "build s", "limit s", "", "build cpu s", "limit cpu s", "", "warehouse GB"]
    return "\n".join(
        [
            "## One day's P&L",
            "",
            f"One more evening of {result['accounts']} accounts with {result['positions']:,} positions each, built on",
            "top of more and more history. *limit* is the least that DuckDB could do, in the same warehouse and in",
            "turn with the build: it reads every column of the day's positions, of those of the day before, and of a",
            "day of P&L, writes as many rows of the same columns as the build does to tables of their own, and",
            "commits. It joins nothing and computes nothing. Medians.",
            "",
            *table(heads, rows),
            "",
            "The dearest statements of those builds, by what they write or first read, in wall seconds. What finds the",
            "days of new fills, events and instructions reads `core.run` first, and is what grows with the history:",
            "",
            *table(["statement", *(f"{length} days" for length in result["days"])], _statements(result["days"])),
        ]
    )


def _statements(days: dict[str, Run]) -> list[list[str]]:
    """The ten statements that took longest on the longest history, with what each took on every one."""
    *_, longest = days.values()
    dearest = sorted((name for name in longest if name.startswith("of ")), key=lambda name: -longest[name])
    return [
        [f"`{name.removeprefix('of ')}`", *(f"{day.get(name, 0.0):.2f}" for day in days.values())]
        for name in dearest[:10]
    ]


def figures(result: Result) -> list[Figure]:
    """Whether the time stays the same as the history grows, and its ratio to the least possible."""
    days = list(result["days"].values())
    return [
        Figure("the longest history against the shortest, cpu", days[-1]["build_cpu"] / days[0]["build_cpu"], 1.3),
        Figure("build against its limit", max(each["ratio"] for each in days), 3.0),
        Figure("build against its limit, cpu", max(each["ratio_cpu"] for each in days), 2.4),
        Figure("peak memory", result["peak_mb"], unit="MB"),
    ]


CASE = Case("build", measure, text, figures)
