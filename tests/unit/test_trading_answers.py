"""What an answer to a request that trades means: every documented example, and whatever else may come."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.trading import NIL, Operation, read_answer
from pipelines.trading.landing import identified

SPECIFICATIONS = Path(__file__).parents[2].parent / "shared" / "openapi"
METHODS = {
    ("delete", "/v1/accounts/{account_id}/positions"): "close_positions",
    ("delete", "/v1/accounts/{account_id}/positions/{instrument_id}"): "close_position",
    ("post", "/v1/accounts/{account_id}/positions/instructions"): "submit_position_instructions",
    ("delete", "/v1/accounts/{account_id}/positions/instructions/{instruction_id}"): "cancel_position_instruction",
}
OUTCOMES = {"200": "DONE", "207": "PARTIAL"}
KEY = "ui-20260424-001"


def examples() -> list[Any]:
    """Every documented example answer of the four operations, in both specifications."""
    found = []
    for path in sorted(SPECIFICATIONS.glob("*.json")):
        paths = orjson.loads(path.read_bytes())["paths"]
        for (method, name), operation in METHODS.items():
            for status, response in paths[name][method]["responses"].items():
                for title, example in (
                    response.get("content", {}).get("application/json", {}).get("examples", {}).items()
                ):
                    label = f"{path.stem}-{operation}-{status}-{title}"
                    found.append(pytest.param(operation, int(status), example["value"], id=label))
    return found


EXAMPLES = examples()


def test_there_are_examples_of_every_documented_kind() -> None:
    if not SPECIFICATIONS.exists():
        pytest.skip("../shared/openapi is absent, which has the examples")
    seen = {(each.values[0], each.values[1]) for each in EXAMPLES}
    assert {status for operation, status in seen if operation.startswith("submit")} == {200, 207, 400, 409, 500, 503}
    assert {("close_position", 200), ("close_position", 400), ("close_positions", 403)} <= seen


@pytest.mark.parametrize(("operation", "status", "body"), EXAMPLES)
def test_a_documented_answer_says_what_became_of_the_request(operation: Operation, status: int, body: Any) -> None:
    rows = body.get("data") or []
    keys = [row["instruction_id"] for row in rows] if operation.startswith("submit") else []
    account = str(rows[0]["account_id"]) if rows else "19816"
    answer = read_answer(operation, account, status, orjson.dumps(body), keys)
    assert answer.outcome == OUTCOMES.get(str(status), "REJECTED")
    assert len(answer.rows) == len(rows)
    assert not answer.unreadable
    assert not answer.problems
    assert not answer.not_echoed
    assert answer.request_id == body["metadata"]["request_id"]
    assert (answer.error.message if answer.error else None) == (body.get("error") or {}).get("message")
    refused = [row for row in rows if row["status"] == "REJECTED"]
    assert [each.description for each in answer.rejections] == [row["rejection_reason"] for row in refused]
    ids = [row["id"] for row in identified("run", answer.instructions)]
    assert len(set(ids)) == len(ids)
    assert NIL not in ids


def row(**changes: Any) -> dict[str, Any]:
    return {
        "account_id": 19816,
        "id": "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e02",
        "client_instruction_id": "mine",
        "instruction_type": "EXERCISE",
        "instrument_id": "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e01",
        "quantity": "1",
        "status": "SENT",
        "symbol": "AAPL  280121C00195000",
        **changes,
    }


def read(status: int, data: Any, keys: tuple[str, ...] = ("mine",), **whole: Any) -> Any:
    body = orjson.dumps({"data": data, "metadata": {"request_id": "r"}, **whole})
    return read_answer("submit_position_instructions", "19816", status, body, keys)


def test_a_rejection_is_read_in_full_where_the_broker_tells_it() -> None:
    rejection = {"reason": "INSUFFICIENT_POSITION", "domain": "d", "metadata": {"held": "0"}, "description": "Too many"}
    refused = row(status="REJECTED", id=NIL, rejection=rejection, rejection_reason=None)
    (found,) = read(400, [refused], error={"code": 400, "message": "Too many"}).rejections
    assert (found.row, found.key, found.reason, found.domain) == (1, "mine", "INSUFFICIENT_POSITION", "d")
    assert (found.metadata, found.description) == ({"held": "0"}, "Too many")


def test_a_key_that_is_not_in_the_answer_is_told_under_either_of_its_names() -> None:
    silent = row()
    del silent["client_instruction_id"]
    assert read(200, [silent]).not_echoed == ["mine"]
    assert read(200, [{**silent, "instruction_id": "mine"}]).not_echoed == []
    assert read(200, [row(client_instruction_id="another")]).not_echoed == ["mine"]


@pytest.mark.parametrize(
    ("status", "data", "outcome"),
    [
        (200, [row()], "DONE"),
        (200, [row(status="REJECTED", id=NIL)], "REJECTED"),
        (200, [row(status="UNKNOWN")], "UNKNOWN"),
        (200, [], "UNKNOWN"),  # what was submitted is not in the answer
        (200, [{"nothing": "readable"}], "UNKNOWN"),
        (500, [], "UNKNOWN"),
        (400, [], "REJECTED"),
        (408, [], "UNKNOWN"),
        (400, [row()], "PARTIAL"),
    ],
)
def test_rows_speak_before_the_status_does(status: int, data: Any, outcome: str) -> None:
    assert read(status, data).outcome == outcome


def test_an_answer_with_fewer_rows_than_were_sent_is_only_a_part() -> None:
    assert read(200, [row()], keys=("mine", "lost")).outcome == "PARTIAL"
    assert read(400, [row(status="REJECTED", id=NIL)], keys=("mine", "lost")).outcome == "REJECTED"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "UNKNOWN"), (302, "REJECTED"), (401, "REJECTED"), (403, "REJECTED"), (404, "REJECTED"), (408, "UNKNOWN")]
    + [(status, "UNKNOWN") for status in (500, 502, 503, 504)],
)
def test_without_rows_only_a_refusal_is_certain(status: int, outcome: str) -> None:
    for body in (
        b"",
        b"<html>gateway</html>",
        b'{"code": 1, "message": "no"}',
        b'{"error": {"code": 1, "message": "no"}}',
    ):
        assert read_answer("close_positions", "19816", status, body).outcome == outcome


def test_a_bare_error_and_one_in_the_envelope_say_the_same() -> None:
    error = {"code": 403, "message": "no"}
    for body in (error, {"error": error, "metadata": {"request_id": "r"}}):
        answer = read_answer("close_positions", "19816", 403, orjson.dumps(body))
        assert answer.error is not None
        assert answer.error.message == "no"


def test_orders_that_are_rejected_are_not_done() -> None:
    order = {"account_id": 19816, "id": "o", "status": "REJECTED", "details": ["halted"], "quantity": "1"}
    answer = read_answer("close_positions", "19816", 200, orjson.dumps({"data": [order], "metadata": {}}))
    assert (answer.outcome, answer.rejections[0].description) == ("REJECTED", "halted")
    both = orjson.dumps({"data": [order, {**order, "id": "p", "status": "NEW"}], "metadata": {}})
    assert read_answer("close_positions", "19816", 200, both).outcome == "PARTIAL"


def test_a_row_of_another_account_is_told() -> None:
    assert [problem.check_name for problem in read(200, [row(account_id=1)]).problems] == ["foreign_account"]


def test_rows_without_an_id_of_their_own_get_one_that_no_other_has() -> None:
    rows = [row(account_id="19816"), row(id=NIL), row(id=NIL), row()]
    made = identified("20251031T202000Z-0a1b2c3d", rows)
    assert made[0] is rows[0]
    assert [each["id"] for each in made[1:]] == [f"rejected:20251031T202000Z-0a1b2c3d:{number}" for number in (2, 3, 4)]
    assert [each["broker_id"] for each in made[1:]] == [NIL, NIL, rows[0]["id"]]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*row(), "data", "error"]), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(st.sampled_from(get_args(Operation)), st.integers(100, 599), st.binary(max_size=60) | _JSON.map(orjson.dumps))
def test_no_answer_is_too_odd_to_be_kept(operation: Operation, status: int, body: bytes) -> None:
    answer = read_answer(operation, "19816", status, body, ["k"])
    assert answer.outcome in ("DONE", "PARTIAL", "REJECTED", "UNKNOWN")


@given(
    st.dictionaries(st.sampled_from(["status", "rejection", "rejection_reason", "quantity", "id"]), _JSON),
    st.integers(200, 599),
)
def test_no_row_is_too_odd_to_be_kept(changes: dict[str, Any], status: int) -> None:
    answer = read(status, [row(**changes)])
    assert len(answer.rows) + len(answer.unreadable) == 1
