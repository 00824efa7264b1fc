"""A Singer tap for the broker's accounts and positions, as one would write it with the Singer SDK: a stream each.

Run by an environment that has singer-sdk (requirements/peers-singer.txt), as `python tap_broker.py --config FILE`.
"""

from __future__ import annotations

from typing import Any

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.streams import RESTStream

TEXTS = [
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


class BrokerStream(RESTStream[str]):
    """A listing of the broker: rows in `data`, the token of the next page in `metadata`."""

    records_jsonpath = "$.data[*]"
    next_page_token_jsonpath = "$.metadata.next_page_token"  # noqa: S105  (where it stands, not what it is)

    @property
    def url_base(self) -> str:
        """Where the broker is."""
        return str(self.config["base_url"])

    def get_url_params(self, context: Any, next_page_token: str | None) -> dict[str, Any]:  # noqa: ARG002
        """The size of a page, and which one."""
        return {"page_size": 1_000} | ({"page_token": next_page_token} if next_page_token else {})


class Accounts(BrokerStream):
    """Every account, each the parent of its positions."""

    name = "accounts"
    path = "/v1/accounts"
    primary_keys = ("id",)
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType, required=True),
        th.Property("short_name", th.StringType),
        th.Property("status", th.StringType),
        th.Property("open_date", th.DateType),
    ).to_dict()

    def get_child_context(self, record: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG002
        """What a stream of positions has to know."""
        return {"account": record["id"]}


class Positions(BrokerStream):
    """The positions of an account. Numbers are text, as the broker sends them, so that they stay exact."""

    name = "positions"
    path = "/v1/accounts/{account}/positions"
    parent_stream_type = Accounts
    primary_keys = ("account_id", "instrument_id", "closing_price_date")
    state_partitioning_keys = ()
    schema = th.PropertiesList(
        th.Property("account", th.IntegerType),
        th.Property("account_id", th.IntegerType, required=True),
        th.Property("instrument_id", th.StringType, required=True),
        th.Property("closing_price_date", th.StringType, required=True),
        *(th.Property(name, th.StringType) for name in TEXTS),
    ).to_dict()


class TapBroker(Tap):
    """The tap: both streams."""

    name = "tap-broker"
    config_jsonschema = th.PropertiesList(th.Property("base_url", th.StringType, required=True)).to_dict()

    def discover_streams(self) -> list[BrokerStream]:
        """Accounts, and the positions of each."""
        return [Accounts(self), Positions(self)]


if __name__ == "__main__":
    TapBroker.cli()
