"""The only module that knows httpx. It can read, and nothing else: there is no way here to send anything but a GET.

`Http.fetch` is the unit that is retried: send, read to the end, parse and validate. A retry below that, in the
transport, would miss bodies that are cut short and pages that are half JSON.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay

from models.envelope import ApiError
from models.reading import NotUnderstood, read_error
from pipelines.broker.address import checked_base_url, checked_key
from pipelines.errors import BrokerError, Unauthorized

if TYPE_CHECKING:
    from pyrate_limiter import Limiter

T = TypeVar("T")

ATTEMPTS = 5
#: Statuses that may be gone in a moment. 409 is not among them: no documented GET answers it.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
#: A key is never shorter; what is may be any word, and stays in what is archived.
SHORTEST_SECRET = 16
#: A page of 1,000 positions is half a megabyte; a reply this big is not one.
MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP reply. `date` is the server's own Date header, `elapsed` in seconds."""

    status: int
    body: bytes
    request_id: str | None
    date: datetime | None
    retry_after: str | None
    elapsed: float


class NoCookies(CookieJar):
    """Takes no cookie and sends none: one that can't be sent would be in the way of every later request."""

    def extract_cookies(self, response: object, request: object) -> None:
        """Leave what the answer says."""

    def add_cookie_header(self, request: object) -> None:
        """Add nothing."""


class Refused(BrokerError):
    """The broker answered, and asking again would not help. `reply` is what it said."""

    def __init__(self, message: str, *, reply: Reply, request_id: str | None = None) -> None:
        super().__init__(message, request_id=request_id)
        self.reply = reply


class GaveUp(BrokerError):
    """Attempts or time ran out. `reply` is the last answer, None where none came."""

    def __init__(self, message: str, *, reply: Reply | None, request_id: str | None = None) -> None:
        super().__init__(message, request_id=request_id)
        self.reply = reply


class Again(Exception):
    """An attempt that failed in a way that may pass."""

    def __init__(self, why: str, reply: Reply | None = None, wait: float | None = None) -> None:
        super().__init__(why)
        self.reply = reply
        self.wait = wait


class Replies(ABC):
    """Where replies come from, and how they are judged. `key` never appears in what is said of them."""

    def __init__(self, key: str | None = None) -> None:
        self._key = key

    @abstractmethod
    def fetch(
        self, path: str, params: Mapping[str, str], understand: Callable[[Reply], T], heard: Callable[[Reply], None]
    ) -> T:
        """What `understand` makes of the reply. `heard` gets every reply as received, failed ones too.

        Raises Unauthorized at once on 401, Refused on other statuses that won't pass, GaveUp when attempts or the
        budget run out. `understand` raises NotUnderstood to have the page asked for again.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of what was held."""

    def clean_error(self, error: ApiError) -> str:
        """The broker's own words, fit to be shown: one line, not endless, and never with the key in them."""
        return self._clean(error.message) or "no message"

    def _judge(self, reply: Reply) -> None:
        if 200 <= reply.status < 300:
            return
        error = read_error(reply.body)
        request_id = (error.request_id if error else None) or reply.request_id
        said = f"the broker answered {reply.status}" + (f" ({self.clean_error(error)})" if error else "")
        if reply.status == 401:
            raise Unauthorized(f"{said}: the API key is wrong, expired or revoked", request_id=request_id)
        if reply.status in PASSING:
            raise Again(said, reply, _retry_after(reply))
        if 300 <= reply.status < 400:
            said += ", a redirect, which is not followed because the key would go with it; check CLEAR_STREET_BASE_URL"
        raise Refused(said, reply=reply, request_id=request_id)

    def _clean(self, text: str) -> str:
        if self._key:
            text = text.replace(self._key, "[key]")
        return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:300]


class Http(Replies):
    """GET requests to one broker. Safe to share between threads; close it, or use it as a context manager.

    `budget` is how many seconds one page may take, waits and retries included. `requests_per_second` holds for the
    host, however many clients this process has; None is unlimited, as is any rate on loopback.
    """

    def __init__(
        self, base_url: str, api_key: str | None, *, requests_per_second: float | None = 20.0, budget: float = 60.0
    ) -> None:
        url, self._host, local = checked_base_url(base_url)
        super().__init__(checked_key(api_key))
        self._budget = budget
        self._limiter = None if local or requests_per_second is None else _limiter(self._host, requests_per_second)
        # at INFO httpx writes every URL, at DEBUG httpcore every header: account ids, and the key
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        headers = {"Accept": "application/json", "User-Agent": "daybook"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._client = httpx.Client(
            base_url=url,
            headers=headers,
            follow_redirects=False,  # the key would travel along
            trust_env=not local,  # a proxy must not come between us and this machine
            cookies=NoCookies(),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32),
        )

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def fetch(
        self, path: str, params: Mapping[str, str], understand: Callable[[Reply], T], heard: Callable[[Reply], None]
    ) -> T:
        """As every source of replies; an attempt is sending, reading to the end, parsing and validating."""
        started = time.monotonic()
        retrying = Retrying(
            retry=retry_if_exception_type(Again),
            stop=stop_after_attempt(ATTEMPTS) | stop_before_delay(self._budget),
            wait=self._pause,
            reraise=True,
        )
        try:
            result: T = retrying(self._attempt, path, params, understand, heard, started + self._budget)
        except Again as last:
            raise self._gave_up(last, time.monotonic() - started) from None
        return result

    def _attempt(
        self,
        path: str,
        params: Mapping[str, str],
        understand: Callable[[Reply], T],
        heard: Callable[[Reply], None],
        deadline: float,
    ) -> T:
        reply = self.get(path, params, deadline)
        heard(reply)
        self._judge(reply)
        try:
            return understand(reply)
        except NotUnderstood as why:
            raise Again(str(why), reply) from None

    def get(self, path: str, params: Mapping[str, str], deadline: float) -> Reply:
        """One attempt, read to its last byte, within the rate limit and before `deadline` (monotonic seconds).

        What it raises is for `fetch`, which decides whether to try again.
        """
        if self._limiter is not None:
            self._limiter.try_acquire("get")
        started = time.monotonic()
        left = max(deadline - started, 0.001)
        timeout = httpx.Timeout(min(30.0, left), connect=min(10.0, left))
        try:
            with self._client.stream("GET", path, params=params, timeout=timeout) as response:
                body = _read(response, deadline)
        except httpx.RequestError as error:
            raise Again(
                f"the connection to {self._host} failed ({type(error).__name__}: {self._clean(str(error))})"
            ) from None
        headers = response.headers
        return Reply(
            status=response.status_code,
            body=self._without_key(body),
            request_id=self._clean(headers["x-request-id"]) if "x-request-id" in headers else None,
            date=_http_date(headers.get("date")),
            retry_after=headers.get("retry-after"),
            elapsed=time.monotonic() - started,
        )

    def _pause(self, state: RetryCallState) -> float:
        """Full jitter that doubles, scaled to the budget; or what the broker asked for, where that is longer."""
        longest = self._budget / 120 * 2 ** (state.attempt_number - 1)
        jitter = random.uniform(0, longest)  # noqa: S311  (to spread requests, not to hide anything)
        error = state.outcome.exception() if state.outcome else None
        return max(jitter, error.wait or 0.0) if isinstance(error, Again) else jitter

    def _without_key(self, body: bytes) -> bytes:
        """A broker that repeats our key would have it kept in the archive. A toy's short key may be any word."""
        key = (self._key or "").encode()
        return body.replace(key, b"[key]") if len(key) >= SHORTEST_SECRET and key in body else body

    def _gave_up(self, last: Again, elapsed: float) -> GaveUp:
        error = read_error(last.reply.body) if last.reply else None
        if last.wait and elapsed + last.wait >= self._budget:
            message = (
                f"{last} and asked to wait {last.wait:.0f} s, longer than the {self._budget:.0f} s a page may take"
            )
        else:
            message = f"{last}; given up after {elapsed:.1f} s"
        request_id = (error.request_id if error else None) or (last.reply.request_id if last.reply else None)
        return GaveUp(message, reply=last.reply, request_id=request_id)


def _read(response: httpx.Response, deadline: float) -> bytes:
    """The body, chunk by chunk: a timeout between chunks alone would let a dripping server hold us for hours."""
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if time.monotonic() > deadline:
            raise Again("the reply did not end in time")
        if size > MOST_BYTES:
            raise Again("the reply did not end")
    return b"".join(chunks)


def _http_date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):  # the last also where it is year 10000 in UTC
        return None


def _retry_after(reply: Reply) -> float | None:
    """Seconds that the broker asked to wait, counted from its own clock; None for nonsense."""
    text = (reply.retry_after or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    moment = _http_date(text or None)
    if moment is None:
        return None
    return max((moment - (reply.date or datetime.now(UTC))).total_seconds(), 0.0)


_limiters: dict[tuple[str, float], Limiter] = {}
_limiters_lock = threading.Lock()


def _limiter(host: str, requests_per_second: float) -> Limiter:
    """The one token bucket of a host. A burst of one keeps any second at or below the rate."""
    from pyrate_limiter import Limiter, Rate, SingleBucketFactory, StateBucket, TokenBucket

    with _limiters_lock:
        key = (host, requests_per_second)
        if key not in _limiters:
            rate = Rate(1, max(round(1000 / requests_per_second), 1), burst=1)
            # nothing to leak in a bucket of one number, so no thread for it
            factory = SingleBucketFactory(StateBucket([rate], TokenBucket()), schedule_leak=False)
            _limiters[key] = Limiter(factory, buffer_ms=1)
        return _limiters[key]
