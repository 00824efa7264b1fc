"""F6, F7: a broker that trades, tears and lies in any order: no read of its book is wrong, and calm heals every read.

The state machine holds a book, and mischief that waits for the next pages. Each read is compared with the states in
which the book was while it went on; when nothing was wrong, it has to be whole, whatever happened before.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.faults.test_paging_fuzz import ACCOUNT, LIES, Moving, read
from tests.support.broker_server import BrokerServer, Fault, position

#: What a broker may answer instead of a page.
REFUSALS: list[dict[str, Any]] = [
    {"status": 410}, {"status": 400}, {"status": 500}, {"status": 429, "headers": {"Retry-After": "0"}},
    {"status": 207}, {"status": 200, "body": b"<html>"}, {"status": 200, "body": b'{"data": ['}, {"short": True},
    {"reset": True},
]  # fmt: skip


class Broker(RuleBasedStateMachine):
    """A broker with one account, and everything that it may do to whoever reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Moving([position(ACCOUNT, number) for number in range(7)], [])
        self.server = BrokerServer([ACCOUNT], {ACCOUNT: list(self.book.rows)}, most_rows=3).__enter__()
        self.mischief: list[Fault] = []

    def teardown(self) -> None:
        """End the server."""
        self.server.__exit__()

    @rule(kind=st.sampled_from(["buy", "sell", "trade", "swap"]), which=st.integers(0, 30))
    def trades_between_two_reads(self, kind: str, which: int) -> None:
        """The book changes while nobody looks."""
        self.book.change(kind, which)
        self.book.remember()
        self.server.positions[ACCOUNT] = list(self.book.rows)

    @rule(after=st.integers(1, 6), kind=st.sampled_from(["buy", "sell", "trade", "swap"]), which=st.integers(0, 30))
    def will_trade_during_the_next_read(self, after: int, kind: str, which: int) -> None:
        """The book will change between two pages."""
        self.book.changes.append((self.book.pages + after, kind, which))

    @rule(skip=st.integers(0, 5), lie=st.sampled_from(LIES))
    def will_lie(self, skip: int, lie: Any) -> None:
        """One of the next pages will not be what the book says."""
        self.mischief.append(Fault("positions", skip=skip, edit=lie, then=self.book.page_was_read))

    @rule(skip=st.integers(0, 5), times=st.sampled_from([1, 2, None]), refusal=st.sampled_from(REFUSALS))
    def will_refuse(self, skip: int, times: int | None, refusal: dict[str, Any]) -> None:
        """Some of the next pages will be no pages."""
        self.mischief.append(Fault("positions", skip=skip, times=times, **refusal))

    @rule()
    def is_read(self) -> None:
        """One read, with all the mischief that waits for it; then there is calm."""
        calm = not self.mischief and not any(at > self.book.pages for at, _, _ in self.book.changes)
        self.server.faults = [*self.mischief, Fault("positions", times=None, then=self.book.page_was_read)]
        states = len(self.book.states) - 1
        found, holdings = read(self.server)
        self.mischief, self.book.changes = [], []
        if found.complete:
            assert found.error is None
            assert holdings in self.book.states[states:]
        else:
            assert found.error
        assert found.complete or not calm

    @invariant()
    def the_server_has_the_book(self) -> None:
        """What the machine remembers is what the server serves."""
        served = {row["instrument_id"]: row["quantity"] for row in self.server.positions[ACCOUNT]}
        assert served == self.book.states[-1]


Broker.TestCase.settings = settings(
    max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestWhateverABrokerDoesNoReadIsWrong = Broker.TestCase
