"""The only module that can send anything but a GET. It sends once: nothing in it, or under it, tries again.

What matters most about a failure is whether the request may have arrived: `NotSent` says that it can't have,
`Unanswered` that nobody knows.
"""

from __future__ import annotations

import logging
import time

import httpx

from pipelines.broker.address import checked_base_url, checked_key
from pipelines.broker.http import MOST_BYTES, SHORTEST_SECRET, Reply
from pipelines.errors import BrokerError

CONNECT_SECONDS = 10.0
#: Raised before the first byte of a request has left.
_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class NotSent(BrokerError):
    """No connection could be made, so nothing was sent: it is safe to try again."""


class Unanswered(BrokerError):
    """The request left, or may have, and no whole answer came: the outcome is unknown. `status` where a part of an
    answer told it."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class TradingHttp:
    """Requests with the trading key to one broker; a context manager. `timeout`: seconds for a whole answer."""

    def __init__(self, base_url: str, api_key: str | None, *, timeout: float = 60.0) -> None:
        url, self._host, local = checked_base_url(base_url)
        self._key = checked_key(api_key)
        self._timeout = timeout
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)  # at INFO and DEBUG they write account ids, and the key
        headers = {"Accept": "application/json", "User-Agent": "daybook"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._client = httpx.Client(
            base_url=url,
            headers=headers,
            follow_redirects=False,  # the request would be sent twice, and the key would travel along
            trust_env=not local,
            transport=None,  # httpx's own, whose retries are 0
            timeout=httpx.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout)),
        )

    def __enter__(self) -> TradingHttp:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, method: str, path: str, body: bytes) -> Reply:
        """Send one request, once. Raises NotSent or Unanswered; every status that comes back is a Reply."""
        started = time.monotonic()
        headers = {"Content-Type": "application/json"}
        try:
            with self._client.stream(method, path, content=body, headers=headers) as response:
                answer = self._read(response, started + self._timeout)
        except _BEFORE_SENDING as error:
            raise NotSent(f"No connection to {self._host} ({self._why(error)}): nothing was sent.") from None
        except httpx.HTTPError as error:
            raise Unanswered(f"No whole answer came from {self._host} ({self._why(error)})") from None
        return Reply(
            status=response.status_code,
            body=self._without_key(answer),
            request_id=response.headers.get("x-request-id"),
            date=None,
            retry_after=response.headers.get("retry-after"),
            elapsed=time.monotonic() - started,
        )

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size, status = 0, response.status_code
        try:
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                size += len(chunk)
                if time.monotonic() > deadline or size > MOST_BYTES:
                    raise Unanswered(f"The answer of {self._host} ({status}) did not end", status=status)
        except httpx.HTTPError as error:
            why = f"The answer of {self._host} ({status}) was cut short ({self._why(error)})"
            raise Unanswered(why, status=status) from None
        return b"".join(chunks)

    def _why(self, error: httpx.HTTPError) -> str:
        words = " ".join(str(error).split())[:200]
        said = f"{type(error).__name__}: {words}" if words else type(error).__name__
        return said.replace(self._key, "[key]") if self._key else said

    def _without_key(self, body: bytes) -> bytes:
        """A broker that repeats our key would have it kept in the journal."""
        key = (self._key or "").encode()
        return body.replace(key, b"[key]") if len(key) >= SHORTEST_SECRET and key in body else body
