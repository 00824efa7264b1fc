"""Four ways to land the same pages, each run in a fresh process: `python -m bench.designs NAME URL FOLDER`.

Prints one line of JSON: rows and the sum of market_value as landed, CPU seconds and peak memory of the whole process,
imports and all.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

PAGE_SIZE = 1_000
NUMBERS = re.compile("quantity|value|price$|cost|pnl")
#: (rows, sum of market_value)
Landed = tuple[int, Decimal]


def daybook(url: str, folder: Path) -> Landed:
    """Our own: take_snapshot() with everything on, the archive and the second read included."""
    from pipelines.evening import evening
    from pipelines.settings import Settings
    from pipelines.snapshot import take_snapshot

    settings = Settings(base_url=url, home=folder)
    with evening(settings) as con:
        snapshot = take_snapshot(con, settings)
        assert snapshot.is_complete, snapshot.problems
        return _landed(con, "raw.positions")


def rest_api_source(url: str, folder: Path) -> Landed:
    """dlt's generic REST source with its defaults: what one gets by describing the endpoints and nothing else."""
    return _rest_api(url, folder)


def rest_api_source_tuned(url: str, folder: Path) -> Landed:
    """The same, with parquet files between its steps, and those not compressed."""
    os.environ["DATA_WRITER__DISABLE_COMPRESSION"] = "true"
    return _rest_api(url, folder, loader_file_format="parquet")


def _rest_api(url: str, folder: Path, **run: Any) -> Landed:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt
    import duckdb
    from dlt.sources.rest_api import rest_api_source as source

    accounts = {"name": "accounts", "endpoint": {"path": "v1/accounts", "data_selector": "data"}}
    positions = {
        "name": "positions",
        "endpoint": {
            "path": "v1/accounts/{resources.accounts.id}/positions",
            "data_selector": "data",
            "params": {"page_size": PAGE_SIZE, "sort_by": "SYMBOL", "sort_direction": "ASC"},
        },
    }
    paginator = {"type": "cursor", "cursor_path": "metadata.next_page_token", "cursor_param": "page_token"}
    config: Any = {"client": {"base_url": url, "paginator": paginator}, "resources": [accounts, positions]}
    path = folder / "rest_api.duckdb"
    pipeline = dlt.pipeline(
        "rest_api", destination=dlt.destinations.duckdb(str(path)), dataset_name="raw", pipelines_dir=str(folder)
    )
    pipeline.run(source(config), **run).raise_on_failed_jobs()
    with duckdb.connect(str(path)) as con:
        return _landed(con, "raw.positions")


def floor(url: str, folder: Path) -> Landed:
    """The least that could work: no dlt, no validation, no archive, one read; orjson, Arrow, one transaction."""
    import duckdb
    import httpx
    import orjson
    import pyarrow as pa

    with httpx.Client(base_url=url) as client, duckdb.connect(str(folder / "floor.duckdb")) as con:
        accounts = [str(row["id"]) for row in orjson.loads(client.get("/v1/accounts").content)["data"]]

        paths = [f"/v1/accounts/{account}/positions" for account in accounts]
        tables = [_columns(rows) for path in paths for rows in _pages(client, path)]
        con.register("pages", pa.concat_tables(tables, promote_options="permissive"))
        con.execute("create schema raw")
        con.execute("create table raw.positions as select * from pages")
        return _landed(con, "raw.positions")


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


def _landed(con: Any, table: str) -> Landed:
    """What is in the table: the sum as exact text, whatever type the design made of the column."""
    rows, value = con.execute(
        f"select count(*), cast(sum(cast(market_value as decimal(28, 10))) as varchar) from {table}"
    ).fetchone()
    return int(rows), Decimal(value)


DESIGNS: dict[str, Callable[[str, Path], Landed]] = {
    "daybook": daybook,
    "rest_api_source": rest_api_source,
    "rest_api_source, tuned": rest_api_source_tuned,
    "floor": floor,
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
    rows, value = DESIGNS[name](url, Path(folder))
    print(json.dumps({"rows": rows, "market_value": str(value), "cpu": cpu(), "peak_mb": peak_mb()}), flush=True)


if __name__ == "__main__":
    main()
