"""A broker on loopback whose every answer, and every fault, a test decides.

Books are plain dicts, paged by offset from whatever the book is at that moment, as the real one may be: a book that
changes between two pages is torn for whoever reads it. Endpoints without a book answer 403.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

FORBIDDEN = "The caller does not have permission to execute the specified operation"


@dataclass(frozen=True)
class Request:
    """A request as it came. Header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Fault:
    """Something that goes wrong on matching requests: the first `times` of them after `skip` others.

    Exactly what is set happens: `status` (with `body`, `headers`), `edit` of the answer's JSON, `spoil` of its bytes,
    `reset` of the
    connection in mid-body, `short` (the body ends before its Content-Length), `drip` (a byte at a time); and `then`
    runs once the answer has been built, which is how a book changes between two pages.
    """

    endpoint: str
    account_id: str | None = None
    page: int | None = None
    times: int | None = 1
    skip: int = 0
    status: int | None = None
    body: bytes | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    edit: Callable[[dict[str, Any]], Any] | None = None
    spoil: Callable[[bytes], bytes] | None = None
    then: Callable[[BrokerServer], None] | None = None
    reset: bool = False
    short: bool = False
    drip: float | None = None

    def hits(self, endpoint: str, account_id: str | None, page: int) -> bool:
        """Whether this request is one of those meant. Counts it."""
        if endpoint != self.endpoint or self.account_id not in (None, account_id) or self.page not in (None, page):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return self.times is None or self.times >= 0


def account(account_id: str | int, **changes: Any) -> dict[str, Any]:
    """An account as the broker lists it."""
    return {
        "id": int(account_id),
        "account_holder_entity_id": 987654321,
        "short_name": f"ACCOUNT-{account_id}",
        "full_name": f"Account {account_id}",
        "status": "ACTIVE",
        "type": "CUSTOMER",
        "subtype": "MARGIN",
        "options_level": 1,
        "open_date": "2023-01-15",
        "close_date": None,
        **changes,
    }


def position(account_id: str | int, number: int, **changes: Any) -> dict[str, Any]:
    """A long position of 100 shares in stock `number`; its symbol sorts by that number."""
    return {
        "account_id": int(account_id),
        "instrument_id": str(uuid.UUID(int=number + 1)),
        "symbol": f"S{number:06}",
        "instrument_type": "COMMON_STOCK",
        "position_type": "LONG",
        "quantity": "100",
        "available_quantity": "100",
        "market_value": "15050.00",
        "avg_price": "145.00",
        "cost_basis": "14500.00",
        "instrument_price": "151.00",
        "closing_price": "150.50",
        "closing_price_date": "2025-10-31",
        "unrealized_pnl": "550.00",
        **changes,
    }


class BrokerServer:
    """The broker. A context manager; `url` is where it is, `requests` what it was asked, in order.

    accounts: ids, or dicts as the broker lists them. positions, instructions, orders, executions, history: account
    id to rows. balances: account id to one dict. contracts: dicts. events: instrument id to the grouped events.
    hours: dicts with date and market. snapshots: dicts with instrument_id. Account ids may be text or numbers. None
    as a book answers 403, an account without rows in a book that is there is flat. `now`: the broker's clock, or a
    function that tells it. `most_rows`: rows on a page, whatever was asked for. `forbidden`: (account id, endpoint)
    pairs that answer 403. With a `key`, any other bearer token answers 401; of `keys` each sees its own accounts. Books
    may be changed at any time, `expire_tokens` voids every page token so far.
    """

    def __init__(
        self,
        accounts: Sequence[Any] = (),
        positions: Mapping[Any, list[dict[str, Any]]] | None = None,
        instructions: Mapping[Any, list[dict[str, Any]]] | None = None,
        executions: Mapping[Any, list[dict[str, Any]]] | None = None,
        orders: Mapping[Any, list[dict[str, Any]]] | None = None,
        balances: Mapping[Any, dict[str, Any]] | None = None,
        history: Mapping[Any, list[dict[str, Any]]] | None = None,
        contracts: Sequence[dict[str, Any]] | None = None,
        events: Mapping[str, dict[str, Any]] | None = None,
        hours: Sequence[dict[str, Any]] | None = None,
        snapshots: Sequence[dict[str, Any]] | None = None,
        faults: Iterable[Fault] = (),
        now: datetime | Callable[[], datetime] | None = None,
        forbidden: Iterable[tuple[Any, str]] = (),
        key: str | None = None,
        keys: Mapping[str, Sequence[Any]] | None = None,
        most_rows: int = 1000,
    ) -> None:
        self.accounts = [entry if isinstance(entry, dict) else account(entry) for entry in accounts]
        self.books: dict[str, dict[str, Any] | None] = {
            "positions": _by_text(positions),
            "instructions": _by_text(instructions),
            "executions": _by_text(executions),
            "orders": _by_text(orders),
            "balances": _by_text(balances),
            "portfolio-history": _by_text(history),
        }
        self.contracts = contracts
        self.events = events
        self.hours = hours
        self.snapshots = snapshots
        self.faults = list(faults)
        self.now = now or (lambda: datetime.now(UTC))
        self.forbidden = {(str(account_id), endpoint) for account_id, endpoint in forbidden}
        self.key = key
        self.keys = None if keys is None else {name: [str(one) for one in sees] for name, sees in keys.items()}
        self.most_rows = most_rows
        self.requests: list[Request] = []
        self._generation = 0
        self._lock = threading.RLock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"broker": self}))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def positions(self) -> dict[str, list[dict[str, Any]]]:
        """The positions book, to look into or to change."""
        book = self.books["positions"]
        assert book is not None
        return book

    def asked(self, ending: str) -> list[Request]:
        """The requests so far whose path ends so."""
        return [request for request in self.requests if request.path.endswith(ending)]

    def expire_tokens(self) -> None:
        """Void every page token handed out so far."""
        self._generation += 1

    def __enter__(self) -> BrokerServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, request: Request) -> tuple[int, dict[str, Any], Fault | None]:
        """Status, JSON and the fault that strikes, for one request."""
        with self._lock:
            self.requests.append(request)
            endpoint, account_id = _endpoint(request.path)
            page = self._page_number(request.query.get("page_token"))
            fault = next((one for one in self.faults if one.hits(endpoint, account_id, page)), None)
            status, whole = self._plain_answer(request, endpoint, account_id)
            if fault is not None and fault.edit is not None:
                whole = deepcopy(whole)  # the answer is edited, the book is not
                edited = fault.edit(whole)
                whole = whole if edited is None else edited
            if fault is not None and fault.then is not None:
                fault.then(self)
            return status, whole, fault

    def _plain_answer(self, request: Request, endpoint: str, account_id: str | None) -> tuple[int, dict[str, Any]]:
        if request.method != "GET":
            return self._error(405, "Method not allowed")
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return self._error(401, "Unauthenticated")
        if self.keys is not None:
            sees = self.keys.get(request.headers.get("authorization", "").removeprefix("Bearer "))
            if sees is None:
                return self._error(401, "Unauthenticated")
            if account_id is not None and account_id not in sees:
                return self._error(403, FORBIDDEN)
            if endpoint == "accounts":
                return self._page([each for each in self.accounts if str(each["id"]) in sees], request.query)
        if (account_id, endpoint) in self.forbidden:
            return self._error(403, FORBIDDEN)
        found = self._find(endpoint, account_id, request)
        if found is None:
            return self._error(403, FORBIDDEN)
        if endpoint in ("accounts", "positions", "executions", "orders", "contracts"):
            return self._page(found, request.query)
        return 200, {"data": found, "error": None, "metadata": {"request_id": self._request_id()}}

    def _find(self, endpoint: str, account_id: str | None, request: Request) -> Any:
        """The data of an endpoint before paging; None where there is no book."""
        query = request.query
        if endpoint == "clock":
            now = self.now() if callable(self.now) else self.now
            return {"clock": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"}
        if endpoint == "version":
            return {"version": "2025-10-31"}
        if endpoint == "accounts":
            return self.accounts
        if endpoint == "contracts" and self.contracts is not None:
            return [row for row in self.contracts if row["id"] in query["contract_ids"].split(",")]
        if endpoint == "events" and self.events is not None:
            return self.events.get(unquote(request.path.split("/")[-2]))
        if endpoint == "snapshot" and self.snapshots is not None:
            return [row for row in self.snapshots if row["instrument_id"] in query["instrument_ids"].split(",")]
        if endpoint == "market-hours" and self.hours is not None:
            return [h for h in self.hours if (h["date"], h["market"]) == (query["date"], query["market"])]
        book = self.books.get(endpoint)
        if book is None or account_id not in {str(entry["id"]) for entry in self.accounts}:
            return None
        return _FINDERS.get(endpoint, _rows)(book, account_id, query)

    def _page(self, rows: list[dict[str, Any]], query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        size, offset, filters = min(int(query.get("page_size", "1000")), self.most_rows), 0, _filters(query)
        if "page_token" in query:
            generation, size, offset, asked = orjson.loads(base64.urlsafe_b64decode(query["page_token"]))
            if generation != self._generation:
                return self._error(400, "The page token has expired")
            if asked != filters:
                return self._error(400, "The filters differ from those of the first page")
        following = offset + size
        state = orjson.dumps([self._generation, size, following, filters])
        return 200, {
            "data": rows[offset:following],
            "error": None,
            "metadata": {
                "request_id": self._request_id(),
                "page_number": offset // size + 1,
                "total_items": len(rows),
                "total_pages": -(-len(rows) // size),
                "next_page_token": base64.urlsafe_b64encode(state).decode() if following < len(rows) else None,
            },
        }

    def _page_number(self, token: str | None) -> int:
        if token is None:
            return 1
        _, size, offset, _ = orjson.loads(base64.urlsafe_b64decode(token))
        return int(offset) // int(size) + 1

    def _error(self, status: int, message: str) -> tuple[int, dict[str, Any]]:
        return status, {
            "error": {"code": status, "message": message},
            "metadata": {"request_id": self._request_id()},
        }

    def _request_id(self) -> str:
        return f"request-{len(self.requests):05}"


def _by_text(book: Mapping[Any, Any] | None) -> dict[str, Any] | None:
    return None if book is None else {str(account_id): rows for account_id, rows in book.items()}


def _filters(query: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if name not in ("page_token", "page_size")}


def _endpoint(path: str) -> tuple[str, str | None]:
    """("positions", "19816") of /v1/accounts/19816/positions; the last segment names it."""
    parts = path.strip("/").split("/")
    account_id = parts[2] if parts[1:2] == ["accounts"] and len(parts) > 3 else None
    return parts[-1], account_id


def _rows(book: Mapping[str, Any], account_id: Any, _query: dict[str, str]) -> Any:
    return book.get(account_id, [])


def _positions(book: Mapping[str, Any], account_id: str, query: dict[str, str]) -> Any:
    rows = book.get(account_id, [])
    return sorted(rows, key=lambda row: str(row.get("symbol"))) if query.get("sort_by") == "SYMBOL" else rows


def _balances(book: Mapping[str, Any], account_id: str, _query: dict[str, str]) -> Any:
    return book.get(account_id)


def _executions(book: Mapping[str, Any], account_id: str, query: dict[str, str]) -> Any:
    since, until = datetime.fromisoformat(query["from"]), datetime.fromisoformat(query["to"])
    rows = [row for row in book.get(account_id, []) if since <= _instant(row["transaction_time"]) <= until]
    return sorted(rows, key=lambda row: str(row["transaction_time"]), reverse=True)


def _history(book: Mapping[str, Any], account_id: str, query: dict[str, str]) -> Any:
    rows = book.get(account_id, [])
    return {"segments": [row for row in rows if query["start_date"] <= row["date"] <= query["end_date"]]}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


_FINDERS: dict[str, Callable[[Mapping[str, Any], Any, dict[str, str]], Any]] = {
    "positions": _positions,
    "balances": _balances,
    "executions": _executions,
    "portfolio-history": _history,
}


class _Handler(BaseHTTPRequestHandler):
    broker: BrokerServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: without this each reply takes 40 ms

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers)
        status, whole, fault = self.broker.answer(request)
        self._send(status, orjson.dumps(whole), fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def _send(self, status: int, body: bytes, fault: Fault | None) -> None:
        if fault is not None and fault.status is not None:
            status = fault.status
        if fault is not None and fault.body is not None:
            body = fault.body if isinstance(fault.body, bytes) else orjson.dumps(fault.body)
        if fault is not None and fault.spoil is not None:
            body = fault.spoil(body)
        own = {"Content-Type": "application/json", "Date": self.date_time_string()}
        self.send_response_only(status)
        for name, value in (own | dict(fault.headers if fault else {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._write(body, fault)

    def _write(self, body: bytes, fault: Fault | None) -> None:
        if fault is not None and (fault.reset or fault.short):
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            if fault.reset:
                # closing with a linger of zero seconds is what sends an RST instead of a FIN
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
        elif fault is not None and fault.drip is not None:
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(fault.drip)
        else:
            self.wfile.write(body)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError):  # a client that hung up is none of the server's problems
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError, OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base class's)
        """Say nothing."""
