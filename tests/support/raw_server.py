"""A server on loopback that says what a test wants, byte by byte: for what no HTTP library can be made to send."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Self

#: What is done with a connection, once its request has come (or at once, with `at_once`).
Talk = Callable[[socket.socket], None]


class RawServer:
    """Gives each connection to `talk` in a thread of its own. A context manager; `ended` is set when it ends.

    `at_once`: the request is not waited for, as in a handshake. `context`: it speaks TLS.
    """

    def __init__(self, talk: Talk, *, at_once: bool = False, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.received: list[bytes] = []
        self._talk = talk
        self._at_once = at_once
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.1)
        self.ended = threading.Event()
        self._threads = [threading.Thread(target=self._serve, daemon=True)]

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self._threads:
            thread.join(5)
        self._listening.close()

    def _serve(self) -> None:
        while not self.ended.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listening.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._answer, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with contextlib.suppress(OSError), self._spoken(connection) as spoken:
            if not self._at_once:
                self.received.append(head_of(spoken))
            self._talk(spoken)
            spoken.shutdown(socket.SHUT_WR)
            while spoken.recv(65536):  # until the other side hangs up: closing before it does would be a reset
                pass

    def _spoken(self, connection: socket.socket) -> socket.socket:
        return connection if self._context is None else self._context.wrap_socket(connection, server_side=True)


def head_of(connection: socket.socket) -> bytes:
    """The head of a request, and what of its body came with it."""
    head = b""
    while b"\r\n\r\n" not in head:
        some = connection.recv(65536)
        if not some:
            break
        head += some
    return head


def saying(*parts: bytes) -> Talk:
    """Sends all of it and hangs up."""
    return lambda connection: connection.sendall(b"".join(parts))


def dripping(begin: bytes, drops: Iterable[bytes], every: float = 0.05) -> Talk:
    """Sends the beginning, then a drop at a time, for as long as there are any and somebody listens."""
    drops = list(drops)

    def talk(connection: socket.socket) -> None:
        connection.sendall(begin)
        for _ in range(400):
            for drop in drops:
                connection.sendall(drop)
                time.sleep(every)

    return talk


def flooding(begin: bytes, again: bytes) -> Talk:
    """Sends the beginning, then the same again and again as quickly as it is taken."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(again * 1000)

    return talk
