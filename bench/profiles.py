"""Whose code the CPU of an evening goes to: what a target that is missed is made of.

Each command runs once under Python's profiler (bench/profiled.py), which makes what is written in Python look up to
twice as dear as it is: shares tell where to look, and the other cases how long it takes.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from bench.case import Case, Figure, Result
from bench.endofday import SMALL, daybook, env
from bench.landing import BEFORE, broker
from bench.load import broker_process, first_sessions
from bench.profiled import IMPORTS, THREADS
from bench.report import prose, table
from bench.turns import run_timed

SESSIONS = 12
#: What was tried for targets that are missed, and what it brought; figures of the day on which it was tried.
TRIED = """
What is left, by target, and what was tried:

- *Landing.* The floor imports nothing of dlt and proves nothing. Of daybook's own time most is what every page has to
  pass: one parse by Arrow, one hash, one compression, the text of its rows for the second read. Built: dlt is imported
  beside the first requests; a second read hashes the text of rows that it saw before and parses nothing of them;
  options are looked at once, in columns (0.8 of 6.9 CPU seconds at 200,000 positions); dlt asks for its settings by
  name alone (a quarter of its calls). What dlt does for a load is the same for ten rows and for a million.
- *End of day.* Modules that run when they are imported, Dagster's and SQLAlchemy's most of all, are a second and a half
  of every evening, and 186 events of 53 assets another: 3 seconds for a small book would need an evening that doesn't
  import its orchestrator. Built: connections of Dagster's log are kept (668 were opened and closed); columns are
  described by a shipped file; views that compute all days are not counted for Dagster's page (4 CPU seconds an evening
  for three accounts after 28 days); formats of the report are made side by side.
- *Build and replay.* Of the CPU of a small build half is DuckDB planning its 160 statements, and most of the other half
  beginning and ending pipelines of them: rows hardly count below some ten thousand. Built: such a build has one thread
  (a fifth less CPU than with two). Tried without gain: selects that several tables read, computed once (a twentieth
  less for ten positions, more for 100,000); prepared statements (DuckDB binds them again); other settings of the
  allocator.
"""
#: An owner of less than this share of a command is told together with others like it.
LEAST = 0.01
REST = "others"


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """The second evening of a large book and of a small one, and some sessions that are landed again."""
    large = (2, 1_000) if quick else (20, 10_000)
    home, out = folder / "home", folder / "profile.json"
    found: Result = {"large": large, "small": SMALL, "sessions": 2 if quick else SESSIONS}
    for size, names in ((large, ("sync", "floor")), (SMALL, ("eod",))):
        shutil.rmtree(home, ignore_errors=True)
        with broker(*size, BEFORE) as (url, _):
            run_timed(daybook("eod"), env(home, url))
            if "floor" in names:
                _run(out, ["floor", url, str(folder)], home, url)
        with broker(*size) as (url, _):
            for name in names:
                found[name] = _run(
                    out, ["floor", url, str(folder)] if name == "floor" else ["daybook", name], home, url
                )
    found["replay"] = _replayed(folder, out, found["sessions"])
    return found


def _replayed(folder: Path, out: Path, sessions: int) -> dict[str, float]:
    home = folder / "again"
    with broker_process(4, 100) as serving:
        for day in first_sessions(sessions):
            serving.move(day)
            run_timed(daybook("sync"), env(folder / "evenings", serving.url))
        archive = str(folder / "evenings" / "archive")
        return _run(out, ["daybook", "replay", "--archive", archive], home, serving.url)


def _run(out: Path, command: list[str], home: Path, url: str) -> dict[str, float]:
    run_timed([sys.executable, "-m", "bench.profiled", str(out), *command], env(home, url))
    seconds: dict[str, float] = json.loads(out.read_text())
    return seconds


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    accounts, positions = result["large"]
    names = {
        "sync": f"`sync`, {accounts} x {positions:,}",
        "floor": "the floor of landing",
        "eod": f"`eod`, {result['small'][0]} x {result['small'][1]:,}",
        "replay": f"`replay`, {result['sessions']} sessions",
    }
    told = {name: _told(result[name]) for name in names}
    owners = sorted({owner for each in told.values() for owner in each}, key=lambda owner: (owner == REST, owner))
    return "\n".join(
        [
            "## Whose code it is",
            "",
            *prose(
                "CPU seconds of whole processes, by whose code they went to, under Python's profiler: what is written "
                "in Python looks up to twice as dear as it is, so that shares tell where to look, and the sections "
                f'above how long it takes. "{IMPORTS}" is running what a module has on its top level; "{THREADS}" is '
                "what no thread of Python's took. What Python does for somebody is theirs."
            ),
            "",
            *table(
                ["", *names.values()],
                [[owner, *(_shown(each, owner) for each in told.values())] for owner in owners],
            ),
            TRIED.rstrip(),
        ]
    )


def _told(seconds: dict[str, float]) -> dict[str, float]:
    """The owners that are worth a line, the others as one."""
    total = sum(seconds.values())
    worth = {owner: each for owner, each in seconds.items() if each >= LEAST * total}
    return {**worth, REST: total - sum(worth.values())}


def _shown(seconds: dict[str, float], owner: str) -> str:
    each = seconds.get(owner)
    return "" if each is None else f"{each:.2f} ({each / sum(seconds.values()):.0%})"


def figures(result: Result) -> list[Figure]:  # noqa: ARG001
    """None: what it shows is held against targets elsewhere."""
    return []


CASE = Case("profiles", measure, text, figures)
