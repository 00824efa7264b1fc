"""Requests that trade, as they would go out: nothing a person types can lead them elsewhere."""

from __future__ import annotations

from pathlib import Path

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.trading import NIL, UUID, InstructionRow
from pipelines.errors import ConfigurationError
from pipelines.trading.batch import Wanted, checked_instruction, read_batch, with_keys
from pipelines.trading.requests import (
    cancel_instruction,
    close_position,
    close_positions,
    submit_instructions,
)

CLIENT = httpx.Client(base_url="http://127.0.0.1")
CONTRACT = "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e01"
ROW = {"instruction_type": "EXERCISE", "instrument_id": CONTRACT, "quantity": "2", "client_instruction_id": "mine"}


def test_the_four_requests_are_those_of_the_specification() -> None:
    made = [
        close_position("19816", CONTRACT),
        close_position("19816", CONTRACT, symbol="AAPL  260320C00180000", cancel_orders=True),
        close_positions("19816", cancel_orders=False),
        submit_instructions("19816", [InstructionRow(**ROW)]),
        cancel_instruction("19816", CONTRACT),
    ]
    positions = "/v1/accounts/19816/positions"
    assert [(each.method, each.path, each.body) for each in made] == [
        ("DELETE", f"{positions}/{CONTRACT}", b"{}"),
        ("DELETE", f"{positions}/{CONTRACT}", b'{"cancel_orders":true}'),
        ("DELETE", positions, b'{"cancel_orders":false}'),
        ("POST", f"{positions}/instructions", orjson.dumps([ROW])),
        ("DELETE", f"{positions}/instructions/{CONTRACT}", b""),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../..",
        "/",
        "%2e%2e",
        " ",
        "?",
        "#",
        "instructions",
        "A/../..",
        "AAPL",
        f"{CONTRACT}/",
        f"{CONTRACT}\n",
    ],
)
def test_nothing_but_a_uuid_names_what_is_closed(name: str) -> None:
    with pytest.raises(ConfigurationError):
        close_position("19816", name)


@given(st.text(max_size=40) | st.from_regex(UUID))
def test_whatever_is_named_the_path_goes_to_one_position_of_the_account(name: str) -> None:
    try:
        request = close_position("19816", name)
    except ConfigurationError:
        return
    sent = CLIENT.build_request("DELETE", request.path).url.raw_path.decode()
    before, _, last = sent.rpartition("/")
    assert before == "/v1/accounts/19816/positions"
    assert last.lower() not in ("", ".", "..", "instructions")
    assert "?" not in last


@pytest.mark.parametrize("account", ["", "-1", "1.0", "19816/positions", "1e3", "٣", "9" * 19, "..", "a"])
def test_an_account_is_a_whole_number(account: str) -> None:
    with pytest.raises(ConfigurationError, match="account id"):
        close_positions(account)


def test_what_was_never_accepted_cannot_be_cancelled_nor_can_a_key() -> None:
    for wrong in (NIL, "mine", "", "..", f"{CONTRACT}/x"):
        with pytest.raises(ConfigurationError):
            cancel_instruction("19816", wrong)


def test_a_key_may_be_on_one_row_only() -> None:
    with pytest.raises(ConfigurationError, match="more than one row"):
        submit_instructions("19816", [InstructionRow(**ROW), InstructionRow(**ROW)])
    with pytest.raises(ConfigurationError, match="no instruction"):
        submit_instructions("19816", [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"instruction_type": "exercise"}, "EXERCISE, DO_NOT_EXERCISE or CONTRARY_EXERCISE"),
        ({"quantity": "0"}, "a number of contracts above 0"),
        ({"quantity": "-1"}, "a number of contracts above 0"),
        ({"quantity": "1e3"}, "a number of contracts above 0"),
        ({"quantity": "0.00"}, "a number of contracts above 0"),
        ({"quantity": "0.5"}, "and no part of one"),
        ({"quantity": "1.50"}, "and no part of one"),
        ({"quantity": "NaN"}, "a number of contracts above 0"),
        ({"instrument_id": "AAPL"}, "an instrument's UUID"),
        ({"client_instruction_id": ""}, "1 to 128 letters"),
        ({"client_instruction_id": "a b"}, "1 to 128 letters"),
    ],
)
def test_an_instruction_that_cannot_be_used_is_told_in_words(change: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        checked_instruction(Wanted({**ROW, **change}, "Instruction 1: "))


def test_keys_that_are_not_given_are_made_and_those_that_are_stay() -> None:
    keyless = {name: value for name, value in ROW.items() if name != "client_instruction_id"}
    made = with_keys([Wanted(keyless), Wanted(ROW), Wanted(keyless)], "run")
    assert [each.row["client_instruction_id"] for each in made] == ["run-1", "mine", "run-3"]


def test_a_key_that_is_repeated_is_told_with_its_line() -> None:
    for key in ("mine", "run-1"):
        rows = [
            Wanted(ROW if key == "mine" else {}, "line 2: "),
            Wanted({**ROW, "client_instruction_id": key}, "line 3: "),
        ]
        with pytest.raises(ConfigurationError, match=f"^line 3: an earlier row has the key '{key}' too"):
            with_keys(rows, "run")


def test_a_batch_is_json_or_csv_under_the_names_of_the_broker(tmp_path: Path) -> None:
    as_json, as_csv = tmp_path / "batch.json", tmp_path / "batch.csv"
    second = {name: value for name, value in ROW.items() if name != "client_instruction_id"}
    as_json.write_bytes(orjson.dumps([ROW, second]))
    lines = ["", ",".join(ROW), ",".join(ROW.values()), ",,", ",".join(second.values())]
    as_csv.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    for path, places in ((as_json, ("instruction 1", "instruction 2")), (as_csv, ("line 3", "line 5"))):
        assert read_batch(path) == [
            Wanted(row, f"{path}, {place}: ") for row, place in zip([ROW, second], places, strict=True)
        ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("b.json", b"{", "is not JSON"),
        ("b.json", b"{}", "must hold a JSON list"),
        ("b.json", b"[]", "has no instruction"),
        ("b.json", b'["EXERCISE"]', "instruction 1: it is not an object"),
        ("b.json", b'[{"instruction_type":"EXERCISE","instrument_id":"x","quantity":2}]', "quantity must be text"),
        ("b.json", b'[{"instruction_type":"EXERCISE","instrument_id":"x"}]', "instruction 1: quantity is missing"),
        ("b.csv", b"instruction_type,instrument_id\nEXERCISE,x\n", "line 1: the column quantity is missing"),
        ("b.csv", b"EXERCISE,x,1\n", "line 1: the column instruction_type is missing: the first line must name"),
        ("b.csv", b"instruction_type,instrument_id,quantity,price\nEXERCISE,x,1,2\n", "line 1: 'price' is not known"),
        ("b.csv", b"instruction_type,instrument_id,quantity,quantity\nEXERCISE,x,1,2\n", "line 1: a column is named"),
        ("b.csv", b"instruction_type,instrument_id,quantity\n\nEXERCISE,x,\n", "line 3: quantity is missing"),
        ("b.csv", b"instruction_type,instrument_id,quantity\nEXERCISE,x\n", "line 2: quantity is missing"),
        ("b.csv", b"instruction_type,instrument_id,quantity\nEXERCISE,x,1,2\n", "line 2: it has 4 columns"),
        ("b.csv", b"instruction_type,instrument_id,quantity\n", "has no instruction"),
        ("b.csv", b'instruction_type,instrument_id,quantity\n"EXERCISE,x,1\n', "is not CSV in UTF-8"),
        ("b.csv", b"\xff\xfe", "is not CSV in UTF-8"),
        ("b.csv", b"", "has no instruction"),
    ],
)
def test_a_batch_that_cannot_be_used_is_told_with_its_line(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=words):
        read_batch(tmp_path / name)
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_batch(tmp_path / "absent.json")
