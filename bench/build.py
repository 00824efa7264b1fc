"""Whether one more day costs the same after a month and after a year of history, and what building it all anew costs.

`python -m bench.build --help` names the sizes. The first two evenings are read from a broker on loopback and built; the
second is copied to the sessions that follow (bench/history.py), until one more evening is landed and built, and timed.
Without `--quick` the result goes to bench/results/build.json and docs/performance.md.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from assets.build import build
from bench.designs import cpu, peak_mb
from bench.history import copy_day
from bench.landing import broker
from bench.report import machine, table, write
from pipelines.calendar import TradingCalendar
from pipelines.evening import evening
from pipelines.settings import Settings
from pipelines.snapshot import take_snapshot
from pipelines.warehouse import tables

FIRST, LAST = date(2024, 6, 3), date(2026, 6, 1)

Timing = dict[str, float]


class Warehouse:
    """One home whose history grows; `accounts` and `positions` say how large an evening is."""

    def __init__(self, home: Path, accounts: int, positions: int) -> None:
        self.home = home
        self.size = (accounts, positions)
        self.sessions = [session.date for session in TradingCalendar.load().sessions(FIRST, LAST)]
        self.filled = 0

    def one_more(self) -> Timing:
        """Land and build the next session: seconds for each, and what the build's statements took."""
        day = self.sessions[self.filled]
        with broker(*self.size, day) as (url, _):
            settings = Settings(base_url=url, home=self.home)
            with evening(settings) as con, statements() as spent:
                began = time.perf_counter()
                assert take_snapshot(con, settings, partition=day).is_complete
                landed, before = time.perf_counter(), cpu()
                built = build(con, settings)
                done, after = time.perf_counter(), cpu()
                assert built.spans == [(day, day)], built
                self._check(con, day)
        self.filled += 1
        took = {"land": landed - began, "build": done - landed, "build_cpu": after - before}
        return took | {f"of {name}": each for name, each in spent.items()}

    def fill(self, history: int) -> None:
        """Copy the last session to those after it, until there are `history` of them."""
        with duckdb.connect(str(self.home / "warehouse.duckdb")) as con:
            con.execute("set global timezone = 'UTC'")
            targets = [(self.sessions[number], self.sessions[number - 1]) for number in range(self.filled, history)]
            copy_day(con, self.sessions[self.filled - 1], self.sessions[self.filled - 2], targets)
        self.filled = max(self.filled, history)

    def rebuild(self, days: int) -> float:
        """Seconds that it takes to build the last `days` sessions anew."""
        settings = Settings(base_url="http://127.0.0.1:9", home=self.home)
        with evening(settings) as con:
            began = time.perf_counter()
            build(con, settings, from_date=self.sessions[self.filled - days], to_date=self.sessions[self.filled - 1])
            return time.perf_counter() - began

    def _check(self, con: duckdb.DuckDBPyConnection, day: date) -> None:
        accounts, positions = self.size
        found = con.execute("select count(*) from pnl.position_daily where trading_date = ?", [day]).fetchone()
        assert found == (accounts * positions,), found
        known = con.execute("select count(distinct trading_date) from pnl.account_daily").fetchone()
        assert known == (self.filled + 1,), known


@contextmanager
def statements() -> Iterator[dict[str, float]]:
    """Seconds spent in the statements of a build, by the table that they write."""
    spent: dict[str, float] = defaultdict(float)
    real = tables.run

    def timed(con: Any, statement: str, values: Any = None) -> Any:
        began = time.perf_counter()
        try:
            return real(con, statement, values)
        finally:
            spent[_what(statement)] += time.perf_counter() - began

    tables.run = timed
    try:
        yield spent
    finally:
        tables.run = real


def _what(statement: str) -> str:
    words = statement.split()
    after = ("table", "into", "from", "update")
    return next((f"{words[0]} {words[at + 1]}" for at, word in enumerate(words[:-1]) if word in after), words[0])


def measure(home: Path, accounts: int, positions: int, history: list[int], again: int) -> dict[str, Any]:
    """Grow one warehouse to each length of history and time one more day there; then build the last days `again`."""
    warehouse = Warehouse(home, accounts, positions)
    warehouse.one_more()
    warehouse.one_more()
    days: dict[str, Timing] = {}
    for length in history:
        began = time.perf_counter()
        warehouse.fill(length)
        print(f"{length} days of history after {time.perf_counter() - began:.0f} s", flush=True)
        # the better of two: what else the machine did in the meantime is not the question
        day = min((warehouse.one_more() for _ in range(2)), key=itemgetter("build_cpu"))
        day["gigabytes"] = (home / "warehouse.duckdb").stat().st_size / 2**30
        days[str(length)] = day
        print(
            f"  one more: {day['land']:.2f} s landed, {day['build']:.2f} s built, {day['gigabytes']:.1f} GB", flush=True
        )
    rebuild = warehouse.rebuild(again)
    print(f"  {again} days anew: {rebuild:.1f} s", flush=True)
    return {"days": days, "days_anew": again, "rebuild": rebuild, "peak_mb": peak_mb()}


def text(result: dict[str, Any]) -> str:
    """The section of docs/performance.md."""
    days = result["days"]
    first = next(iter(days.values()))
    rows = [
        [
            f"{length} days",
            f"{each['land']:.1f}",
            f"{each['build']:.2f}",
            f"{each['build_cpu']:.2f}",
            f"{each['build_cpu'] / first['build_cpu']:.2f} x",
            f"{each['gigabytes']:.1f}",
        ]
        for length, each in days.items()
    ]
    return "\n".join(
        [
            "## Build",
            "",
            f"One more evening of {result['accounts']} accounts with {result['positions']:,} positions each, landed",
            "and built on top of more and more history, in one run; the better of two evenings.",
            "",
            *table(["history", "land s", "build s", "build cpu s", "cpu, relative", "warehouse GB"], rows),
            "",
            f"The last {result['days_anew']} days built anew, in one transaction: {result['rebuild']:.1f} s.",
        ]
    )


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 accounts x 500, up to 30 days, nothing written")
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--positions", type=int, default=10_000)
    parser.add_argument("--history", default="25,100,250", help="days of history, ascending")
    parser.add_argument("--again", type=int, default=5, help="days to build anew at the end: memory grows with them")
    parser.add_argument("--folder", help="where the warehouse may lie: a year of 200,000 positions a day needs 30 GB")
    said = parser.parse_args()
    accounts, positions = (4, 500) if said.quick else (said.accounts, said.positions)
    history = [5, 10, 30] if said.quick else [int(each) for each in said.history.split(",")]
    with TemporaryDirectory(prefix="bench-", dir=said.folder) as folder:
        result = measure(Path(folder), accounts, positions, history, said.again)
    result = {"machine": machine(), "accounts": accounts, "positions": positions, **result}
    print(text(result))
    if not said.quick:
        write("build", result, text(result))


if __name__ == "__main__":
    main()
