"""How long an evening takes that is read in parts: measured at some sizes, a model of them, and its word on another.

`.venv-lake/bin/python -m bench.workers` writes bench/results/workers.json and the tables of docs/scale.md; with
`--simulate ACCOUNTS` it reads that many accounts of one position each in sixteen parts and says whether all landed.
It starts PostgreSQL and a broker whose answers take LATENCY. Walls are of this machine; the model's terms are CPU
seconds, requests and waits, of which only the first are.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.book import DAY, PAGE, account_ids
from bench.landing import broker
from pipelines.ingest.part_session import part_session
from pipelines.ingest.parts import PARTS, part_of
from pipelines.ingest.reading import ACCOUNTS_AT_ONCE
from pipelines.ingest.snapshot import take_part, take_plan
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session

LATENCY = 0.02
RESULT = Path(__file__).parent / "results" / "workers.json"
PAGE_OF_DOCS = Path(__file__).parents[1] / "docs" / "scale.md"
_MARKS = ("<!-- written by python -m bench.workers -->", "<!-- end of what it wrote -->")
#: Positions, instructions, executions, orders, balances and history; of one account that has a page of each.
REQUESTS_OF_ACCOUNT = 6


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
class Measured:
    """What an evening took: seconds on the wall and of CPU, ours alone, of the parts together."""

    size: Size
    wall: float
    cpu: float


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


FITTED = (Size(32, 10, 2, 2), Size(1_600, 10, 2, 2), Size(32, 5_000, 2, 2))
WORKERS = (Size(64, 200, 4, 1), Size(64, 200, 4, 2), Size(64, 200, 4, 4))
OUTSIDE = Size(96, 300, PARTS, 4, rate=50.0)


def read_part(settings: Settings, part: int) -> tuple[int, int, float]:
    """Read and land a part; accounts expected and complete, and this process's CPU seconds meanwhile."""
    began = time.process_time()
    with part_session(settings, part) as (con, mine):
        read = take_part(con, mine, part)
    spent = time.process_time() - began
    return (read.accounts_expected, read.accounts_complete, spent) if read else (0, 0, spent)


def measure(folder: Path, catalog: str, size: Size) -> Measured:
    """One evening in a lake of its own, checked for what it landed."""
    from pipelines.warehouse.lake.create import create_lake

    with broker(size.accounts, size.positions, DAY, LATENCY) as (url, value):
        settings = Settings.model_validate(
            {"base_url": url, "home": folder / "home", "lake": catalog, "lake_data": str(folder / "data")}
            | {"requests_per_second": size.rate}
        )
        list(create_lake(settings))
        with warehouse_session(settings) as con:
            planned = take_plan(con, settings)
        with ProcessPoolExecutor(size.workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(_import, range(size.workers)))
            began = time.perf_counter()
            read = list(pool.map(read_part, [settings] * size.parts, range(size.parts)))
            wall = time.perf_counter() - began
        with warehouse_session(settings) as con:
            found = con.execute("select count(*), sum(market_value) from raw.positions").fetchone()
        assert planned.accounts_expected == size.accounts
        assert [sum(each) for each in zip(*((e, c) for e, c, _ in read), strict=True)] == [size.read] * 2
        assert found
        assert found[0] == size.rows, (found, size)
        assert size.parts < PARTS or found[1] == value, (found, value)
    return Measured(size, wall, sum(cpu for _, _, cpu in read))


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


def tables(result: dict[str, object]) -> str:
    """What docs/scale.md shows of a result."""
    model = Model(**result["model"])  # type: ignore[arg-type]
    cores = result["cores"]
    lines = [
        f"CPU: {model.part:.2f} s a part, {model.request * 1000:.2f} ms a request, {model.row * 1e6:.0f} µs a row "
        f"({cores} cores, {LATENCY * 1000:.0f} ms latency, a lake on a local disk).",
        "",
        "| accounts read | positions each | parts | workers | requests/s | CPU s, measured | CPU s, model | wall s |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind in ("fitted", "workers", "outside"):
        for each in result[kind]:  # type: ignore[attr-defined]
            size = Size(**each["size"])
            name = f"**{size.read}**" if kind == "outside" else str(size.read)
            lines.append(
                f"| {name} | {size.positions:,} | {size.parts} | {size.workers} | {size.rate or 'any'} | "
                f"{each['cpu']:.1f} | {model.cpu(size):.1f} | {each['wall']:.1f} |"
            )
    return "\n".join(lines)


def write(result: dict[str, object]) -> None:
    """The result as JSON, and as the tables of the page."""
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    begin, end = _MARKS
    page = PAGE_OF_DOCS.read_text()
    told = f"{begin}\n{tables(result)}\n{end}"
    PAGE_OF_DOCS.write_text(re.sub(f"{begin}.*?{end}", lambda _: told, page, flags=re.DOTALL))


@contextmanager
def server() -> Iterator[object]:
    """PostgreSQL, as the tests start it."""
    from tests.support.postgres import postgres

    with TemporaryDirectory(prefix="daybook-bench-") as folder:
        os.environ["PGPASSFILE"] = f"{folder}/pgpass"
        with postgres(Path(folder) / "pgpass") as found:
            yield found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, fit, check and write; or simulate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulate", type=int, metavar="ACCOUNTS", help="read so many accounts of one position")
    parser.add_argument("--workers", type=int, default=4)
    asked = parser.parse_args(arguments)
    from tests.support.lakes import new_database

    with server() as postgres, TemporaryDirectory(prefix="daybook-bench-") as folder:

        def one(size: Size) -> Measured:
            catalog = new_database(postgres)  # type: ignore[arg-type]
            done = measure(Path(folder) / catalog.rpartition("/")[2], catalog, size)
            print(f"{size}: {done.wall:.1f} s, {done.cpu:.1f} s of CPU", file=sys.stderr, flush=True)
            return done

        if asked.simulate:
            one(Size(asked.simulate, 1, PARTS, asked.workers))
            print(f"{asked.simulate:,} accounts landed whole in {PARTS} parts by {asked.workers} workers")
            return 0
        fitted = [one(size) for size in FITTED]
        model = fit(fitted)
        result: dict[str, object] = {
            "model": asdict(model),
            "cores": os.cpu_count(),
            "fitted": [asdict(each) for each in fitted],
            "workers": [asdict(one(size)) for size in WORKERS],
            "outside": [asdict(one(OUTSIDE))],
        }
    write(result)
    print(tables(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
