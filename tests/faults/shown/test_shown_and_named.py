"""A position is the same only where its instrument, name and quantity are, letter by letter, in any two books."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipelines.broker.client import BrokerClient
from pipelines.errors import ConfigurationError
from pipelines.trading.changes import Changed, refuse_changed
from pipelines.trading.held import find_position
from pipelines.trading.proposals import propose_closing, propose_closing_all
from tests.support.broker_server import BrokerServer
from tests.support.shown import CALL, OF, stock
from tests.support.trading_desk import FRIDAY_NOON, SMALL

#: A long s, a Kelvin sign, a sharp s, a ligature, a Cyrillic M, a dotless i, a wide A, each with what it is taken for.
LOOKALIKES = [
    *(("M\u017fFT", "MSFT"), ("K", "\u212a"), ("\u00df", "SS"), ("\ufb01", "FI")),
    *(("MSFT", "\u041cSFT"), ("I", "\u0131"), ("A", "\uff21")),
]


@pytest.mark.parametrize(("held", "typed"), LOOKALIKES, ids=map(ascii, LOOKALIKES))
def test_letters_that_only_look_or_become_alike_are_another_name(held: str, typed: str) -> None:
    for symbol, name in ((held, typed), (typed, held)):
        with pytest.raises(ConfigurationError, match="holds no position"):
            find_position([stock(symbol=symbol)], name)


SYMBOLS = ("AAPL", "MSFT", "BRK.B", CALL)
IDS = tuple(f"a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d{each}" for each in "0123")
QUANTITIES = st.sampled_from(["100", "100.00", "-100", "1", "0", "0.0001", "-5"])
HOLDINGS = st.dictionaries(st.sampled_from(IDS), st.tuples(st.sampled_from(SYMBOLS), QUANTITIES), max_size=4)


def book(holdings: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        stock(
            instrument_id=instrument,
            symbol=symbol,
            quantity=quantity,
            available_quantity=quantity,
            position_type="SHORT" if quantity.startswith("-") else "LONG",
        )
        for instrument, (symbol, quantity) in holdings.items()
    ]


def shown(holdings: dict[str, tuple[str, str]], name: str | None = None) -> dict[str, tuple[str, Decimal]]:
    """What is to be closed of a book: all that isn't zero, or what has a symbol."""
    return {
        instrument: (symbol, Decimal(quantity))
        for instrument, (symbol, quantity) in holdings.items()
        if Decimal(quantity) and name in (None, symbol)
    }


@pytest.fixture(scope="module")
def reader() -> Iterator[tuple[BrokerServer, BrokerClient]]:
    with (
        BrokerServer(accounts=[SMALL], positions={SMALL: []}, now=FRIDAY_NOON) as server,
        BrokerClient(server.url, None, requests_per_second=None) as client,
    ):
        yield server, client


@given(before=HOLDINGS, after=HOLDINGS | st.none())
@settings(max_examples=300, deadline=None)
def test_of_any_two_books_all_is_closed_only_where_they_are_the_same(
    reader: tuple[BrokerServer, BrokerClient],
    before: dict[str, tuple[str, str]],
    after: dict[str, tuple[str, str]] | None,
) -> None:
    server, client = reader
    now = before if after is None else after
    server.positions[str(SMALL)] = book(before)
    proposal = propose_closing_all(client, str(SMALL))
    server.positions[str(SMALL)] = [{**row, "market_value": "1.00"} for row in reversed(book(now))]
    try:
        refuse_changed(proposal)
    except Changed:
        assert shown(before) != shown(now)
    else:
        assert shown(before) == shown(now)


@given(before=HOLDINGS, after=HOLDINGS | st.none(), name=st.sampled_from(SYMBOLS))
@settings(max_examples=300, deadline=None)
def test_of_any_two_books_one_is_closed_only_where_it_is_the_same_and_its_name_is_nothing_else_s(
    reader: tuple[BrokerServer, BrokerClient],
    before: dict[str, tuple[str, str]],
    after: dict[str, tuple[str, str]] | None,
    name: str,
) -> None:
    server, client = reader
    now = before if after is None else after
    named = [instrument for instrument, (symbol, _) in before.items() if symbol == name]
    assume(len(named) == 1)
    server.positions[str(SMALL)] = book(before)
    proposal = propose_closing(client, str(SMALL), name)
    assert proposal.request.path == f"{OF}/{named[0]}"
    server.positions[str(SMALL)] = book(now)
    same = [each for each, (symbol, _) in now.items() if symbol == name] == named and shown(before, name) == shown(
        now, name
    )
    try:
        refuse_changed(proposal)
    except Changed:
        assert not same
    else:
        assert same
