"""Where the time of a whole evening goes, step by step, and what Dagster adds to it.

Both close the second day of a book on a copy of the same home: the steps one after the other in a fresh process, and
`daybook eod` as a person types it, which runs them as Dagster's end_of_day job. In turn, medians; the published copy
is looked at after each.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import duckdb

from bench.book import DAY
from bench.case import Case, Figure, Result
from bench.landing import BEFORE, broker
from bench.picture import Bar, picture
from bench.report import PICTURE, prose, table
from bench.turns import Run, medians, rounds, run_timed

Steps = dict[str, float]
#: A part that takes less than this share of the evening is told together with others like it.
LEAST = 0.01
DAGSTER = "what Dagster adds"
#: Accounts of a small book, and the positions of each.
SMALL = 2, 500


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """The day before with `daybook eod`, then the day itself, both ways."""
    accounts, positions, count = (2, 1_000, 1) if quick else (20, 10_000, rounds(3))
    rows = accounts * positions
    home = folder / "home"
    with broker(accounts, positions, BEFORE) as (url, _):
        first, _ = run_timed(daybook("eod"), env(home, url))
    traced, whole = [], []
    with broker(accounts, positions) as (url, _):
        for _ in range(count):
            copy = _copy(home)
            run, said = run_timed([sys.executable, "-m", "bench.traced", str(copy), url, str(time.time())])
            traced.append(json.loads(said.splitlines()[-1]) | run)
            _check(copy, rows)
            copy = _copy(home)
            whole.append(run_timed(daybook("eod"), env(copy, url))[0])
            _check(copy, rows)
    return {
        "accounts": accounts,
        "positions": positions,
        "rounds": count,
        "first": first,
        "small": _small(folder / "small", count),
        "eod": medians(whole),
        "by_hand": medians({"wall": run["wall"], "cpu": run["cpu"]} for run in traced),
        "steps": _medians(run["steps"] for run in traced),
        "parts": {step: _medians(run["parts"][step] for run in traced) for step in traced[0]["parts"]},
    }


def _small(home: Path, count: int) -> Run:
    """The second day of a small book, `daybook eod` as a whole."""
    with broker(*SMALL, BEFORE) as (url, _):
        run_timed(daybook("eod"), env(home, url))
    runs = []
    with broker(*SMALL) as (url, _):
        for _ in range(count):
            copy = _copy(home)
            runs.append(run_timed(daybook("eod"), env(copy, url))[0])
            _check(copy, SMALL[0] * SMALL[1])
    return medians(runs)


def daybook(*command: str) -> list[str]:
    """The command as a person types it, of the environment that the bench runs in."""
    return [str(Path(sys.executable).with_name("daybook")), *command]


def env(home: Path, url: str) -> dict[str, str]:
    """The environment of a command on a home and a broker."""
    return {**os.environ, "CLEAR_STREET_BASE_URL": url, "DAYBOOK_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}


def _copy(home: Path) -> Path:
    copy = home.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(home, copy)
    os.sync()
    return copy


def _check(home: Path, rows: int) -> None:
    with duckdb.connect(str(home / "daybook.duckdb"), read_only=True) as con:
        found = con.execute(
            "select count(*), count(total_pnl) from pnl.position_daily where trading_date = ?", [DAY]
        ).fetchone()
        status = con.execute("select status from quality.day where trading_date = ?", [DAY]).fetchone()
    assert found == (rows, rows), found
    assert status == ("COMPLETE",), status
    assert list((home / "reports").glob(f"**/report_{DAY}.pdf")), "no report"


def _medians(runs: Iterable[Steps]) -> Steps:
    each = list(runs)
    return {name: median(run.get(name, 0.0) for run in each) for name in each[0]}


def bars(result: Result) -> list[Bar]:
    """The evening as bars: every step, the parts of each that are worth one, and what Dagster adds."""
    total = result["eod"]["wall"]
    found, began = [], 0.0
    for step, seconds in result["steps"].items():
        found.append(Bar(step, began, seconds))
        at, small = began, seconds
        for part, took in result["parts"][step].items():
            if took >= LEAST * total:
                found.append(Bar(part, at, took, is_part=True))
                at, small = at + took, small - took
        if at > began and small >= LEAST * total:
            found.append(Bar("the rest", at, small, is_part=True))
        began += seconds
    return [*found, Bar(DAGSTER, began, max(total - began, 0.0))]


def draw(result: Result) -> str:
    """The picture."""
    size = f"{result['accounts']} accounts x {result['positions']:,} positions"
    return picture(f"One evening: {size}, {result['eod']['wall']:.1f} s", bars(result))


def figures(result: Result) -> list[Figure]:
    """What a job of Dagster's costs beside its steps alone, and the seconds of each."""
    whole, alone = result["eod"], result["by_hand"]
    small = [result["small"]] if "small" in result else []  # an earlier result has none
    return [
        Figure("daybook eod / its steps without Dagster", whole["wall"] / alone["wall"]),
        Figure("daybook eod / its steps without Dagster, CPU", whole["cpu"] / alone["cpu"]),
        Figure("daybook eod", whole["wall"], 20, unit="s"),
        Figure(DAGSTER, whole["wall"] - alone["wall"], 4, unit="s"),
        *(Figure("daybook eod, 1,000 positions", each["wall"], 3, unit="s") for each in small),
        *(Figure(step, result["steps"][step], unit="s") for step in ("sync", "build", "publish", "report")),
    ]


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    total = result["eod"]["wall"]
    rows = [
        [("- " if bar.is_part else "") + bar.name, f"{bar.seconds:.2f}", f"{bar.seconds / total:.0%}"]
        for bar in bars(result)
    ]
    return "\n".join(
        [
            "## End of day",
            "",
            *prose(
                f"`daybook eod` on the second day of {result['accounts']} accounts with {result['positions']:,} "
                f"positions each: {total:.1f} s of wall and {result['eod']['cpu']:.1f} s of CPU time, from the prompt "
                f"to the report; the first day, into nothing, took {result['first']['wall']:.1f} s. Medians of "
                f"{result['rounds']} rounds. The steps are those of the job, run one after the other in a process "
                f"without Dagster ({result['by_hand']['wall']:.1f} s, {result['by_hand']['cpu']:.1f} s of CPU time); "
                "the last bar is what the job takes more: importing Dagster, its instance, events, counts and checks. "
                "Parts of a step are sums, drawn one after the other; those below one percent are in the rest. "
                "Interactive and static page, PDF, workbook and CSV files are made from the published copy."
                + (f" Of 1,000 positions: {result['small']['wall']:.2f} s." if "small" in result else "")
            ),
            "",
            f"![Where the time of an evening goes]({PICTURE.name})",
            "",
            *table(["", "s", "share"], rows),
        ]
    )


CASE = Case("endofday", measure, text, figures, draw)
