"""What is sent is what was shown: books that change between the table and the request, for each of the four trades."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from dagster_project.trading_jobs import trading_jobs
from daybook.cli.app import main
from pipelines.broker.client import BrokerClient
from pipelines.errors import ConfigurationError
from pipelines.trading.changes import refuse_unexpected
from pipelines.trading.proposals import propose_closing
from tests.support.broker_server import Fault
from tests.support.command_line import KEY
from tests.support.shown import (
    APPEARED,
    CALL,
    CANCEL,
    CLOSE,
    CLOSE_ALL,
    EACH,
    GONE,
    GREW,
    HELD,
    INSTRUCTED,
    LISTED,
    MSFT,
    OF,
    SENT,
    SUBMIT,
    Books,
    after_the_first_read,
    answers,
    call,
    stock,
    wires,
)
from tests.support.trading_desk import CONTRACT, SMALL, TAKEN, TradingDesk, instruction

CHANGES: dict[str, tuple[tuple[str, ...], Books, str]] = {
    **{f"close: {name}": (CLOSE, books, words) for name, (books, words) in HELD.items()},
    **{f"close: {name}": (CLOSE, books, "AAPL") for name, books in GONE.items() if "flat" not in name},
    **{f"close-all: {name}": (CLOSE_ALL, books, words) for name, (books, words) in HELD.items()},
    **{f"close-all: {name}": (CLOSE_ALL, books, "there") for name, books in GONE.items()},
    "close-all: another appeared": (CLOSE_ALL, APPEARED, f"MSFT ({MSFT}) was not there before: -7"),
    **{f"submit: {name}": (SUBMIT, books, words) for name, (books, words) in INSTRUCTED.items()},
    **{f"cancel: {name}": (CANCEL, books, words) for name, (books, words) in LISTED.items()},
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_script_sends_nothing_where_the_book_is_no_longer_what_it_printed(
    desk: TradingDesk, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    command, books, words = CHANGES[case]
    answers(desk, command)
    after_the_first_read(desk, command, books.put)
    assert main([*command, "--yes"]) == 2
    assert wires(desk) == []
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("daybook: ")]
    assert "Nothing was sent, for this has changed since it was shown" in sentence
    assert words in sentence
    assert desk.states() == [["PREPARED", "RESOLVED"]]


ELSEWHERE = {
    CLOSE: [*APPEARED.positions[:1], call(quantity="9"), *APPEARED.positions[2:]],
    CLOSE_ALL: Books().positions,
    SUBMIT: [stock(quantity="1", available_quantity="1"), call()],
    CANCEL: [],
}


@EACH
def test_another_price_or_another_position_is_no_change_and_the_request_names_uuids(
    desk: TradingDesk, command: tuple[str, ...]
) -> None:
    prices = {"market_value": "1.00", "instrument_price": "0.01", "closing_price": "7.00", "unrealized_pnl": "-14.00"}
    moved = [{**row, **prices} for row in ELSEWHERE[command]]
    apart = [instruction("theirs"), instruction("x", id=MSFT, instrument_id=MSFT)]
    answers(desk, command)
    after_the_first_read(desk, command, Books(moved, apart).put)
    assert main([*command, "--yes"]) == 0
    assert wires(desk) == [SENT[command][:2]]
    rows = desk.recorder.writes[0].wire[2] if command == SUBMIT else []
    assert [row["instrument_id"] for row in rows] == ([CONTRACT] if command == SUBMIT else [])


@EACH
def test_the_books_are_the_last_thing_that_is_read_before_a_request_leaves(
    desk: TradingDesk, command: tuple[str, ...]
) -> None:
    answers(desk, command)
    if command == SUBMIT:  # then what the underlying costs has to be asked for
        Books([call()]).put(desk.broker)
    assert main([*command, "--yes"]) == 0
    asked = [each.target.partition("?")[0] for each in desk.recorder.requests]
    read = [f"{OF}/instructions" if command == CANCEL else OF]
    if command == SUBMIT:
        read += [f"{OF}/instructions", "/v1/instruments/options/contracts"]
    assert asked[-len(read) - 1 : -1] == read  # and nobody waits for a price
    assert asked[-len(read) - 2] == "/v1/clock"  # the broker's time is that of the request, not of the table
    assert desk.recorder.requests[-1].method != "GET"


TORN = {
    "refused": Fault("positions", skip=1, times=None, status=403, body={"error": {"code": 403, "message": "no"}}),
    "with a row too few": Fault(
        "positions", skip=1, times=None, edit=lambda whole: whole["metadata"].update(total_items=3)
    ),
    "with a row of another account": Fault(
        "positions", skip=1, times=None, edit=lambda whole: whole["data"][0].update(account_id=7)
    ),
    "with a side that its sign contradicts": Fault(
        "positions", skip=1, times=None, edit=lambda whole: whole["data"][0].update(position_type="SHORT")
    ),
}


@pytest.mark.parametrize("command", [CLOSE, CLOSE_ALL, SUBMIT], ids=["close", "close-all", "submit"])
@pytest.mark.parametrize("torn", TORN)
def test_a_book_that_cannot_be_read_whole_again_sends_nothing(
    desk: TradingDesk, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], torn: str
) -> None:
    fault = TORN[torn]
    desk.broker.faults.append(Fault(**{**fault.__dict__, "skip": 1}))
    assert main([*command, "--yes"]) == 1
    assert wires(desk) == []
    assert "Nothing was sent, for what is there could not be read" in capsys.readouterr().err
    assert desk.states() == [["PREPARED", "RESOLVED"]]


def test_instructions_that_cannot_be_read_leave_a_submission_and_a_cancellation_unsent(desk: TradingDesk) -> None:
    desk.broker.forbidden = {(str(SMALL), "instructions")}
    assert [main([*command, "--yes"]) for command in (SUBMIT, CANCEL)] == [1, 1]
    assert wires(desk) == []


def test_a_dry_run_reads_once_and_sends_nothing(desk: TradingDesk) -> None:
    assert main([*CLOSE_ALL, "--dry-run"]) == 0
    assert len(desk.broker.asked("/positions")) == 1
    assert wires(desk) == []


STATED: dict[tuple[str, ...], tuple[str, dict[str, Any]]] = {
    CLOSE: ("close_position", {"instrument": "AAPL", "quantity": "100"}),
    CLOSE_ALL: ("close_positions", {"positions": {"AAPL": "100", CONTRACT: "5.0"}}),
    SUBMIT: (
        "submit_instructions",
        {"instructions": [{"instruction_type": "EXERCISE", "instrument_id": CALL, "quantity": "2"}]},
    ),
    CANCEL: ("cancel_instruction", {"instruction_id": TAKEN}),
}


@EACH
def test_a_job_sends_what_it_read_twice_and_nothing_else(
    desk: TradingDesk, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYBOOK_TRADING_JOBS", "on")
    name, config = STATED[command]
    job = next(each for each in trading_jobs if each.name == name)
    confirmed = {"account": str(SMALL), "confirm": str(SMALL), **config}
    run_config = {
        "ops": {f"{name}_op": {"config": confirmed}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    answers(desk, command)
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(run_config=run_config, instance=instance).success
        assert wires(desk) == [SENT[command][:2]]
        after_the_first_read(desk, command, GREW[command].put)
        with pytest.raises(dg.Failure, match="has changed since it was shown") as caught:
            job.execute_in_process(run_config=run_config, instance=instance)
    assert caught.value.allow_retries is False
    assert len(wires(desk)) == 1


STRANGE = [
    "sNaN",
    "NaN",
    "Infinity",
    "1e999999999",
    "-1E+999999",
    "\u0661\u0660\u0660",
    "1_00",
    "",
    "9" * 5000,
    "100\n",
]


@pytest.mark.parametrize("quantity", STRANGE, ids=lambda each: ascii(each)[:20])
def test_a_stated_quantity_that_is_no_plain_number_is_a_sentence_and_sends_nothing(
    desk: TradingDesk, quantity: str
) -> None:
    answers(desk, CLOSE)
    with (
        BrokerClient(desk.recorder.url, KEY, requests_per_second=None) as client,
        pytest.raises(ConfigurationError, match="is not a number such as") as caught,
    ):
        refuse_unexpected(propose_closing(client, str(SMALL), "AAPL"), {"AAPL": quantity})
    assert len(str(caught.value)) < 500
