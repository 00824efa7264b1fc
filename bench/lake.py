"""What a lake costs beside a file: the same evenings read, built, published and asked about in both.

Not a case of `python -m bench`, which has no PostgreSQL: `.venv-lake/bin/python -m bench.lake [--quick]` starts one,
writes bench/results/lake.json and its table in docs/scale.md; with `--quick` nothing is written. The lake's files are
in a folder: what a bucket takes longer is its own. Evening by evening the two take turns, each step in a new process.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assets.catalog import CATALOG
from bench.designs import cpu
from bench.history import SESSIONS
from bench.landing import broker
from bench.queries import EXAMPLES, asked
from bench.report import table, write_between
from bench.result_files import RESULTS, ROOT
from bench.turns import Run, alone, medians
from pipelines.books.build import build
from pipelines.ingest.snapshot import take_snapshot
from pipelines.settings import Settings
from pipelines.warehouse.published import publish_if_behind
from pipelines.warehouse.session import warehouse_session

STEPS = ("sync", "build", "publish", "queries, first", "queries, warm")


@contextmanager
def new_lakes() -> Iterator[tuple[Path, Callable[[], str]]]:
    """A folder, and the addresses of new databases of a PostgreSQL that the tests would start."""
    from tests.support.lakes import new_database
    from tests.support.postgres import postgres

    with TemporaryDirectory(prefix="daybook-bench-") as folder:
        os.environ["PGPASSFILE"] = f"{folder}/pgpass"
        with postgres(Path(folder) / "pgpass") as server:
            yield Path(folder), lambda: new_database(server)


def measure(folder: Path, catalog: str, *, quick: bool) -> dict[str, Any]:
    """The first evening of each is not counted; medians of those after it."""
    from pipelines.warehouse.lake.create import create_lake

    accounts, positions, evenings = (2, 200, 2) if quick else (20, 5_000, 3)
    stores = {
        "file": Settings.model_validate({"home": folder / "file"}),
        "lake": Settings.model_validate(
            {"home": folder / "home", "lake": catalog, "lake_data": str(folder / "data")},
        ),
    }
    list(create_lake(stores["lake"]))
    runs: dict[str, list[Run]] = {name: [] for name in stores}
    for number, day in enumerate(SESSIONS[:evenings]):
        with broker(accounts, positions, day) as (url, _):
            for name in list(stores)[:: 1 if number % 2 else -1]:
                settings = stores[name].model_copy(update={"base_url": url})
                runs[name].append(alone(evening, settings, day) | alone(questions, settings))
    rows = {name: [run.pop("rows") for run in of_store] for name, of_store in runs.items()}
    assert rows["file"] == rows["lake"], rows
    counted = {name: medians(of_store[1:]) for name, of_store in runs.items()}
    return {"accounts": accounts, "positions": positions, "evenings": evenings - 1, **counted}


def evening(settings: Settings, day: date) -> Run:
    """An evening read, built and published in this process; seconds and CPU seconds of each step."""
    run: Run = {}
    with warehouse_session(settings) as con:
        run |= _timed("sync", lambda: take_snapshot(con, settings, partition=day))
        run |= _timed("build", lambda: build(con, settings, CATALOG))
        run |= _timed("publish", lambda: publish_if_behind(con, settings))
        status = con.execute("select status from quality.day where trading_date = ?", [day]).fetchone()
    assert status == ("COMPLETE",), status
    return run


def questions(settings: Settings) -> Run:
    """Every query of docs/sql, each in a new connection and then warm: their seconds together, and their rows."""
    each = [asked(settings, path.read_text(encoding="utf-8")) for path in sorted(EXAMPLES.glob("*.sql"))]
    warm_cpu = sum(one["cpu"] for one in each)
    return {
        "queries, first": sum(one["first"] for one in each),
        "queries, warm": sum(one["warm"] for one in each),
        "queries, warm, cpu": warm_cpu,
        "rows": sum(one["rows"] for one in each),
    }


def _timed(name: str, step: Callable[[], object]) -> Run:
    began, before = time.perf_counter(), cpu()
    step()
    return {name: time.perf_counter() - began, f"{name}, cpu": cpu() - before}


def text(result: dict[str, Any]) -> str:
    """The table of docs/scale.md."""
    file, lake = result["file"], result["lake"]
    rows = []
    for step in STEPS:
        spent = [(one.get(key), other.get(key)) for one, other in ((file, lake),) for key in (step, f"{step}, cpu")]
        rows.append([step, *(cell for pair in spent for cell in _cells(*pair))])
    heads = ["step", "file s", "lake s", "lake / file", "file CPU s", "lake CPU s", "lake / file, CPU"]
    told = (
        f"{result['accounts']} accounts of {result['positions']:,} positions, medians of {result['evenings']} evenings "
        "after the first; a lake on a local disk. Queries are all of docs/sql."
    )
    return "\n".join([told, "", *table(heads, rows)])


def _cells(file: float | None, lake: float | None) -> list[str]:
    if file is None or lake is None:
        return ["", "", ""]
    ratio = f"{lake / file:.1f}" if file > 0.05 else ""  # a lake has nothing to publish, and neither may a file
    return [f"{file:.2f}", f"{lake:.2f}", ratio]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.lake", description=(__doc__ or "").split(". ")[0])
    parser.add_argument("--quick", action="store_true", help="a small size; nothing is written")
    quick = parser.parse_args(arguments).quick
    with new_lakes() as (folder, new):
        result = measure(folder, new(), quick=quick)
    if not quick:
        (RESULTS / "lake.json").write_text(json.dumps(result, indent=1) + "\n")
        write_between(ROOT / "docs" / "scale.md", "bench.lake", text(result))
    print(text(result))


if __name__ == "__main__":
    main()
