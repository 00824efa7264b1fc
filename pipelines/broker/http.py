"""Reading over HTTP: what is asked for again, how long, how often, and how answers are judged. Every request is a GET.

`Http.fetch` is the unit that is retried: send, read to the end, parse and validate. A retry below that, in the
transport, would miss bodies that are cut short and pages that are half JSON.
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay

from models.envelope import ApiError
from models.reading import NotUnderstood, read_error
from pipelines.broker.rate import SHIPPED_RATE, Turns, turns_of
from pipelines.broker.redaction import Redaction, one_line
from pipelines.broker.transport import NoReply, Reply, Transport, http_date
from pipelines.errors import BrokerError, Unauthorized, first_line

__all__ = ["Again", "GaveUp", "Http", "Refused", "Replies", "Reply"]

T = TypeVar("T")

ATTEMPTS = 5
#: Statuses that may be gone in a moment. 409 is not among them: no documented GET answers it.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


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
    """Where replies come from, and how they are judged. No key appears in what is said of them.

    `is_local`: they come from a stand-in on this machine, which may replay days long gone.
    """

    is_local = False
    #: What a 401 says of the key.
    key_trouble = "the API key is wrong, expired or revoked"

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction

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
        """Release what the source holds, such as connections."""

    def answers(self, path: str) -> bool:  # noqa: ARG002  (a broker can be asked anything)
        """Whether there can be a reply at all: a recording has only what was asked then."""
        return True

    def clock(self, path: str) -> Callable[[], datetime] | None:  # noqa: ARG002  (time goes on for every path alike)
        """Tells when the pass begins whose first page is the next one; None where that is now."""
        return None

    def lists(self) -> list[Replies]:
        """Whom to ask for lists of accounts: one for each key."""
        return [self]

    def clean_error(self, error: ApiError) -> str:
        """The broker's own words, fit to be shown: one line, not endless, and never with the key in them."""
        return self.clean(error.message) or "no message"

    def clean(self, text: str) -> str:
        """A broker's words: one line, not endless, and never with a key in them."""
        return one_line(self._redaction.text(text))

    def _judge(self, reply: Reply) -> None:
        if 200 <= reply.status < 300:
            return
        error = read_error(reply.body)
        request_id = (error.request_id if error else None) or reply.request_id
        said = f"the broker answered {reply.status}" + (f" ({self.clean_error(error)})" if error else "")
        if reply.status == 401:
            raise Unauthorized(f"{said}: {self.key_trouble}", request_id=request_id)
        if reply.status in PASSING:
            raise Again(said, reply, _retry_after(reply))
        if 300 <= reply.status < 400:
            said += ", a redirect, which is not followed because the key would go with it; check CLEAR_STREET_BASE_URL"
        raise Refused(said, reply=reply, request_id=request_id)


class Http(Replies):
    """GET requests to one broker. Safe to share between threads; close it, or use it as a context manager.

    `secrets` are further keys that must never come back. `budget` is how many seconds one page may take, waits and
    retries included. `requests_per_second` holds for the host, however many clients this process has, or, where there
    is a `lake`, all its workers; None is 20, and no limit for a stand-in on loopback.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        secrets: Iterable[str] = (),
        requests_per_second: float | None = None,
        lake: str | None = None,
        budget: float = 60.0,
    ) -> None:
        self._transport = Transport(base_url, api_key, secrets=secrets)
        super().__init__(self._transport.redaction)
        self.is_local = self._transport.is_local
        if api_key is None:
            self.key_trouble = "CLEAR_STREET_API_KEY is not set"
        rate = requests_per_second or (None if self.is_local else SHIPPED_RATE)
        self._turns = None if rate is None else turns_of(self._transport.host, rate, lake)
        self._budget = budget

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def fetch(
        self, path: str, params: Mapping[str, str], understand: Callable[[Reply], T], heard: Callable[[Reply], None]
    ) -> T:
        """See `Replies.fetch`. An attempt is sending, reading to the end, parsing and validating."""
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
        if self._turns is not None:
            _wait(self._turns)
        try:
            return self._transport.get(path, params, deadline)
        except NoReply as why:
            where = "" if why.status else f"the connection to {self._transport.host} failed: "
            if why.final:
                raise GaveUp(f"{where}{why}", reply=_headless(why.status)) from None
            raise Again(f"{where}{why}") from None

    def _pause(self, state: RetryCallState) -> float:
        """Full jitter that doubles, scaled to the budget; or what the broker asked for, where that is longer."""
        longest = self._budget / 120 * 2 ** (state.attempt_number - 1)
        jitter = random.uniform(0, longest)  # noqa: S311  (to spread requests, not to hide anything)
        error = state.outcome.exception() if state.outcome else None
        return max(jitter, error.wait or 0.0) if isinstance(error, Again) else jitter

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


def _wait(turns: Turns) -> None:
    try:
        turns.wait()
    except Exception as error:  # the database that all workers share, of whose errors nothing is imported without one
        raise GaveUp(f"the rate that all workers share can't be kept ({first_line(error)})", reply=None) from error


def _headless(status: int | None) -> Reply | None:
    return None if status is None else Reply(status, b"", None, None, None, 0.0)


def _retry_after(reply: Reply) -> float | None:
    """Seconds that the broker asked to wait, counted from its own clock; None for nonsense."""
    text = (reply.retry_after or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    moment = http_date(text)
    if moment is None:
        return None
    return max((moment - (reply.date or datetime.now(UTC))).total_seconds(), 0.0)
