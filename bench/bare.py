"""What somebody would write by hand with dlt to land an evening's positions: `python bare.py URL FOLDER`.

The same pages, the same kind of merge, the same file format; no proof, no validation, no archive, no manifest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
import httpx

Rows = list[dict[str, Any]]


def pages(client: httpx.Client, path: str) -> Iterator[Rows]:
    """The rows of a listing, page by page."""
    params = {"page_size": "1000"}
    while True:
        reply = client.get(path, params=params)
        reply.raise_for_status()
        whole = reply.json()
        yield whole["data"]
        token = whole["metadata"].get("next_page_token")
        if token is None:
            return
        params["page_token"] = token


def main() -> None:
    """Read accounts, then positions and instructions of each, and merge them by their keys."""
    url, folder = sys.argv[1:3]
    with httpx.Client(base_url=url) as client:
        accounts = [row for page in pages(client, "/v1/accounts") for row in page]
        paths = [f"/v1/accounts/{row['id']}/positions" for row in accounts]
        position_key = ["account_id", "instrument_id", "closing_price_date"]

        @dlt.resource(primary_key=position_key, write_disposition="merge")
        def positions() -> Iterator[Rows]:
            for path in paths:
                yield from pages(client, path)

        @dlt.resource(primary_key="id", write_disposition="merge")
        def instructions() -> Iterator[Rows]:
            for path in paths:
                yield from pages(client, f"{path}/instructions")

        listed = dlt.resource(accounts, name="accounts", primary_key="id", write_disposition="merge")
        pipeline = dlt.pipeline(
            "bare",
            destination=dlt.destinations.duckdb(f"{folder}/bare.duckdb"),
            dataset_name="raw",
            pipelines_dir=folder,
        )
        info = pipeline.run([listed, positions, instructions], loader_file_format="parquet")
        info.raise_on_failed_jobs()


if __name__ == "__main__":
    main()
