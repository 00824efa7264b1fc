"""How fast 200,000 positions are landed, and with how much memory, beside dlt's own REST source on the same pages.

`python -m bench.landing --help` names the sizes. Every design runs in a fresh process; rounds are interleaved, so that
a slow minute of the machine hits them all. Without `--quick` the result goes to bench/results/landing.json and
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.book import DAY
from bench.designs import DESIGNS
from bench.report import machine, table, write

#: It takes minutes a run, so fewer rounds of it will do.
SLOW = "rest_api_source"
OURS = "daybook"

Run = dict[str, float]


@contextmanager
def broker(accounts: int, positions: int, day: date = DAY) -> Iterator[tuple[str, Decimal]]:
    """The stand-in broker in a process of its own: its address, and the sum of market_value that it serves."""
    command = [sys.executable, "-m", "bench.broker", str(accounts), str(positions), str(day)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        said = json.loads(process.stdout.readline())
        try:
            yield said["url"], Decimal(said["market_value"])
        finally:
            process.stdin.close()


def measure(design: str, url: str, rows: int, value: Decimal) -> Run:
    """One run of one design, checked against what was served. Wall seconds are of the whole process."""
    with TemporaryDirectory(prefix="bench-") as folder:
        began = time.perf_counter()
        command = [sys.executable, "-m", "bench.designs", design, url, folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        wall = time.perf_counter() - began
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["rows"] == rows, (design, said)
    assert Decimal(said["market_value"]) == value, (design, said)
    return {"wall": wall, "cpu": said["cpu"], "peak_mb": said["peak_mb"]}


def measure_all(accounts: int, positions: int, rounds: int, slow_rounds: int) -> dict[str, list[Run]]:
    """Every design, round after round."""
    runs: dict[str, list[Run]] = {design: [] for design in DESIGNS}
    with broker(accounts, positions) as (url, value):
        for number in range(rounds):
            for design in DESIGNS:
                if design == SLOW and number >= slow_rounds:
                    continue
                run = measure(design, url, accounts * positions, value)
                runs[design].append(run)
                print(
                    f"{design:<24}{run['wall']:8.2f} s wall {run['cpu']:8.2f} s cpu {run['peak_mb']:7.0f} MB",
                    flush=True,
                )
    return runs


def summary(runs: dict[str, list[Run]], rows: int) -> dict[str, dict[str, float]]:
    """Medians by design, rows per second, and how many times daybook's rows per second and memory that is."""
    medians = {design: {name: median(run[name] for run in each) for name in each[0]} for design, each in runs.items()}
    ours = medians[OURS]
    return {
        design: {
            **{name: round(value, 2) for name, value in each.items()},
            "runs": len(runs[design]),
            "rows_per_second": round(rows / each["wall"]),
            "daybook_is_faster": round(each["wall"] / ours["wall"], 2),
            "daybook_is_cheaper": round(each["cpu"] / ours["cpu"], 2),
            "daybook_uses_memory": round(ours["peak_mb"] / each["peak_mb"], 2),
        }
        for design, each in medians.items()
    }


def text(result: dict[str, Any]) -> str:
    """The section of docs/performance.md."""
    rows = [
        [
            design,
            f"{each['rows_per_second']:,}",
            f"{each['wall']:.1f}",
            f"{each['cpu']:.1f}",
            f"{each['peak_mb']:,.0f}",
            f"{each['daybook_is_faster']:.1f} x",
            f"{each['daybook_is_cheaper']:.1f} x",
            str(each["runs"]),
        ]
        for design, each in result["designs"].items()
    ]
    heads = ["design", "rows/s", "wall s", "cpu s", "peak MB", "daybook is faster", "in cpu", "runs"]
    return "\n".join(
        [
            "## Landing",
            "",
            f"{result['accounts']} accounts with {result['positions']:,} positions each, from a broker on loopback",
            "whose pages of 1,000 rows were ready before the first request. Each design runs in a fresh process,",
            "imports included; rounds are interleaved, figures are medians. What daybook does and the others don't: it",
            "validates every row, proves every listing whole, reads it a second time, archives every page, lands exact",
            "decimals, reads the other endpoints, and can be killed at any moment.",
            "",
            *table(heads, rows),
            "",
            "*rest_api_source* is dlt's own generic source with its defaults; *tuned* puts uncompressed parquet",
            "between its steps; *floor* is orjson and Arrow into DuckDB, without dlt, validation, archive or second",
            "read: the least that could work.",
        ]
    )


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 accounts x 2,000, one round, nothing written")
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--positions", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow-rounds", type=int, default=1, help="rounds of rest_api_source with its defaults")
    said = parser.parse_args()
    accounts, positions, rounds = (4, 2_000, 1) if said.quick else (said.accounts, said.positions, said.rounds)
    runs = measure_all(accounts, positions, rounds, min(said.slow_rounds, rounds))
    result = {
        "machine": machine(),
        "accounts": accounts,
        "positions": positions,
        "designs": summary(runs, accounts * positions),
        "runs": runs,
    }
    print(text(result))
    if not said.quick:
        write("landing", result, text(result))


if __name__ == "__main__":
    main()
