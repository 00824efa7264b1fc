"""F17: the key goes to the broker that was named and can prove it, over TLS, and nothing can be set to make it
otherwise."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from pipelines.broker.client import BrokerClient
from pipelines.broker.read import Read
from tests.support.broker_server import BrokerServer, position

HOST = "api.broker.test"
KEY = "key-that-must-never-be-seen-4711"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def _this_machine_is_the_broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA) -> None:
    """The broker's name leads here, and the one authority that this machine trusts is ours: as with a real one."""
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host in (HOST, HOST.encode()) else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    roots = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(roots)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def broker(certificate: trustme.LeafCert, newest: ssl.TLSVersion | None = None) -> Iterator[tuple[BrokerServer, str]]:
    """A broker behind TLS, and its address by name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if newest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")  # or this side would refuse, too
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    server = BrokerServer([100001], {100001: [position(100001, 1)]}, key=KEY)
    server._http.socket = context.wrap_socket(server._http.socket, server_side=True)
    with server:
        yield server, server.url.replace("http://127.0.0.1", f"https://{HOST}")


def read(url: str) -> Read:
    with BrokerClient(url, KEY, budget=1.0, requests_per_second=None) as client:
        return client.positions("100001")


def assert_refused(server: BrokerServer, found: Read, why: str) -> None:
    assert not found.complete
    assert re.search(why, found.error or ""), found.error
    assert KEY not in (found.error or "")
    assert server.requests == []


def test_a_broker_that_proves_who_it_is_is_read(authority: trustme.CA) -> None:
    with broker(authority.issue_cert(HOST)) as (server, url):
        found = read(url)
        assert found.complete, found.error
        assert server.requests


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    with broker(trustme.CA().issue_cert(HOST)) as (server, url):
        assert_refused(server, read(url), "certificate verify failed")


def test_a_certificate_of_another_host_is_refused(authority: trustme.CA) -> None:
    with broker(authority.issue_cert("api.elsewhere.test")) as (server, url):
        assert_refused(server, read(url), "Hostname mismatch")


def test_an_expired_certificate_is_refused(authority: trustme.CA) -> None:
    past = datetime(2024, 1, 1, tzinfo=UTC)
    with broker(authority.issue_cert(HOST, not_before=past.replace(year=2023), not_after=past)) as (server, url):
        assert_refused(server, read(url), "certificate has expired")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")  # of the server that is out of date
def test_tls_of_before_2008_is_refused(authority: trustme.CA) -> None:
    with broker(authority.issue_cert(HOST), ssl.TLSVersion.TLSv1_1) as (server, url):
        assert_refused(server, read(url), "SSL|TLS|protocol")


def test_a_server_that_speaks_no_tls_gets_nothing() -> None:
    with BrokerServer([100001], {100001: []}, key=KEY) as server:
        found = read(server.url.replace("http://127.0.0.1", f"https://{HOST}"))
        assert_refused(server, found, "failed")


def test_a_connection_that_breaks_within_tls_is_tried_again(authority: trustme.CA) -> None:
    with broker(authority.issue_cert(HOST)) as (server, url):
        broken = threading.Event()
        real = server._http.get_request

        def get_request() -> Any:
            connection, address = real()
            if not broken.is_set():
                broken.set()
                connection.close()
            return connection, address

        server._http.get_request = get_request  # type: ignore[method-assign]
        found = read(url)
        assert broken.is_set()
        assert found.complete, found.error


@pytest.mark.parametrize(
    "setting",
    [
        ("PYTHONHTTPSVERIFY", "0"),
        ("CURL_CA_BUNDLE", ""),
        ("REQUESTS_CA_BUNDLE", ""),
        ("SSL_VERIFY", "false"),
        ("HTTPX_VERIFY", "0"),
        ("DAYBOOK_VERIFY", "0"),
        ("CLEAR_STREET_VERIFY_SSL", "false"),
        ("NODE_TLS_REJECT_UNAUTHORIZED", "0"),
    ],
)
def test_no_variable_turns_it_off(setting: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*setting)
    with broker(trustme.CA().issue_cert(HOST)) as (server, url):
        assert_refused(server, read(url), "certificate verify failed")


def test_on_loopback_a_certificate_has_to_be_good_too() -> None:
    with broker(trustme.CA().issue_cert("127.0.0.1")) as (server, url):
        assert_refused(server, read(url.replace(HOST, "127.0.0.1")), "certificate verify failed")


def test_nothing_in_the_program_can_turn_it_off() -> None:
    off = re.compile(r"verify\s*=\s*False|CERT_NONE|check_hostname\s*=\s*False|_create_unverified|--insecure")
    folders = ("models", "pipelines", "assets", "dagster_project", "bench")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 50
    assert [path for path in files if off.search(path.read_text())] == []
