"""HTTP with the broker: one request, one whole answer, within bounds, and never with a key in it.

Reading and trading share it. What it can send is a GET; whatever sends anything else is in pipelines/trading/http.py.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Self
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from pipelines.addresses import checked_base_url, is_loopback_host
from pipelines.broker.content import ACCEPTED, Content, Unusable
from pipelines.broker.deadline import TimedBackend
from pipelines.broker.redaction import Redaction, one_line
from pipelines.errors import ConfigurationError

CONNECTIONS = 32
CONNECT_SECONDS = 10.0
SILENT_SECONDS = 30.0
#: Longer addresses are refused by servers anyway; a page token or an id of an answer may be of any length.
LONGEST_TARGET = 64 * 2**10
#: Raised before the first byte of a request has left.
_BEFORE_SENDING = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.ProxyError)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP reply. `date` is the server's own Date header, `elapsed` in seconds; `repeated_key`: a key was in
    it, in whose place `[key]` stands now."""

    status: int
    body: bytes
    request_id: str | None
    date: datetime | None
    retry_after: str | None
    elapsed: float
    repeated_key: bool = False


class NoReply(Exception):
    """No whole answer came. `sent` is False where the request can't have left, `status` what a part of an answer told;
    `final`: asking again would not help."""

    def __init__(self, why: str, *, sent: bool = True, status: int | None = None, final: bool = False) -> None:
        super().__init__(why)
        self.sent = sent
        self.status = status
        self.final = final


class Transport:
    """Connections to one broker with one key; threads may share them; a context manager.

    `secrets` are further keys that must never come back, `kept` is how many connections are kept for the next request.
    Raises ConfigurationError for an address, a key or a proxy that can't be used.
    """

    def __init__(
        self, base_url: str, api_key: str | None, *, secrets: Iterable[str] = (), kept: int = CONNECTIONS
    ) -> None:
        url = _usable_url(base_url)
        parts = urlsplit(url)
        self.host, self.is_local = parts.netloc, is_loopback_host(str(parts.hostname))
        key = _usable_key(api_key)
        self.redaction = Redaction([key, *secrets])
        self._base = httpx.URL(url)
        self._headers = {"Host": self._base.netloc.decode(), "Accept": "application/json", "User-Agent": "daybook"}
        self._headers |= {"Accept-Encoding": ACCEPTED} | ({"Authorization": f"Bearer {key}"} if key else {})
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)  # below that they write account ids, and the key
        self._network = TimedBackend()
        self._pool = httpcore.ConnectionPool(
            ssl_context=_authorities(local=self.is_local) if self._base.scheme == "https" else None,
            proxy=None if self.is_local else _proxy(self._base.scheme, self._base.host),
            max_connections=CONNECTIONS,
            max_keepalive_connections=kept,
            keepalive_expiry=5.0,
            network_backend=self._network,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def get(self, path: str, params: Mapping[str, str], deadline: float) -> Reply:
        """One GET, sent once. All of it, heads included, is over by `deadline` (monotonic seconds). Raises NoReply."""
        try:
            query = urlencode(params, quote_via=quote, safe="")
        except UnicodeEncodeError:
            raise NoReply("the address would hold what is no text", sent=False, final=True) from None
        return self._exchange("GET", f"{path}?{query}" if query else path, deadline)

    def clean(self, text: str) -> str:
        """A broker's words, fit to be shown: one line, not endless, and never with a key in them."""
        return one_line(self.redaction.text(text))

    def _exchange(
        self,
        method: str,
        target: str,
        deadline: float,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        silence: float = SILENT_SECONDS,
    ) -> Reply:
        """Send one request, once; every status that comes back is a Reply. `silence` is how long nothing may come.
        Redirects are not followed: the key would travel along. Raises NoReply."""
        target = self._base.raw_path.decode().rstrip("/") + target
        if len(target) > LONGEST_TARGET:
            raise NoReply(f"the address would be {len(target):,} letters long", sent=False, final=True)
        started, status = time.monotonic(), None
        left = max(deadline - started, 0.001)
        wait = {"connect": min(CONNECT_SECONDS, left), "read": min(silence, left), "write": left, "pool": left}
        try:
            with (
                self._network.until(deadline),
                self._pool.stream(
                    method,
                    self._url(target),
                    headers=[*self._headers.items(), *(headers or {}).items()],
                    content=content or None,
                    extensions={"timeout": wait},
                ) as response,
            ):
                status = response.status
                return self._reply(response, deadline, started)
        except NoReply:
            raise
        except _BEFORE_SENDING as error:
            raise NoReply(self._why(error), sent=False) from None
        except Exception as error:  # whatever comes of parsing what a stranger sends
            late = "the reply did not end in time" if time.monotonic() >= deadline else self._why(error)
            raise NoReply(late, status=status) from None

    def _url(self, target: str) -> httpcore.URL:
        base = self._base
        return httpcore.URL(scheme=base.raw_scheme, host=base.raw_host, port=base.port, target=target)

    def _reply(self, response: httpcore.Response, deadline: float, started: float) -> Reply:
        named: dict[str, list[str]] = {}
        for name, value in response.headers:
            named.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        try:
            content = Content(named.get("content-encoding", ()))
            for chunk in response.iter_stream():
                content.take(chunk)
                if time.monotonic() > deadline:
                    raise NoReply("the reply did not end in time", status=response.status)
            body = content.whole()
            if _has_more(response):
                response.extensions["network_stream"].close()  # the next request would get it for its answer
        except Unusable as why:
            raise NoReply(self.clean(str(why)), status=response.status, final=why.final) from None
        kept = {name: named[name][0] for name in ("x-request-id", "date", "retry-after") if name in named}
        cleaned = self.redaction.body(body)
        request_id = kept.get("x-request-id")
        return Reply(
            status=response.status,
            body=cleaned,
            request_id=None if request_id is None else self.clean(request_id),
            date=http_date(kept.get("date")),
            retry_after=self.clean(kept["retry-after"]) if "retry-after" in kept else None,
            elapsed=time.monotonic() - started,
            repeated_key=cleaned is not body or any(self.redaction.text(each) != each for each in kept.values()),
        )

    def _why(self, error: Exception) -> str:
        words = self.clean(str(error))
        return f"{type(error).__name__}: {words}" if words else type(error).__name__


def http_date(text: str | None) -> datetime | None:
    """The instant of a Date header; None for nonsense."""
    try:
        moment = parsedate_to_datetime(text) if text else None
        return moment and (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
    except (ValueError, TypeError, OverflowError):
        return None


def _usable_url(base_url: str) -> str:
    """The base URL as settings have it, whoever gives it. Raises ConfigurationError."""
    try:
        return checked_base_url(base_url)
    except ValueError as why:
        raise ConfigurationError(f"CLEAR_STREET_BASE_URL {why}") from None


def _usable_key(api_key: str | None) -> str | None:
    """The key without blanks around it. Raises ConfigurationError, never with the key, if no header can carry it."""
    key = (api_key or "").strip()
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            "CLEAR_STREET_API_KEY has a blank, a line end or a special character in it; copy it again"
        )
    return key


def _has_more(response: httpcore.Response) -> bool:
    """Whether bytes came after the end of an answer. httpcore, which says it nowhere, keeps them for the next one."""
    connection = response.stream._stream._connection  # type: ignore[union-attr]  # noqa: SLF001
    return bool(connection._h11_state.trailing_data[0])  # noqa: SLF001


def _authorities(*, local: bool) -> ssl.SSLContext:
    """Who may vouch for a host: the authorities of SSL_CERT_FILE or SSL_CERT_DIR, else those that come along."""
    return httpx.create_ssl_context(trust_env=not local)


def _proxy(scheme: str, host: str) -> httpcore.Proxy | None:
    """The proxy that the environment names for a host. Raises ConfigurationError, without repeating what may be a
    password, for one that can't be used."""
    named = getproxies()
    told = None if proxy_bypass(host) else named.get(scheme) or named.get("all")
    if not told:
        return None
    try:
        url = httpx.URL(told if "://" in told else f"http://{told}")
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError
    except (ValueError, httpx.InvalidURL):
        raise ConfigurationError(
            f"{scheme.upper()}_PROXY can't be used: it looks like http://proxy.example.com:3128"
        ) from None
    auth = (url.username.encode(), url.password.encode()) if url.username or url.password else None
    address = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/")
    return httpcore.Proxy(address, auth, ssl_context=_authorities(local=False) if url.scheme == "https" else None)
