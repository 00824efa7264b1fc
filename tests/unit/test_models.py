"""The wire shapes: every documented payload parses, old names are read, and each field knows its column."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.drift import observe
from models.fields import model_columns, parse_instant
from models.reading import read_error, read_page
from models.shapes import (
    ACCOUNTS,
    BALANCES,
    CLOCK,
    EXECUTIONS,
    INSTRUCTIONS,
    INSTRUMENT_EVENTS,
    LANDED,
    MARKET_HOURS,
    MARKET_SNAPSHOT,
    OPTION_CONTRACTS,
    ORDERS,
    PORTFOLIO_HISTORY,
    POSITIONS,
    VERSION,
    Shape,
)

SHARED = Path(__file__).parents[2].parent / "shared"
SPECS = ("clear-street-v0.6.0.json", "clear-street-v0.7.0.json")

ENDPOINTS: dict[str, Shape] = {
    "/v1/accounts": ACCOUNTS,
    "/v1/accounts/{account_id}/positions": POSITIONS,
    "/v1/accounts/{account_id}/positions/instructions": INSTRUCTIONS,
    "/v1/accounts/{account_id}/orders": ORDERS,
    "/v1/accounts/{account_id}/executions": EXECUTIONS,
    "/v1/accounts/{account_id}/balances": BALANCES,
    "/v1/accounts/{account_id}/portfolio-history": PORTFOLIO_HISTORY,
    "/v1/instruments/options/contracts": OPTION_CONTRACTS,
    "/v1/instruments/{instrument_id}/events": INSTRUMENT_EVENTS,
    "/v1/calendars/market-hours": MARKET_HOURS,
    "/v1/market-data/snapshot": MARKET_SNAPSHOT,
    "/v1/clock": CLOCK,
    "/v1/version": VERSION,
}

#: Schemas with an example of one row.
COMPONENTS: dict[str, Shape] = {
    "Account": ACCOUNTS,
    "PositionInstruction": INSTRUCTIONS,
    "Order": ORDERS,
    "Execution": EXECUTIONS,
    "AccountBalances": BALANCES,
}


def shared(*parts: str) -> Path:
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the shared reference material is not here ({'/'.join(parts)})")
    return path


def spec(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(shared("openapi", name).read_text())
    return loaded


def envelope(data: Any, **metadata: Any) -> bytes:
    return json.dumps({"data": data, "error": None, "metadata": {"request_id": "r-1", **metadata}}).encode()


def documented(operation: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for status, response in operation["responses"].items():
        content = response.get("content", {}).get("application/json", {})
        for example in content.get("examples", {}).values():
            yield status, example["value"]
        if "example" in content:
            yield status, content["example"]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("version", SPECS)
def test_every_documented_payload_of_an_endpoint_parses_whole(version: str, path: str) -> None:
    for status, payload in documented(spec(version)["paths"][path]["get"]):
        body = json.dumps(payload).encode()
        if not status.startswith("2"):
            error = read_error(body)
            assert error is not None
            assert error.message != "no message"
            continue
        page = read_page(ENDPOINTS[path], body)
        assert page.rows
        assert (page.rejected, page.problems) == ([], [])
        assert (page.error is not None) == (status == "207")
        seen = observe(ENDPOINTS[path], page.rows)
        assert (seen.unknown_fields, seen.unknown_enums) == ({}, {})


@pytest.mark.parametrize("version", SPECS)
def test_instruction_replies_of_submit_and_cancel_parse_as_instructions(version: str) -> None:
    paths = spec(version)["paths"]
    submit = paths["/v1/accounts/{account_id}/positions/instructions"]["post"]
    bodies = [payload for status, payload in documented(submit) if isinstance(payload.get("data"), list)]
    assert len(bodies) >= 2
    for payload in bodies:
        page = read_page(INSTRUCTIONS, json.dumps(payload).encode())
        assert len(page.rows) == len(payload["data"])
        for row, sent in zip(page.rows, payload["data"], strict=True):
            assert row["client_instruction_id"] == sent["instruction_id"]


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("version", SPECS)
def test_the_example_row_of_a_schema_parses(version: str, component: str) -> None:
    example = spec(version)["components"]["schemas"][component].get("example")
    if example is None:
        pytest.skip(f"{version} has no example of {component}")
    data = example if component == "AccountBalances" else [example]
    page = read_page(COMPONENTS[component], envelope(data))
    assert len(page.rows) == 1
    assert page.problems == []


def test_the_documented_position_without_its_required_available_quantity_is_refused_with_the_reason() -> None:
    example = spec(SPECS[1])["components"]["schemas"]["Position"]["example"]
    page = read_page(POSITIONS, envelope([example]))
    assert page.rows == []
    assert page.rejected[0].reason == "available_quantity is missing"
    assert json.loads(page.rejected[0].text) == example


def seed_payloads() -> list[tuple[str, Any]]:
    found = []
    for path in sorted((SHARED / "seeds").glob("*.txt")):
        text, decoder, start = path.read_text(), json.JSONDecoder(), 0
        while (start := text.find("{", start)) >= 0:
            try:
                payload, start = decoder.raw_decode(text, start)
            except ValueError:
                start += 1
                continue
            if "data" in payload or "error" in payload:
                found.append((path.name[:3], payload))
    return found


def test_every_payload_in_the_documents_the_project_started_from_parses() -> None:
    shared("seeds")
    payloads = seed_payloads()
    assert {name for name, _ in payloads} >= {"000", "001", "002", "003"}
    for name, payload in payloads:
        body = json.dumps(payload).encode()
        if "data" not in payload:
            error = read_error(body)
            assert error is not None, name
            assert error.code == payload["error"]["code"]
            continue
        shape = POSITIONS if "position_type" in payload["data"][0] else ORDERS
        page = read_page(shape, body)
        assert len(page.rows) == len(payload["data"]), name
        assert page.problems == []
        assert observe(shape, page.rows).unknown_enums == {}


#: The members that the command line's document lists, five kinds of security and eight states of an instruction.
OLD_POSITION = {
    "account_id": 19816,
    "available_quantity": "5",
    "instrument_id": "a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8",
    "instrument_type": "PREFERRED_STOCK",
    "market_value": "2700.00",
    "position_type": "LONG_CALL",
    "quantity": "10",
    "symbol": "AAPL250117C00190000",
}


def test_members_that_the_broker_has_withdrawn_are_still_known() -> None:
    rows = read_page(POSITIONS, envelope([OLD_POSITION])).rows
    assert observe(POSITIONS, rows).unknown_enums == {}
    instruction = CURRENT_INSTRUCTION | {"status": "ENGINE_REJECTED"}
    assert observe(INSTRUCTIONS, read_page(INSTRUCTIONS, envelope([instruction])).rows).unknown_enums == {}


CURRENT_INSTRUCTION = {
    "account_id": 19816,
    "id": "5f0c2a4e-4c39-4a53-9f0e-2f6c1f6f9e02",
    "client_instruction_id": "desk-7",
    "instruction_type": "DO_NOT_EXERCISE",
    "instrument_id": "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "symbol": "AAPL  260320C00180000",
    "quantity": "3",
    "status": "REJECTED",
    "rejection_reason": "Not on its expiry",
    "rejection": {
        "reason": "DNE_NOT_ON_EXPIRY",
        "domain": "com.clearstreet.oems.exercise",
        "metadata": {"expiry": "2026-03-20", "business_date": "2026-03-18"},
        "description": "Not on its expiry",
    },
    "underlying_instrument_id": "b6f4b5e2-94a8-4fe4-9a85-2b4a81d30cc5",
    "created_at": "2026-03-18T20:00:00Z",
    "updated_at": "2026-03-18T20:00:01Z",
}


def test_an_instruction_of_api_0_11_keeps_its_key_and_its_whole_rejection() -> None:
    (row,) = read_page(INSTRUCTIONS, envelope([CURRENT_INSTRUCTION])).rows
    assert row["client_instruction_id"] == "desk-7"
    assert json.loads(row["rejection"]) == CURRENT_INSTRUCTION["rejection"]
    assert observe(INSTRUCTIONS, [row]).unknown_fields == {}


RENAMES = [
    (POSITIONS, OLD_POSITION, "market_price", "instrument_price", "151.00", "150.00"),
    (POSITIONS, OLD_POSITION, "underlier_instrument_id", "underlying_instrument_id", "old-id", "new-id"),
    (INSTRUCTIONS, CURRENT_INSTRUCTION, "instruction_id", "client_instruction_id", "old-key", "new-key"),
    (PORTFOLIO_HISTORY, {"date": "2026-04-15"}, "starting_equity", "sod_equity", "1.00", "2.00"),
    (PORTFOLIO_HISTORY, {"date": "2026-04-15"}, "ending_equity", "eod_equity", "1.00", "2.00"),
    (BALANCES, {"account_id": 19816}, "daily_total_pnl", "daily_pnl", "1.00", "2.00"),
    (ACCOUNTS, {"id": 19816}, "kind", "type", "OTHER", "CUSTOMER"),
    (ACCOUNTS, {"id": 19816}, "subkind", "subtype", "CASH", "MARGIN"),
]


def data_of(shape: Shape, row: dict[str, Any]) -> Any:
    return {"segments": [row]} if shape is PORTFOLIO_HISTORY else row if shape is BALANCES else [row]


@pytest.mark.parametrize(("shape", "base", "old", "new", "was", "is_now"), RENAMES)
@pytest.mark.parametrize("damaged", [False, True], ids=["in one pass", "row by row"])
def test_a_field_is_read_by_its_old_name_and_the_new_one_wins_where_both_are_sent(
    shape: Shape, base: dict[str, Any], old: str, new: str, was: str, is_now: str, damaged: bool
) -> None:
    plain = {name: value for name, value in base.items() if name != new} | ({"symbol": 7} if damaged else {})
    (row,) = read_page(shape, envelope(data_of(shape, plain | {old: was}))).rows
    assert row[new] == was
    assert old not in row
    (row,) = read_page(shape, envelope(data_of(shape, plain | {old: was, new: is_now}))).rows
    assert row[new] == is_now
    assert old not in observe(shape, [row]).unknown_fields


def test_fields_and_members_that_nobody_documented_are_kept_and_counted() -> None:
    strange = OLD_POSITION | {"moon_phase": {"full": True}, "instrument_type": "TULIP"}
    rows = read_page(POSITIONS, envelope([OLD_POSITION, strange, strange])).rows
    assert rows[1]["moon_phase"] == {"full": True}
    assert rows[1]["instrument_type"] == "TULIP"
    seen = observe(POSITIONS, rows)
    assert seen.unknown_fields == {"moon_phase": 2}
    assert seen.unknown_enums == {("instrument_type", "TULIP"): 2}
    assert "moon_phase" in seen.fields


def test_corporate_events_become_a_row_each_and_two_dividends_of_one_day_stay_two() -> None:
    dividend = {"ex_date": "2026-05-01", "adjusted_dividend_amount": "0.25"}
    data = {
        "instrument_id": "i-1",
        "reporting_currency": "USD",
        "dividends": [dividend, dividend | {"adjusted_dividend_amount": "3.00"}],
        "splits": [{"date": "2020-08-31", "numerator": "4", "denominator": "1", "split_type": "stock-split"}],
        "earnings": [{"date": "2026-04-30", "eps_actual": "1.64"}],
        "ipos": [],
    }
    page = read_page(INSTRUMENT_EVENTS, envelope(data))
    assert page.problems == []
    keys = [tuple(row[name] for name in INSTRUMENT_EVENTS.key) for row in page.rows]
    assert keys == [
        ("i-1", "STOCK_SPLIT", "2020-08-31", 0),
        ("i-1", "DIVIDEND", "2026-05-01", 0),
        ("i-1", "DIVIDEND", "2026-05-01", 1),
        ("i-1", "EARNINGS", "2026-04-30", 0),
    ]
    assert (page.rows[0]["numerator"], page.rows[0]["denominator"]) == ("4", "1")
    assert json.loads(page.rows[3]["details"]) == data["earnings"][0]
    assert all(row["reporting_currency"] == "USD" for row in page.rows)


@pytest.mark.parametrize("shape", LANDED, ids=lambda shape: shape.name)
def test_every_field_of_a_landed_shape_has_a_column_and_says_what_it_is(shape: Shape) -> None:
    by_name = {column.name: column for column in model_columns(shape.model)}
    assert set(shape.key) <= set(by_name)
    for column in by_name.values():
        assert 10 < len(column.description) < 200
        assert column.names[0] == column.name
    assert len({column.description for column in by_name.values()}) == len(by_name)


@pytest.mark.parametrize("version", SPECS)
def test_no_documented_field_of_a_landed_shape_is_missing_from_its_model(version: str) -> None:
    schemas = spec(version)["components"]["schemas"]
    names = {
        "Position": POSITIONS,
        "PositionInstruction": INSTRUCTIONS,
        "PortfolioHistorySegment": PORTFOLIO_HISTORY,
        "OptionsContract": OPTION_CONTRACTS,
        "MarketHoursDetail": MARKET_HOURS,
        "MarketDataSnapshot": MARKET_SNAPSHOT,
        **COMPONENTS,
    }
    for name, shape in names.items():
        known = {wire for column in shape.columns for wire in column.names}
        lacking = set(schemas[name]["properties"]) - known
        assert not lacking, f"{name} lacks {lacking}"


def test_an_instant_is_cut_to_microseconds_in_its_own_zone() -> None:
    assert parse_instant("2025-03-01T03:35:00.123456789Z").isoformat() == "2025-03-01T03:35:00.123456+00:00"
    assert parse_instant("2025-11-28T13:00:00-05:00").isoformat() == "2025-11-28T13:00:00-05:00"
