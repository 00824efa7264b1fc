"""Spark against DuckDB: the same history built anew by both, at two lengths, and where the lines cross.

Not a case of `python -m bench`, which has no Spark: `.venv-lake/bin/python -m bench.spark [--quick]` writes
bench/results/spark.json and its table in docs/spark.md; with `--quick` nothing is written. Both compute on this
machine, Spark in `local[2]`, one after the other, so that their ratio is of one run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from assets.catalog import CATALOG
from bench.history import REAL, SESSIONS, home, make_history
from bench.rebuild import BOOKS, DERIVED
from bench.report import table, write_between
from bench.result_files import RESULTS, ROOT
from pipelines.books.build import build
from pipelines.books.engine import Engine
from pipelines.spark.engine import spark_engine
from pipelines.warehouse.connect import remember
from pipelines.warehouse.session import warehouse_session


@dataclass(frozen=True)
class Measured:
    """A history built anew by both: seconds, and how many rows of P&L it has."""

    rows: int
    duckdb: float
    spark: float


def measure(folder: Path, *, quick: bool) -> list[Measured]:
    """Two lengths of history, each built by DuckDB and by Spark, whose books are compared."""
    accounts, positions = (2, 200) if quick else (20, 1_000)
    found = []
    for days in (REAL, REAL, 6) if quick else (REAL, 4, 16):
        source = make_history(folder / str(days), accounts, positions, days).home
        found.append(_both(source, folder / "copy"))
        shutil.rmtree(source)
    return found[1:]  # of the first one Spark had everything to load


def _both(source: Path, copy: Path) -> Measured:
    with spark_engine(home(copy)) as engine:
        rows, duckdb_seconds, ours = _anew(source, copy, Engine())
        _, spark_seconds, theirs = _anew(source, copy, engine)
    assert ours == theirs, (ours, theirs)
    return Measured(rows, duckdb_seconds, spark_seconds)


def _anew(source: Path, copy: Path, engine: Engine) -> tuple[int, float, tuple[object, ...]]:
    """A copy of a home built anew: rows of P&L, seconds, and what is compared of the books."""
    shutil.copytree(source, copy)
    settings = home(copy)
    with warehouse_session(settings) as con:
        for schema in DERIVED:
            con.execute(f"drop schema {schema} cascade")
        remember(con, "selects", "none")
        last = (con.execute("select max(trading_date) from raw.extract_run").fetchone() or (None,))[0]
        began = time.perf_counter()
        built = build(con, settings, CATALOG, from_date=SESSIONS[0], to_date=last, engine=engine)
        seconds = time.perf_counter() - began
        books = con.execute(BOOKS).fetchone() or ()
    shutil.rmtree(copy)
    return built.versions["pnl.position_daily"], seconds, tuple(books)


def text(measured: list[Measured]) -> str:
    """What was measured, and how many cores of this kind it takes for Spark to be as fast as DuckDB on two."""
    small, large = measured
    more = large.rows - small.rows
    a_row_of_spark, a_row_of_duckdb = (large.spark - small.spark) / more, (large.duckdb - small.duckdb) / more
    planning = small.spark - a_row_of_spark * small.rows
    lines = table(
        ["P&L rows", "DuckDB s", "Spark s", "Spark / DuckDB"],
        [[f"{m.rows:,}", f"{m.duckdb:.1f}", f"{m.spark:.1f}", f"{m.spark / m.duckdb:.1f}"] for m in measured],
    )
    told = [
        f"Planning: {planning:.0f} s. A million rows: DuckDB {a_row_of_duckdb * 1e6:.0f} s, "
        f"Spark {a_row_of_spark * 1e6:.0f} s, both on two cores."
    ]
    for rows in (10**7, 10**8, 10**9):
        saved = a_row_of_duckdb * rows - planning
        cores = f"{2 * a_row_of_spark * rows / saved:.0f} cores" if saved > 0 else "no number of cores"
        told.append(f"{rows:,} rows: Spark is as fast as DuckDB on two cores with {cores}.")
    return "\n".join([*lines, "", *told])


def main() -> None:
    """Measure, write and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="a small history; nothing is written")
    quick = options.parse_args().quick
    with TemporaryDirectory(prefix="bench-spark-") as folder:
        measured = measure(Path(folder), quick=quick)
    if not quick:
        (RESULTS / "spark.json").write_text(json.dumps([asdict(each) for each in measured], indent=1) + "\n")
        write_between(ROOT / "docs" / "spark.md", "bench.spark", text(measured))
    print(text(measured), flush=True)


if __name__ == "__main__":
    main()
