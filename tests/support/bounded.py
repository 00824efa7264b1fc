"""Reads of a server that does what it likes, and what ends a hang."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipelines.broker.client import BrokerClient
from pipelines.broker.read import Read
from tests.support.broker_server import position
from tests.support.raw_server import Talk, saying

HOST = "api.broker.test"
SECONDS = 0.6
#: What ends a hang: not a figure, the machine may be busy.
AT_MOST = 10.0
OK = b"HTTP/1.1 200 OK\r\n"
BODY = json.dumps({"data": [position(7, 1)], "metadata": {"request_id": "r"}}).encode()


def read(url: str, budget: float = SECONDS, **options: Any) -> Read:
    with BrokerClient(url, None, budget=budget, requests_per_second=None, **options) as client:
        return client.positions("7")


@contextmanager
def within(seconds: float = AT_MOST) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def answer(body: bytes, *headers: bytes) -> Talk:
    lines = b"".join(each + b"\r\n" for each in headers)
    return saying(OK, lines, b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body), body)
