"""Name servers, hosts, handshakes and proxies that never end take no longer than the request may."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from pipelines.broker.client import BrokerClient
from pipelines.broker.deadline import TimedBackend
from pipelines.errors import ConfigurationError
from pipelines.trading.http import NotSent, TradingHttp, Unanswered
from tests.support.bounded import BODY, HOST, OK, SECONDS, read, within
from tests.support.broker_server import BrokerServer
from tests.support.raw_server import RawServer, Talk, dripping, flooding, head_of


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
