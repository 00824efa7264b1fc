"""The broker as a declarative Airbyte source, read by PyAirbyte: `python declared.py URL FOLDER`.

Run by an environment that has it (requirements/peers-airbyte.txt). Numbers are text, so that they stay exact.
"""

from __future__ import annotations

import sys
from typing import Any

import airbyte as ab

TEXTS = [
    "instrument_id",
    "closing_price_date",
    "symbol",
    "instrument_type",
    "position_type",
    "quantity",
    "available_quantity",
    "market_value",
    "avg_price",
    "cost_basis",
    "instrument_price",
    "closing_price",
    "unrealized_pnl",
    "unrealized_pnl_pct",
    "daily_realized_pnl",
    "daily_unrealized_pnl",
    "daily_unrealized_pnl_pct",
    "underlying_instrument_id",
    "underlying_instrument_type",
]


def stream(url: str, name: str, path: str, key: list[str], columns: dict[str, str], **more: Any) -> dict[str, Any]:
    """A listing of the broker: rows in `data`, the token of the next page in `metadata`."""
    pages = {
        "type": "DefaultPaginator",
        "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "page_token"},
        "pagination_strategy": {
            "type": "CursorPagination",
            "cursor_value": "{{ response['metadata']['next_page_token'] }}",
            "stop_condition": "{{ not response['metadata'].get('next_page_token') }}",
        },
    }
    request = {"page_size": "1000"}
    properties = {column: {"type": [kind, "null"]} for column, kind in columns.items()}
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": key,
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {"type": "HttpRequester", "url_base": url, "path": path, "request_parameters": request},
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": ["data"]},
            },
            "paginator": pages,
            **more,
        },
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": properties}},
    }


def manifest(url: str) -> dict[str, Any]:
    """Accounts, and the positions of each."""
    accounts = stream(url, "accounts", "/v1/accounts", ["id"], {"id": "integer"})
    parent = {"type": "ParentStreamConfig", "stream": accounts, "parent_key": "id", "partition_field": "account"}
    positions = stream(
        url,
        "positions",
        "/v1/accounts/{{ stream_partition.account }}/positions",
        ["account_id", "instrument_id", "closing_price_date"],
        {"account_id": "integer", **dict.fromkeys(TEXTS, "string")},
        partition_router={"type": "SubstreamPartitionRouter", "parent_stream_configs": [parent]},
    )
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["accounts"]},
        "streams": [accounts, positions],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }


def main() -> None:
    """Read both streams into a DuckDB file."""
    url, folder = sys.argv[1:3]
    source = ab.get_source("source-broker", source_manifest=manifest(url), config={}, streams="*")
    source.read(cache=ab.DuckDBCache(db_path=f"{folder}/airbyte.duckdb", schema_name="raw"), force_full_refresh=True)


if __name__ == "__main__":
    main()
