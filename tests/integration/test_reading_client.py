"""The reading client against a real server that misbehaves in every way a broker can."""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from models.shapes import Shape
from pipelines.broker import http
from pipelines.broker.client import BrokerClient
from pipelines.broker.read import Read, Received
from pipelines.errors import ConfigurationError, Unauthorized
from tests.support.broker_server import BrokerServer, Fault, position

KEY = "sk-live-0123456789abcdef"
NOON = datetime(2025, 10, 31, 20, 30, tzinfo=UTC)


@contextmanager
def reading(server: BrokerServer, *, budget: float = 4.0, **options: Any) -> Iterator[BrokerClient]:
    with server, BrokerClient(server.url, KEY, budget=budget, **options) as client:
        yield client


def book(account_id: int, count: int) -> dict[int, list[dict[str, Any]]]:
    return {account_id: [position(account_id, number) for number in range(count)]}


def symbols(read: Read) -> list[str]:
    return [row["symbol"] for batch in read.batches for row in batch]


def checks(read: Read, severity: str = "FAIL") -> list[str]:
    return [finding.check_name for finding in read.findings if finding.severity == severity]


# --- whole books ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "pages", "reads"), [(0, 1, 1), (1, 1, 1), (1000, 1, 1), (1001, 2, 2), (25_000, 25, 2)]
)
def test_a_quiet_book_of_any_size_is_complete_and_every_row_is_there_once(count: int, pages: int, reads: int) -> None:
    server = BrokerServer(accounts=[7], positions=book(7, count), key=KEY)
    with reading(server) as client:
        read = client.positions("7")
    assert (read.complete, read.error, read.rows, read.total_items) == (True, None, count, count)
    assert (read.pages, read.reads, len(read.batches), read.http_status) == (pages, reads, pages, 200)
    assert symbols(read) == [f"S{number:06}" for number in range(count)]
    assert len(server.requests) == pages * reads


def test_every_request_is_a_get_with_the_key_and_repeats_order_and_filters_beside_the_token() -> None:
    server = BrokerServer(accounts=[7], positions=book(7, 5), most_rows=2, key=KEY)
    with reading(server) as client:
        assert client.positions("7").complete
    assert {request.method for request in server.requests} == {"GET"}
    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.query.items() >= {"page_size": "1000", "sort_by": "SYMBOL", "sort_direction": "ASC"}.items()
    assert ["page_token" in request.query for request in server.requests] == [False, True, True] * 2


def test_an_empty_account_is_flat_and_not_missing() -> None:
    with reading(BrokerServer(accounts=[7], positions={7: []})) as client:
        read = client.positions("7")
    assert (read.complete, read.rows, read.total_items, read.batches) == (True, 0, 0, [[]])


def test_rows_go_to_keep_page_by_page_and_what_it_makes_of_them_comes_back() -> None:
    kept: list[tuple[str, int]] = []

    def keep(shape: Shape, rows: list[dict[str, Any]]) -> int:
        kept.append((shape.name, len(rows)))
        return len(rows)

    with reading(BrokerServer(accounts=[7], positions=book(7, 5), most_rows=2), keep=keep) as client:
        read = client.positions("7")
    assert read.batches == [2, 2, 1]
    assert kept == [("positions", 2), ("positions", 2), ("positions", 1)]


def test_many_accounts_are_read_at_once_with_one_client() -> None:
    books = {number: book(number, 3)[number] for number in range(1, 21)}
    server = BrokerServer(accounts=list(books), positions=books, most_rows=2)
    with reading(server) as client, ThreadPoolExecutor(8) as pool:
        reads = list(pool.map(client.positions, [str(number) for number in books]))
    assert all(read.complete and read.rows == 3 for read in reads)
    assert [read.account_id for read in reads] == [str(number) for number in books]


# --- books that change while they are read -----------------------------------------------------------------------


def swap(server: BrokerServer) -> None:
    """One position of the first page closes, another opens behind the last: no count changes."""
    rows = server.positions["7"]
    server.positions["7"] = [row for row in rows if row["symbol"] != "S000003"] + [position(7, 99)]


def test_a_torn_read_that_every_count_calls_whole_is_read_again_until_two_reads_agree() -> None:
    tear = Fault("positions", page=1, then=swap)
    with reading(BrokerServer(accounts=[7], positions=book(7, 25), most_rows=10, faults=[tear])) as client:
        read = client.positions("7")
    assert read.complete
    truth = [f"S{number:06}" for number in range(25) if number != 3] + ["S000099"]
    assert symbols(read) == truth  # the ghost is gone, the lost row S000010 is there
    assert read.reads == 3
    assert "read_again" in checks(read, "INFO")


def test_a_book_that_never_stands_still_is_incomplete_after_four_reads() -> None:
    def trade(server: BrokerServer) -> None:
        server.positions["7"][0]["quantity"] = str(int(server.positions["7"][0]["quantity"]) + 1)

    tear = Fault("positions", page=2, times=None, then=trade)
    with reading(BrokerServer(accounts=[7], positions=book(7, 4), most_rows=2, faults=[tear])) as client:
        read = client.positions("7")
    assert not read.complete
    assert checks(read) == ["not_stable"]
    assert read.reads == 4
    assert "positions of account 7" in str(read.error)


def test_prices_that_move_between_two_reads_do_not_count_as_a_change() -> None:
    def tick(server: BrokerServer) -> None:
        for row in server.positions["7"]:
            row["instrument_price"] = row["market_value"] = str(time.monotonic_ns() % 1000)

    with reading(
        BrokerServer(
            accounts=[7], positions=book(7, 4), most_rows=2, faults=[Fault("positions", times=None, then=tick)]
        )
    ) as client:
        read = client.positions("7")
    assert (read.complete, read.reads) == (True, 2)


def test_averages_that_had_to_be_rounded_do_not_look_like_a_change() -> None:
    rows = {7: [position(7, number, avg_price="33.3333333333", quantity=100) for number in range(4)]}
    with reading(BrokerServer(accounts=[7], positions=rows, most_rows=2)) as client:
        read = client.positions("7")
    assert (read.complete, read.reads, read.rows) == (True, 2, 4)
    assert [row["avg_price"] for batch in read.batches for row in batch] == ["33.33333333"] * 4
    assert sorted(checks(read, "WARN")) == ["inexact_decimal"] * 4 + ["number_instead_of_text"]


def test_a_total_that_changes_starts_the_listing_over() -> None:
    def close_one(server: BrokerServer) -> None:
        del server.positions["7"][0]

    shrink = Fault("positions", page=1, then=close_one)
    with reading(BrokerServer(accounts=[7], positions=book(7, 25), most_rows=10, faults=[shrink])) as client:
        read = client.positions("7")
    assert (read.complete, read.rows, read.total_items) == (True, 24, 24)
    assert "read_restarted" in checks(read, "INFO")
    assert [len(batch) for batch in read.batches] == [10, 10, 4]


def test_a_total_that_changes_every_time_ends_incomplete_after_two_fresh_starts() -> None:
    def open_one(server: BrokerServer) -> None:
        server.positions["7"].append(position(7, len(server.positions["7"])))

    grow = Fault("positions", page=1, times=None, then=open_one)
    server = BrokerServer(accounts=[7], positions=book(7, 25), most_rows=10, faults=[grow])
    with reading(server) as client:
        read = client.positions("7")
    assert not read.complete
    assert checks(read) == ["total_changed"]
    assert len(server.requests) == 6


def test_an_expired_token_starts_the_listing_over() -> None:
    expire = Fault("positions", page=1, then=BrokerServer.expire_tokens)
    with reading(BrokerServer(accounts=[7], positions=book(7, 5), most_rows=2, faults=[expire])) as client:
        read = client.positions("7")
    assert (read.complete, read.rows) == (True, 5)
    assert "read_restarted" in checks(read, "INFO")


def test_a_token_that_is_expired_whenever_it_is_used_ends_incomplete() -> None:
    expire = Fault("positions", page=1, times=None, then=BrokerServer.expire_tokens)
    with reading(BrokerServer(accounts=[7], positions=book(7, 5), most_rows=2, faults=[expire])) as client:
        read = client.positions("7")
    assert not read.complete
    assert checks(read) == ["token_expired"]


# --- pages that don't fit together -------------------------------------------------------------------------------


def metadata(**changes: Any) -> Any:
    return lambda whole: whole["metadata"].update(changes)


def test_a_lost_page_is_incomplete_and_says_how_many_rows_are_missing() -> None:
    lost = Fault("positions", page=2, times=None, edit=metadata(next_page_token=None))
    with reading(BrokerServer(accounts=[7], positions=book(7, 25), most_rows=10, faults=[lost])) as client:
        read = client.positions("7")
    assert not read.complete
    assert checks(read) == ["rows_lost"]
    assert "20 different rows came where the broker counts 25" in str(read.error)
    assert read.rows == 20


def test_a_row_that_comes_twice_the_same_is_kept_once_with_a_finding() -> None:
    def repeat(whole: dict[str, Any]) -> None:
        whole["data"].append(position(7, 1))

    twice = Fault("positions", page=2, times=None, edit=repeat)
    with reading(BrokerServer(accounts=[7], positions=book(7, 4), most_rows=2, faults=[twice])) as client:
        read = client.positions("7")
    assert (read.complete, read.rows) == (True, 4)
    assert checks(read, "WARN") == ["duplicate_row"]


def test_a_row_that_comes_twice_with_different_contents_starts_over_and_then_fails() -> None:
    def contradict(whole: dict[str, Any]) -> None:
        whole["data"][0] = position(7, 1, quantity="999")

    once = Fault("positions", page=2, edit=contradict)
    with reading(BrokerServer(accounts=[7], positions=book(7, 4), most_rows=2, faults=[once])) as client:
        read = client.positions("7")
    assert (read.complete, read.rows) == (True, 4)
    assert "read_restarted" in checks(read, "INFO")

    always = Fault("positions", page=2, times=None, edit=contradict)
    with reading(BrokerServer(accounts=[7], positions=book(7, 4), most_rows=2, faults=[always])) as client:
        read = client.positions("7")
    assert not read.complete
    assert checks(read) == ["duplicate_row_differs"]


def test_two_different_rows_of_one_instrument_on_one_page_fail_too() -> None:
    rows = {7: [position(7, 1), position(7, 1, quantity="5")]}
    with reading(BrokerServer(accounts=[7], positions=rows)) as client:
        read = client.positions("7")
    assert not read.complete
    assert checks(read) == ["duplicate_row_differs"]


def test_a_row_of_another_account_fails_the_read_and_is_put_aside() -> None:
    rows = {7: [position(7, 1), position(8, 2), position(7, 3)]}
    with reading(BrokerServer(accounts=[7, 8], positions=rows)) as client:
        read = client.positions("7")
    assert not read.complete
    assert checks(read) == ["foreign_account"]
    assert symbols(read) == ["S000001", "S000003"]
    assert '"account_id":"8"' in read.rejected[0].text
    assert "account 8" in str(read.error)


def test_a_repeated_page_token_ends_the_listing_at_once_with_the_place_and_the_request() -> None:
    loop = Fault("positions", times=None, edit=metadata(next_page_token="WzAsMiwwLHt9XQ==", page_number=1))
    server = BrokerServer(accounts=[7], positions=book(7, 4), most_rows=2, faults=[loop])
    server._page = lambda rows, query: BrokerServer._page(  # type: ignore[method-assign]
        server, rows, {name: value for name, value in query.items() if name != "page_token"}
    )
    with reading(server) as client:
        read = client.positions("7")
    assert not read.complete
    assert checks(read) == ["repeated_page_token"]
    assert len(server.requests) == 2
    assert "positions of account 7: page 2 repeated a page token" in str(read.error)
    assert "(request request-" in str(read.error)


@pytest.mark.parametrize(
    ("edit", "check"),
    [
        (lambda whole: whole.update(data=[]), "empty_page_with_token"),
        (metadata(page_number=5), "page_number_jump"),
        (metadata(total_pages=1, total_items=6), "total_changed"),
    ],
)
def test_a_page_that_does_not_follow_from_the_one_before_is_incomplete(edit: Any, check: str) -> None:
    fault = Fault("positions", page=2, times=None, edit=edit)
    with reading(BrokerServer(accounts=[7], positions=book(7, 6), most_rows=2, faults=[fault])) as client:
        read = client.positions("7")
    assert not read.complete
    assert checks(read) == [check]


def test_more_pages_than_the_broker_announced_are_incomplete() -> None:
    fault = Fault("positions", times=None, edit=metadata(total_pages=2))
    with reading(BrokerServer(accounts=[7], positions=book(7, 6), most_rows=2, faults=[fault])) as client:
        assert checks(client.positions("7")) == ["too_many_pages"]


def test_a_listing_without_counts_is_read_to_its_end() -> None:
    def say_nothing(whole: dict[str, Any]) -> None:
        for name in ("total_items", "total_pages", "page_number"):
            del whole["metadata"][name]

    fault = Fault("positions", times=None, edit=say_nothing)
    with reading(BrokerServer(accounts=[7], positions=book(7, 5), most_rows=2, faults=[fault])) as client:
        read = client.positions("7")
    assert (read.complete, read.rows, read.total_items) == (True, 5, None)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"quantity": "-5"}, True),
        ({"position_type": "SHORT"}, True),
        ({"position_type": "SHORT_PUT"}, True),
        ({"position_type": "SHORT", "quantity": "-0.5"}, False),
        ({"position_type": "SHORT", "quantity": "0"}, False),
        ({"quantity": "-0.00"}, False),
        ({"position_type": "SIDEWAYS", "quantity": "-5"}, False),
    ],
)
def test_a_quantity_whose_sign_contradicts_its_side_is_incomplete(changes: dict[str, Any], wrong: bool) -> None:
    with reading(BrokerServer(accounts=[7], positions={7: [position(7, 1, **changes)]})) as client:
        read = client.positions("7")
    assert read.complete is not wrong
    assert checks(read) == (["sign_mismatch"] if wrong else [])


# --- rows that are not as documented -------------------------------------------------------------------------------


def test_a_row_that_cannot_be_understood_is_kept_aside_and_its_account_is_incomplete() -> None:
    rows = {7: [position(7, 1), position(7, 2, market_value="NaN"), position(7, 3, quantity="1.123456789")]}
    with reading(BrokerServer(accounts=[7], positions=rows)) as client:
        read = client.positions("7")
    assert not read.complete
    assert symbols(read) == ["S000001"]
    assert [rejected.reason for rejected in read.rejected] == [
        "market_value is not a decimal number",
        "quantity has more than 8 decimals: the row was refused",
    ]
    assert {finding.value for finding in read.findings} == {"NaN", "1.123456789"}


def test_numbers_instead_of_text_new_fields_and_new_members_are_counted_and_harm_nothing() -> None:
    rows = {7: [position(7, number, quantity=100, moon="full", instrument_type="TULIP") for number in range(3)]}
    with reading(BrokerServer(accounts=[7], positions=rows)) as client:
        read = client.positions("7")
    assert (read.complete, read.rows) == (True, 3)
    assert [row["quantity"] for row in read.batches[0]] == ["100"] * 3
    assert sorted(checks(read, "WARN")) == ["number_instead_of_text", "unknown_enum", "unknown_field"]
    assert read.fields_seen["unknown_fields"] == {"moon": 3}
    assert read.fields_seen["unknown_enums"] == {"instrument_type=TULIP": 3}
    assert "moon" in read.fields_seen["fields"]


def instruction(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "account_id": 7,
        "id": f"90000000-0000-4000-8000-{number:012}",
        "instruction_id": "desk-1",
        "instruction_type": "EXERCISE",
        "instrument_id": "c0000000-0000-4000-8000-000000000001",
        "symbol": "XYZ   251031C00050000",
        "quantity": "20",
        "status": "SENT",
        **changes,
    }


def test_instructions_are_whole_only_with_an_id_of_their_own_each() -> None:
    server = BrokerServer(accounts=[7], instructions={7: [instruction(1), instruction(2)]})
    with reading(server) as client:
        assert client.instructions("7").complete
        server.books["instructions"] = {"7": [instruction(0, id="00000000-0000-0000-0000-000000000000")]}
        assert checks(client.instructions("7")) == ["nil_instruction_id"]
        server.books["instructions"] = {"7": [instruction(1), instruction(1, status="ACCEPTED")]}
        assert checks(client.instructions("7")) == ["duplicate_row_differs"]


# --- answers that are not whole ------------------------------------------------------------------------------------


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
    fault = Fault("positions", edit=lambda whole: whole.update(error={"code": 500, "message": "half"}) or edit(whole))
    with reading(BrokerServer(accounts=[7], positions=book(7, 1), faults=[fault])) as client:
        read = client.positions("7")
    assert (read.complete, read.http_status) == (False, 200)
    assert checks(read) == ["broker_error"]


# --- answers that may pass -----------------------------------------------------------------------------------------

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


# --- the key -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed_and_the_key_stays_here(status: int) -> None:
    with BrokerServer(accounts=[7], positions=book(7, 1)) as stranger:
        away = Fault("positions", status=status, headers={"Location": f"{stranger.url}/v1/accounts/7/positions"})
        with reading(BrokerServer(accounts=[7], positions=book(7, 1), faults=[away])) as client:
            read = client.positions("7")
        assert stranger.requests == []
    assert (read.complete, read.http_status) == (False, status)
    assert "redirect" in str(read.error)


def test_the_key_is_in_no_error_even_where_the_broker_repeats_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    words = {"error": {"code": 403, "message": f"token Bearer {KEY}\n is\x00 bad"}}
    for status in (401, 403, 500):
        server = BrokerServer(accounts=[7], faults=[Fault("accounts", status=status, body=words, times=None)])
        with reading(server, budget=0.2) as client:
            try:
                text = str(client.accounts())
                assert f"the broker answered {status} (token Bearer [key] is bad)" in text
            except Unauthorized as error:
                text = "".join(traceback.format_exception(error)) + repr(error)
            assert KEY not in text
            assert KEY not in repr(client) + repr(vars(client))
    assert KEY not in caplog.text


def test_no_address_of_the_broker_is_logged_by_the_libraries_below(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with reading(BrokerServer(accounts=[123456789], positions={})) as client:
        assert client.positions("123456789").complete
    assert "123456789" not in caplog.text
    assert [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))] == []


@pytest.mark.parametrize("key", ["two words", "line\nend", "smörgås", "tab\tbed", "nul\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(ConfigurationError, match="CLEAR_STREET_API_KEY") as caught:
        BrokerClient("https://api.clearstreet.com", key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://api.clearstreet.com", "ftp://127.0.0.1", "api.clearstreet.com", "", "https://", "https://user:secret@host",
     "https://host?x=secret", "https://host:port"],
)  # fmt: skip
def test_an_address_that_would_not_do_is_refused_without_repeating_a_secret(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CLEAR_STREET_BASE_URL") as caught:
        BrokerClient(url, KEY)
    assert "secret" not in str(caught.value)


def test_what_is_not_an_account_id_never_becomes_a_path() -> None:
    server = BrokerServer(accounts=[7])
    with reading(server) as client, pytest.raises(ConfigurationError, match="is not an account id"):
        client.positions("7/../8")
    assert server.requests == []


def test_the_reading_client_has_no_way_to_send_anything_but_a_get() -> None:
    verbs = {"post", "put", "patch", "delete", "request", "send"}
    for thing in (BrokerClient, http.Http):
        assert not verbs & {name.strip("_") for name in vars(thing)}


# --- clock, archive, the other endpoints -----------------------------------------------------------------------------


def test_the_clock_is_the_brokers_and_its_distance_from_ours_dates_what_is_read() -> None:
    server = BrokerServer(accounts=[7], positions=book(7, 1), now=NOON)
    with reading(server) as client:
        told = client.clock()
        read = client.positions("7")
    assert (told.now, told.source) == (NOON, "API")
    assert told.skew == pytest.approx(NOON - datetime.now(UTC), abs=timedelta(seconds=5))
    assert read.captured_at is not None
    assert timedelta() <= read.captured_at - NOON < timedelta(seconds=5)


def test_without_a_clock_the_date_of_the_answer_is_the_time_and_without_an_answer_our_own_is() -> None:
    with reading(BrokerServer(faults=[Fault("clock", status=403, times=None)])) as client:
        assert client.clock().source == "DATE_HEADER"
        assert abs(client.clock().skew) < timedelta(seconds=5)
    with BrokerClient("http://127.0.0.1:9", KEY, budget=0.3) as client:
        told = client.clock()
    assert (told.source, told.skew) == ("SYSTEM", timedelta())


def test_every_answer_is_archived_as_it_came_the_bad_ones_too() -> None:
    archived: list[Received] = []
    html = b"<html>no</html>"
    faults = [Fault("positions", page=2, status=502, body=html)]
    server = BrokerServer(accounts=[7], positions=book(7, 3), most_rows=2, faults=faults)
    with reading(server, archive=archived.append) as client:
        client.clock()
        assert client.positions("7").complete
        assert not client.balances("7").complete
    assert [(one.endpoint, one.account_id, one.read, one.page, one.status) for one in archived] == [
        ("clock", "", 1, 1, 200),
        ("positions", "7", 1, 1, 200),
        ("positions", "7", 1, 2, 502),
        ("positions", "7", 1, 2, 200),
        ("positions", "7", 2, 1, 200),
        ("positions", "7", 2, 2, 200),
        ("balances", "7", 1, 1, 403),
    ]
    assert archived[2].body == html


def test_an_archive_that_cannot_write_ends_the_read_with_its_own_error() -> None:
    def full(received: Received) -> None:
        raise OSError(28, "No space left on device")

    server = BrokerServer(accounts=[7], positions=book(7, 1))
    with reading(server, archive=full) as client, pytest.raises(OSError, match="No space left"):
        client.positions("7")
    assert len(server.requests) == 1


def test_accounts_are_listed_across_pages_with_ids_as_text() -> None:
    with reading(BrokerServer(accounts=list(range(1, 6)), most_rows=2)) as client:
        read = client.accounts()
    assert (read.complete, read.pages, read.reads) == (True, 3, 1)
    assert [row["id"] for batch in read.batches for row in batch] == ["1", "2", "3", "4", "5"]


def test_executions_are_asked_for_by_window_and_carry_the_account() -> None:
    def fill(number: int, at: str) -> dict[str, Any]:
        return {"id": f"e-{number}", "side": "BUY", "quantity": "1", "price": "2", "transaction_time": at}

    fills = [fill(1, "2025-10-30T14:00:00.000000Z"), fill(2, "2025-10-31T14:00:00.123456789Z")]
    server = BrokerServer(accounts=[7], executions={7: fills})
    with reading(server) as client:
        read = client.executions("7", NOON - timedelta(hours=24), NOON)
    assert read.complete
    assert [(row["id"], row["account_id"]) for batch in read.batches for row in batch] == [("e-2", "7")]
    assert server.requests[0].query["from"] == "2025-10-30T20:30:00Z"
    assert server.requests[0].query["to"] == "2025-10-31T20:30:00Z"


def test_a_window_without_a_time_zone_is_a_programming_error() -> None:
    naive = NOON.replace(tzinfo=None)
    with reading(BrokerServer(accounts=[7])) as client, pytest.raises(ValueError, match="time zone"):
        client.orders("7", naive, naive)


def test_balances_history_events_and_hours_are_read_and_what_has_no_book_is_incomplete() -> None:
    server = BrokerServer(
        accounts=[7, 8],
        balances={7: {"account_id": 7, "equity": "100000.00", "sod": {"equity": "99.00"}}},
        history={7: [{"date": "2025-10-30", "net_pnl": "1.00"}, {"date": "2025-10-31", "net_pnl": "2.00"}]},
        events={
            "i/1": {"instrument_id": "i/1", "splits": [{"date": "2025-10-31", "numerator": "2", "denominator": "1"}]}
        },
        hours=[{"market": "us_equities", "date": "2025-10-31", "status": {"day_type": "TRADING_DAY"}}],
    )
    day = date(2025, 10, 31)
    with reading(server) as client:
        balances = client.balances("7")
        history = client.portfolio_history("7", day, day)
        events = client.instrument_events("i/1", day, day)
        hours = client.market_hours(day, "us_equities")
        orders = client.orders("7", NOON, NOON)
    assert balances.batches == [[{"account_id": "7", "equity": "100000.00", "sod": '{"equity":"99.00"}'}]]
    assert history.batches == [[{"account_id": "7", "date": "2025-10-31", "net_pnl": "2.00"}]]
    assert [(row["event_type"], row["numerator"]) for row in events.batches[0]] == [("STOCK_SPLIT", "2")]
    assert hours.batches[0][0]["status"] == '{"day_type":"TRADING_DAY"}'
    assert all(read.complete for read in (balances, history, events, hours))
    assert (orders.complete, orders.http_status) == (False, 403)


def test_contracts_are_asked_for_a_hundred_at_a_time_and_unknown_ones_are_named() -> None:
    ids = [f"c-{number}" for number in range(250)]
    server = BrokerServer(contracts=[{"id": contract_id, "multiplier": "100"} for contract_id in ids[:-1]])
    with reading(server) as client:
        read = client.option_contracts([*ids, *ids[:3]])
        nothing = client.option_contracts([])
    assert [len(request.query["contract_ids"].split(",")) for request in server.requests] == [100, 100, 50]
    assert (read.complete, read.rows, read.pages) == (True, 249, 3)
    assert [(finding.check_name, finding.instrument_id) for finding in read.findings] == [
        ("contract_not_listed", "c-249")
    ]
    assert (nothing.complete, nothing.rows) == (True, 0)


def test_market_snapshots_are_asked_for_a_hundred_at_a_time_and_a_refusal_ends_it() -> None:
    ids = [f"i-{number}" for number in range(250)]
    trade = {"last_trade": {"price": "210.12", "size": 150}, "greeks": None, "cumulative_volume": 12345678}
    server = BrokerServer(snapshots=[{"instrument_id": each, "symbol": "AAPL", **trade} for each in ids])
    with reading(server) as client:
        read = client.market_snapshots([*ids, *ids[:3]])
        server.snapshots = None
        refused = client.market_snapshots(ids)
    asked = [len(request.query["instrument_ids"].split(",")) for request in server.requests]
    assert asked == [100, 100, 50, 100]
    assert (read.complete, read.rows) == (True, 250)
    assert read.batches[0][0]["last_trade"] == '{"price":"210.12","size":150}'
    assert (refused.complete, refused.http_status, refused.rows) == (False, 403, 0)


# --- rate ------------------------------------------------------------------------------------------------------------


def test_one_rate_holds_for_a_host_however_many_threads_ask() -> None:
    limiter = http._limiter("rate.test", 50.0)
    assert limiter is http._limiter("rate.test", 50.0)
    moments: list[float] = []

    def ask() -> None:
        for _ in range(5):
            limiter.try_acquire("get")
            moments.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # 20 requests at 50 a second: the last can't leave before 19 intervals have passed
    assert max(moments) - min(moments) >= 19 / 50 * 0.9
