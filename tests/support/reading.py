"""A reading client of a broker of the tests, and what a read says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pipelines.broker.client import BrokerClient
from pipelines.broker.read import Read
from tests.support.broker_server import BrokerServer, position

KEY = "sk-live-0123456789abcdef"
NOON = datetime(2025, 10, 31, 20, 30, tzinfo=UTC)


@contextmanager
def reading(server: BrokerServer, *, budget: float = 4.0, **options: Any) -> Iterator[BrokerClient]:
    with server, BrokerClient(server.url, KEY, budget=budget, **options) as client:
        yield client


def book(account_id: int, count: int) -> dict[int, list[dict[str, Any]]]:
    return {account_id: [position(account_id, number) for number in range(count)]}


def symbols(read: Read) -> list[str]:
    return [row["symbol"] for batch in read.batches for row in batch]


def checks(read: Read, severity: str = "FAIL") -> list[str]:
    return [finding.check_name for finding in read.findings if finding.severity == severity]


def metadata(**changes: Any) -> Any:
    return lambda whole: whole["metadata"].update(changes)
