"""A recorder between a client and its broker: it writes down what goes over the wire, and what a test wants goes wrong.

Reads are passed on. So are writes, unless `canned` answers them; `then` is what becomes of the answer to a write.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx
import orjson

Then = Literal["answer", "drop", "reset", "cut", "stall"]


@dataclass(frozen=True)
class Sent:
    """A request as it came. `target` is the path with its query, percent-encoded as it was."""

    method: str
    target: str
    body: bytes
    headers: dict[str, str]

    @property
    def wire(self) -> tuple[str, str, Any]:
        """Method, target and the body as JSON."""
        return self.method, self.target, orjson.loads(self.body) if self.body else None


class Recorder:
    """The recorder. A context manager; `url` is where it is. `deliver` False keeps writes from the broker."""

    def __init__(self, broker: str) -> None:
        self.broker = broker
        self.requests: list[Sent] = []
        self.canned: tuple[int, Any] | None = None
        self.then: Then = "answer"
        self.deliver = True
        self.prefer: str | None = None  # what a mock server is asked to answer writes with
        self.released = threading.Event()
        self._client = httpx.Client(base_url=broker, trust_env=False)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"recorder": self}))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def writes(self) -> list[Sent]:
        """The requests that were not reads."""
        return [each for each in self.requests if each.method != "GET"]

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._client.close()

    def answer(self, sent: Sent) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of the answer."""
        self.requests.append(sent)
        if sent.method != "GET" and self.canned is not None:
            status, body = self.canned
            return status, body if isinstance(body, bytes) else orjson.dumps(body), {}
        if sent.method != "GET" and not self.deliver:
            return 503, b"", {}
        headers = {name: value for name, value in sent.headers.items() if name in ("authorization", "content-type")}
        if self.prefer and sent.method != "GET":
            headers["prefer"] = self.prefer
        request = self._client.build_request(sent.method, self.broker, content=sent.body, headers=headers)
        request.url = request.url.copy_with(raw_path=sent.target.encode())
        reply = self._client.send(request)
        return reply.status_code, reply.content, {"date": reply.headers["date"]} if "date" in reply.headers else {}


class _Handler(BaseHTTPRequestHandler):
    recorder: Recorder
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        sent = Sent(self.command, self.path, body, headers)
        status, content, more = self.recorder.answer(sent)
        then = "answer" if self.command == "GET" else self.recorder.then
        if then == "stall":
            self.recorder.released.wait(30)
        if then in ("drop", "reset", "stall"):
            self._hang_up(rudely=then == "reset")
            return
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", **more}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if then == "cut" else content)
        if then == "cut":
            self._hang_up(rudely=False)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def _hang_up(self, *, rudely: bool) -> None:
        self.close_connection = True
        if rudely:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ValueError):
            time.sleep(0)  # the client hung up, which is none of ours

    def finish(self) -> None:
        try:
            super().finish()
        except (ConnectionError, ValueError, OSError):
            time.sleep(0)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""
