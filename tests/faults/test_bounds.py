"""A listing, an account and an evening take a bounded number of answers, bytes and seconds, and nobody else's."""

from __future__ import annotations

import json
import socket
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipelines.broker.budget import ACCOUNT, EVENING, LISTING, MIB, Budgets, Limits
from pipelines.broker.client import BrokerClient
from tests.support.bounded import answer, read, within
from tests.support.broker_server import BrokerServer, position
from tests.support.desk import FRIDAY, desk
from tests.support.raw_server import RawServer, Talk
from tests.support.trading_desk import FRIDAY_NOON


def endless(size: int = 0) -> Talk:
    """A listing of a row a page, with a new token each time."""
    numbers = count()

    def talk(connection: socket.socket) -> None:
        number = next(numbers)
        metadata = {"next_page_token": f"t{number}", "request_id": "x" * size}
        answer(json.dumps({"data": [position(7, number)], "metadata": metadata}).encode())(connection)

    return talk


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(answers=7), "one listing may take 7 answers, and 7 answers of"),
        (Limits(size=MIB), "one listing may take 1 MiB"),
        (Limits(seconds=0.6), "one listing may take 0.01 minutes"),
    ],
)
def test_a_listing_that_never_ends_ends_with_its_budget(limits: Limits, why: str) -> None:
    with RawServer(endless(100_000 if limits.size == MIB else 0)) as server, within():
        found = read(server.url, 5.0, budgets=Budgets(listing=limits))
        assert server.connections == 7 if limits.answers == 7 else server.connections > 1
    assert not found.complete
    assert why in str(found.error)
    assert "ask the broker" in str(found.error)


def test_the_listings_of_an_account_share_its_budget_and_another_account_has_its_own() -> None:
    budgets = Budgets(account=Limits(answers=3))
    books: dict[str, Any] = {"positions": {7: [], 8: []}, "instructions": {7: [], 8: []}, "orders": {7: [], 8: []}}
    server = BrokerServer(accounts=[7, 8], balances={7: {"account_id": 7}}, **books)
    with server, BrokerClient(server.url, None, budgets=budgets) as client:
        seven = [client.positions("7"), client.instructions("7"), client.orders("7", FRIDAY_NOON, FRIDAY_NOON)]
        over = client.balances("7")
        eight = client.positions("8")
    assert [each.complete for each in [*seven, eight]] == [True] * 4
    assert "account 7 may take 3 answers" in str(over.error)
    assert not server.asked("balances")


def test_a_book_that_never_holds_still_costs_no_more_than_its_listing() -> None:
    with RawServer(endless()) as server, within():
        found = read(server.url, 5.0, budgets=Budgets(Limits(answers=50), Limits(answers=20), Limits(answers=9)))
        assert server.connections == 9
    assert "an evening's reading may take 9 answers" in str(found.error)


def test_accounts_that_an_evening_has_no_time_for_are_gaps_with_that_reason(tmp_path: Path) -> None:
    accounts = list(range(100, 120))
    books: dict[str, Any] = {name: {each: [] for each in accounts} for name in ("positions", "instructions")}
    with desk(tmp_path / "home", accounts=accounts, **books) as made:
        snapshot = made.sync(FRIDAY, budgets=Budgets(evening=Limits(answers=40)))
        made.build()
        assert 0 < snapshot.accounts_complete < 20 == snapshot.accounts_expected
        query = "select status, error from raw.extract_manifest where endpoint = 'positions' order by account_id"
        rows = made.ask(query)
        assert {status for status, _ in rows[-3:]} == {"FAILED"}
        assert all("an evening's reading may take 40 answers" in error for _, error in rows[-3:])
        gaps = made.ask("select reason, count(*) from quality.gap group by all")
        assert gaps == [("FETCH_FAILED", sum(status == "FAILED" for status, _ in rows))]
        assert len(made.broker.requests) < 50
        assert made.ask("select status from quality.day") == [("INCOMPLETE",)]
        assert made.sync(FRIDAY).is_complete


def test_a_million_positions_are_within_every_budget() -> None:
    """Each position is half a kilobyte; what has several pages is read twice; a slow broker takes a second a page."""
    row, page = 560, 1_000
    one_account, large = 1_000_000 // page * 2, 200_000 // page * 2
    assert one_account < LISTING.answers
    assert 2 * 1_000_000 * row < LISTING.size
    assert large * 1.0 < LISTING.seconds < ACCOUNT.seconds < EVENING.seconds
    accounts, each = 200, 5 * 2 + 5  # 5,000 positions, and five listings of a page
    assert accounts * each < EVENING.answers
    assert 2 * 1_000_000 * row < EVENING.size
    assert accounts * each * 1.0 / 4 < EVENING.seconds  # four are read at once
