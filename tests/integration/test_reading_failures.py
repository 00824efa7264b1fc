"""Answers that are not whole, and those that may pass: asked for again within bounds, or incomplete."""

from __future__ import annotations

import socket
import time
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from pipelines.broker.client import BrokerClient
from pipelines.errors import Unauthorized
from tests.support.broker_server import BrokerServer, Fault
from tests.support.reading import KEY, book, checks, metadata, reading


def test_an_account_that_the_key_may_not_read_is_incomplete_and_its_neighbour_is_not() -> None:
    books = book(7, 2) | book(8, 2)
    server = BrokerServer(accounts=[7, 8], positions=books, forbidden={(8, "positions")})
    with reading(server) as client:
        ours, theirs = client.positions("7"), client.positions("8")
    assert ours.complete
    assert (theirs.complete, theirs.http_status, theirs.rows) == (False, 403, 0)
    assert str(theirs.error).startswith("positions of account 8: the broker answered 403 (The caller does not have")
    assert len(server.asked("/8/positions")) == 1


@pytest.mark.parametrize("ask", ["clock", "accounts", "positions", "balances"])
def test_a_wrong_key_is_said_at_once_and_asked_only_once(ask: str) -> None:
    server = BrokerServer(accounts=[7], positions=book(7, 1), key="another key")
    with reading(server) as client, pytest.raises(Unauthorized, match="API key is wrong") as caught:
        getattr(client, ask)(*(["7"] if ask in ("positions", "balances") else []))
    assert len(server.requests) == 1
    assert caught.value.request_id == "request-00001"
    assert KEY not in str(caught.value)


def test_a_207_is_incomplete_whatever_rows_come_with_it() -> None:
    error = {"code": 500, "message": "historical data temporarily unavailable"}
    partial = Fault("portfolio-history", status=207, edit=lambda whole: whole.update(error=error))
    history = {7: [{"date": "2025-10-31", "realized_pnl": "12.00"}]}
    with reading(BrokerServer(accounts=[7], history=history, faults=[partial])) as client:
        read = client.portfolio_history("7", date(2025, 10, 1), date(2025, 10, 31))
    assert (read.complete, read.http_status, read.rows) == (False, 207, 1)
    assert "historical data temporarily unavailable" in str(read.error)


def test_a_207_without_an_error_is_incomplete_too() -> None:
    with reading(BrokerServer(accounts=[7], positions=book(7, 1), faults=[Fault("positions", status=207)])) as client:
        assert not client.positions("7").complete


def test_an_error_inside_a_200_is_incomplete() -> None:
    edit = metadata()

    def fail_half(whole: dict[str, Any]) -> None:
        whole["error"] = {"code": 500, "message": "half"}
        edit(whole)

    fault = Fault("positions", edit=fail_half)
    with reading(BrokerServer(accounts=[7], positions=book(7, 1), faults=[fault])) as client:
        read = client.positions("7")
    assert (read.complete, read.http_status) == (False, 200)
    assert checks(read) == ["broker_error"]


PASSING = [
    Fault("positions", status=408),
    Fault("positions", status=425),
    Fault("positions", status=429),
    Fault("positions", status=500),
    Fault("positions", status=502, body=b"<html>Bad gateway</html>"),
    Fault("positions", status=503, body={"code": 503, "message": "bare"}),
    Fault("positions", status=504, body=b""),
    Fault("positions", reset=True),
    Fault("positions", short=True),
    Fault("positions", body=b'{"data":[{"account_id":7'),
    Fault("positions", body=b"<!doctype html><html><body>Maintenance</body></html>"),
    Fault("positions", body=b"\xff\xfe\x00"),
    Fault("positions", body=b""),
    Fault("positions", edit=lambda whole: whole.pop("data") and whole),
]


@pytest.mark.parametrize(
    "fault", PASSING, ids=lambda fault: str(fault.status or fault.body or fault.reset or fault.short)
)
@pytest.mark.parametrize("page", [1, 2])
def test_a_fault_that_passes_costs_one_more_request_and_nothing_else(fault: Fault, page: int) -> None:
    again = Fault(**(vars(fault) | {"page": page, "times": 1}))
    server = BrokerServer(accounts=[7], positions=book(7, 3), most_rows=2, faults=[again])
    with reading(server) as client:
        read = client.positions("7")
    assert (read.complete, read.rows, read.error) == (True, 3, None)
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    "fault", PASSING, ids=lambda fault: str(fault.status or fault.body or fault.reset or fault.short)
)
def test_a_fault_that_stays_ends_incomplete_after_five_attempts(fault: Fault) -> None:
    always = Fault(**(vars(fault) | {"page": None, "times": None}))
    server = BrokerServer(accounts=[7], positions=book(7, 3), most_rows=2, faults=[always])
    with reading(server, budget=2.0) as client:
        read = client.positions("7")
    assert not read.complete
    assert read.rows == 0
    assert len(server.requests) == 5
    assert checks(read) == ["fetch_failed"]
    assert str(read.error).startswith("positions of account 7: ")
    assert "\n" not in str(read.error)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422])
def test_what_will_not_pass_is_asked_only_once(status: int) -> None:
    server = BrokerServer(accounts=[7], positions=book(7, 1), faults=[Fault("positions", status=status, times=None)])
    with reading(server) as client:
        read = client.positions("7")
    assert (read.complete, read.http_status, len(server.requests)) == (False, status, 1)


def retry_after(text: str, **more: Any) -> Fault:
    return Fault("positions", status=429, headers={"Retry-After": text}, **more)


@pytest.mark.parametrize(
    ("text", "least"), [("0", 0.0), ("1", 1.0), ("soon", 0.0), ("-5", 0.0), ("", 0.0), ("1.5e9", 0.0)]
)
def test_retry_after_in_seconds_is_honoured_and_nonsense_is_not(text: str, least: float) -> None:
    server = BrokerServer(accounts=[7], positions=book(7, 1), faults=[retry_after(text)])
    with reading(server) as client:
        began = time.monotonic()
        assert client.positions("7").complete
        assert least <= time.monotonic() - began < least + 1.0


def test_retry_after_as_a_date_is_honoured_by_the_brokers_own_clock() -> None:
    two_seconds_on = format_datetime(datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2), usegmt=True)
    past = format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True)
    server = BrokerServer(accounts=[7], positions=book(7, 1), faults=[retry_after(two_seconds_on), retry_after(past)])
    with reading(server) as client:
        began = time.monotonic()
        assert client.positions("7").complete
        assert 0.9 <= time.monotonic() - began < 3.0


def test_a_wait_longer_than_the_budget_is_not_begun() -> None:
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    for text in ("3600", tomorrow):
        server = BrokerServer(accounts=[7], positions=book(7, 1), faults=[retry_after(text, times=None)])
        with reading(server) as client:
            began = time.monotonic()
            read = client.positions("7")
            assert time.monotonic() - began < 1.0
        assert not read.complete
        assert len(server.requests) == 1
        assert "asked to wait" in str(read.error)


def test_a_server_that_drips_its_answer_cannot_hold_a_page_beyond_its_budget() -> None:
    server = BrokerServer(accounts=[7], positions=book(7, 1), faults=[Fault("positions", drip=0.05, times=None)])
    with reading(server, budget=0.7) as client:
        began = time.monotonic()
        read = client.positions("7")
        assert time.monotonic() - began < 3.0
    assert not read.complete


def test_a_broker_that_is_not_there_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        with BrokerClient(f"http://127.0.0.1:{taken.getsockname()[1]}", KEY, budget=1.0) as client:
            read = client.accounts()
    assert not read.complete
    assert str(read.error).startswith("the list of accounts: the connection to 127.0.0.1:")


def test_a_failure_of_the_second_read_leaves_the_account_incomplete() -> None:
    down = Fault("positions", page=1, skip=1, times=None, status=500)
    with reading(BrokerServer(accounts=[7], positions=book(7, 3), most_rows=2, faults=[down]), budget=0.5) as client:
        read = client.positions("7")
    assert (read.complete, read.rows, read.http_status) == (False, 3, 500)
