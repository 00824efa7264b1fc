"""Pages that change while they are read, that don't fit together, and whose rows are not as documented."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.broker_server import BrokerServer, Fault, position
from tests.support.reading import book, checks, metadata, reading, symbols


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
