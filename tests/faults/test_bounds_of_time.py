"""However slowly or oddly an answer comes, it ends in time, and nothing is taken for the answer to another request."""

from __future__ import annotations

import gzip
import socket
import time
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from pipelines.broker.read import ClockReading
from pipelines.broker.transport import Transport
from pipelines.trading.http import TradingHttp, Unanswered
from pipelines.trading.journal import Journal
from pipelines.trading.send import trade
from tests.support.bounded import AT_MOST, BODY, OK, SECONDS, read, within
from tests.support.raw_server import RawServer, Talk, dripping, flooding, head_of, saying
from tests.support.trading_desk import CLOSE, FRIDAY_NOON, trading_desk, unchanging

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
        with Journal(here).locked(wait=0):
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
