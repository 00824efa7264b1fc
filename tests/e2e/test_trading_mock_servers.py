"""The four operations that trade, against mock servers of the broker's real specification that nobody here wrote."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from clearstreet import APIStatusError, ClearStreet

from models.trading import InstructionRow
from pipelines.broker.read import ClockReading
from pipelines.settings import Settings
from pipelines.trading.requests import cancel_instruction, close_position, close_positions, submit_instructions
from pipelines.trading.send import Trade, trade
from tests.e2e.test_mock_servers import PRISM, SPECIFICATION, STEADY, mock_server
from tests.support.command_line import KEY, ask, daybook
from tests.support.trading_desk import unchanging
from tests.support.trading_server import Recorder

ACCOUNT = "122503"
GOOG = "c3c4c5c6-d3d4-e3e4-f3f4-f5f6f7f8f9fa"
INSTRUCTION = "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e02"
ROW = {
    "instruction_type": "EXERCISE",
    "instrument_id": "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e01",
    "quantity": "1",
    "client_instruction_id": "mine",
}
NOW = ClockReading(datetime(2025, 10, 31, 16, tzinfo=UTC), "API", timedelta())
OPERATIONS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "close one": (close_position(ACCOUNT, GOOG), lambda sdk: sdk.close_position(GOOG, account_id=int(ACCOUNT))),
    "close all": (
        close_positions(ACCOUNT, cancel_orders=True),
        lambda sdk: sdk.close_positions(int(ACCOUNT), cancel_orders=True),
    ),
    "submit": (
        submit_instructions(ACCOUNT, [InstructionRow(**ROW)]),
        lambda sdk: sdk.submit_position_instructions(int(ACCOUNT), instructions=[ROW]),
    ),
    "cancel": (
        cancel_instruction(ACCOUNT, INSTRUCTION),
        lambda sdk: sdk.cancel_position_instruction(INSTRUCTION, account_id=int(ACCOUNT)),
    ),
}


def by_sdk(url: str, call: Callable[[Any], Any]) -> tuple[int, Any]:
    with ClearStreet(api_key=KEY, base_url=url, max_retries=0) as client:
        try:
            answer = call(client.v1.positions.with_raw_response)
        except APIStatusError as error:
            return error.status_code, error.response.json()
        return answer.status_code, answer.http_response.json()


LISTED = {"page_size": 1000, "sort_by": "SYMBOL", "sort_direction": "ASC"}
LISTS: dict[str, Callable[[Any], Any]] = {
    "positions": lambda sdk: sdk.get_positions(int(ACCOUNT), **LISTED),
    "instructions": lambda sdk: sdk.get_position_instructions(int(ACCOUNT)),
}
#: What the specification declares, beside 200, that Prism can be asked for.
DECLARED = {
    "close one": (400, 403, 500),
    "close all": (400, 403, 500),
    "submit": (207, 400, 403, 404, 409, 500, 503),
    "cancel": (403, 404, 409, 503),
}
pytestmark = [
    pytest.mark.npm,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed, which starts the mock servers"),
    pytest.mark.skipif(not SPECIFICATION.exists(), reason="../shared/openapi is absent, which has the specification"),
]


@dataclass(frozen=True)
class Mock:
    """A mock server behind a recorder, and a home for those who trade with it."""

    recorder: Recorder
    home: Path

    def both(self, name: str) -> tuple[int, Any, Trade]:
        """Status and body of the SDK's answer, and daybook's trade. Fails unless both said the same on the wire."""
        request, call = OPERATIONS[name]
        status, body = by_sdk(self.recorder.url, call)
        done = trade(
            Settings(base_url=self.recorder.url, home=self.home, trading_api_key=KEY), unchanging(request), NOW
        )
        theirs, ours = self.recorder.writes[-2:]
        assert ours.wire == theirs.wire, name
        return status, body, done


@contextmanager
def mock(folder: Path, command: tuple[str, ...]) -> Iterator[Mock]:
    with mock_server(command, folder / "server.log") as url, Recorder(url) as recorder:
        yield Mock(recorder, folder / "home")


@pytest.mark.parametrize("command", [STEADY, PRISM], ids=["steady", "prism"])
def test_daybook_and_the_sdk_say_the_same_and_every_answer_is_landed(tmp_path: Path, command: tuple[str, ...]) -> None:
    with mock(tmp_path, command) as mocked:
        for name, (request, _) in OPERATIONS.items():
            status, body, done = mocked.both(name)
            assert done.answer is not None
            assert done.answer.status == status == 200, (name, body)
            assert done.landed
            assert done.answer.not_echoed == request.keys  # the example answers with a key of its own: that is said
            data = body["data"] if isinstance(body["data"], list) else [body["data"]]
            assert [row["id"] for row in done.answer.rows] == [row["id"] for row in data]
        refused = daybook(
            "positions", "close-all", "--account", ACCOUNT, "--yes", home=mocked.home, url=mocked.recorder.url
        )
        assert refused.code == 1
        assert "page token" in refused.sentence  # these servers' lists never end, so nobody knows what would be closed
        assert len(mocked.recorder.writes) == 2 * len(OPERATIONS)
    runs = ask(tmp_path / "home" / "warehouse.duckdb", "select count(distinct run_id) from raw.extract_run")
    assert runs == [(len(OPERATIONS),)]


@pytest.mark.parametrize("command", [STEADY, PRISM], ids=["steady", "prism"])
def test_both_list_the_same(tmp_path: Path, command: tuple[str, ...]) -> None:
    with mock(tmp_path, command) as mocked:
        recorder = mocked.recorder
        for what, call in LISTS.items():
            _, body = by_sdk(recorder.url, call)
            theirs = recorder.requests[-1]
            before = len(recorder.requests)
            ended = daybook(what, "list", "--account", ACCOUNT, "--json", home=mocked.home, url=recorder.url)
            assert recorder.requests[before].wire == theirs.wire
            if what == "positions":  # every page names the same next one, which a single page of the SDK's can't tell
                assert ended.code == 1
                assert "page token" in ended.sentence
                continue
            assert ended.code in (0, 3)  # Prism makes up a count of rows, and daybook says that this many didn't come
            shown = orjson.loads(ended.out)
            assert [(row["id"], row["account_id"]) for row in shown] == [
                (row["id"], str(row["account_id"])) for row in body["data"]
            ]


def test_both_hear_the_same_in_every_status_that_is_declared(tmp_path: Path) -> None:
    with mock(tmp_path, PRISM) as mocked:
        for name, statuses in DECLARED.items():
            for code in statuses:
                mocked.recorder.prefer = f"code={code}"
                status, body, done = mocked.both(name)
                assert done.answer is not None
                assert done.answer.status == status == code, (name, body)
                assert done.landed
                said = body.get("error") or body
                assert done.answer.error is not None
                assert (done.answer.error.code, done.answer.error.message) == (said["code"], said["message"])
                assert [row["id"] for row in done.answer.rows] == [row["id"] for row in body.get("data") or []]
                assert done.outcome != "DONE"
    landed = ask(tmp_path / "home" / "warehouse.duckdb", "select http_status from raw.extract_manifest order by 1")
    assert landed == sorted((code,) for statuses in DECLARED.values() for code in statuses)
