"""A desk for the tests of trading: a broker whose answers to writes a test decides, a recorder before it, and
a home."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.trading import InstructionRow
from pipelines.broker.client import BrokerClient
from pipelines.ingest.snapshot import take_snapshot
from pipelines.settings import Settings
from pipelines.trading.journal import Journal
from pipelines.trading.preview import Line, Preview
from pipelines.trading.proposals import Proposal
from pipelines.trading.requests import (
    TradeRequest,
    cancel_instruction,
    close_position,
    close_positions,
    submit_instructions,
)
from pipelines.trading.send import Trade, trade
from pipelines.trading.settle import settle
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer
from tests.support.desk import AAPL, shares
from tests.support.trading_server import Recorder

SMALL, CONTRACT = 100, "e5e6e7e8-f5f6-a5a6-b5b6-b7b8b9babcbe"
FRIDAY_NOON = datetime(2025, 10, 31, 16, tzinfo=UTC)
FRIDAY = datetime(2025, 10, 31, 20, 30, tzinfo=UTC)
TAKEN = "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e02"
KEY = "a-trading-key-nobody-may-see"


def order(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"019c0b57-0850-7b0b-8a2c-{number:012}",
        "client_order_id": f"close-positions-{number}",
        "account_id": SMALL,
        "instrument_id": AAPL,
        "instrument_type": "COMMON_STOCK",
        "symbol": "AAPL",
        "side": "SELL",
        "order_type": "MARKET",
        "time_in_force": "DAY",
        "status": "PENDING_NEW",
        "quantity": "100",
        "filled_quantity": "0",
        "leaves_quantity": "100",
        "venue": "XNMS",
        "created_at": "2025-10-31T16:00:00.500000000Z",
        "updated_at": "2025-10-31T16:00:00.500000000Z",
        **changes,
    }


def instruction(key: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": TAKEN,
        "client_instruction_id": key,
        "account_id": SMALL,
        "instruction_type": "EXERCISE",
        "instrument_id": CONTRACT,
        "symbol": "AAPL  251219C00140000",
        "quantity": "1",
        "status": "SENT",
        **changes,
    }


def rows(*keys: str) -> list[InstructionRow]:
    return [
        InstructionRow(instruction_type="EXERCISE", instrument_id=CONTRACT, quantity="1", client_instruction_id=key)
        for key in keys
    ]


CLOSE = close_position(str(SMALL), AAPL, symbol="AAPL")
CLOSE_ALL = close_positions(str(SMALL))
SUBMIT = submit_instructions(str(SMALL), rows("mine"))
CANCEL = cancel_instruction(str(SMALL), TAKEN)
DONE = (200, {"data": [order()], "error": None, "metadata": {"request_id": "r1"}})


def unchanging(request: TradeRequest, lines: Sequence[Line] = ()) -> Proposal:
    """A request as it is proposed where nothing about it can change."""
    return Proposal(request, Preview(lines), lambda: unchanging(request, lines))


@dataclass
class TradingDesk:
    """A broker whose answers a test writes, behind a recorder, and a home."""

    broker: BrokerServer
    recorder: Recorder
    settings: Settings

    def trade(self, request: TradeRequest, lines: Sequence[Line] = (), **arguments: Any) -> Trade:
        with BrokerClient(self.settings.base_url, None) as client:
            clock = client.clock()
        return trade(self.settings, unchanging(request, lines), clock, **{"timeout": 5.0, **arguments})

    def sync(self, at: datetime) -> list[str]:
        """A sync at an instant of the broker's, with what it settles."""
        self.broker.now = at
        with warehouse_session(self.settings) as con:
            snapshot = take_snapshot(con, self.settings)
            settled = settle(con, self.settings)
        return snapshot.alerts + settled

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with warehouse_session(self.settings) as con:
            return con.execute(query).fetchall()

    def states(self) -> list[list[str]]:
        """The states of every record, in the order in which it came to them."""
        journal = Journal(self.settings)
        return [[state for state, _ in journal.read(run).history] for run in journal.run_ids()]


@contextmanager
def trading_desk(home: Path) -> Iterator[TradingDesk]:
    """A desk on Friday at noon: a long position in AAPL, and every write answered with an order."""
    held = {SMALL: [shares("100", "151.00", cost="14500.00", day="2025-10-31", account=SMALL)]}
    books: dict[str, Any] = {name: {SMALL: []} for name in ("instructions", "executions", "orders", "history")}
    with (
        BrokerServer(accounts=[SMALL], positions=held, balances={}, contracts=[], now=FRIDAY_NOON, **books) as broker,
        Recorder(broker.url) as recorder,
    ):
        recorder.canned = DONE
        yield TradingDesk(broker, recorder, Settings(base_url=recorder.url, home=home, trading_api_key=KEY))
