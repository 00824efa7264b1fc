"""What the next sync finds out about outcomes that were unknown, and what the books make of a request that trades."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.books.health import read_health
from pipelines.trading.journal import Journal
from pipelines.trading.requests import TradeRequest, submit_instructions
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish
from pipelines.warehouse.session import warehouse_session
from tests.support.desk import AAPL
from tests.support.fault_books import derived
from tests.support.trading_desk import (
    CANCEL,
    CLOSE,
    CLOSE_ALL,
    CONTRACT,
    FRIDAY,
    FRIDAY_NOON,
    SMALL,
    SUBMIT,
    TradingDesk,
    instruction,
    order,
    rows,
    trading_desk,
)

pytestmark = pytest.mark.heavy
ROOT = Path(__file__).parents[2]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    with trading_desk(tmp_path / "home") as desk:
        yield desk


def lost(desk: TradingDesk, request: TradeRequest) -> None:
    desk.recorder.then = "drop"
    assert desk.trade(request).outcome == "UNKNOWN"


def resolution(desk: TradingDesk) -> Any:
    journal = Journal(desk.settings)
    (run,) = journal.run_ids()
    return journal.read(run).resolution


@pytest.mark.parametrize("request_", [CLOSE, CLOSE_ALL], ids=["one", "all"])
def test_an_order_that_was_made_since_resolves_a_close(desk: TradingDesk, request_: TradeRequest) -> None:
    earlier = order(1, created_at="2025-10-31T15:00:00Z")
    lost(desk, request_)
    desk.broker.books["orders"] = {str(SMALL): [earlier, order(2, created_at=sent_at(desk))]}
    (sentence,) = desk.sync(FRIDAY)
    assert resolution(desk).outcome == "FOUND"
    assert order(2)["id"] in sentence
    assert order(1)["id"] not in sentence
    assert desk.states()[0][-1] == "RESOLVED"
    trail = "select run_id, status from raw.extract_run where trigger = 'trading' order by run_id"
    found = desk.ask(trail)
    assert [status for _, status in found] == ["UNKNOWN", "FOUND"]
    assert resolution(desk).found == [order(2)["id"]]
    assert found[1][0] == f"{found[0][0]}-resolved"
    assert desk.sync(FRIDAY + timedelta(minutes=5)) == []
    assert desk.ask(trail) == found


def sent_at(desk: TradingDesk) -> str:
    journal = Journal(desk.settings)
    moment = journal.read(journal.run_ids()[0]).at("SENT")
    assert moment is not None
    return moment.isoformat().replace("+00:00", "Z")


def test_an_order_in_another_instrument_does_not_resolve_a_close(desk: TradingDesk) -> None:
    lost(desk, CLOSE)
    other = order(2, created_at=sent_at(desk), instrument_id=CONTRACT, symbol="AAPL  251219C00140000")
    desk.broker.books["orders"] = {str(SMALL): [other]}
    desk.sync(FRIDAY)
    assert resolution(desk).outcome == "NOT_FOUND"


def test_an_order_that_names_its_instrument_by_symbol_alone_resolves_a_close(desk: TradingDesk) -> None:
    lost(desk, CLOSE)
    desk.broker.books["orders"] = {str(SMALL): [order(2, created_at=sent_at(desk), instrument_id=None)]}
    (sentence,) = desk.sync(FRIDAY)
    assert resolution(desk).outcome == "FOUND"
    assert f"close_position of account {SMALL} (AAPL)" in sentence


def test_an_order_in_another_instrument_of_the_same_symbol_does_not_resolve_a_close(desk: TradingDesk) -> None:
    lost(desk, CLOSE)
    desk.broker.books["orders"] = {str(SMALL): [order(2, created_at=sent_at(desk), instrument_id=CONTRACT)]}
    desk.sync(FRIDAY)
    assert resolution(desk).outcome == "NOT_FOUND"


def test_a_list_that_was_read_too_soon_does_not_prove_that_nothing_arrived(desk: TradingDesk) -> None:
    lost(desk, CLOSE)
    (sentence,) = desk.sync(FRIDAY_NOON + timedelta(minutes=1))
    assert "still of unknown outcome" in sentence
    assert resolution(desk) is None
    desk.sync(FRIDAY_NOON + timedelta(minutes=3))
    assert resolution(desk).outcome == "NOT_FOUND"


def test_a_list_that_could_not_be_read_proves_nothing(desk: TradingDesk) -> None:
    lost(desk, CLOSE)
    desk.broker.forbidden = {(str(SMALL), "orders")}
    desk.sync(FRIDAY)
    assert resolution(desk) is None


def test_keys_that_the_broker_lists_resolve_a_submission(desk: TradingDesk) -> None:
    lost(desk, submit_instructions(str(SMALL), rows("a", "b")))
    desk.broker.books["instructions"] = {str(SMALL): [instruction("a", status="ACCEPTED", accepted_quantity="1")]}
    (sentence,) = desk.sync(FRIDAY)
    assert "a (EXERCISE AAPL  251219C00140000) is ACCEPTED" in sentence
    assert "b is not listed" in sentence
    assert resolution(desk).outcome == "FOUND"


def test_a_key_that_the_broker_does_not_list_was_not_carried_out(desk: TradingDesk) -> None:
    lost(desk, SUBMIT)
    (sentence,) = desk.sync(FRIDAY)
    assert "it was not carried out" in sentence
    assert resolution(desk).outcome == "NOT_FOUND"


def test_the_state_of_an_instruction_resolves_its_cancellation(desk: TradingDesk) -> None:
    lost(desk, CANCEL)
    (sentence,) = desk.sync(FRIDAY)
    assert "still of unknown outcome" in sentence  # it is not listed, which may mean anything
    desk.broker.books["instructions"] = {str(SMALL): [instruction("a", status="CANCELLED")]}
    (sentence,) = desk.sync(FRIDAY + timedelta(minutes=5))
    assert "is CANCELLED" in sentence


def test_an_instruction_that_stands_was_not_cancelled_once_it_has_had_time(desk: TradingDesk) -> None:
    lost(desk, CANCEL)
    desk.broker.books["instructions"] = {str(SMALL): [instruction("a", status="SENT")]}
    desk.sync(FRIDAY_NOON + timedelta(minutes=1))
    assert resolution(desk) is None
    (sentence,) = desk.sync(FRIDAY_NOON + timedelta(minutes=3))
    assert "it was not carried out: a (EXERCISE" in sentence
    assert resolution(desk).outcome == "NOT_FOUND"


def test_a_damaged_record_is_told_and_stops_nothing(desk: TradingDesk) -> None:
    first = desk.trade(CLOSE_ALL).record.run_id
    desk.settings.warehouse.unlink()
    second = desk.trade(CLOSE_ALL).record.run_id
    Journal(desk.settings).path(first).write_bytes(b"{")
    (sentence,) = desk.sync(FRIDAY)
    assert first in sentence
    assert "can't be read" in sentence
    assert desk.ask("select run_id from raw.orders") == [(second,)]


def books(desk: TradingDesk) -> dict[str, Any]:
    with warehouse_session(desk.settings) as con:
        build(con, desk.settings, CATALOG)
        return derived(con)


def test_a_request_is_nobody_s_end_of_day(desk: TradingDesk, tmp_path: Path) -> None:
    monday = datetime(2025, 11, 3, 17, tzinfo=UTC)
    desk.sync(FRIDAY)
    before = books(desk)
    desk.broker.now = monday
    desk.trade(CLOSE_ALL)
    desk.broker.now = monday + timedelta(minutes=1)
    lost(desk, CANCEL)
    after = books(desk)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"core.run", "core.trade_request", "quality.finding", "quality.day_finding"}
    assert after["quality.day"] == before["quality.day"]
    assert after["core.expected_day"] == before["core.expected_day"]
    assert after["quality.gap"] == before["quality.gap"] == []
    with warehouse_session(desk.settings) as con:
        publish(con, desk.settings.published, PUBLISHED_SCHEMAS)
    health = read_health(desk.settings, monday)
    assert health.last_run is not None
    assert health.last_trade is not None
    assert str(health.last_run["trading_date"]) == "2025-10-31"  # the books' own, and the trade apart
    assert health.last_trade["operation"] == "cancel_position_instruction"
    found = desk.ask(
        "select check_name, severity, account_id from quality.finding where check_name = 'trade' order by all"
    )
    assert found == [("trade", "INFO", str(SMALL)), ("trade", "WARN", str(SMALL))]


def test_an_instruction_that_is_not_in_an_answer_is_not_called_absent(desk: TradingDesk) -> None:
    listed = instruction("old", id="0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9eff")
    desk.broker.books["instructions"] = {str(SMALL): [listed]}
    desk.sync(FRIDAY)
    desk.broker.now = FRIDAY + timedelta(minutes=5)
    desk.recorder.canned = (200, {"data": [instruction("mine")], "metadata": {}})
    desk.trade(SUBMIT)
    books(desk)
    history = "select client_instruction_id, absent_since from core.instruction_history order by 1"
    assert desk.ask(history) == [("mine", None), ("old", None)]


def test_orders_and_fills_are_tied_to_the_request_that_made_them(desk: TradingDesk) -> None:
    done = desk.trade(CLOSE_ALL)
    desk.broker.books["positions"] = {str(SMALL): []}
    desk.broker.books["executions"] = {
        str(SMALL): [
            {
                "id": "f0000000-0000-4000-8000-000000000001",
                "order_id": order()["id"],
                "account_id": SMALL,
                "instrument_id": AAPL,
                "symbol": "AAPL",
                "side": "SELL",
                "quantity": "100",
                "price": "151.00",
                "transaction_time": "2025-10-31T16:00:01Z",
            }
        ]
    }
    desk.sync(FRIDAY)
    books(desk)
    tie = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "trading.md").read_text(), re.DOTALL)[0]
    assert desk.ask(tie) == [(done.record.run_id, order()["id"], "AAPL", "SELL", Decimal(100), None)]
    assert desk.ask("select sold_quantity from core.trade_flow") == [(Decimal(100),)]
