"""A page of positions read as columns says what the models say of it, or leaves it to them."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.drift import observe
from models.exact import decimal_pattern
from models.reading import NotUnderstood, read_page
from models.shapes import POSITIONS
from pipelines.broker.client import BrokerClient
from pipelines.broker.columns import as_they_are, to_batch
from pipelines.broker.page_table import read_rest, read_table
from pipelines.broker.read import Read
from tests.support.broker_server import BrokerServer, Fault, position

ACCOUNT = "7"
OPTION = {"instrument_type": "OPTION", "position_type": "SHORT", "quantity": "-3", "underlying_instrument_id": "u"}


def reply(*rows: dict[str, Any], **envelope: Any) -> bytes:
    return json.dumps(
        {"metadata": {"request_id": "r", "total_items": len(rows)}, "data": rows, "error": None} | envelope
    ).encode()


def by_the_models(body: bytes) -> pa.Table:
    return to_batch(POSITIONS, [row | {"account_id": ACCOUNT} for row in read_page(POSITIONS, body).rows])


def test_a_page_as_documented_is_the_same_table_as_by_the_models() -> None:
    absent = {name: value for name, value in position(ACCOUNT, 2).items() if name != "avg_price"}
    body = reply(position(ACCOUNT, 0), position(ACCOUNT, 1, cost_basis=None, **OPTION), absent)
    page = read_table(ACCOUNT, body)
    assert page is not None
    assert page.table.equals(by_the_models(body))
    models = read_page(POSITIONS, body)
    assert page.metadata == models.metadata
    assert page.observed == observe(POSITIONS, models.rows)
    assert page.holdings[position(ACCOUNT, 2)["instrument_id"]] == ("100", None, "14500.00")


def test_a_page_without_positions_is_a_table_without_rows() -> None:
    page = read_table(ACCOUNT, reply())
    assert page is not None
    assert (page.table.num_rows, page.metadata.total_items, page.observed.fields) == (0, 0, frozenset())


@pytest.mark.parametrize(
    "changes",
    [
        {"moon": 1},
        {"quantity": 100},
        {"quantity": None},
        {"quantity": "-100"},
        {"position_type": "SHORT"},
        {"position_type": "SIDEWAYS"},
        {"instrument_type": "TULIP"},
        {"instrument_id": ""},
        {"account_id": 8},
        {"account_id": "7"},
        {"market_price": "1.00"},
        {"market_value": "NaN"},
        {"market_value": "0.12345678901"},
        {"avg_price": "33.333333333"},
        {"avg_price": " 1"},
        {"cost_basis": "9" * 19},
        {"closing_price_date": "2025-02-30"},
        {"closing_price_date": "0000-01-01"},
        {"closing_price_date": "20251031"},
        {"symbol": {"a": 1}},
    ],
    ids=str,
)
def test_whatever_is_worth_a_word_is_left_to_the_models(changes: dict[str, Any]) -> None:
    assert read_table(ACCOUNT, reply(position(ACCOUNT, 0), position(ACCOUNT, 1) | changes)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        reply(position(ACCOUNT, 0), position(ACCOUNT, 0)),
        reply(position(ACCOUNT, 0), error={"message": "in part"}),
        reply(position(ACCOUNT, 0), moon=1),
        reply() * 2,
        reply(position(ACCOUNT, 0))[:-5],
        reply(position(ACCOUNT, 0)).replace(b"S000000", b"S\xff"),
        reply(position(ACCOUNT, 0)).replace(b'"quantity": "100"', b'"quantity": "100", "quantity": "100"'),
        json.dumps({"data": None, "metadata": {}, "error": None}).encode(),
        json.dumps({"data": [None], "metadata": {}, "error": None}).encode(),
        reply(metadata={"total_items": -1}),
    ],
    ids=range(13),
)
def test_a_reply_that_is_no_whole_page_is_left_to_the_models(body: bytes) -> None:
    assert read_table(ACCOUNT, body) is None


NUMBERS = st.from_regex(decimal_pattern("money"), fullmatch=True) | st.text("+-.0123456789eE _", max_size=14)
TEXTS = st.none() | st.text(max_size=5) | NUMBERS | st.dates().map(str) | st.integers(-5, 5) | st.booleans()
CHANGES = st.dictionaries(st.sampled_from([column.name for column in POSITIONS.columns]), TEXTS, max_size=3)


@settings(max_examples=400, deadline=None)
@given(changes=st.lists(CHANGES, max_size=4))
def test_what_is_read_as_columns_is_what_the_models_make_of_it(changes: list[dict[str, Any]]) -> None:
    body = reply(*(position(ACCOUNT, number) | change for number, change in enumerate(changes)))
    page = read_table(ACCOUNT, body)
    try:
        models = read_page(POSITIONS, body)
    except NotUnderstood:
        assert page is None
        return
    if page is not None:
        assert (models.rejected, models.problems) == ([], [])
        assert page.table.equals(by_the_models(body))
        assert page.observed == observe(POSITIONS, models.rows)


def _written(order: list[str], separators: tuple[str, str], request_id: str, rows: list[dict[str, Any]]) -> bytes:
    parts = {"metadata": {"request_id": request_id}, "data": rows, "error": None}
    return json.dumps({name: parts[name] for name in order}, separators=separators).encode()


ORDERS = st.permutations(["metadata", "data", "error"])
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": ")])
IDS = st.text(max_size=8) | st.sampled_from(['"data":[', "]", '],"data":[]', "[]}"])
BOOKS = st.lists(st.sampled_from(["1", "2"]), max_size=3).map(
    lambda quantities: [position(ACCOUNT, number, quantity=each) for number, each in enumerate(quantities)]
)


@settings(max_examples=400, deadline=None)
@given(order=ORDERS, separators=SEPARATORS, ids=st.tuples(IDS, IDS), books=st.tuples(BOOKS, BOOKS))
def test_replies_whose_rows_have_the_same_hash_have_the_same_rows_and_each_its_own_metadata(
    order: list[str],
    separators: tuple[str, str],
    ids: tuple[str, str],
    books: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    bodies = [_written(order, separators, name, rows) for name, rows in zip(ids, books, strict=True)]
    rests = [read_rest(body) for body in bodies]
    for body, rest in zip(bodies, rests, strict=True):
        if rest is not None:
            assert rest[0] == read_page(POSITIONS, body).metadata
    one, other = rests
    if one is not None and other is not None:
        assert (one[1] == other[1]) == (books[0] == books[1])
    if order.index("metadata") < order.index("data") or not any("]" in name for name in ids):
        assert None not in rests


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"data":[',
        b'{"data":{}}',
        reply(error={"message": "in part"}),
        reply(moon=1),
        reply(metadata={"data": []}),
        reply(metadata={"total_items": -1}),
        json.dumps({"metadata": {}, "data": None, "error": None}).encode(),
    ],
    ids=range(8),
)
def test_a_reply_whose_rows_cannot_be_told_from_the_rest_is_decoded(body: bytes) -> None:
    assert read_rest(body) is None


@pytest.mark.parametrize("error", [["]"], [[]], {"a": []}], ids=str)
def test_a_reply_that_came_in_part_has_not_the_hash_of_a_whole_one(error: Any) -> None:
    whole, in_part = read_rest(reply(position(ACCOUNT, 0))), read_rest(reply(position(ACCOUNT, 0), error=error))
    assert whole is not None
    assert in_part is None or in_part[1] != whole[1]


def test_a_second_read_of_the_same_bytes_decodes_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(_rows: Any) -> Any:
        pytest.fail("a row was decoded")

    monkeypatch.setattr("pipelines.broker.listing.holdings_of", decoded)
    found = read([position(ACCOUNT, number) for number in range(6)])
    assert (found.complete, found.rows, found.reads) == (True, 6, 2)


def test_a_second_read_with_another_price_is_decoded_and_agrees() -> None:
    rows = [position(ACCOUNT, number) for number in range(6)]

    def moved(body: dict[str, Any]) -> None:
        body["data"][0]["market_value"] = "1.00"

    found = read(rows, Fault("positions", page=2, skip=1, edit=moved))
    assert (found.complete, found.rows, found.reads) == (True, 6, 2)


def read(rows: list[dict[str, Any]], *faults: Fault) -> Read:
    server = BrokerServer([ACCOUNT], {ACCOUNT: rows}, faults=list(faults), most_rows=2)
    with server, BrokerClient(server.url, None, keep=to_batch, keep_columns=as_they_are, budget=5) as client:
        return client.positions(ACCOUNT)


def test_pages_of_both_kinds_are_one_listing() -> None:
    rows = [position(ACCOUNT, number) for number in range(6)]
    rows[3]["moon"] = 1
    found = read(rows)
    assert (found.complete, found.rows, found.reads) == (True, 6, 2)
    assert pa.concat_tables(found.batches)["symbol"].to_pylist() == [row["symbol"] for row in rows]
    assert found.fields_seen["unknown_fields"] == {"moon": 1}


def _again(changes: dict[str, Any]) -> Fault:
    """The second page begins with the first row of the first page once more."""

    def edit(body: dict[str, Any]) -> None:
        body["data"][0] = position(ACCOUNT, 0, **changes)

    return Fault("positions", page=2, times=None, edit=edit)


def test_a_row_that_came_before_on_a_page_of_columns_is_kept_once_with_a_finding() -> None:
    rows = [position(ACCOUNT, number) for number in range(4)]
    found = read(rows, _again({"quantity": "100.0"}))
    assert "duplicate_row" in [finding.check_name for finding in found.findings]
    assert (found.complete, found.rows) == (False, 3)  # one of the four that the broker counts never came


def test_a_row_that_contradicts_one_on_a_page_of_columns_starts_the_listing_over() -> None:
    rows = [position(ACCOUNT, number) for number in range(4)]
    found = read(rows, _again({"quantity": "101"}))
    assert not found.complete
    assert "twice with different contents, and again after 2 fresh starts" in str(found.error)
