"""Books that change between the table that is shown and the request, for each of the four trades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.broker_server import BrokerServer, Fault, position
from tests.support.desk import AAPL, shares
from tests.support.trading_desk import CONTRACT, SMALL, TAKEN, TradingDesk, instruction, order

MSFT = "b1b2b3b4-c1c2-d1d2-e1e2-e3e4e5e6e7e8"
CALL = "AAPL  251219C00140000"
OF = f"/v1/accounts/{SMALL}/positions"
CLOSE = ("positions", "close", "--account", str(SMALL), "--instrument", "AAPL")
CLOSE_ALL = ("positions", "close-all", "--account", str(SMALL))
SUBMIT = (
    *("instructions", "submit", "--account", str(SMALL), "--type", "EXERCISE"),
    *("--instrument", CALL, "--quantity", "2", "--key", "mine"),
)
CANCEL = ("instructions", "cancel", "--account", str(SMALL), "--id", TAKEN)
#: What each sends, and the word that a person types to have it sent.
SENT = {
    CLOSE: ("DELETE", f"{OF}/{AAPL}", "AAPL"),
    CLOSE_ALL: ("DELETE", OF, str(SMALL)),
    SUBMIT: ("POST", f"{OF}/instructions", "submit"),
    CANCEL: ("DELETE", f"{OF}/instructions/{TAKEN}", "cancel"),
}
EACH = pytest.mark.parametrize("command", SENT, ids=["close", "close-all", "submit", "cancel"])


def stock(**changes: Any) -> dict[str, Any]:
    return {**shares("100", "151.00", cost="14500.00", day="2025-10-31", account=SMALL), **changes}


def call(**changes: Any) -> dict[str, Any]:
    return position(
        SMALL, 1, **{"instrument_id": CONTRACT, "instrument_type": "OPTION", "symbol": CALL, "quantity": "5", **changes}
    )


def contract(**changes: Any) -> dict[str, Any]:
    terms = {"contract_type": "CALL", "strike_price": "140", "multiplier": "100", "expiry": "2025-12-19"}
    return {"id": CONTRACT, "symbol": CALL, "underlying_instrument_id": AAPL, **terms, **changes}


@dataclass
class Books:
    """Everything that a preview is made of, as a test sets it."""

    positions: Sequence[dict[str, Any]] = (stock(), call())
    instructions: Sequence[dict[str, Any]] = (instruction("theirs"),)
    contracts: Sequence[dict[str, Any]] = (contract(),)

    def put(self, broker: BrokerServer) -> None:
        broker.books["positions"] = {str(SMALL): deepcopy(list(self.positions))}
        broker.books["instructions"] = {str(SMALL): deepcopy(list(self.instructions))}
        broker.contracts = list(self.contracts)


def answers(desk: TradingDesk, command: tuple[str, ...]) -> None:
    """What the broker says to the request of a command: yes."""
    rows = {SUBMIT: [instruction("mine")], CANCEL: instruction("theirs", status="CANCEL_REQUESTED")}
    desk.recorder.canned = (200, {"data": rows.get(command, [order()]), "error": None, "metadata": {}})


def after_the_first_read(desk: TradingDesk, command: tuple[str, ...], change: Callable[[BrokerServer], None]) -> None:
    """Let something happen to the broker's books once a command has read them for its table."""
    last = {SUBMIT: "contracts", CANCEL: "instructions"}.get(command, "positions")
    desk.broker.faults.append(Fault(last, then=change))


def wires(desk: TradingDesk) -> list[tuple[str, str]]:
    return [each.wire[:2] for each in desk.recorder.writes]


HELD = {
    "it grew": (Books([stock(quantity="150"), call()]), "quantity is 150 (was 100)"),
    "it shrank": (Books([stock(quantity="99.5"), call()]), "quantity is 99.5 (was 100)"),
    "it flipped": (
        Books([stock(quantity="-100", position_type="SHORT"), call()]),
        "quantity is -100 (was 100), order is BUY (was SELL)",
    ),
    "an order took hold of a part": (Books([stock(available_quantity="40"), call()]), "free is 40 (was 100)"),
    "it is called otherwise": (Books([stock(symbol="AAPL.OLD"), call()]), "AAPL"),
    "it was sold": (Books([stock(quantity="0"), call()]), "is no longer there"),
}
GONE = {
    "it vanished": Books([call()]),
    "the account is flat": Books([]),
    "its symbol means another instrument": Books([stock(instrument_id=MSFT), call()]),
    "its symbol means two instruments": Books([stock(), stock(instrument_id=MSFT), call()]),
    "another is called by its id": Books([stock(), stock(instrument_id=MSFT, symbol=AAPL), call()]),
}
INSTRUCTED = {
    "fewer contracts are held": (Books([stock(), call(quantity="3")]), "held is 3 (was 5)"),
    "more contracts are held": (Books([stock(), call(quantity="6")]), "held is 6 (was 5)"),
    "the contracts were sold short": (
        Books([stock(), call(quantity="-5", position_type="SHORT")]),
        "held is -5 (was 5)",
    ),
    "the contract is no longer held": (Books([stock()]), "holds no position in"),
    "its symbol means another contract": (Books([stock(), call(instrument_id=MSFT)]), f"({CONTRACT})"),
    "somebody instructed it too": (
        Books(instructions=[instruction("theirs"), instruction("x", id=MSFT, quantity="2")]),
        "instructed before is EXERCISE of 1 is SENT; EXERCISE of 2 is SENT (was EXERCISE of 1 is SENT)",
    ),
    "what stood was cancelled": (
        Books(instructions=[instruction("theirs", status="CANCELLED")]),
        "instructed before is none (was EXERCISE of 1 is SENT)",
    ),
    "the contract was adjusted": (Books(contracts=[contract(multiplier="150")]), "shares is 300 (was 200)"),
    "the contract is no longer known": (Books(contracts=[]), "shares is none (was 200)"),
}
LISTED = {
    "it was accepted": (
        Books(instructions=[instruction("theirs", status="ACCEPTED")]),
        "status is ACCEPTED (was SENT)",
    ),
    "its quantity is another": (Books(instructions=[instruction("theirs", quantity="3")]), "contracts is 3 (was 1)"),
    "its contract is another": (
        Books(instructions=[instruction("theirs", instrument_id=MSFT)]),
        f"is {MSFT} (was {CONTRACT})",
    ),
    "its type is another": (
        Books(instructions=[instruction("theirs", instruction_type="DO_NOT_EXERCISE")]),
        "instruction type is DO_NOT_EXERCISE (was EXERCISE)",
    ),
    "it is no longer listed": (Books(instructions=[]), "lists no instruction"),
}
APPEARED = Books([stock(), call(), stock(instrument_id=MSFT, symbol="MSFT", quantity="-7", position_type="SHORT")])
#: What is there instead while a person looks at the table.
GREW = {
    CLOSE: Books([stock(quantity="150"), call()]),
    CLOSE_ALL: APPEARED,
    SUBMIT: Books([stock(), call(quantity="3")]),
    CANCEL: Books(instructions=[instruction("theirs", status="UNKNOWN")]),
}
