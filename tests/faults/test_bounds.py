"""What a broker sends takes a bounded time and a bounded memory, whatever it is, and nothing more than its account."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.broker.budget import ACCOUNT, EVENING, LISTING, MIB, Budgets, Limits
from pipelines.broker.client import BrokerClient
from pipelines.broker.content import MOST_BYTES, Content, Unusable
from pipelines.broker.deadline import TimedBackend
from pipelines.broker.read import ClockReading, Read
from pipelines.broker.transport import Transport
from pipelines.errors import ConfigurationError
from pipelines.trading.http import NotSent, TradingHttp, Unanswered
from pipelines.trading.journal import Journal
from pipelines.trading.send import trade
from tests.support.broker_server import BrokerServer, position
from tests.support.desk import FRIDAY, desk
from tests.support.raw_server import RawServer, Talk, dripping, flooding, head_of, saying
from tests.support.trading_desk import CLOSE, FRIDAY_NOON, trading_desk, unchanging

HOST = "api.broker.test"
SECONDS = 0.6
#: What ends a hang: not a figure, the machine may be busy.
AT_MOST = 10.0
OK = b"HTTP/1.1 200 OK\r\n"
BODY = json.dumps({"data": [position(7, 1)], "metadata": {"request_id": "r"}}).encode()

SLOW: dict[str, Talk] = {
    "nothing": lambda _: time.sleep(5),
    "status line": dripping(b"", [b"H", b"T"]),
    "header": dripping(OK + b"X-Slow: ", [b"x"]),
    "headers": dripping(OK, [b"X-Slow: x\r\n"]),
    "informational": dripping(b"", [b"HTTP/1.1 100 Continue\r\n\r\n"]),
    "informational flood": flooding(b"", b"HTTP/1.1 102 Processing\r\nX-A: b\r\n\r\n"),
    "body": dripping(OK + b"Content-Length: 1000\r\n\r\n", [b" "]),
    "body without length": dripping(OK + b"\r\n", [b" "]),
    "chunks": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", [b"1\r\n \r\n"]),
    "chunk flood": flooding(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "chunk extension": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", [b"x"]),
    "chunk extension flood": flooding(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 900 + b"\r\n \r\n"),
    "trailers": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", [b"X-T: x\r\n"]),
    "gzip": dripping(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(BODY)[:-8], [b""]),
}


def read(url: str, budget: float = SECONDS, **options: Any) -> Read:
    with BrokerClient(url, None, budget=budget, requests_per_second=None, **options) as client:
        return client.positions("7")


@contextmanager
def within(seconds: float = AT_MOST) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", SLOW)
def test_however_slowly_an_answer_comes_a_page_ends_with_its_budget(what: str) -> None:
    with RawServer(SLOW[what]) as server, within():
        found = read(server.url)
    assert not found.complete
    assert "positions of account 7: " in str(found.error)


@pytest.mark.parametrize("what", SLOW)
def test_however_slowly_an_answer_comes_a_trade_ends_with_its_timeout_and_is_unknown(what: str) -> None:
    with (
        RawServer(SLOW[what]) as server,
        TradingHttp(server.url, None, timeout=SECONDS) as http,
        within(),
        pytest.raises(Unanswered),
    ):
        http.send("DELETE", "/v1/accounts/7/positions", b"{}")
    assert server.connections == 1


def test_a_trade_whose_answer_never_ends_lets_go_of_the_journal(tmp_path: Path) -> None:
    with trading_desk(tmp_path / "home") as made, RawServer(SLOW["header"]) as server:
        here = made.settings.model_copy(update={"base_url": server.url})
        with within():
            done = trade(here, unchanging(CLOSE), ClockReading(FRIDAY_NOON, "API", timedelta()), timeout=SECONDS)
        assert done.outcome == "UNKNOWN"
        with Journal(here).alone(wait=0):
            pass


def _twice(more: bytes) -> Talk:
    """Answers each request with its number, and the first one with something more."""

    def talk(connection: socket.socket) -> None:
        for number in count():
            connection.sendall(more.replace(b"{}", b'{"n":%d}' % number) if number == 0 else _numbered(number))
            if not head_of(connection):
                break

    return talk


def _numbered(number: int) -> bytes:
    return OK + b"Content-Length: 7\r\n\r\n" + b'{"n":%d}' % number


MORE = {
    "a second answer": _numbered(0) + _numbered(9),
    "a second answer to no content": b"HTTP/1.1 204 No Content\r\n\r\n" + _numbered(9),
    "a second answer to chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n7\r\n{}\r\n0\r\n\r\n" + _numbered(9),
    "a length that is too short": OK + b"Content-Length: 7\r\n\r\n{}" + b" " * 9 + _numbered(9),
    "the head of a second answer": _numbered(0) + OK + b"Content-Length: 7\r\n",
}


@pytest.mark.parametrize("what", MORE)
@pytest.mark.parametrize("trades", [False, True])
def test_what_comes_after_an_answer_is_never_the_answer_to_the_next_request(what: str, trades: bool) -> None:
    with (
        RawServer(_twice(MORE[what])) as server,
        TradingHttp(server.url, "a-key-of-no-broker", timeout=AT_MOST) as http,
    ):
        kept = Transport(server.url, "a-key-of-no-broker")
        for _ in range(3):
            if trades:
                reply = http.send("POST", "/v1/any", b"{}")
            else:
                reply = kept.get("/v1/any", {}, time.monotonic() + AT_MOST)
            assert reply.body in (b'{"n":0}', b"")
        kept.close()
        assert server.connections == 3


def test_a_connection_whose_answer_ended_well_is_used_again_to_read_and_not_to_trade() -> None:
    with RawServer(_twice(_numbered(0))) as server, Transport(server.url, None) as http:
        assert [http.get("/", {}, time.monotonic() + AT_MOST).body[-2:-1] for _ in range(3)] == [b"0", b"1", b"2"]
        assert server.connections == 1
    with RawServer(_twice(_numbered(0))) as server, TradingHttp(server.url, None, timeout=AT_MOST) as trading:
        assert [trading.send("POST", "/", b"{}").body[-2:-1] for _ in range(3)] == [b"0"] * 3


@pytest.mark.parametrize("timeout", [3e6, 1e10, 1e300, float("inf")])
def test_a_timeout_of_any_length_is_one_that_the_system_takes(timeout: float) -> None:
    with RawServer(saying(_numbered(0))) as server, TradingHttp(server.url, None, timeout=timeout) as http:
        assert http.send("POST", "/v1/any", b"{}").body == b'{"n":0}'


def test_a_request_that_is_not_taken_ends_with_its_timeout() -> None:
    def take_little(connection: socket.socket) -> None:
        for _ in range(200):
            connection.recv(64)
            time.sleep(0.05)

    with (
        RawServer(take_little, at_once=True) as server,
        TradingHttp(server.url, None, timeout=SECONDS) as http,
        within(),
        pytest.raises(Unanswered),
    ):
        http.send("POST", "/v1/accounts/7/positions/instructions", b" " * 40 * 2**20)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA) -> pytest.MonkeyPatch:
    """A broker with a name, which leads here; this machine trusts our authority."""
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host in (HOST, HOST.encode()) else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    authority.cert_pem.write_to_path(tmp_path / "roots.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def assert_nothing_was_sent(url: str) -> None:
    with within():
        assert not read(url).complete
    with TradingHttp(url, None, timeout=SECONDS) as http, within(), pytest.raises(NotSent):
        http.send("DELETE", "/v1/accounts/7/positions", b"")


@pytest.mark.parametrize("drops", [[], [b"\x16"], [b"\x16\x03\x03\x3f\xff" + b"\x02"]], ids=["silent", "odd", "record"])
@pytest.mark.usefixtures("named")
def test_a_handshake_that_never_ends_is_a_connection_that_was_not_made(drops: list[bytes]) -> None:
    with RawServer(dripping(b"", drops or [b""]), at_once=True) as server:
        assert_nothing_was_sent(f"https://{HOST}:{server.port}")


def test_a_name_server_that_does_not_answer_is_not_waited_for(named: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    named.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(30) and [])
    try:
        assert_nothing_was_sent(f"https://{HOST}")
    finally:
        released.set()


def test_a_host_that_takes_no_connection_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]  # a full backlog: the next ones are not answered
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        assert_nothing_was_sent(f"http://127.0.0.1:{full.getsockname()[1]}")
        for each in waiting:
            each.close()


@pytest.mark.parametrize(
    "talk",
    [dripping(b"", [b""]), dripping(OK + b"X-Slow: ", [b"x"]), flooding(b"", b"HTTP/1.1 102 Processing\r\n\r\n")],
    ids=["silent", "header", "informational"],
)
def test_a_proxy_that_never_answers_ends_with_the_budget(named: pytest.MonkeyPatch, talk: Talk) -> None:
    with RawServer(talk) as proxy:
        named.setenv("HTTPS_PROXY", proxy.url)
        with within():
            assert not read(f"https://{HOST}").complete
        with (
            TradingHttp(f"https://{HOST}", None, timeout=SECONDS) as http,
            within(),
            pytest.raises((NotSent, Unanswered)),
        ):
            http.send("DELETE", "/v1/accounts/7/positions", b"")


def test_a_handshake_through_a_proxy_that_speaks_tls_itself_ends_with_the_budget(
    named: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    """TLS within TLS is read by a loop of the library's own, each turn of which has the whole timeout again."""

    def tunnel(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 Established\r\n\r\n")
        dripping(b"\x16\x03\x03\x3f\xff", [b"\x02"])(connection)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with RawServer(tunnel, context=context) as proxy:
        named.setenv("HTTPS_PROXY", proxy.url.replace("http:", "https:"))
        assert_nothing_was_sent(f"https://{HOST}")
        assert any(b"CONNECT" in each for each in proxy.received)


def test_an_answer_within_tls_within_tls_ends_with_the_budget(named: pytest.MonkeyPatch, authority: trustme.CA) -> None:
    """Here each byte of a record is a turn of that loop, and no answer has begun."""
    outer, inner = (ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) for _ in range(2))
    authority.issue_cert("127.0.0.1").configure_cert(outer)
    authority.issue_cert(HOST).configure_cert(inner)
    shaken: list[bytes] = []

    def tunnel(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 Established\r\n\r\n")
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        spoken = inner.wrap_bio(came, goes, server_side=True)
        while not shaken:
            came.write(connection.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                spoken.do_handshake()
                shaken.append(b"done")
            connection.sendall(goes.read())
        dripping(b"\x17\x03\x03\x3f\xff", [b"\x02"])(connection)

    with RawServer(tunnel, context=outer) as proxy, within():
        named.setenv("HTTPS_PROXY", proxy.url.replace("http:", "https:"))
        assert not read(f"https://{HOST}").complete
    assert shaken


def test_no_wait_is_longer_than_what_is_left_of_the_request() -> None:
    network = TimedBackend()
    with network.until(time.monotonic() + 1.0):
        assert network._clock.left(30.0, OSError) <= 1.0
        assert network._clock.left(0.1, OSError) <= 0.1
    with network.until(time.monotonic()), pytest.raises(OSError, match="time for the whole request is up"):
        network._clock.left(30.0, OSError)
    assert network._clock.left(30.0, OSError) == 30.0


def test_a_broker_behind_a_proxy_is_read_through_it_and_one_on_this_machine_is_not(
    named: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)

    def tunnel(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 Established\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as inner:
            head_of(inner)
            inner.sendall(OK + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY) + BODY)
            inner.recv(1)

    with RawServer(tunnel) as proxy, BrokerServer(accounts=[7], positions={7: []}) as local:
        named.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:p%C3%A4ss@"))
        found = read(f"https://{HOST}", 5.0)
        assert found.complete, found.error
        assert b"Proxy-Authorization: Basic dXNlcjpww6Rzcw==" in proxy.received[0]
        named.setenv("HTTP_PROXY", proxy.url)
        assert read(local.url, 5.0).complete
        assert proxy.connections == 1


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://p", "http://", "http://[::1", "http://x:y:z@h:port"])
def test_a_proxy_that_cannot_be_used_is_one_sentence_that_repeats_nothing_of_it(
    named: pytest.MonkeyPatch, proxy: str
) -> None:
    named.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY can't be used") as caught:
        BrokerClient(f"https://{HOST}", None)
    assert not proxy.partition("//")[2] or proxy not in str(caught.value)


# --- content ---------------------------------------------------------------------------------------------------------


def answer(body: bytes, *headers: bytes) -> Talk:
    lines = b"".join(each + b"\r\n" for each in headers)
    return saying(OK, lines, b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body), body)


@pytest.mark.parametrize(
    "named_",
    [b"zstd", b"zstd, zstd", b"br", b"deflate", b"gzip, gzip", b"gzip,identity", b"x", b"",
     b"gzip\r\nContent-Encoding: gzip"],
)  # fmt: skip
def test_an_encoding_that_was_not_asked_for_is_refused_at_once(named_: bytes) -> None:
    bomb = bytes.fromhex("28b52ffd") * 14
    with RawServer(answer(bomb, b"Content-Encoding: " + named_)) as server:
        found = read(server.url, 5.0)
    assert server.connections == 1
    assert b"Accept-Encoding: gzip, identity\r\n" in server.received[0]
    assert (found.complete, found.http_status) == (False, 200)
    assert "which was not asked for" in str(found.error)


@pytest.mark.parametrize("body", [gzip.compress(BODY), gzip.compress(BODY[:50]) + gzip.compress(BODY[50:])])
def test_gzip_is_read_in_one_member_or_in_several(body: bytes) -> None:
    with RawServer(answer(body, b"Content-Encoding: GZIP")) as server:
        found = read(server.url, 5.0)
    assert (found.complete, found.rows) == (True, 1), found.error


@pytest.mark.parametrize(
    "body",
    [gzip.compress(BODY)[:-9], gzip.compress(BODY) + b"more", b"no gzip at all", gzip.compress(BODY)[:-8] + bytes(8)],
    ids=["cut", "with something behind it", "none", "with a wrong sum"],
)
def test_damaged_gzip_is_asked_for_again(body: bytes) -> None:
    bodies = iter([body, gzip.compress(BODY)])
    with RawServer(lambda connection: answer(next(bodies), b"Content-Encoding: gzip")(connection)) as server:
        found = read(server.url, 5.0)
    assert (found.complete, server.connections) == (True, 2), found.error


@pytest.mark.parametrize("encoding", [b"identity", b"gzip"])
def test_an_answer_that_is_larger_than_any_page_is_refused_at_once(encoding: bytes) -> None:
    body = bytes(MOST_BYTES + 1)
    talk = answer(gzip.compress(body) if encoding == b"gzip" else body, b"Content-Encoding: " + encoding)
    with RawServer(talk) as server:
        found = read(server.url, 30.0)
    assert server.connections == 1
    assert "longer than 32 MiB" in str(found.error)


def test_a_bomb_takes_no_more_memory_than_an_answer_may() -> None:
    most, bomb = 2**20, gzip.compress(bytes(512 * 2**20), compresslevel=9)
    tracemalloc.start()
    try:
        content = Content(["gzip"], most)
        with pytest.raises(Unusable):
            content.take(bomb)
        assert tracemalloc.get_traced_memory()[1] < 8 * most
    finally:
        tracemalloc.stop()


@given(parts=st.lists(st.binary(max_size=3000), max_size=4), most=st.integers(1, 5000), cut=st.integers(1, 500))
def test_what_is_decoded_is_what_was_encoded_or_refused(parts: list[bytes], most: int, cut: int) -> None:
    sent, whole = b"".join(map(gzip.compress, parts)), b"".join(parts)
    content = Content(["gzip"], most)
    try:
        for start in range(0, len(sent), cut):
            content.take(sent[start : start + cut])
        assert content.whole() == whole
        assert len(whole) <= most
    except Unusable:
        assert len(whole) > most


# --- heads -----------------------------------------------------------------------------------------------------------

HEADS = {
    "a head without end": flooding(OK, b"X-Many: headers\r\n"),
    "a header of a megabyte": saying(OK, b"X-Long: ", b"x" * 2**20, b"\r\n\r\n"),
    "a length of 5,000 digits": saying(OK, b"Content-Length: ", b"9" * 5000, b"\r\n\r\n"),
    "a negative length": saying(OK, b"Content-Length: -1\r\n\r\n"),
    "two lengths": saying(OK, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "a chunk of 2**80": saying(OK, b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 20 + b"\r\nx"),
    "a chunk of no number": saying(OK, b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx"),
    "a transfer that is gzip": saying(OK, b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "another protocol": saying(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "switching protocols": saying(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "a status of four digits": saying(b"HTTP/1.1 2000 OK\r\n\r\n"),
    "HTTP/0.9": saying(BODY),
    "HTTP/3": saying(b"HTTP/3 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "zeros": saying(bytes(10_000)),
    "an hour that no clock has": saying(OK, b"Date: Fri, 31 Dec 9999 23:59:59 -2359\r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.parametrize("what", HEADS)
def test_a_head_that_is_none_is_a_failed_read(what: str) -> None:
    with RawServer(HEADS[what]) as server, within():
        found = read(server.url)
        assert server.connections <= 5
    assert not found.complete
    assert "\n" not in str(found.error)


@settings(max_examples=150, deadline=None)
@given(head=st.binary(max_size=200), body=st.binary(max_size=100), begins_well=st.booleans())
def test_no_bytes_of_a_server_end_more_than_their_read(head: bytes, body: bytes, begins_well: bool) -> None:
    talk = saying(OK if begins_well else b"", head, b"\r\n\r\n", body)
    with RawServer(talk) as server, within():
        found = read(server.url, 0.1)
    assert not found.complete


@pytest.mark.parametrize(("token", "why"), [("x" * 2**20, "letters long"), ("\ud800", "no text")])
def test_a_page_token_that_no_address_can_hold_fails_its_account(token: str, why: str) -> None:
    body = json.dumps({"data": [position(7, 1)], "metadata": {"next_page_token": token}}).encode()
    with RawServer(answer(body)) as server:
        found = read(server.url, 5.0)
    assert server.connections == 1
    assert not found.complete


# --- budgets ---------------------------------------------------------------------------------------------------------


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
