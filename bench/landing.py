"""How fast positions are landed, and with how much memory, beside others on the same pages.

Every design first lands the day before in a folder of its own, which is what its first evening costs. Each later run
gets a copy of that folder and lands the next day, in a fresh process; rounds are interleaved, so that a slow minute of
the machine hits them all. Those that take a minute run once, into nothing. What was landed is counted and summed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from bench.book import DAY
from bench.case import Case, Figure, Result
from bench.designs import DESIGNS
from bench.landing_text import text
from bench.peers.run import PEERS, installed, versions
from bench.turns import Run, medians, rounds, run_timed

BEFORE = date(2025, 10, 31)
#: To have their first evening measured apart would change their figures by a hundredth.
SLOW = ("rest_api_source", *PEERS)
#: Seconds that an answer takes to come, and who is measured then.
LATENCIES = {
    0.0: ["daybook", "daybook, one read", "rest_api_source, tuned", "floor", *SLOW],
    0.02: [
        "daybook",
        "daybook, one read",
        "rest_api_source, tuned",
        "rest_api_source, parallelized",
        "floor",
        "floor, threads",
        *SLOW,
    ],
}
COUNTED = """
    select count(*), cast(sum(cast(market_value as decimal(28, 10))) as varchar)
    from raw.positions where cast(closing_price_date as varchar) = ?
"""


@contextmanager
def broker(accounts: int, positions: int, day: date = DAY, latency: float = 0.0) -> Iterator[tuple[str, Decimal]]:
    """The stand-in broker in a process of its own: its address, and the sum of market_value that it serves."""
    command = [sys.executable, "-m", "bench.broker", str(accounts), str(positions), str(day), str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        said = json.loads(process.stdout.readline())
        try:
            yield said["url"], Decimal(said["market_value"])
        finally:
            process.stdin.close()


class Landing:
    """The designs that are compared, each with its folder of the evening before."""

    def __init__(self, folder: Path, accounts: int, positions: int, peers: Iterable[str]) -> None:
        self.folder = folder
        self.size = accounts, positions
        self.designs = [name for name in DESIGNS if name not in PEERS or name in peers]

    def first(self) -> dict[str, Run]:
        """What the first evening of each costs: the day before, into nothing."""
        with broker(*self.size, BEFORE) as (url, value):
            return {
                name: self._land(name, url, value, BEFORE, self._made(name))
                for name in self.designs
                if DESIGNS[name].like == name and name not in SLOW
            }

    def later(self, latency: float, usual: int) -> dict[str, list[Run]]:
        """The evening after it, round after round."""
        designs = [name for name in LATENCIES[latency] if name in self.designs]
        runs: dict[str, list[Run]] = {name: [] for name in designs}
        with broker(*self.size, DAY, latency) as (url, value):
            for number in range(usual):
                for name in designs:
                    if name not in SLOW:
                        runs[name].append(self._land(name, url, value, DAY, self._copy(name)))
                    elif number == 0:
                        runs[name].append(self._land(name, url, value, DAY, self._made(f"{name}, {latency}")))
        return runs

    def _made(self, name: str) -> Path:
        made = self.folder / name
        made.mkdir()
        return made

    def _copy(self, name: str) -> Path:
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder / DESIGNS[name].like, copy)
        os.sync()  # so that no design pays for what was just copied
        return copy

    def _land(self, name: str, url: str, value: Decimal, day: date, folder: Path) -> Run:
        run, said = run_timed([sys.executable, "-m", "bench.designs", name, url, str(folder)])
        run |= json.loads(said.splitlines()[-1])
        with duckdb.connect(str(folder / DESIGNS[name].file), read_only=True) as con:
            con.execute("set enable_progress_bar = false")
            found = con.execute(COUNTED, [day.isoformat()]).fetchone()
        accounts, positions = self.size
        assert found, name
        assert (found[0], Decimal(found[1])) == (accounts * positions, value), (name, found)
        print(f"  {name:<30}{run['wall']:7.2f} s wall {run['cpu']:7.2f} s cpu {run['peak_mb']:7.0f} MB", flush=True)
        return run


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """First evenings, then later ones at each latency. A quick run is without the peers: they are slow to start."""
    accounts, positions, usual = (1, 2_000, 1) if quick else (20, 10_000, rounds(3))
    peers = {} if quick else {peer: versions(peer) if installed(peer) else None for peer in PEERS}
    landing = Landing(folder, accounts, positions, [peer for peer, found in peers.items() if found])
    first = landing.first()
    runs = {f"{latency * 1000:.0f} ms": landing.later(latency, usual) for latency in LATENCIES}
    return {
        "accounts": accounts,
        "positions": positions,
        "peers": peers,
        "first": first,
        "medians": {latency: {name: medians(each) for name, each in of.items()} for latency, of in runs.items()},
        "runs": runs,
    }


def figures(result: Result) -> list[Figure]:
    """How many times as long as daybook others take, and daybook as long as the floor."""
    near, far = result["medians"]["0 ms"], result["medians"]["20 ms"]
    ours, once = near["daybook"]["wall"], near["daybook, one read"]["wall"]
    tuned, tuned_far = near["rest_api_source, tuned"]["wall"], far["rest_api_source, tuned"]["wall"]
    parallel, once_far = far["rest_api_source, parallelized"]["wall"], far["daybook, one read"]["wall"]
    return [
        _faster("rest_api_source with its defaults / daybook", near["rest_api_source"]["wall"] / ours, 12),
        _faster("rest_api_source tuned / daybook", tuned / ours, 2.5),
        _faster("rest_api_source tuned / daybook, 20 ms", tuned_far / far["daybook"]["wall"], 3),
        Figure("daybook with one read / floor", once / near["floor"]["wall"], 1.6),
        Figure("daybook / floor", ours / near["floor"]["wall"], 1.8),
        _faster("rest_api_source with its defaults / daybook with one read", near["rest_api_source"]["wall"] / once),
        _faster("rest_api_source tuned / daybook with one read", tuned / once),
        _faster("rest_api_source tuned / daybook with one read, 20 ms", tuned_far / once_far),
        _faster("rest_api_source parallelized / daybook, 20 ms", parallel / far["daybook"]["wall"]),
        *(_faster(f"{peer} / daybook", near[peer]["wall"] / ours) for peer in PEERS if peer in near),
        Figure("daybook / daybook with one read", ours / once),
        Figure("daybook with one read / floor, CPU", near["daybook, one read"]["cpu"] / near["floor"]["cpu"]),
        Figure("peak memory of daybook", near["daybook"]["peak_mb"], unit="MB"),
    ]


def _faster(name: str, times: float, target: float | None = None) -> Figure:
    return Figure(name, times, target, more_is_better=True, noise=1.25)


CASE = Case("landing", measure, text, figures)
