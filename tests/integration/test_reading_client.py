"""The reading client: whole books, the key and where it goes, the clock, the archive, every endpoint, the rate."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from models.shapes import Shape
from pipelines.broker.client import BrokerClient
from pipelines.broker.http import Http
from pipelines.broker.rate import turns_of
from pipelines.broker.read import ReceivedReply
from pipelines.errors import ConfigurationError, Unauthorized
from tests.support.broker_server import BrokerServer, Fault
from tests.support.reading import KEY, NOON, book, reading, symbols


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


def test_a_broker_that_wants_a_key_is_told_of_as_what_it_is_where_none_is_set() -> None:
    fault = Fault(
        "accounts", status=401, body={"error": {"code": 401, "message": "a bearer token, please"}}, times=None
    )
    with (
        BrokerServer(accounts=[7], faults=[fault]) as server,
        BrokerClient(server.url, None, budget=0.2) as client,
        pytest.raises(Unauthorized, match="CLEAR_STREET_API_KEY is not set"),
    ):
        client.accounts()


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
    for thing in (BrokerClient, Http):
        assert not verbs & {name.strip("_") for name in vars(thing)}


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
    archived: list[ReceivedReply] = []
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
    def full(received: ReceivedReply) -> None:
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
    turns = turns_of("rate.test", 50.0)
    assert turns is turns_of("rate.test", 50.0)
    moments: list[float] = []

    def ask() -> None:
        for _ in range(5):
            turns.wait()
            moments.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # 20 requests at 50 a second: the last can't leave before 19 intervals have passed
    assert max(moments) - min(moments) >= 19 / 50 * 0.9
