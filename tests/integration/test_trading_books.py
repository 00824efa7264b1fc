"""What was traded through daybook, in the books and the report: requests with their orders, fills, events and P&L."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import CATALOG
from models.trading import NIL, InstructionRow
from pipelines.books.as_known import open_known
from pipelines.books.build import build
from pipelines.books.catalog import select_of
from pipelines.broker.client import BrokerClient
from pipelines.ingest.snapshot import take_snapshot
from pipelines.report.content import QUESTIONS, collect_report
from pipelines.sandbox.instruments import CALL, option
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.trading.preview import Closing
from pipelines.trading.requests import submit_instructions
from pipelines.trading.send import trade
from pipelines.warehouse.published import publish_if_behind
from pipelines.warehouse.session import warehouse_session
from pipelines.warehouse.tables import rows_of
from tests.support.desk import AAPL
from tests.support.trading_desk import (
    CLOSE,
    CLOSE_ALL,
    FRIDAY,
    SMALL,
    SUBMIT,
    TradingDesk,
    instruction,
    order,
    trading_desk,
    unchanging,
)

THURSDAY = FRIDAY - timedelta(days=1)
OTHERS = [f"a2a2a3a4-b1b2-c1c2-d1d2-00000000000{number}" for number in range(3)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    with trading_desk(tmp_path / "home") as desk:
        desk.sync(THURSDAY)
        yield desk


def fill(order_id: str, quantity: str = "100") -> dict[str, Any]:
    return {
        "id": "f0000000-0000-4000-8000-000000000001",
        "order_id": order_id,
        "account_id": SMALL,
        "instrument_id": AAPL,
        "symbol": "AAPL",
        "side": "SELL",
        "quantity": quantity,
        "price": "151.00",
        "transaction_time": "2025-10-31T16:00:01Z",
    }


def built(desk: TradingDesk, query: str) -> list[tuple[Any, ...]]:
    with warehouse_session(desk.settings) as con:
        build(con, desk.settings, CATALOG)
        return con.execute(query).fetchall()


def closed(desk: TradingDesk) -> None:
    """The evening after a close: the order is filled, and nothing is held."""
    done = order(status="FILLED", filled_quantity="100", average_fill_price="151.00", updated_at="2025-10-31T16:00:01Z")
    desk.broker.books["positions"] = {str(SMALL): []}
    desk.broker.books["orders"] = {str(SMALL): [done]}
    desk.broker.books["executions"] = {str(SMALL): [fill(order()["id"])]}
    desk.sync(FRIDAY)


TIE = """
    select outcome, order_id, what, request.status, filled_quantity, average_fill_price, happened_on, daily.status
    from core.trade_request as request
    left join pnl.position_daily as daily
        on request.account_id = daily.account_id and request.instrument_id = daily.instrument_id
        and request.happened_on = daily.trading_date
"""


def test_an_order_is_tied_to_its_request_its_fills_and_the_position_s_day(desk: TradingDesk) -> None:
    desk.broker.now = FRIDAY - timedelta(hours=4, minutes=30)
    desk.trade(CLOSE_ALL)
    assert built(desk, "select status, filled_quantity, happened_on from core.trade_request") == [
        ("PENDING_NEW", None, None)
    ]
    shown = select_of(QUESTIONS / "requests.sql")
    with warehouse_session(desk.settings) as con:
        (sent,) = rows_of(con, shown, {"day": date(2025, 10, 31)})
    assert sent["outcome"] == "SENT"  # and not done: the order waits
    closed(desk)
    expected = ("SELL", "FILLED", Decimal(100), Decimal(151), date(2025, 10, 31), "CLOSED")
    assert built(desk, TIE) == [("DONE", order()["id"], *expected)]


def test_an_order_whose_answer_was_lost_is_tied_once_a_sync_has_found_it(desk: TradingDesk) -> None:
    desk.broker.now = FRIDAY - timedelta(hours=4, minutes=30)
    desk.recorder.then = "drop"
    desk.trade(CLOSE_ALL)
    assert built(desk, "select outcome, order_id from core.trade_request") == [("UNKNOWN", None)]
    closed(desk)
    ((outcome, found, *_),) = built(desk, TIE)
    assert (outcome, found) == ("FOUND", order()["id"])


def test_what_was_rejected_at_the_door_stands_with_its_reason(desk: TradingDesk) -> None:
    refused = instruction("mine", status="REJECTED", id=NIL, rejection_reason="Too many")
    desk.recorder.canned = (400, {"data": [refused], "error": {"code": 400, "message": "Too many"}, "metadata": {}})
    run = desk.trade(SUBMIT).record.run_id
    found = built(
        desk, "select outcome, http_status, instruction_id, status, rejection_reason, error from core.trade_request"
    )
    assert found == [("REJECTED", 400, f"rejected:{run}:1", "REJECTED", "Too many", "Too many")]


def test_closes_that_were_refused_keep_symbol_and_quantity_each_with_its_own_reason(desk: TradingDesk) -> None:
    desk.broker.now = FRIDAY - timedelta(hours=4, minutes=30)
    refused = {"status": "REJECTED", "id": NIL, "client_order_id": None}
    taken = order(1, symbol="MSFT", instrument_id=OTHERS[0])
    rows = [
        taken,
        order(2, **refused, symbol="IBM", instrument_id=OTHERS[1], quantity="7", details=["Halted"]),
        order(3, **refused, symbol="ORCL", instrument_id=OTHERS[2], quantity="9", details=["Not borrowable"]),
    ]
    error = {"code": 207, "message": "Some were refused"}
    desk.recorder.canned = (207, {"data": rows, "error": error, "metadata": {}})
    done = desk.trade(CLOSE_ALL)
    assert done.outcome == "PARTIAL"
    asked = "select symbol, quantity, status, rejection_reason from core.trade_request order by all"
    assert built(desk, asked) == [
        ("IBM", 7, "REJECTED", "Halted"),
        ("MSFT", 100, "PENDING_NEW", None),
        ("ORCL", 9, "REJECTED", "Not borrowable"),
    ]
    shown = select_of(QUESTIONS / "requests.sql")
    with warehouse_session(desk.settings) as con:
        told = [(row["symbol"], row["reason"]) for row in rows_of(con, shown, {"day": date(2025, 10, 31)})]
    assert sorted(told) == [("IBM", "Halted"), ("MSFT", None), ("ORCL", "Not borrowable")]


def test_what_was_refused_whole_keeps_what_was_asked_for(desk: TradingDesk) -> None:
    line = Closing("AAPL", AAPL, Decimal(100), Decimal(100), "SELL", Decimal(15100))
    desk.recorder.canned = (422, {"error": {"code": 422, "message": "Market closed"}, "metadata": {}})
    desk.trade(CLOSE, lines=[line])
    columns = "outcome, symbol, what, quantity, instrument_id, order_id, status, error"
    assert built(desk, f"select {columns} from core.trade_request") == [
        ("REJECTED", "AAPL", "SELL", 100, AAPL, None, None, "Market closed")
    ]


def test_an_exercise_is_tied_to_its_event_and_the_report_shows_it_with_the_day_s_pnl(tmp_path: Path) -> None:
    goog, account = option("GOOG", date(2005, 3, 19), CALL, "200"), "20518"
    row = InstructionRow(
        instruction_type="EXERCISE", instrument_id=goog.id, quantity="1", client_instruction_id="by-hand"
    )
    with Sandbox(seed=1, short_sales=False) as sandbox:
        settings = Settings(base_url=sandbox.url, home=tmp_path / "home", api_key="any")

        def night(day: int) -> None:
            sandbox.clock.set(datetime(2005, 2, day, 21, 20, tzinfo=UTC))
            with warehouse_session(settings) as con:
                take_snapshot(con, settings)
                build(con, settings, CATALOG)
                publish_if_behind(con, settings)

        night(2)
        sandbox.clock.set(datetime(2005, 2, 3, 18, tzinfo=UTC))
        with BrokerClient(settings.base_url, "any") as client:
            done = trade(settings, unchanging(submit_instructions(account, [row])), client.clock())
        assert done.outcome == "DONE"
        for day in (3, 4):
            night(day)
    shown = []
    for day in (3, 4):
        with open_known(CATALOG, settings.published, date(2005, 2, day), None, ()) as books:
            shown += [(day, each) for each in collect_report(books).sections["requests"].rows]
    assert [(day, each["run_id"], each["what"], each["status"]) for day, each in shown] == [
        (3, done.record.run_id, "EXERCISE", "SENT"),
        (4, done.record.run_id, "EXERCISE", "ACCEPTED"),
    ]
    (_, last) = shown[-1]
    assert last["event_kind"] == "EXERCISE"
    assert last["total_pnl"] is not None
