"""What a small evening takes: `daybook sync` as a whole process, beside a script that does the same by hand with dlt.

Each round is the next trading day, on a home that has seen evenings before; the two follow each other. Which modules
the process imports, and how long that takes, is Python's own account of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import duckdb

from bench.book import DAY
from bench.case import Case, Figure, Result
from bench.landing import COUNTED, broker
from bench.report import prose, table
from bench.turns import Run, medians, rounds, run_timed
from pipelines.calendar import TradingCalendar

ACCOUNTS, POSITIONS = 2, 500
BARE = Path(__file__).with_name("bare.py")
#: Packages that a sync has no use for. The first two alone would take longer than all that it does.
STRANGERS = ("pandas", "dagster", "numpy", "sqlalchemy", "starlette", "uvicorn", "jinja2", "typst", "xlsxwriter")
_IMPORTED = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)$", re.MULTILINE)


class Evenings:
    """One home of daybook's and one of the bare script's, and the days that pass."""

    def __init__(self, folder: Path) -> None:
        self.homes = {"daybook": folder / "daybook", "bare": folder / "bare"}
        for home in self.homes.values():
            home.mkdir()

    def evening(self, day: date) -> dict[str, Run]:
        """What the evening of a day took each of the two."""
        with broker(ACCOUNTS, POSITIONS, day) as (url, value):
            took = {
                "daybook": run_timed(_sync(), self._env(url))[0],
                "bare": run_timed([sys.executable, str(BARE), url, str(self.homes["bare"])])[0],
            }
        for file in (self.homes["daybook"] / "warehouse.duckdb", self.homes["bare"] / "bare.duckdb"):
            with duckdb.connect(str(file), read_only=True) as con:
                found = con.execute(COUNTED, [day.isoformat()]).fetchone()
            assert found, file
            assert (found[0], Decimal(found[1])) == (ACCOUNTS * POSITIONS, value), (file, found)
        return took

    def imports(self, day: date) -> dict[str, float]:
        """Milliseconds that a sync spends importing each package. Python counts those too that it doesn't find."""
        with broker(ACCOUNTS, POSITIONS, day) as (url, _):
            env = self._env(url) | {"PYTHONPROFILEIMPORTTIME": "1"}
            done = subprocess.run(_sync(), env=env, capture_output=True, text=True, check=True)
        took: dict[str, float] = defaultdict(float)
        for microseconds, module in _IMPORTED.findall(done.stderr):
            package = module.partition(".")[0]
            took["Python itself" if package in sys.stdlib_module_names else package] += int(microseconds) / 1000
        return {name: each for name, each in took.items() if name == "Python itself" or find_spec(name)}

    def _env(self, url: str) -> dict[str, str]:
        return {**os.environ, "CLEAR_STREET_BASE_URL": url, "DAYBOOK_HOME": str(self.homes["daybook"])}


def _sync() -> list[str]:
    return [str(Path(sys.executable).with_name("daybook")), "sync"]


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Two evenings that are not counted, then those that are."""
    count = 1 if quick else rounds(9)
    calendar = TradingCalendar.load()
    days = [session.date for session in calendar.sessions(DAY, date(2026, 6, 1))][: count + 3]
    evenings = Evenings(folder)
    before = [evenings.evening(day) for day in days[:2]]
    runs = [evenings.evening(day) for day in days[2:-1]]
    imports = evenings.imports(days[-1])
    of = {name: [run[name] for run in runs] for name in evenings.homes}
    return {
        "first": before[0],
        "medians": {name: medians(each) for name, each in of.items()},
        "runs": of,
        "imports": dict(sorted(imports.items(), key=lambda each: -each[1])),
        "strangers": sorted(set(STRANGERS) & set(imports)),
    }


def figures(result: Result) -> list[Figure]:
    """How many times as long as the bare script a sync takes."""
    ours, bare = result["medians"]["daybook"], result["medians"]["bare"]
    return [
        Figure("daybook sync / a bare script", ours["wall"] / bare["wall"], 1.5),
        Figure("daybook sync / a bare script, CPU", ours["cpu"] / bare["cpu"]),
        Figure("packages imported without need", len(result["strangers"]), 0, unit=""),
        Figure("daybook sync", ours["wall"], unit="s"),
    ]


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    top = list(result["imports"].items())[:10]
    return "\n".join(
        [
            "## Small evening",
            "",
            *prose(
                f"{ACCOUNTS} accounts with {POSITIONS} positions each, a whole process, one trading day after another "
                "on a home that has seen evenings before; medians of interleaved runs, rows and sums checked. The bare "
                "script (`bench/bare.py`) reads accounts, positions and instructions with httpx and merges them by "
                "their keys with dlt, as parquet; it proves, validates and archives nothing, and asks for three kinds "
                "of thing where the sync asks for ten."
            ),
            "",
            *table(["", "wall s", "CPU s", "first evening s", "runs"], _rows(result)),
            "",
            *prose(
                f"Imports of the sync: {sum(result['imports'].values()):,.0f} ms in all, as Python counts them, which "
                "slows them down. The dearest, each with what lies in it:"
            ),
            "",
            *table(["package", "ms"], [[name, f"{took:,.0f}"] for name, took in top]),
            "",
            *prose(
                f"Imported without need: {', '.join(result['strangers']) or 'nothing'} (looked for: "
                f"{', '.join(STRANGERS)})."
            ),
        ]
    )


def _rows(result: Result) -> list[list[str]]:
    """Of each program: median seconds, seconds of its first evening, and how often it was run."""
    names = {"daybook": "`daybook sync`", "bare": "a bare script"}
    return [
        [
            names[name],
            f"{each['wall']:.2f}",
            f"{each['cpu']:.2f}",
            f"{result['first'][name]['wall']:.2f}",
            str(len(result["runs"][name])),
        ]
        for name, each in result["medians"].items()
    ]


CASE = Case("small", measure, text, figures)
