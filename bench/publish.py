"""What publishing costs beside a plain copy of the same file, and how it grows with the warehouse.

A warehouse is filled to a size, then copied with fsync and published in turn. What a publication does besides copying
is to write down what has been committed since the last one, to drop what is not published, and to swap the file in.
DAYBOOK_BENCH_CLONES names a folder on a file system whose files can share blocks: there it is measured a second time.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from bench.case import Case, Figure, Result
from bench.designs import cpu, peak_mb
from bench.report import prose, table
from bench.turns import medians, rounds
from pipelines.warehouse.connect import open_warehouse
from pipelines.warehouse.copying import clone
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish

#: Rows of 32 bytes that no compression makes smaller: a million of them are 32 MB.
ROWS_OF_A_GIGABYTE = 2**30 // 32
_ROWS = """
    select hash({seed} + range) as a, hash({seed} - range) as b, hash(range, {seed}) as c, hash(-range, {seed}) as d
    from range({rows})
"""
STAGED = 100_000
#: Set to a folder on XFS or Btrfs: where it is measured what a publication takes that copies nothing.
CLONES = "DAYBOOK_BENCH_CLONES"

Round = dict[str, float]


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Each size in a warehouse of its own: medians of rounds in which a plain copy and a publication alternate."""
    sizes = [0.02, 0.2] if quick else [0.1, 1.0, 4.0]
    many = rounds(2 if quick else 3)
    measured = {str(size): _of_size(folder / str(size), size, many) for size in sizes}
    return {"sizes": measured, "clones": _cloned(sizes, many), "peak_mb": peak_mb()}


def _cloned(sizes: list[float], many: int) -> dict[str, dict[str, float]] | None:
    """The same where files can share blocks; None where no such folder is named."""
    if CLONES not in os.environ:
        return None
    with TemporaryDirectory(prefix="bench-publish-", dir=os.environ[CLONES]) as folder:
        (given := Path(folder, "given")).write_bytes(b"given")
        assert clone(given, Path(folder, "made")), f"files of {folder} can't share blocks"
        return {str(size): _of_size(Path(folder, str(size)), size, many) for size in sizes}


def _of_size(home: Path, gigabytes: float, many: int) -> dict[str, float]:
    home.mkdir(parents=True)
    source = home / "warehouse.duckdb"
    _fill(source, int(gigabytes * ROWS_OF_A_GIGABYTE))
    runs = [_round(source, number) for number in range(many)]
    size = source.stat().st_size / 2**30
    shutil.rmtree(home)
    return {"gigabytes": size, **medians(runs), "ratio": median(run["publish"] / run["copy"] for run in runs)}


def _fill(path: Path, rows: int) -> None:
    with open_warehouse(path) as con:
        for schema in (*PUBLISHED_SCHEMAS, "raw_staging"):
            con.execute(f"create schema {schema}")
        con.execute(f"create table raw.positions as {_ROWS.format(seed=0, rows=rows)}")
        con.execute(f"create table raw_staging.positions as {_ROWS.format(seed=1, rows=STAGED)}")
        con.execute("checkpoint")


def _round(source: Path, number: int) -> Round:
    """The plain copy with nobody in the file, then a publication of it with new rows in the WAL."""
    plain, published = source.with_name("plain.duckdb"), source.with_name("daybook.duckdb")
    copied = _timed(lambda: _copy(source, plain))
    plain.unlink()
    with open_warehouse(source) as con:
        con.execute(f"insert into raw.positions {_ROWS.format(seed=number + 2, rows=1_000)}")
        before = cpu()
        took = _timed(lambda: publish(con, published, PUBLISHED_SCHEMAS))
        spent = cpu() - before
        _check(con, published)
    return {"copy": copied, "publish": took, "cpu": spent}


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _check(con: duckdb.DuckDBPyConnection, published: Path) -> None:
    """The copy has every row, and nothing of what is not published."""
    counted = "select count(*), sum(a), sum(d) from raw.positions"
    with duckdb.connect(published, read_only=True) as copy:
        copy.execute("set enable_progress_bar = false")
        assert copy.execute(counted).fetchone() == con.execute(counted).fetchone()
        assert copy.execute("select count(*) from duckdb_tables() where schema_name = 'raw_staging'").fetchone() == (0,)


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    return "\n".join(
        [
            "## Publish",
            "",
            *prose(
                "A publication beside a plain copy (with fsync) of the same warehouse, in turn; medians. It grows with "
                "the file, as the copy does, and its own part is starting the process that copies and pruning."
            ),
            "",
            *_table(result["sizes"]),
            "",
            *_text_of_clones(result.get("clones")),
        ]
    )


def _text_of_clones(clones: dict[str, dict[str, float]] | None) -> list[str]:
    if clones is None:
        told = "Not measured here: a file system whose files can share blocks, where nothing is copied (XFS, Btrfs)."
        return prose(told)
    told = (
        "The same on a file system whose files can share blocks: there a publication copies nothing, and grows with "
        "what has changed since the last one, not with the books."
    )
    return [*prose(told), "", *_table(clones)]


def _table(sizes: dict[str, dict[str, float]]) -> list[str]:
    rows = [
        [
            f"{each['gigabytes']:.2f}",
            f"{each['copy']:.2f}",
            f"{each['publish']:.2f}",
            f"{each['ratio']:.2f} x",
            f"{each['cpu']:.2f}",
        ]
        for each in sizes.values()
    ]
    return table(["warehouse GB", "copy s", "publish s", "ratio", "CPU s"], rows)


def figures(result: Result) -> list[Figure]:
    """The largest file's ratio is the question; the smallest one's is mostly fixed cost."""
    largest = list(result["sizes"].values())[-1]
    cloned = list((result.get("clones") or {}).values())[-1:]
    return [
        Figure("publish against a file copy", largest["ratio"], 1.2, noise=1.4),
        *(Figure("publish against a copy, files sharing blocks", each["ratio"], 0.5, noise=2) for each in cloned),
        Figure("publish, peak memory", result["peak_mb"], unit="MB"),
    ]


CASE = Case("publish", measure, text, figures)
