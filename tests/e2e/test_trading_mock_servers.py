"""The four operations that trade, against mock servers of the broker's real specification that nobody here wrote."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clearstreet import APIStatusError, ClearStreet

from models.trading import InstructionRow
from pipelines.broker.read import ClockReading
from pipelines.broker.trading import trade
from pipelines.settings import Settings
from pipelines.trading.requests import cancel_instruction, close_position, close_positions, submit_instructions
from tests.e2e.command_line import KEY, ask, daybook
from tests.e2e.test_mock_servers import PRISM, SPECIFICATION, STEADY, mock_server
from tests.trading_server import Recorder

ACCOUNT = "122503"
INSTRUCTION = "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e02"
ROW = {
    "instruction_type": "EXERCISE",
    "instrument_id": "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e01",
    "quantity": "1",
    "client_instruction_id": "mine",
}
NOW = ClockReading(datetime(2025, 10, 31, 16, tzinfo=UTC), "API", timedelta())
OPERATIONS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "close one": (close_position(ACCOUNT, "GOOG"), lambda sdk: sdk.close_position("GOOG", account_id=int(ACCOUNT))),
    "close all": (
        close_positions(ACCOUNT, cancel_orders=True),
        lambda sdk: sdk.close_positions(int(ACCOUNT), cancel_orders=True),
    ),
    "submit": (
        submit_instructions(ACCOUNT, [InstructionRow(**ROW)]),  # type: ignore[arg-type]
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


@pytest.mark.npm
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed, which starts the mock servers")
@pytest.mark.skipif(not SPECIFICATION.exists(), reason="../shared/openapi is absent, which has the specification")
@pytest.mark.parametrize("command", [STEADY, PRISM], ids=["steady", "prism"])
def test_daybook_and_the_sdk_say_the_same_and_every_answer_is_landed(tmp_path: Path, command: tuple[str, ...]) -> None:
    with mock_server(command, tmp_path / "server.log") as url, Recorder(url) as recorder:
        settings = Settings(base_url=recorder.url, home=tmp_path / "home", trading_api_key=KEY)
        for name, (request, call) in OPERATIONS.items():
            status, body = by_sdk(recorder.url, call)
            done = trade(settings, request, NOW)
            theirs, ours = recorder.writes[-2:]
            assert ours.wire == theirs.wire, name
            assert done.answer is not None
            assert done.answer.status == status == 200, (name, body)
            assert done.landed
            assert done.answer.not_echoed == request.keys  # the example answers with a key of its own: that is said
            data = body["data"] if isinstance(body["data"], list) else [body["data"]]
            assert [row["id"] for row in done.answer.rows] == [row["id"] for row in data]
        refused = daybook(
            "positions", "close-all", "--account", ACCOUNT, "--yes", home=tmp_path / "home", url=recorder.url
        )
        assert refused.code == 1
        assert "page token" in refused.sentence  # these servers' lists never end, so nobody knows what would be closed
        assert len(recorder.writes) == 2 * len(OPERATIONS)
    runs = ask(tmp_path / "home" / "warehouse.duckdb", "select count(distinct run_id) from raw.extract_run")
    assert runs == [(len(OPERATIONS),)]
