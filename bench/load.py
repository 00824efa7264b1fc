"""Load and soak: the largest book, a year in one go, readers beside the writer, storms and a broker that crawls.

`python -m bench.load` measures all of it and writes its section of docs/reliability.md and bench/results/load.json;
`--only NAME` measures one part and keeps the figures of the others; `--quick` is a small sample that writes nothing.
Every figure is of processes of their own, and no part is called done whose books are not whole.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assets.catalog import CATALOG
from bench.report import machine, table
from bench.result_files import ROOT
from bench.work import book_totals
from pipelines.books.build import build
from pipelines.calendar import TradingCalendar
from pipelines.ingest.snapshot import take_snapshot
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session

RESULT = ROOT / "bench" / "results" / "load.json"
DOCUMENT = ROOT / "docs" / "reliability.md"
#: Two sessions in a row, so that the second evening has a P&L to make.
DAYS = (date(2025, 10, 31), date(2025, 11, 3))
FIRST = date(2024, 6, 3)
#: MB that an evening of a million positions may take.
LIMIT_MB = 2048
READERS = 8

Result = dict[str, Any]


class BrokerProcess:
    """The stand-in broker of bench/unreliable_broker.py, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self.process = process
        self.url = str(json.loads(process.stdout.readline())["url"])

    def move(self, day: date) -> None:
        """Have it serve another day."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{day}\n")
        self.process.stdin.flush()
        self.process.stdout.readline()


@contextmanager
def broker_process(accounts: int, positions: int, mode: str = "calm") -> Iterator[BrokerProcess]:
    """A broker in one of its modes, for the block."""
    command = [sys.executable, "-m", "bench.unreliable_broker", str(accounts), str(positions), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield BrokerProcess(process)
        finally:
            assert process.stdin
            process.stdin.close()


def work(what: str, home: Path, more: str = "") -> Result:
    """One job in a process of its own: what it said, and the seconds of the whole process."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bench.work", what, str(home), more], stdout=subprocess.PIPE, text=True, check=True
    )
    return {**json.loads(done.stdout.splitlines()[-1]), "wall": time.perf_counter() - began}


def largest_book(home: Path, *, quick: bool) -> Result:
    """200 accounts of 5,000 positions: the second evening, with its P&L."""
    accounts, positions = (20, 500) if quick else (200, 5_000)
    with broker_process(accounts, positions) as serving:
        for day in DAYS:
            serving.move(day)
            said = work("evening", home, serving.url)
            assert said["rows"] == accounts * positions, said
            assert said["complete"] == said["expected"] == accounts, said
    assert said["peak_mb"] < LIMIT_MB, said
    return {**said, "accounts": accounts, "positions": positions}


def replay_a_year(home: Path, *, quick: bool) -> Result:
    """250 sessions landed again and built in one go, and the books are those that the evenings made."""
    return replayed(home, *((10, 2, 50) if quick else (250, 4, 100)))


def first_sessions(count: int) -> list[date]:
    """So many sessions in a row, from the first that is measured."""
    return [session.date for session in TradingCalendar.load().sessions(FIRST, DAYS[-1])][:count]


def replayed(home: Path, sessions: int, accounts: int, positions: int) -> Result:
    """So many sessions up to the last day, closed one by one and then landed again."""
    days = first_sessions(sessions)
    with broker_process(accounts, positions) as serving:
        settings = Settings(base_url=serving.url, home=home / "first")
        with warehouse_session(settings) as con:
            for day in days:
                serving.move(day)
                assert take_snapshot(con, settings).is_complete
                build(con, settings, CATALOG)
            first = book_totals(con)
    said = work("replay", home / "again", str(home / "first" / "archive"))
    assert said["sessions"] == sessions, said
    assert said["books"] == first, (said, first)
    assert first[0] == str(sessions * accounts * positions), first
    return {**said, "accounts": accounts, "positions": positions}


def readers(home: Path, *, quick: bool) -> Result:
    """An evening beside eight readers of the published copy, and the same evening alone."""
    accounts, positions = (10, 200) if quick else (40, 1_000)
    command = [sys.executable, "-m", "bench.work", "read", str(home / "read")]
    with broker_process(accounts, positions) as serving:
        for folder in ("read", "alone"):
            serving.move(DAYS[0])
            work("evening", home / folder, serving.url)
        serving.move(DAYS[1])
        alone = work("evening", home / "alone", serving.url)
        asking = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(READERS)
        ]
        beside = work("evening", home / "read", serving.url)
        time.sleep(2)  # long enough for each to see the new copy
        answers = [json.loads(each.communicate("")[0]) for each in asking]
    assert all(each.returncode == 0 for each in asking)
    assert [each["torn"] for each in answers] == [0] * READERS, answers
    assert all(each["days_seen"][-1] == 2 for each in answers), answers  # the new copy was seen by all
    return {
        "alone": alone["wall"],
        "beside": beside["wall"],
        "reads": sum(each["reads"] for each in answers),
        "longest": max(each["longest"] for each in answers),
        "rows": accounts * positions,
    }


def storm(home: Path, mode: str, *, quick: bool) -> Result:
    """An evening with a broker in a mode: how long it takes, and what is whole at its end."""
    accounts, positions = (4, 200) if quick else (20, 1_000)
    with broker_process(accounts, positions, mode) as serving:
        serving.move(DAYS[0])
        return {**work("evening", home, serving.url), "accounts": accounts, "positions": positions}


def busy(home: Path, *, quick: bool) -> Result:
    """Every request is answered 429 before it is answered: all is read in the end."""
    said = storm(home, "busy", quick=quick)
    assert said["complete"] == said["expected"], said
    return said


def shut(home: Path, *, quick: bool) -> Result:
    """429 to every listing of positions, come back in an hour: given up at once, nothing by halves."""
    said = storm(home, "shut", quick=quick)
    assert said["complete"] == 0, said
    assert said["rows"] == 0, said
    return said


def slow(home: Path, *, quick: bool) -> Result:
    """One account's positions come one byte a second: it is given up within its budget, and the others are whole."""
    said = storm(home, "slow", quick=quick)
    assert said["complete"] == said["expected"] - 1, said
    return said


PARTS: dict[str, Callable[..., Result]] = {
    "size": largest_book, "replay": replay_a_year, "readers": readers, "busy": busy, "shut": shut, "slow": slow,
}  # fmt: skip


def text(parts: dict[str, Result]) -> str:
    """The section of docs/reliability.md."""
    of = {name: {key: _format(value) for key, value in part.items()} for name, part in parts.items()}
    lines = {
        "size": "{accounts} accounts of {positions} positions, one evening|sync {sync} s, build {build} s, publication "
        "{publish} s; all {rows} rows COMPLETE; peak memory {peak_mb} MB of the 2,048 that it may take",
        "replay": "{sessions} sessions of {accounts} accounts of {positions} positions, replayed and built in one go|"
        "{seconds} s; the same books; peak memory {peak_mb} MB",
        "readers": "an evening of {rows} positions beside 8 readers of the published copy, each asking twice a second|"
        "{beside} s beside them, "
        "{alone} s alone; {reads} reads, none refused and none torn, the longest {longest} s",
        "busy": "429 to every request, until it comes again|{complete} of {expected} accounts whole after {wall} s",
        "shut": "429 to every listing of positions, `Retry-After: 3600`|{complete} of {expected} accounts after "
        "{wall} s, nothing by halves",
        "slow": "one byte a second for one account|{complete} of {expected} accounts whole after {wall} s; that one is "
        "a gap",
    }
    rows = [lines[name].format(**of[name]).split("|") for name in PARTS if name in of]
    told = [
        "Measured and written by `python -m bench.load` in the runtime environment (a quarter of an hour; `--only` for",
        "one part). A part whose books are not whole at its end has no figures. Seconds are of one machine, which may",
        "have had other work (its load is below); memory is the most that the process held.",
    ]
    return "\n".join(["## Load and soak", "", *told, "", *table(["what", "came to"], rows)])


def write(section: str) -> None:
    """Put the section in its place in the document, with what it was measured on."""
    of = ", ".join(f"{key} {value}" for key, value in machine().items())
    begin, _, rest = DOCUMENT.read_text().partition("<!-- load -->\n")
    _, end, after = rest.partition("<!-- end of load -->\n")
    assert end, f"{DOCUMENT} has no place for the section"
    DOCUMENT.write_text(f"{begin}<!-- load -->\n{section}\n\nMachine: {of}.\n{end}{after}")


def _format(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else value


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing written")
    parser.add_argument("--only", choices=PARTS, action="append", help="these parts; the others keep their figures")
    said = parser.parse_args()
    parts: dict[str, Result] = json.loads(RESULT.read_text())["parts"] if said.only and RESULT.exists() else {}
    for name in said.only or PARTS:
        with TemporaryDirectory(prefix="load-") as folder:
            parts[name] = PARTS[name](Path(folder), quick=said.quick)
        print(name, parts[name], flush=True)
    if not said.quick:
        RESULT.write_text(json.dumps({"machine": machine(), "parts": parts}, indent=2) + "\n")
        write(text(parts))
    print(text(parts))


if __name__ == "__main__":
    main()
