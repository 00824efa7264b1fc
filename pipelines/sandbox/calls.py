"""One request: who asks, for what, and how an answer goes back. The routes see a `Call`, not starlette."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from pipelines.sandbox.account_book import AccountBook
from pipelines.sandbox.broker import Broker
from pipelines.sandbox.params import Query
from pipelines.sandbox.replies import ErrorAnswer, HandlerAnswer, refuse, respond

PERMISSION = "The caller does not have permission to execute the specified operation"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in."""

    broker: Broker
    url: str
    path: dict[str, str]
    query: Query
    body: bytes

    @property
    def now(self) -> datetime:
        """The broker's time."""
        return self.broker.clock.now

    @property
    def book(self) -> AccountBook:
        """The account of the path; refused (403) where there is none."""
        return self.broker.book(self.path["account_id"])


Handler = Callable[[Call], HandlerAnswer]
Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint(broker: Broker, handler: Handler, *, writes: bool = False) -> Endpoint:
    """A handler behind the bearer check, with its answer or refusal in the right envelope."""

    async def answer(request: Request) -> Response:
        request_id, now = broker.next_request_id(), broker.clock.now
        try:
            _admit(broker, request.headers.get("authorization", ""), writes=writes)
            body = await request.body()
            call = Call(broker, request.url.path, dict(request.path_params), dict(request.query_params), body)
            return respond(handler(call), request_id, now)
        except ErrorAnswer as refused:
            return refuse(refused, request_id, now, bare=broker.settings.bare_errors)

    return answer


def _admit(broker: Broker, header: str, *, writes: bool) -> None:
    """401 without a key that is known, 403 for a write with one that may only read."""
    scheme, _, key = header.partition(" ")
    keys, readers = broker.settings.keys, broker.settings.read_only_keys
    known = keys is None or key in keys or key in readers
    if scheme.lower() != "bearer" or not key.strip() or not known:
        raise ErrorAnswer(401, "The request needs a valid bearer token")
    if writes and key in readers:
        raise ErrorAnswer(403, PERMISSION)
