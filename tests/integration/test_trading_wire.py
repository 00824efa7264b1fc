"""The broker's own SDK and daybook do the same six operations: the same on the wire, and the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from clearstreet import APIStatusError, ClearStreet

from pipelines.sandbox.instruments import CALL, option
from pipelines.sandbox.server import Sandbox
from tests.support.command_line import KEY, daybook
from tests.support.trading_server import Recorder

EQUITIES, OPTIONS = 20517, 20518
GOOG_CALL = option("GOOG", date(2005, 3, 19), CALL, "200")
THURSDAY = datetime(2005, 2, 3, 18, tzinfo=UTC)
ROW = {"instruction_type": "EXERCISE", "instrument_id": GOOG_CALL.id, "quantity": "1", "client_instruction_id": "mine"}
LATE = {**ROW, "instruction_type": "DO_NOT_EXERCISE", "client_instruction_id": "late"}
LISTED = {"page_size": 1000, "sort_by": "SYMBOL", "sort_direction": "ASC"}


@dataclass(frozen=True)
class Spoken:
    """What one client did: the last request on the wire, its answer as JSON, and how it ended."""

    wire: tuple[str, str, Any]
    answer: Any
    code: int = 0
    shown: Any = None


@contextmanager
def broker() -> Iterator[Recorder]:
    """A sandbox of its own, so that both clients find the same books."""
    with Sandbox(seed=1, short_sales=False) as sandbox, Recorder(sandbox.url) as recorder:
        sandbox.clock.set(THURSDAY)
        yield recorder


def by_sdk(recorder: Recorder, call: Callable[[Any], Any]) -> Spoken:
    with ClearStreet(api_key=KEY, base_url=recorder.url, max_retries=0) as client:
        try:
            answer = call(client.v1.positions).to_dict(mode="json")
        except APIStatusError as error:
            answer = error.response.json()
    return Spoken(recorder.requests[-1].wire, answer)


def by_daybook(recorder: Recorder, home: Path, *arguments: str) -> Spoken:
    before = len(recorder.writes)
    ended = daybook(*arguments, "--json", home=home, url=recorder.url)
    assert KEY not in ended.out + ended.err
    sent = recorder.writes[before:] or [each for each in recorder.requests if "clock" not in each.target][-1:]
    assert len(sent) == 1
    assert sent[0].headers["authorization"] == f"Bearer {KEY}"
    shown = orjson.loads(ended.out)
    return Spoken(sent[0].wire, shown, ended.code, shown)


def submit(rows: list[dict[str, str]], home: Path) -> tuple[str, ...]:
    home.mkdir(exist_ok=True)
    (home / "batch.json").write_bytes(orjson.dumps(rows))
    return ("instructions", "submit", "--account", str(OPTIONS), "--file", str(home / "batch.json"), "--yes")


OPERATIONS: dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]] = {
    "list positions": (
        lambda sdk: sdk.get_positions(OPTIONS, **LISTED),
        ("positions", "list", "--account", str(OPTIONS)),
    ),
    "list instructions": (
        lambda sdk: sdk.get_position_instructions(OPTIONS),
        ("instructions", "list", "--account", str(OPTIONS)),
    ),
    "close one by UUID": (
        lambda sdk: sdk.close_position(GOOG_CALL.id, account_id=OPTIONS),
        ("positions", "close", "--account", str(OPTIONS), "--instrument", GOOG_CALL.id, "--yes"),
    ),
    "close one by symbol, which goes out as its UUID": (
        lambda sdk: sdk.close_position(GOOG_CALL.id, account_id=OPTIONS, cancel_orders=True),
        ("positions", "close", "--account", str(OPTIONS), "--instrument", GOOG_CALL.symbol, "--cancel-orders", "--yes"),
    ),
    "close all": (
        lambda sdk: sdk.close_positions(EQUITIES),
        ("positions", "close-all", "--account", str(EQUITIES), "--yes"),
    ),
    "close all, keeping orders": (
        lambda sdk: sdk.close_positions(EQUITIES, cancel_orders=False),
        ("positions", "close-all", "--account", str(EQUITIES), "--no-cancel-orders", "--yes"),
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_both_clients_say_the_same_and_hear_the_same(tmp_path: Path, name: str) -> None:
    call, arguments = OPERATIONS[name]
    with broker() as first:
        sdk = by_sdk(first, call)
    with broker() as second:
        ours = by_daybook(second, tmp_path, *arguments)
    assert ours.wire == sdk.wire
    assert ours.code == 0
    heard = sdk.answer["data"]
    shown = ours.answer if "list" in name else ours.answer["orders"]
    assert [row["id" if "id" in row else "instrument_id"] for row in shown] == [
        row["id" if "id" in row else "instrument_id"] for row in heard
    ]
    assert heard
    for mine, theirs in zip(shown, heard, strict=True):
        assert {key: mine[key] for key in ("symbol", "quantity")} == {
            key: theirs[key] for key in ("symbol", "quantity")
        }
        assert mine["account_id"] == str(theirs["account_id"])


@pytest.mark.parametrize(
    ("rows", "status", "code"),
    [([ROW], 200, 0), ([ROW, LATE], 207, 3), ([LATE], 400, 1)],
    ids=["taken", "in part", "refused"],
)
def test_both_clients_submit_the_same_and_daybook_tells_each_row(
    tmp_path: Path, rows: list[dict[str, str]], status: int, code: int
) -> None:
    with broker() as first:
        sdk = by_sdk(first, lambda positions: positions.submit_position_instructions(OPTIONS, instructions=rows))
    with broker() as second:
        ours = by_daybook(second, tmp_path, *submit(rows, tmp_path))
    assert ours.wire == sdk.wire
    assert (ours.shown["http_status"], ours.code) == (status, code)
    told = [(row["client_instruction_id"], row["status"]) for row in ours.shown["instructions"]]
    assert told == [(row["client_instruction_id"], row["status"]) for row in sdk.answer["data"]]
    refused = [row["rejection"]["reason"] for row in sdk.answer["data"] if row["status"] == "REJECTED"]
    assert [each["reason"] for each in ours.shown["rejections"]] == refused


def test_both_clients_cancel_the_same_and_a_second_time_both_are_refused(tmp_path: Path) -> None:
    def given(recorder: Recorder) -> str:
        submitted = by_sdk(recorder, lambda sdk: sdk.submit_position_instructions(OPTIONS, instructions=[ROW]))
        return str(submitted.answer["data"][0]["id"])

    def ours_twice(recorder: Recorder, name: str) -> list[Spoken]:
        arguments = ("instructions", "cancel", "--account", str(OPTIONS), "--id", name, "--yes")
        return [by_daybook(recorder, tmp_path, *arguments) for _ in range(2)]

    with broker() as first:
        name = given(first)
        theirs = [
            by_sdk(first, lambda sdk: sdk.cancel_position_instruction(name, account_id=OPTIONS)) for _ in range(2)
        ]
    with broker() as second:
        assert given(second) == name
        ours = ours_twice(second, name)
    assert [each.wire for each in ours] == [each.wire for each in theirs]
    assert [each.code for each in ours] == [0, 1]
    assert ours[0].shown["instructions"][0]["status"] == theirs[0].answer["data"]["status"] == "CANCEL_REQUESTED"
    assert ours[1].shown["http_status"] == theirs[1].answer["error"]["code"] == 409


def test_an_older_client_s_name_of_the_key_is_taken_and_daybook_knows_its_instruction_by_it(tmp_path: Path) -> None:
    former = {
        **{name: value for name, value in ROW.items() if name != "client_instruction_id"},
        "instruction_id": "old",
    }
    with broker() as recorder:
        theirs = by_sdk(recorder, lambda sdk: sdk.submit_position_instructions(OPTIONS, instructions=[former]))
        assert theirs.wire[2] == [former]  # on the wire as an SDK before 0.8 has it
        listed = by_daybook(recorder, tmp_path, "instructions", "list", "--account", str(OPTIONS))
        assert listed.shown[-1]["client_instruction_id"] == "old"
        again = by_daybook(recorder, tmp_path, *submit([{**ROW, "client_instruction_id": "old"}], tmp_path))
    assert (again.code, again.shown["http_status"]) == (1, 409)  # one key under both names
    assert again.shown["rejections"][0]["reason"] == "DUPLICATE"


def test_a_key_that_is_left_out_is_made_stored_and_sent(tmp_path: Path) -> None:
    keyless = {name: value for name, value in ROW.items() if name != "client_instruction_id"}
    with broker() as recorder:
        ours = by_daybook(recorder, tmp_path, *submit([keyless], tmp_path))
    (sent,) = ours.wire[2]
    assert sent["client_instruction_id"] == f"{ours.shown['run_id']}-1"
    assert ours.shown["instructions"][0]["client_instruction_id"] == sent["client_instruction_id"]
    record = orjson.loads((tmp_path / "trading" / f"{ours.shown['run_id']}.json").read_bytes())
    assert record["keys"] == [sent["client_instruction_id"]]
    assert [state for state, _ in record["history"]] == ["PREPARED", "SENT", "ANSWERED"]
