"""Connections that end with the request they serve: no wait in them goes beyond the deadline of the thread that waits.

The timeouts of an HTTP library are for one wait each: a server that sends a byte of a head, of a handshake or of a body
every few seconds keeps within them for ever. Here each wait is given what is left of the whole request, and what waits
in a loop of its own below us is cut off by closing the connection.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from ssl import SSLContext
from typing import Any

import httpcore

#: Seconds. The system takes no wait of any length.
_LONGEST = 1e8


class _Clock(threading.local):
    """When the request of this thread has to be over, in monotonic seconds."""

    deadline = float("inf")

    def left(self, timeout: float | None, error: type[Exception]) -> float:
        """How long a wait may take. Raises `error` where the time is up."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise error("the time for the whole request is up")
        return min(left, _LONGEST if timeout is None else timeout, _LONGEST)


class TimedBackend(httpcore.SyncBackend):
    """The network, for httpcore. Threads may share it; each has a deadline of its own."""

    def __init__(self) -> None:
        self._clock = _Clock()

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Everything that this thread does here in the block is over by the deadline."""
        self._clock.deadline = deadline
        try:
            yield
        finally:
            self._clock.deadline = float("inf")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that answers; they share the time that there is."""
        over = time.monotonic() + self._clock.left(timeout, httpcore.ConnectTimeout)
        addresses = _addresses(host, port, over - time.monotonic())
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        for number, address in enumerate(addresses):
            share = (over - time.monotonic()) / (len(addresses) - number)
            try:
                stream = super().connect_tcp(address, port, max(share, 0.001), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
            else:
                return _TimedStream(stream, self._clock)
        raise error


class _TimedStream(httpcore.NetworkStream):
    """A connection. `within_tls`: it is TLS to the broker within TLS to a proxy, which httpcore reads in a loop."""

    def __init__(self, stream: httpcore.NetworkStream, clock: _Clock, *, within_tls: bool = False) -> None:
        self._stream = stream
        self._clock = clock
        self._within_tls = within_tls

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come, up to so many bytes."""
        left = self._clock.left(timeout, httpcore.ReadTimeout)
        if not self._within_tls:
            return self._stream.read(max_bytes, left)
        with self._cut_off_after(left, httpcore.ReadTimeout):
            return self._stream.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all bytes."""
        if not buffer:
            return
        left = self._clock.left(timeout, httpcore.WriteTimeout)
        with self._cut_off_after(left, httpcore.WriteTimeout):
            self._stream.write(buffer, left)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Start TLS on the connection."""
        left = self._clock.left(timeout, httpcore.ConnectTimeout)
        nested = self._stream.get_extra_info("ssl_object") is not None
        with self._cut_off_after(left, httpcore.ConnectTimeout):
            stream = self._stream.start_tls(ssl_context, server_hostname, left)
        return _TimedStream(stream, self._clock, within_tls=nested)

    def get_extra_info(self, info: str) -> Any:
        """A property of the connection that httpcore asks for, None where there is none."""
        return self._stream.get_extra_info(info)

    @contextmanager
    def _cut_off_after(self, seconds: float, error: type[Exception]) -> Iterator[None]:
        """End the connection if the block takes longer: whatever waits on it then wakes up, and `error` is raised."""
        timer = threading.Timer(seconds, self._cut_off)
        timer.daemon = True
        timer.start()
        over = time.monotonic() + seconds
        try:
            yield
        except (httpcore.NetworkError, httpcore.TimeoutException):
            if time.monotonic() >= over:
                raise error("the time for the whole request is up") from None
            raise
        finally:
            timer.cancel()

    def _cut_off(self) -> None:
        with suppress(OSError):
            # not SSLSocket's own, which would also forget its session while another thread reads in it
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)


def _addresses(host: str, port: int, seconds: float) -> list[str]:
    """The addresses of a host. A name server that doesn't answer is waited for in a thread that nobody waits for."""
    with suppress(ValueError):
        return [str(ip_address(host))]
    found: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put(list(dict.fromkeys(str(answer[4][0]) for answer in answers)))
        except (OSError, UnicodeError) as error:  # a label too long for a name is a UnicodeError
            found.put(error)

    threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
    try:
        answer = found.get(timeout=seconds)
    except queue.Empty:
        raise httpcore.ConnectTimeout(f"no name server told the address of {host} in {seconds:.0f} s") from None
    if isinstance(answer, Exception):
        raise httpcore.ConnectError(str(answer))
    return answer
