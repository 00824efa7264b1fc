"""The only module that can send the broker anything but a GET. It sends once: nothing in it, or under it, tries again.

What matters most about a failure is whether the request may have arrived: `NotSent` says that it can't have,
`Unanswered` that nobody knows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from pipelines.broker.transport import NoReply, Reply, Transport
from pipelines.errors import BrokerError


class NotSent(BrokerError):
    """No connection could be made, so nothing was sent: it is safe to try again."""


class Unanswered(BrokerError):
    """The request left, or may have, and no whole answer came: the outcome is unknown. `status` where a part of an
    answer told it."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class TradingHttp(Transport):
    """Requests with the trading key to one broker; a context manager. `timeout`: seconds for a whole answer, the
    connection, its heads and its end included. `secrets` as every Transport."""

    def __init__(
        self, base_url: str, api_key: str | None, *, timeout: float = 60.0, secrets: Iterable[str] = ()
    ) -> None:
        # nothing that was said to one request can be taken for the answer to another
        super().__init__(base_url, api_key, secrets=secrets, kept=0)
        self._timeout = timeout

    def send(self, method: str, path: str, body: bytes) -> Reply:
        """Send one request, once. Raises NotSent or Unanswered; every status that comes back is a Reply."""
        deadline = time.monotonic() + self._timeout
        try:
            return self._exchange(
                method, path, deadline, body, {"Content-Type": "application/json"}, silence=self._timeout
            )
        except NoReply as why:
            if not why.sent:
                raise NotSent(f"No request reached {self.host} ({why}): nothing was sent.") from None
            told = f"No whole answer came from {self.host}" + (f", only that it is {why.status}" if why.status else "")
            raise Unanswered(f"{told} ({why})", status=why.status) from None
