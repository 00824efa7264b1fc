"""Replies that are not quite as documented: exact digits survive, and whatever is refused is kept with its text."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exact import DECIMALS, ROUNDED, Number, dumps_exact, fit_decimal, loads_exact
from models.reading import NotUnderstood, Page, read_error, read_page
from models.shapes import BALANCES, EXECUTIONS, INSTRUMENT_EVENTS, ORDERS, POSITIONS

POSITION = {
    "account_id": 19816,
    "available_quantity": "100",
    "instrument_id": "a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8",
    "instrument_type": "COMMON_STOCK",
    "market_value": "15050.00",
    "position_type": "LONG",
    "quantity": "100",
    "symbol": "AAPL",
}


def position(**changes: str) -> bytes:
    """A listing of one position, whose changed fields are spliced in as raw JSON text."""
    fields = {name: json.dumps(value) for name, value in POSITION.items()} | changes
    row = ",".join(f'"{name}":{value}' for name, value in fields.items())
    return f'{{"data":[{{{row}}}],"error":null,"metadata":{{"request_id":"r-1","total_items":1}}}}'.encode()


def read(**changes: str) -> Page:
    return read_page(POSITIONS, position(**changes))


def test_a_row_as_documented_is_kept_to_the_letter() -> None:
    page = read(avg_price='"145.00"', closing_price_date='"2025-10-31"')
    assert page.rows == [{**POSITION, "account_id": "19816", "avg_price": "145.00", "closing_price_date": "2025-10-31"}]
    assert (page.rejected, page.problems, page.error) == ([], [], None)
    assert (page.metadata.request_id, page.metadata.total_items, page.metadata.next_page_token) == ("r-1", 1, None)


@pytest.mark.parametrize("number", ["100", "-50", "100.50", "0.10", "12345678901234.12345678"])
def test_a_number_instead_of_text_keeps_its_digits_and_is_reported(number: str) -> None:
    page = read(quantity=number)
    assert page.rows[0]["quantity"] == number
    assert type(page.rows[0]["quantity"]) is str
    (problem,) = page.problems
    assert (problem.check_name, problem.severity, problem.field) == ("number_instead_of_text", "WARN", "quantity")
    assert (problem.value, problem.instrument_id) == (number, POSITION["instrument_id"])


def test_a_symbol_that_came_as_a_number_is_text_again() -> None:
    page = read(symbol="600519")
    assert page.rows[0]["symbol"] == "600519"
    assert [problem.check_name for problem in page.problems] == ["number_instead_of_text"]


@pytest.mark.parametrize(
    ("sent", "held"),
    [("1E+3", "1000"), ("1.5e2", "150"), ("25E-2", "0.25"), ("+7", "7"), ("007.50", "7.50"), (".5", "0.5"), ("5.", "5"),
     ("1.0000000000", "1.00000000"), ("-0", "-0"), ("1000e-3", "1.000"), ("0E+99", "0"), ("0E+999999999", "0")],
)  # fmt: skip
def test_another_way_to_write_a_decimal_that_fits_is_rewritten_without_a_word(sent: str, held: str) -> None:
    page = read(quantity=f'"{sent}"')
    assert page.rows[0]["quantity"] == held
    assert page.problems == []


@pytest.mark.parametrize("field", ["avg_price", "unrealized_pnl_pct"])
def test_averages_and_percentages_are_rounded_half_even_and_the_exact_text_is_reported(field: str) -> None:
    for sent, held in {
        "33.333333333333": "33.33333333",
        "0.000000005": "0.00000000",
        "0.000000015": "0.00000002",
    }.items():
        page = read(**{field: f'"{sent}"'})
        assert page.rows[0][field] == held
        (problem,) = page.problems
        assert (problem.check_name, problem.severity, problem.value) == ("inexact_decimal", "WARN", sent)


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("quantity", "1.123456789"),
        ("market_value", "0.12345678901"),
        ("instrument_price", "1E-9"),
        ("cost_basis", "1" * 40),
        ("cost_basis", "1E+999999999"),
        ("cost_basis", "1E-999999999"),
        ("quantity", "9999999999999999.999999999"),
        ("avg_price", "12345678901234567"),
        ("avg_price", "9999999999999999.999999999"),
    ],
)
def test_a_decimal_that_no_column_holds_refuses_the_row_and_keeps_its_text(field: str, sent: str) -> None:
    page = read(**{field: f'"{sent}"'})
    assert page.rows == []
    (rejected,) = page.rejected
    assert json.loads(rejected.text)[field] == sent
    assert rejected.identity == f"19816|{POSITION['instrument_id']}"
    assert field in rejected.reason
    (problem,) = page.problems
    assert (problem.severity, problem.field, problem.value) == ("FAIL", field, sent)
    assert problem.check_name in ("inexact_decimal", "not_a_decimal")


@pytest.mark.parametrize(
    "sent", ["NaN", "", "abc", "Infinity", "1,000.00", "1_000", " 1", "1 ", "0x10", "٣", "--1", "1e", "."]
)
def test_what_is_not_a_decimal_refuses_the_row(sent: str) -> None:
    page = read(market_value=json.dumps(sent))
    assert page.rows == []
    (problem,) = page.problems
    assert (problem.check_name, problem.severity, problem.value) == ("not_a_decimal", "FAIL", sent)
    assert json.loads(page.rejected[0].text)["market_value"] == sent


@pytest.mark.parametrize("sent", ["true", "[]", '{"value":"1"}', "NaN", "-Infinity"])
def test_something_else_in_the_place_of_a_decimal_refuses_the_row(sent: str) -> None:
    page = read(quantity=sent)
    assert page.rows == []
    assert f'"quantity":{sent}' in page.rejected[0].text
    assert page.problems[-1].severity == "FAIL"


def test_a_refused_row_keeps_every_digit_of_its_numbers() -> None:
    page = read(quantity='"lots"', cost_basis="14500.000000000000000000000000000000000001", account_id="19816")
    assert '"cost_basis":14500.000000000000000000000000000000000001' in page.rejected[0].text
    assert '"account_id":19816,' in page.rejected[0].text


def test_a_bad_row_does_not_take_its_neighbours_with_it() -> None:
    rows = [
        POSITION,
        POSITION | {"quantity": None, "instrument_id": "x"},
        "nonsense",
        POSITION | {"instrument_id": "y"},
    ]
    page = read_page(POSITIONS, json.dumps({"data": rows, "metadata": {}}).encode())
    assert [row["instrument_id"] for row in page.rows] == [POSITION["instrument_id"], "y"]
    assert [rejected.text for rejected in page.rejected][1] == '"nonsense"'
    assert "quantity" in page.rejected[0].reason


@pytest.mark.parametrize("name", sorted(POSITION))
def test_a_position_without_a_required_field_is_refused_and_says_which(name: str) -> None:
    row = {field: value for field, value in POSITION.items() if field != name}
    page = read_page(POSITIONS, json.dumps({"data": [row], "metadata": {}}).encode())
    assert page.rejected[0].reason == f"{name} is missing"
    assert page.problems[0].check_name == "missing_field"


@pytest.mark.parametrize("sent", ["2025-02-30", "2025-10-31T00:00:00Z", "20251031", "31/10/2025", "", "0000-01-01"])
def test_a_day_that_is_not_in_the_calendar_refuses_the_row(sent: str) -> None:
    page = read(closing_price_date=f'"{sent}"')
    assert page.rows == []
    assert page.problems[0].value == sent


EXECUTION = {"id": "e-1", "side": "BUY", "quantity": "1", "transaction_time": "2026-03-24T19:58:43.798000Z"}


@pytest.mark.parametrize(
    "sent",
    ["2025-10-31T13:30:00.123456789Z", "2026-03-24T19:58:43.798000Z", "2026-03-24T19:58:43Z",
     "2025-11-28T11:00:00-05:00", "0001-01-01T00:00:00Z"],
)  # fmt: skip
def test_an_instant_is_kept_as_the_text_it_was_sent_as(sent: str) -> None:
    row = EXECUTION | {"transaction_time": sent}
    page = read_page(EXECUTIONS, json.dumps({"data": [row], "metadata": {}}).encode())
    assert page.rows[0]["transaction_time"] == sent
    assert page.problems == []


@pytest.mark.parametrize(
    "sent", ["2026-03-24T19:58:43", "2026-02-30T00:00:00Z", "2026-03-24", "2026-03-24T25:00:00Z", ""]
)
def test_an_instant_without_a_zone_or_outside_the_calendar_refuses_the_row(sent: str) -> None:
    row = EXECUTION | {"transaction_time": sent}
    page = read_page(EXECUTIONS, json.dumps({"data": [row], "metadata": {}}).encode())
    assert page.rows == []
    assert page.problems[0].value == sent


def test_a_multileg_fill_without_price_symbol_and_instrument_is_a_row() -> None:
    row = EXECUTION | {"price": None, "symbol": None, "instrument_id": None}
    assert read_page(EXECUTIONS, json.dumps({"data": [row], "metadata": {}}).encode()).rows == [row]


def test_nested_things_are_kept_as_json_text_with_the_digits_they_came_with() -> None:
    body = b'{"data":{"account_id":7,"sod":{"equity":100000.10000000000000000001,"asof":null}},"metadata":{}}'
    (row,) = read_page(BALANCES, body).rows
    assert row["sod"] == '{"equity":100000.10000000000000000001,"asof":null}'
    body = '{"data":[{"id":"o","details":["späť","\\"x\\""]}],"metadata":{}}'.encode()
    assert json.loads(read_page(ORDERS, body).rows[0]["details"]) == ["späť", '"x"']


@pytest.mark.parametrize("account_id", ["19816.5", "-1.5", '"12/../34"', '""', "true", "null", '"1 2"'])
def test_what_cannot_be_an_account_id_refuses_the_row(account_id: str) -> None:
    assert read(account_id=account_id).rows == []


def test_an_account_id_of_any_length_keeps_its_digits() -> None:
    assert read(account_id="9007199254740993").rows[0]["account_id"] == "9007199254740993"
    assert read(account_id="123456789012345678901234567890").rows[0]["account_id"] == "123456789012345678901234567890"
    assert read(account_id='"19816"').rows[0]["account_id"] == "19816"
    for quantity in ('"100"', "100"):  # in one pass, and row by row
        assert read(account_id="19816.0", quantity=quantity).rows[0]["account_id"] == "19816"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><body>Bad gateway</body></html>", position()[:-20], b"\xff\xfe", b"[]", b"null", b'"text"', b"{}",
     b'{"data":null,"metadata":{}}', b'{"data":{},"metadata":{}}', b'{"data":"","metadata":{}}',
     b'{"data":[],"metadata":{"total_items":"many"}}', b'{"data":[],"metadata":{"page_number":-1}}', b"[" * 100_000],
)  # fmt: skip
def test_a_reply_that_is_not_the_envelope_is_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read_page(POSITIONS, body)


@pytest.mark.parametrize("body", [b'{"data":[],"metadata":{}}', b'{"data":{},"metadata":{}}'])
def test_corporate_events_without_a_single_group_are_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read_page(INSTRUMENT_EVENTS, body)


def test_counts_that_came_as_text_are_counts_and_an_empty_token_is_none() -> None:
    metadata = {"request_id": "r", "page_number": "1", "total_items": "42", "total_pages": "5", "next_page_token": ""}
    page = read_page(POSITIONS, json.dumps({"data": [], "metadata": metadata}).encode())
    found = page.metadata
    assert (found.page_number, found.total_items, found.total_pages, found.next_page_token) == (1, 42, 5, None)


def test_an_error_beside_rows_is_an_error_and_the_rows_are_there() -> None:
    whole = {"data": [POSITION], "error": {"code": 500, "message": "history is down"}, "metadata": {"request_id": "r"}}
    page = read_page(POSITIONS, json.dumps(whole).encode())
    assert len(page.rows) == 1
    assert page.error is not None
    assert (page.error.code, page.error.message, page.error.request_id) == (500, "history is down", "r")


@pytest.mark.parametrize(
    ("whole", "code", "message"),
    [
        ({"error": {"code": 403, "message": "no"}, "metadata": {"request_id": "r"}}, 403, "no"),
        ({"code": 500, "message": "bare"}, 500, "bare"),
        ({"type": "about:blank", "title": "Invalid", "status": 422, "detail": "page_size"}, 422, "page_size"),
        ({"error": "Unauthorized"}, None, "Unauthorized"),
        ({"error": {}}, None, "no message"),
    ],
)
def test_every_shape_of_an_error_is_read(whole: dict[str, Any], code: int | None, message: str) -> None:
    error = read_error(json.dumps(whole).encode())
    assert error is not None
    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data":[]}', b'{"data":[],"error":null,"message":"hi"}'])
def test_a_body_without_an_error_has_none(body: bytes) -> None:
    assert read_error(body) is None


decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None) | st.from_regex(
    r"-?[0-9]{1,30}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
).map(Decimal)


@given(value=decimals, column=st.sampled_from(["quantity", "market_value", "avg_price", "unrealized_pnl_pct"]))
def test_any_decimal_that_fits_survives_exactly_and_any_that_does_not_is_never_lost(
    value: Decimal, column: str
) -> None:
    sent = str(value)
    kind = {"quantity": "quantity", "market_value": "money", "avg_price": "average", "unrealized_pnl_pct": "percent"}[
        column
    ]
    precision, scale = DECIMALS[kind]
    page = read(**{column: json.dumps(sent)})
    fits = value == 0 or (value.adjusted() < precision - scale and value == round(value, scale))
    if fits:
        assert Decimal(page.rows[0][column]) == value
        assert page.problems == []
        return
    assert page.problems[0].value == sent
    if page.rows:
        assert kind in ROUNDED
        assert abs(Decimal(page.rows[0][column]) - value) <= Decimal(5).scaleb(-scale - 1)
    else:
        assert json.loads(page.rejected[0].text)[column] == sent


@given(text=st.text(max_size=40), kind=st.sampled_from(sorted(DECIMALS)))
def test_no_text_breaks_the_fitting_and_what_it_holds_is_what_a_column_takes(text: str, kind: str) -> None:
    try:
        held, exact = fit_decimal(text, kind)
    except ValueError:
        return
    precision, scale = DECIMALS[kind]
    _, digits, exponent = Decimal(held).as_tuple()
    assert isinstance(exponent, int)
    assert -scale <= exponent <= 0
    assert len(digits) <= precision
    assert not exact or Decimal(held) == Decimal(text)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=8)
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def spell(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(map(spell, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{spell(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


@given(json_values)
def test_any_json_goes_through_the_exact_codec_unchanged(value: Any) -> None:
    assert dumps_exact(loads_exact(spell(value).encode())) == spell(value)


@given(st.dictionaries(st.sampled_from(sorted(POSITION)), json_values, max_size=3))
def test_whatever_a_row_holds_it_ends_as_a_row_or_as_its_own_text(changes: dict[str, Any]) -> None:
    page = read(**{name: spell(value) for name, value in changes.items()})
    assert len(page.rows) + len(page.rejected) == 1
    for rejected in page.rejected:
        kept = loads_exact(rejected.text.encode())
        for name, value in changes.items():
            assert dumps_exact(kept[name]) == spell(value)


def test_a_number_is_never_mistaken_for_text_of_the_same_digits() -> None:
    assert dumps_exact([Number("1.10"), "1.10"]) == '[1.10,"1.10"]'
