"""What becomes of a request that trades: it is sent once, written down before and after, landed, and then shown."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from models.trading import NIL
from pipelines.broker.read import ClockReading
from pipelines.errors import ConfigurationError, DaybookError, LockedOut, WrongWarehouse
from pipelines.trading.http import NotSent
from pipelines.trading.journal import Journal
from pipelines.trading.landing import landed
from pipelines.trading.requests import TradeRequest, close_position, close_positions, submit_instructions
from pipelines.trading.send import trade
from pipelines.trading.settle import settle
from pipelines.warehouse.connect import open_warehouse, remember_broker
from pipelines.warehouse.session import warehouse_session
from tests.support.desk import AAPL
from tests.support.trading_desk import (
    CANCEL,
    CLOSE,
    CLOSE_ALL,
    FRIDAY,
    FRIDAY_NOON,
    KEY,
    SMALL,
    SUBMIT,
    TAKEN,
    TradingDesk,
    instruction,
    order,
    rows,
    trading_desk,
    unchanging,
)
from tests.support.trading_server import Then
from tests.unit.test_trading_answers import EXAMPLES


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    with trading_desk(tmp_path / "home") as desk:
        yield desk


def test_an_answer_is_in_the_journal_and_in_the_books_with_the_request(desk: TradingDesk) -> None:
    done = desk.trade(CLOSE_ALL)
    assert (done.outcome, done.exit_code, done.landed, done.notes) == ("DONE", 0, True, [])
    assert desk.states() == [["PREPARED", "SENT", "ANSWERED"]]
    assert desk.ask("select run_id, account_id, id, status from raw.orders") == [
        (done.record.run_id, str(SMALL), order()["id"], "PENDING_NEW")
    ]
    run = "select trigger, grade, status, trading_date::varchar, accounts_expected from raw.extract_run"
    assert desk.ask(run) == [("trading", "INTRADAY", "DONE", "2025-10-31", 0)]
    manifest = "select endpoint, status, complete, http_status, request_ids, rows_landed from raw.extract_manifest"
    assert desk.ask(manifest) == [("close_positions", "DONE", True, 200, '["r1"]', 1)]
    ((findings,),) = desk.ask("select findings from raw.extract_manifest")
    assert "DELETE /v1/accounts/100/positions by command line: DONE" in orjson.loads(findings)[0]["message"]


def test_the_trading_key_goes_out_and_nowhere_else(desk: TradingDesk) -> None:
    desk.recorder.canned = (200, {"data": [order(venue=KEY)], "metadata": {"request_id": "r"}})
    desk.trade(CLOSE)
    (sent,) = desk.recorder.writes
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert all("authorization" not in each.headers for each in desk.recorder.requests if each.method == "GET")
    kept = [path.read_bytes() for path in desk.settings.home.rglob("*") if path.is_file()]
    assert not [content for content in kept if KEY.encode() in content]


@pytest.mark.parametrize("then", ["drop", "reset", "cut", "stall"])
@pytest.mark.parametrize("request_", [CLOSE, CLOSE_ALL, SUBMIT, CANCEL], ids=lambda each: each.operation)
def test_no_answer_is_an_unknown_outcome_and_nothing_is_sent_twice(
    desk: TradingDesk, then: Then, request_: TradeRequest
) -> None:
    desk.recorder.then = then
    done = desk.trade(request_, timeout=0.5)
    assert (done.outcome, done.exit_code) == ("UNKNOWN", 3)
    assert "OUTCOME UNKNOWN" in done.sentence
    assert all(command.startswith("daybook ") for command in done.find_out())
    assert len(desk.recorder.writes) == 1
    assert desk.states() == [["PREPARED", "SENT", "UNKNOWN"]]
    assert desk.ask("select status, complete from raw.extract_manifest") == [("UNKNOWN", False)]


def test_where_nobody_listens_nothing_was_sent_and_that_is_known(desk: TradingDesk) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    clock = ClockReading(FRIDAY_NOON, "API", timedelta())
    with pytest.raises(NotSent, match="nothing was sent") as caught:
        trade(desk.settings.model_copy(update={"base_url": url}), unchanging(CLOSE), clock)
    assert caught.value.exit_code == 1
    assert desk.states() == [["PREPARED", "SENT", "RESOLVED"]]
    assert desk.sync(FRIDAY) == []  # there is nothing to tell
    assert desk.ask("select status from raw.extract_run where trigger = 'trading'") == [("NEVER_SENT",)]


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "wrong, expired or revoked"), (403, "this key may only read"), (302, "Rejected, nothing was done")],
)
def test_a_refusal_is_one_sentence(desk: TradingDesk, status: int, words: str) -> None:
    error = {"code": status, "message": "no\n\x1b[31m" + "x" * 900}
    desk.recorder.canned = (status, {"error": error, "metadata": {"request_id": "r9"}})
    done = desk.trade(CLOSE)
    assert (done.outcome, done.exit_code) == ("REJECTED", 1)
    assert words in done.sentence
    assert "r9" in done.sentence
    assert "\n" not in done.sentence
    assert "\x1b" not in done.sentence
    assert len(done.sentence) < 600
    assert len(desk.recorder.writes) == 1


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b'{"data": null}', b"\xff\xfe\x00"])
def test_an_answer_of_a_gateway_does_not_tell(desk: TradingDesk, body: bytes) -> None:
    desk.recorder.canned = (502, body)
    done = desk.trade(CLOSE_ALL)
    assert (done.outcome, done.exit_code) == ("UNKNOWN", 3)
    assert done.record.answer is not None
    assert done.record.answer.content == body
    assert desk.states() == [["PREPARED", "SENT", "UNKNOWN"]]


def test_rows_that_were_rejected_at_the_door_are_landed_each_under_an_id_of_its_own(desk: TradingDesk) -> None:
    refused = {"status": "REJECTED", "id": NIL, "rejection_reason": "Duplicate exercise instruction"}
    data = [instruction("a"), instruction("a", **refused), instruction("b", **refused)]
    desk.recorder.canned = (207, {"data": data, "error": {"code": 409, "message": "Duplicate"}, "metadata": {}})
    done = desk.trade(submit_instructions(str(SMALL), rows("a", "b")))
    run = done.record.run_id
    assert (done.outcome, done.exit_code) == ("PARTIAL", 3)
    found = desk.ask("select id, client_instruction_id, status, extra from raw.position_instructions order by id")
    assert found == [
        (TAKEN, "a", "SENT", None),
        (f"rejected:{run}:2", "a", "REJECTED", f'{{"broker_id":"{NIL}"}}'),
        (f"rejected:{run}:3", "b", "REJECTED", f'{{"broker_id":"{NIL}"}}'),
    ]


@pytest.mark.parametrize(("operation", "status", "body"), EXAMPLES)
def test_every_documented_answer_is_landed(desk: TradingDesk, operation: str, status: int, body: Any) -> None:
    account = str((body.get("data") or [{"account_id": SMALL}])[0]["account_id"])
    keys = dict.fromkeys(row["instruction_id"] for row in body.get("data") or [] if "instruction_id" in row)
    request = {
        "close_position": lambda: close_position(account, AAPL),
        "close_positions": lambda: close_positions(account),
        "submit_position_instructions": lambda: submit_instructions(account, rows(*keys)),
    }[operation]()
    desk.recorder.canned = (status, body)
    done = desk.trade(request)
    assert done.landed
    assert done.exit_code == {200: 0, 207: 3}.get(status, 1)
    tables = desk.ask("select count(*) from raw.orders union all select count(*) from raw.position_instructions")
    assert sum(count for (count,) in tables) == len(body.get("data") or [])
    said = "select http_status, status, rows_landed, rows_quarantined from raw.extract_manifest"
    assert desk.ask(said) == [(status, done.outcome, len(body.get("data") or []), 0)]


def test_a_row_that_no_column_holds_is_kept_in_quarantine(desk: TradingDesk) -> None:
    desk.recorder.canned = (200, {"data": [order(), order(2, quantity="many")], "metadata": {}})
    done = desk.trade(CLOSE_ALL)
    assert (done.outcome, done.landed) == ("PARTIAL", True)
    ((endpoint, text),) = desk.ask("select endpoint, row_text from raw.quarantine")
    assert endpoint == "close_positions"
    assert orjson.loads(text)["quantity"] == "many"


def test_an_answer_that_cannot_be_landed_now_is_shown_kept_and_landed_by_the_next_run(desk: TradingDesk) -> None:
    desk.settings.prepare_home()
    with warehouse_session(desk.settings):
        done = desk.trade(CLOSE_ALL, wait=0)
    assert (done.outcome, done.landed) == ("DONE", False)
    assert "the next run lands it" in done.notes[0]
    assert done.record.run_id in done.notes[0]
    desk.sync(FRIDAY)
    assert desk.ask("select run_id from raw.orders") == [(done.record.run_id,)]
    with warehouse_session(desk.settings) as con:
        assert landed(con) == {done.record.run_id}
        assert settle(con, desk.settings) == []


def test_a_new_warehouse_gets_the_whole_journal_again(desk: TradingDesk) -> None:
    desk.trade(CLOSE_ALL)
    desk.settings.warehouse.unlink()
    desk.sync(FRIDAY)
    assert desk.ask("select count(*) from raw.orders") == [(1,)]


def test_another_process_that_trades_is_not_raced(desk: TradingDesk) -> None:
    desk.settings.prepare_home()
    with Journal(desk.settings).locked(), pytest.raises(LockedOut, match="Another daybook is trading"):
        desk.trade(CLOSE_ALL, wait=0)
    assert desk.recorder.writes == []
    assert desk.states() == []


def test_books_of_another_broker_stop_a_trade_before_it_is_sent(desk: TradingDesk) -> None:
    desk.settings.prepare_home()
    con = open_warehouse(desk.settings.warehouse)
    remember_broker(con, "api.clearstreet.com")
    con.close()
    with pytest.raises(WrongWarehouse):
        desk.trade(CLOSE_ALL)
    assert desk.recorder.writes == []
    assert desk.states() == [["PREPARED", "RESOLVED"]]


def test_an_account_that_is_left_out_is_not_traded_in(desk: TradingDesk) -> None:
    desk.settings = desk.settings.model_copy(update={"accounts": ("7",)})
    with pytest.raises(ConfigurationError, match="leaves account 100 out"):
        desk.trade(CLOSE_ALL)
    assert desk.recorder.writes == []


def test_a_journal_that_cannot_be_written_stops_a_trade(desk: TradingDesk) -> None:
    desk.settings.prepare_home()
    (desk.settings.home / "trading").write_text("in the way")
    with pytest.raises((DaybookError, OSError)):
        desk.trade(CLOSE_ALL)
    assert desk.recorder.writes == []
