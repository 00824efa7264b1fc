"""How long an evening takes that is read in parts: measured at some sizes, a model of them, and its word on another.

`.venv-lake/bin/python -m bench.workers` writes bench/results/workers.json and the tables of docs/scale.md; with
`--simulate ACCOUNTS` it reads that many accounts of one position each in sixteen parts, builds their books, sees that
all of them are there, and writes what that took beside what the model says. With `--quick` nothing is written.
It starts PostgreSQL and a broker whose answers take LATENCY. Walls are of this machine; the model's terms are CPU
seconds, requests and waits, of which only the first are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from assets.catalog import CATALOG
from bench.book import DAY, PAGE, account_ids
from bench.designs import cpu, peak_mb
from bench.lake import new_lakes
from bench.landing import broker
from bench.report import write_between
from bench.turns import alone
from pipelines.books.build import build
from pipelines.ingest.part_session import part_session
from pipelines.ingest.parts import PARTS, part_of
from pipelines.ingest.reading import ACCOUNTS_AT_ONCE
from pipelines.ingest.snapshot import take_part, take_plan
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session

Step = TypeVar("Step")

LATENCY = 0.02
RESULT = Path(__file__).parent / "results" / "workers.json"
PAGE_OF_DOCS = Path(__file__).parents[1] / "docs" / "scale.md"
#: Positions, instructions, executions, orders, balances and history, of one account that has a page of each; and on its
#: first evening the year before, of which this broker has nothing.
REQUESTS_OF_ACCOUNT = 7


@dataclass(frozen=True)
class Size:
    """An evening: how many accounts of how many positions each, in how many of its sixteen parts, read by how many
    workers, within which rate."""

    accounts: int
    positions: int
    parts: int = PARTS
    workers: int = 4
    rate: float | None = None

    @property
    def read(self) -> int:
        """How many accounts are in those parts."""
        return sum(part_of(str(account)) < self.parts for account in account_ids(self.accounts))

    @property
    def rows(self) -> int:
        """Positions in all."""
        return self.read * self.positions

    @property
    def requests(self) -> int:
        """What the parts ask the broker: a listing of more than one page is read twice."""
        pages = max(ceil(self.positions / PAGE), 1)
        return self.read * (REQUESTS_OF_ACCOUNT - 1 + (pages if pages == 1 else 2 * pages))


@dataclass(frozen=True)
class Spent:
    """What a step took: seconds on the wall and of CPU, and the most memory that its process, or the largest of its
    processes, has held."""

    wall: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True)
class Measured:
    """What an evening took: seconds on the wall and of CPU, ours alone, of the parts together; and the most memory
    that a worker has held."""

    size: Size
    wall: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True)
class Simulated:
    """A whole evening in parts: its plan, its parts, its books."""

    parts: Measured
    plan: Spent
    books: Spent


@dataclass(frozen=True)
class Model:
    """CPU seconds of a part, a request and a row."""

    part: float
    request: float
    row: float

    def cpu(self, size: Size) -> float:
        """CPU seconds of all parts."""
        return size.parts * self.part + size.requests * self.request + size.rows * self.row

    def wall(self, size: Size, cores: float, latency: float = LATENCY) -> float:
        """Seconds until the last part is landed: what the rate, the cores or the waits of each worker ask for."""
        waits = size.requests * latency / ACCOUNTS_AT_ONCE / size.workers
        own = waits + self.cpu(size) / size.workers
        return max(size.requests / size.rate * 1.2 if size.rate else 0.0, self.cpu(size) / cores, own)


_LANDED = """
    select
        (select count(*) from raw.positions),
        (select sum(json_array_length(archive_files)) from raw.extract_manifest where account_id <> ''),
        (select sum(market_value) from raw.positions)
"""
FITTED = (Size(32, 10, 2, 2), Size(1_600, 10, 2, 2), Size(32, 5_000, 2, 2))
WORKERS = (Size(64, 200, 4, 1), Size(64, 200, 4, 2), Size(64, 200, 4, 4))
OUTSIDE = Size(96, 300, PARTS, 4, rate=50.0)
_QUICK = (Size(32, 10, 2, 2), Size(64, 10, 1, 1), Size(32, 1_000, 1, 2))


def read_part(settings: Settings, part: int) -> tuple[int, int, float, float]:
    """Read and land a part; accounts expected and complete, this process's CPU seconds meanwhile, and its most memory
    until now."""
    began = time.process_time()
    with part_session(settings, part) as (con, mine):
        read = take_part(con, mine, part)
    spent = time.process_time() - began, peak_mb()
    return (read.accounts_expected, read.accounts_complete, *spent) if read else (0, 0, *spent)


def plan(settings: Settings, accounts: int) -> Spent:
    """The plan of an evening, landed in this process."""
    began, before = time.perf_counter(), cpu()
    with warehouse_session(settings) as con:
        assert take_plan(con, settings).accounts_expected == accounts
    return Spent(time.perf_counter() - began, cpu() - before, peak_mb())


def books(settings: Settings, accounts: int) -> Spent:
    """The books of an evening, built in this process; checked for its being whole."""
    began, before = time.perf_counter(), cpu()
    with warehouse_session(settings) as con:
        build(con, settings, CATALOG)
        spent = Spent(time.perf_counter() - began, cpu() - before, peak_mb())
        day = con.execute("select status, accounts_complete, accounts_expected from quality.day").fetchall()
        counted = con.execute(
            "select (select count(*) from pnl.account_daily), (select count(*) from quality.gap)"
        ).fetchone()
    assert day == [("COMPLETE", accounts, accounts)], day
    assert counted == (accounts, 0), counted
    return spent


def measure(folder: Path, catalog: str, size: Size) -> Measured:
    """One evening in a lake of its own, read and checked for what it landed."""
    with _evening(folder, catalog, size) as (settings, value):
        plan(settings, size.accounts)
        return _parts(settings, size, value)


def simulate(folder: Path, catalog: str, size: Size) -> Simulated:
    """A whole evening in a lake of its own: plan, parts and books, each step in processes of its own."""
    with _evening(folder, catalog, size) as (settings, value):
        planned = _told(alone(plan, settings, size.accounts))
        read = _told(_parts(settings, size, value))
        return Simulated(read, planned, _told(alone(books, settings, size.accounts)))


@contextmanager
def _evening(folder: Path, catalog: str, size: Size) -> Iterator[tuple[Settings, Decimal]]:
    """A new lake, and a broker with what is to be read; its settings, and the sum of market_value."""
    from pipelines.warehouse.lake.create import create_lake

    with broker(size.accounts, size.positions, DAY, LATENCY) as (url, value):
        settings = Settings.model_validate(
            {"base_url": url, "home": folder / "home", "lake": catalog, "lake_data": str(folder / "data")}
            | {"requests_per_second": size.rate}
        )
        list(create_lake(settings))
        yield settings, value


def _parts(settings: Settings, size: Size, value: Decimal) -> Measured:
    with ProcessPoolExecutor(size.workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(_import, range(size.workers)))
        began = time.perf_counter()
        read = list(pool.map(read_part, [settings] * size.parts, range(size.parts)))
        wall = time.perf_counter() - began
    with warehouse_session(settings) as con:
        found = con.execute(_LANDED).fetchone()
    expected, complete, seconds, peaks = zip(*read, strict=True)
    assert (sum(expected), sum(complete)) == (size.read, size.read)
    assert found
    assert found[:2] == (size.rows, size.requests), (found, size, size.requests)
    assert size.parts < PARTS or found[2] == value, (found, value)
    return Measured(size, wall, sum(seconds), max(peaks))


def _told(spent: Step) -> Step:
    """The same, said on standard error."""
    print(f"{spent}", file=sys.stderr, flush=True)
    return spent


def _import(_: int) -> None:
    """Have a worker there, with everything imported: a worker that waits for runs has that behind it."""
    import pipelines.warehouse.destination
    import pipelines.warehouse.lake.advisory  # noqa: F401

    time.sleep(0.2)


def fit(points: Sequence[Measured]) -> Model:
    """The model of least squared relative errors."""
    import numpy as np

    rows = [[p.size.parts / p.cpu, p.size.requests / p.cpu, p.size.rows / p.cpu] for p in points]
    (part, request, row), *_ = np.linalg.lstsq(np.array(rows), np.ones(len(points)), rcond=None)
    return Model(float(part), float(request), float(row))


def tables(result: dict[str, Any]) -> str:
    """What docs/scale.md shows of a result."""
    model = Model(**result["model"])
    lines = [
        f"CPU: {model.part:.2f} s a part, {model.request * 1000:.2f} ms a request, {model.row * 1e6:.0f} µs a row "
        f"({result['cores']} cores, {LATENCY * 1000:.0f} ms latency, a lake on a local disk).",
        "",
        "| accounts read | positions each | parts | workers | requests/s | CPU s, measured | CPU s, model | wall s |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind in ("fitted", "workers", "outside"):
        for each in result[kind]:
            size = Size(**each["size"])
            name = f"**{size.read}**" if kind == "outside" else str(size.read)
            lines.append(
                f"| {name} | {size.positions:,} | {size.parts} | {size.workers} | {size.rate or 'any'} | "
                f"{each['cpu']:.1f} | {model.cpu(size):.1f} | {each['wall']:.1f} |"
            )
    return "\n".join([*lines, *(_simulation(model, result["simulated"]) if "simulated" in result else ())])


def _simulation(model: Model, said: dict[str, Any]) -> list[str]:
    """A simulated evening beside what the model says of its parts."""
    read, steps = said["parts"], {"plan": said["plan"], "sixteen parts": said["parts"], "books": said["books"]}
    size = Size(**read["size"])
    told = f"{model.cpu(size):,.0f}"
    return [
        "",
        f"**{size.accounts:,} accounts, simulated**: of one position each, read by {size.workers} workers in "
        f"{size.requests:,} requests ({size.requests / read['wall']:,.0f} a second), all of them complete and in the "
        "books.",
        "",
        "| step | wall s | CPU s, measured | CPU s, model | most memory of a process, MB |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {name} | {spent['wall']:,.0f} | {spent['cpu']:,.0f} | {told if spent is read else ''} | "
            f"{spent['peak_mb']:,.0f} |"
            for name, spent in steps.items()
        ),
    ]


def write(result: dict[str, Any]) -> None:
    """The result as JSON, and as the tables of the page."""
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    write_between(PAGE_OF_DOCS, "bench.workers", tables(result))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, fit, check and write; or simulate."""
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description=(__doc__ or "").split(". ")[0])
    parser.add_argument("--simulate", type=int, metavar="ACCOUNTS", help="an evening of so many accounts of a position")
    parser.add_argument("--workers", type=int, default=4, help="how many read the simulated accounts")
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    asked = parser.parse_args(arguments)
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    with new_lakes() as (folder, new):

        def one(size: Size) -> Measured:
            return _told(measure(folder / f"{time.monotonic_ns()}", new(), size))

        if asked.simulate:
            size = Size(asked.simulate, 1, PARTS, asked.workers)
            result = kept | {"simulated": asdict(simulate(folder / "simulated", new(), size))}
        else:
            result = ({} if asked.quick else kept) | measured(one, quick=asked.quick)
    if not asked.quick:
        write(result)
    print(tables(result))
    return 0


def measured(one: Callable[[Size], Measured], *, quick: bool) -> dict[str, Any]:
    """Every size, and the model of those that it is fitted to."""
    sizes = {"fitted": FITTED, "workers": WORKERS, "outside": (OUTSIDE,)}
    if quick:
        sizes = {"fitted": _QUICK, "workers": (), "outside": ()}
    points = {kind: [one(size) for size in each] for kind, each in sizes.items()}
    found = {kind: [asdict(point) for point in each] for kind, each in points.items()}
    return {"model": asdict(fit(points["fitted"])), "cores": os.cpu_count(), **found}


if __name__ == "__main__":
    raise SystemExit(main())
