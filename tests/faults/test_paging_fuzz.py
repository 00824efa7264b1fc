"""F6, F7: whatever a book does while it is paged, a read that says complete shows the book as it stood at one instant.

In this world nothing comes back: a row that changed or went is never seen again as it was. (A broker that undid each
change between two pages, and did so twice in the same way, could show two reads that agree and never were.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.shapes import POSITIONS, Shape
from pipelines.broker.client import BrokerClient
from pipelines.broker.columns import to_batch
from pipelines.broker.read import Read
from tests.support.broker_server import BrokerServer, Fault, Request, position

ACCOUNT = "100001"
Holdings = dict[str, str]
Row = dict[str, Any]
#: When (after how many pages), what, and to which row.
CHANGES = st.lists(
    st.tuples(st.integers(0, 14), st.sampled_from(["buy", "sell", "trade", "swap"]), st.integers(0, 30)), max_size=5
)


@dataclass
class Moving:
    """A book that changes as it is told, and remembers every state that it was in."""

    rows: list[Row]
    changes: list[tuple[int, str, int]]
    states: list[Holdings] = field(default_factory=list)
    pages: int = 0
    fresh: itertools.count[int] = field(default_factory=lambda: itertools.count(1000))

    def __post_init__(self) -> None:
        self.remember()

    def remember(self) -> None:
        self.states.append({row["instrument_id"]: row["quantity"] for row in self.rows})

    def page_was_read(self, server: BrokerServer) -> None:
        """Between this page and the next."""
        self.pages += 1
        for at, kind, which in self.changes:
            if at == self.pages:
                self.change(kind, which)
                self.remember()
        server.positions[ACCOUNT] = list(self.rows)

    def change(self, kind: str, which: int) -> None:
        number = next(self.fresh)
        if kind in ("sell", "swap") and self.rows:
            del self.rows[which % len(self.rows)]
        if kind in ("buy", "swap"):  # before, between or after the others in the order of symbols
            self.rows.append(position(ACCOUNT, number, symbol=f"S{which:06}x{number}"))
        elif kind == "trade" and self.rows:
            at = which % len(self.rows)
            self.rows[at] = {**self.rows[at], "quantity": str(number)}


def read(server: BrokerServer) -> tuple[Read[Holdings], Holdings]:
    """The account's positions as the client reads them."""

    def keep(_: Shape, rows: list[Row]) -> Holdings:
        return {row["instrument_id"]: row["quantity"] for row in rows}

    with BrokerClient(server.url, None, keep=keep, budget=5) as client:
        found = client.positions(ACCOUNT)
    return found, {name: quantity for batch in found.batches for name, quantity in batch.items()}


def moving(
    size: int, most_rows: int, changes: list[tuple[int, str, int]], *mischief: Fault
) -> tuple[Moving, BrokerServer]:
    book = Moving([position(ACCOUNT, number) for number in range(size)], changes)
    faults = [*mischief, Fault("positions", times=None, then=book.page_was_read)]
    return book, BrokerServer([ACCOUNT], {ACCOUNT: list(book.rows)}, faults=faults, most_rows=most_rows)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(size=st.integers(0, 9), most_rows=st.integers(1, 4), changes=CHANGES)
def test_a_read_that_says_complete_is_the_book_at_one_instant(
    size: int, most_rows: int, changes: list[tuple[int, str, int]]
) -> None:
    book, server = moving(size, most_rows, changes)
    with server:
        found, holdings = read(server)
    if found.complete:
        assert found.rows == len(holdings)
        assert holdings in book.states
    else:
        assert found.error
        assert changes  # a book that stands still is always read whole


def _lose(whole: dict[str, Any]) -> None:
    del whole["data"][:1]


def _repeat(whole: dict[str, Any]) -> None:
    whole["data"] += whole["data"][:1]


def _contradict(whole: dict[str, Any]) -> None:
    whole["data"] += [{**row, "quantity": "7"} for row in whole["data"][:1]]


def _end(whole: dict[str, Any]) -> None:
    whole["metadata"]["next_page_token"] = None


def _empty(whole: dict[str, Any]) -> None:
    whole["data"] = []


def _miscount(whole: dict[str, Any]) -> None:
    whole["metadata"]["total_items"] += 1


def _jump(whole: dict[str, Any]) -> None:
    whole["metadata"]["page_number"] += 1


def _foreign(whole: dict[str, Any]) -> None:
    for row in whole["data"][:1]:
        row["account_id"] = 999999


def _loop(whole: dict[str, Any]) -> None:
    whole["metadata"]["next_page_token"] = "W10="


LIES: list[Callable[[dict[str, Any]], None]] = [
    _lose, _repeat, _contradict, _end, _empty, _miscount, _jump, _foreign, _loop,
]  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    size=st.integers(0, 9),
    most_rows=st.integers(1, 4),
    changes=CHANGES,
    lies=st.lists(st.tuples(st.integers(0, 8), st.sampled_from(LIES), st.sampled_from([1, None])), max_size=3),
)
def test_a_broker_that_lies_too_is_never_believed(
    size: int, most_rows: int, changes: list[tuple[int, str, int]], lies: list[tuple[int, Any, int | None]]
) -> None:
    book = Moving([position(ACCOUNT, number) for number in range(size)], changes)

    def then_move(server: BrokerServer) -> None:
        book.page_was_read(server)

    faults = [Fault("positions", skip=skip, times=times, edit=lie, then=then_move) for skip, lie, times in lies]
    faults.append(Fault("positions", times=None, then=then_move))
    server = BrokerServer([ACCOUNT], {ACCOUNT: list(book.rows)}, faults=faults, most_rows=most_rows)
    with server:
        found, holdings = read(server)
    if found.complete:
        assert holdings in book.states
    else:
        assert found.error


SPLICES = st.sampled_from(
    [b"NaN", b"1e999", b"-0", b'"\\ud800"', b"\\u0000", b"\xff\xfe", b"null", b"[" * 2000, b'{"a":' * 600, b"{}", b'""',
     b"1" * 5000, b'"' + b"9" * 400 + b'"', b"\r\n", b"true", b'"data":[]', b"Infinity", "\u202e".encode()]
)  # fmt: skip
MUTATIONS = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 60), SPLICES | st.binary(max_size=8)), max_size=4)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations=MUTATIONS, status=st.sampled_from([200, 200, 200, 207, 400, 403, 404, 429, 500, 302, 299]))
def test_no_bytes_of_a_broker_crash_a_read_and_what_is_kept_fits_its_columns(
    mutations: list[tuple[int, int, bytes]], status: int
) -> None:
    SPOILT.server.faults = [Fault("positions", times=None, status=status, body=spoil(SPOILT.whole, mutations))]
    found = SPOILT.client.positions(ACCOUNT)
    assert found.complete == (found.error is None)
    assert all(batch.schema.equals(to_batch(POSITIONS, []).schema) for batch in found.batches)
    if found.complete:
        assert status in (200, 299)
        assert found.rows == sum(batch.num_rows for batch in found.batches)
        assert found.total_items in (None, found.rows)


def spoil(body: bytes, mutations: list[tuple[int, int, bytes]]) -> bytes:
    """A body with pieces cut out and others put in."""
    for at, length, piece in mutations:
        start = at % (len(body) + 1)
        body = body[:start] + piece + body[start + length :]
    return body


class _Spoilt:
    """A server, a client and a real page of three positions; made once, for making them takes longer than a read."""

    @cached_property
    def server(self) -> BrokerServer:
        rows = [position(ACCOUNT, number, undocumented={"a": [1]}) for number in range(3)]
        return BrokerServer([ACCOUNT], {ACCOUNT: rows}).__enter__()

    @cached_property
    def client(self) -> BrokerClient[pa.Table]:
        return BrokerClient(self.server.url, None, keep=to_batch, budget=0.05)

    @cached_property
    def whole(self) -> bytes:
        status, body, _ = self.server.answer(Request("GET", f"/v1/accounts/{ACCOUNT}/positions", {}, {}))
        assert status == 200
        return orjson.dumps(body)


SPOILT = _Spoilt()


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield
    SPOILT.client.close()
    SPOILT.server.__exit__()
