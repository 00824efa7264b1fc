"""Ways to land the same pages, each run in a fresh process: `python -m bench.designs NAME URL FOLDER`.

Prints one line of JSON: the most memory that the process, or one that it started, has held.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers.run import airbyte, singer

PAGE_SIZE = 1_000
NUMBERS = re.compile("quantity|value|price$|cost|pnl")


def daybook(url: str, folder: Path) -> None:
    """Our own: take_snapshot() with everything on, the archive and the second read included."""
    _daybook(url, folder, reads=2)


def daybook_one_read(url: str, folder: Path) -> None:
    """The same, had it taken every listing at its first word. Only the bench can ask for that."""
    from pipelines.broker.listing import Listing

    Listing._until_two_agree = lambda self: None  # type: ignore[method-assign]  # noqa: ARG005, SLF001
    _daybook(url, folder, reads=1)


def _daybook(url: str, folder: Path, *, reads: int) -> None:
    from pipelines.ingest.snapshot import take_snapshot
    from pipelines.settings import Settings
    from pipelines.warehouse.session import warehouse_session

    settings = Settings(base_url=url, home=folder)
    with warehouse_session(settings) as con:
        snapshot = take_snapshot(con, settings)
        assert snapshot.is_complete, snapshot.problems
        found = con.execute(
            "select distinct reads from raw.extract_manifest where endpoint = 'positions' and run_id = ?",
            [snapshot.run_id],
        ).fetchall()
        assert found == [(reads,)], found


def rest_api_source(url: str, folder: Path) -> None:
    """dlt's generic REST source with its defaults: what one gets by describing the endpoints and nothing else."""
    _rest_api(url, folder)


def rest_api_source_tuned(url: str, folder: Path) -> None:
    """The same, with parquet files between its steps, and those not compressed."""
    os.environ["DATA_WRITER__DISABLE_COMPRESSION"] = "true"
    _rest_api(url, folder, loader_file_format="parquet")


def rest_api_source_parallelized(url: str, folder: Path) -> None:
    """Tuned, and its accounts read by several threads."""
    os.environ["DATA_WRITER__DISABLE_COMPRESSION"] = "true"
    _rest_api(url, folder, parallelized=True, loader_file_format="parquet")


def _rest_api(url: str, folder: Path, *, parallelized: bool = False, **run: Any) -> None:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt
    from dlt.sources.rest_api import rest_api_source as source

    accounts = {"name": "accounts", "endpoint": {"path": "v1/accounts", "data_selector": "data"}}
    positions = {
        "name": "positions",
        "endpoint": {
            "path": "v1/accounts/{resources.accounts.id}/positions",
            "data_selector": "data",
            "params": {"page_size": PAGE_SIZE, "sort_by": "SYMBOL", "sort_direction": "ASC"},
        },
        "parallelized": parallelized,
    }
    paginator = {"type": "cursor", "cursor_path": "metadata.next_page_token", "cursor_param": "page_token"}
    config: Any = {"client": {"base_url": url, "paginator": paginator}, "resources": [accounts, positions]}
    pipeline = dlt.pipeline(
        "rest_api",
        destination=dlt.destinations.duckdb(str(folder / "rest_api.duckdb")),
        dataset_name="raw",
        pipelines_dir=str(folder),
    )
    pipeline.run(source(config), **run).raise_on_failed_jobs()


def floor(url: str, folder: Path) -> None:
    """The least that could work: no dlt, no validation, no archive, one read; orjson, Arrow, one transaction."""
    _floor(url, folder, threads=1)


def floor_threads(url: str, folder: Path) -> None:
    """The same with a thread for each account, so that nobody waits for an answer."""
    _floor(url, folder, threads=20)


def _floor(url: str, folder: Path, *, threads: int) -> None:
    import duckdb
    import httpx
    import orjson
    import pyarrow as pa

    with httpx.Client(base_url=url) as client, ThreadPoolExecutor(threads) as pool:
        accounts = [str(row["id"]) for row in orjson.loads(client.get("/v1/accounts").content)["data"]]
        paths = [f"/v1/accounts/{account}/positions" for account in accounts]
        read = [
            table
            for tables in pool.map(lambda path: list(map(_columns, _pages(client, path))), paths)
            for table in tables
        ]
    with duckdb.connect(str(folder / "floor.duckdb")) as con:
        con.register("pages", pa.concat_tables(read, promote_options="permissive"))
        con.execute("begin")
        con.execute("create schema if not exists raw")
        con.execute("create table if not exists raw.positions as (select * from pages) with no data")
        con.execute("insert into raw.positions by name select * from pages")
        con.execute("commit")


def _pages(client: Any, path: str) -> Iterator[list[dict[str, Any]]]:
    import orjson

    token: str | None = None
    while True:
        more = {"page_token": token} if token else {}
        whole = orjson.loads(client.get(path, params={"page_size": PAGE_SIZE, **more}).content)
        yield whole["data"]
        token = whole["metadata"].get("next_page_token")
        if token is None:
            return


def _columns(rows: list[dict[str, Any]]) -> Any:
    import pyarrow as pa

    columns = {name: pa.array([row.get(name) for row in rows]) for name in {key: None for row in rows for key in row}}
    exact = pa.decimal128(28, 10)
    return pa.table({name: each.cast(exact) if NUMBERS.search(name) else each for name, each in columns.items()})


@dataclass(frozen=True)
class Design:
    """A way to land: `file` in its folder then has raw.positions. `like` names the design that has the same folder."""

    land: Callable[[str, Path], None]
    file: str
    like: str


DESIGNS = {
    "daybook": Design(daybook, "warehouse.duckdb", "daybook"),
    "daybook, one read": Design(daybook_one_read, "warehouse.duckdb", "daybook"),
    "rest_api_source": Design(rest_api_source, "rest_api.duckdb", "rest_api_source"),
    "rest_api_source, tuned": Design(rest_api_source_tuned, "rest_api.duckdb", "rest_api_source, tuned"),
    "rest_api_source, parallelized": Design(rest_api_source_parallelized, "rest_api.duckdb", "rest_api_source, tuned"),
    "floor": Design(floor, "floor.duckdb", "floor"),
    "floor, threads": Design(floor_threads, "floor.duckdb", "floor"),
    "singer": Design(singer, "singer.duckdb", "singer"),
    "airbyte": Design(airbyte, "airbyte.duckdb", "airbyte"),
}


def peak_mb() -> float:
    """The most memory that this process has held. Not ru_maxrss: that one begins at what the parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        assert found
        return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu() -> float:
    """CPU seconds of this process so far, all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run one design and report."""
    name, url, folder = sys.argv[1:4]
    DESIGNS[name].land(url, Path(folder))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"peak_mb": max(peak_mb(), children)}), flush=True)


if __name__ == "__main__":
    main()
