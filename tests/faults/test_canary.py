"""A key in each place of each answer, in every shape at once: nothing that is made of the answer has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.broker.client import BrokerClient
from pipelines.broker.read import ClockReading, Read, ReceivedReply
from pipelines.errors import DaybookError
from pipelines.settings import Settings
from pipelines.trading.requests import TradeRequest
from pipelines.trading.send import trade
from tests.support.broker_server import Fault
from tests.support.escapes import ESCAPES, has_key
from tests.support.fault_books import BIG, OPTION, SMALL, broker
from tests.support.raw_server import RawServer, saying
from tests.support.trading_desk import (
    CANCEL,
    CLOSE,
    CLOSE_ALL,
    DONE,
    FRIDAY_NOON,
    SUBMIT,
    TAKEN,
    instruction,
    unchanging,
)

READING, TRADING = "sk-4711/QXNrTm90+VGhlS2V5-never-to-be-seen", "tk-0815/VHJhZGluZ0tleQ-never-to-be-seen"
KEYS = (READING, TRADING)
#: Every shape of both keys, as it stands in a JSON text.
CANARY = " ".join(escape(key) for escape in ESCAPES.values() for key in KEYS)
PLACE = "@canary@"
FRIDAY = date(2025, 10, 31)

READERS: dict[str, Callable[[BrokerClient], Any]] = {
    "clock": lambda client: client.clock(),
    "market-hours": lambda client: client.market_hours(FRIDAY, "us_equities"),
    "accounts": lambda client: client.accounts(),
    "positions": lambda client: client.positions(str(SMALL)),
    "instructions": lambda client: client.instructions(str(SMALL)),
    "executions": lambda client: client.executions(str(BIG), FRIDAY_NOON - timedelta(days=2), FRIDAY_NOON),
    "orders": lambda client: client.orders(str(BIG), FRIDAY_NOON - timedelta(days=2), FRIDAY_NOON),
    "balances": lambda client: client.balances(str(BIG)),
    "portfolio-history": lambda client: client.portfolio_history(str(BIG), FRIDAY - timedelta(days=3), FRIDAY),
    "contracts": lambda client: client.option_contracts([OPTION]),
    "events": lambda client: client.events([OPTION], FRIDAY, FRIDAY),
}


def settings_of(url: str, home: Path) -> Settings:
    environment = {"CLEAR_STREET_BASE_URL": url, "DAYBOOK_HOME": str(home)}
    return Settings.from_env(environment | {"CLEAR_STREET_API_KEY": READING, "CLEAR_STREET_TRADING_API_KEY": TRADING})


def told(settings: Settings, read: Callable[[BrokerClient], Any]) -> tuple[bytes, list[ReceivedReply]]:
    """All that comes of reading: the outcome to its last value, what it raises, and what goes to the archive."""
    archived: list[ReceivedReply] = []
    keep: dict[str, Any] = {"archive": archived.append, "keep_columns": lambda table: table}
    with BrokerClient(settings.base_url, READING, secrets=settings.keys, budget=0.2, **keep) as client:
        try:
            found = read(client)
            made = repr(found) + repr([each if isinstance(each, list) else each.to_pylist() for each in found.batches]
                                      if isinstance(found, Read) else "")  # fmt: skip
        except DaybookError as error:
            made = f"{error!r} {error}"
    kept = [orjson.dumps([repr(each), each.params]) + b" " + each.body for each in archived]
    return made.encode() + b"\n".join(kept), archived


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a document, and of one name that no model has in each object."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield path
        return
    for name, each in inner:
        yield from leaves(each, (*path, name))
    if isinstance(value, dict):
        yield (*path, "a_field_that_no_model_has")
        yield (*path, PLACE)


def with_canary(document: Any, path: tuple[Any, ...]) -> bytes:
    """The document with the canary at a path; as a value, or as a name."""
    copy = orjson.loads(orjson.dumps(document))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = 1 if path[-1] == PLACE else PLACE
    return orjson.dumps(copy).replace(PLACE.encode(), CANARY.encode())


def test_the_canary_is_found_in_each_of_its_shapes() -> None:
    assert all(has_key(escape(key).encode(), [key]) for escape in ESCAPES.values() for key in KEYS)
    assert not has_key(orjson.dumps(READERS.__doc__), KEYS)


@pytest.mark.parametrize("endpoint", READERS)
def test_a_key_in_any_place_of_an_answer_is_in_nothing_that_is_made_of_it(tmp_path: Path, endpoint: str) -> None:
    row = {"id": "o1", "order_id": "o1", "symbol": "AAPL", "side": "BUY", "quantity": "1", "details": {"a": ["b"]}}
    with broker() as server:
        server.books["orders"] = {str(BIG): [row]}
        settings = settings_of(server.url, tmp_path)
        _, (answer, *_) = told(settings, READERS[endpoint])
        document = orjson.loads(answer.body) | {"error": {"code": 0, "message": "", "details": [""]}}
        document["metadata"] = document.get("metadata", {}) | {"next_page_token": None}
        places = list(leaves(document))
        assert len(places) > 8
        for path in places:
            server.faults = [Fault(endpoint, times=None, body=with_canary(document, path))]
            made, archived = told(settings, READERS[endpoint])
            assert not has_key(made, KEYS), path
            assert b"[key]" in archived[0].body
            assert orjson.loads(archived[0].body).keys() >= {"data", "metadata"}
            assert archived[0].repeated_key


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 503])
@pytest.mark.parametrize("body", ["error", "bare", "html", "cut", "latin", "utf-16"])
def test_a_key_in_an_error_is_in_nothing_that_is_made_of_it(tmp_path: Path, status: int, body: str) -> None:
    bodies = {
        "error": f'{{"error": {{"code": 9, "message": "{CANARY}", "details": ["{CANARY}"]}}}}'.encode(),
        "bare": f'{{"detail": "{CANARY}", "request_id": "{CANARY}"}}'.encode(),
        "html": f"<html><title>{CANARY}</title></html>".encode(),
        "cut": f'{{"data": [{{"symbol": "{CANARY}'.encode(),
        "latin": b"\xff\xfe" + CANARY.encode(),
        "utf-16": CANARY.encode("utf-16"),
    }
    with broker() as server:
        server.faults = [Fault("positions", times=None, status=status, body=bodies[body])]
        made, _ = told(settings_of(server.url, tmp_path), READERS["positions"])
    assert b"[key]" in made
    assert not has_key(made, KEYS)
    assert not has_key(made.replace(b"\0", b""), KEYS)


HEADS = {
    "a known header": "X-Request-Id: {0}\r\nDate: {0}\r\nRetry-After: {0}\r\nLocation: https://elsewhere.test/{0}",
    "the encoding": "Content-Encoding: {0}",
    "a second request id": "X-Request-Id: r\r\nX-Request-Id: {0}",
    "a header that is none": "{0}",
    "a name": "{0}: x",
    "a folded line": "X-Request-Id: r\r\n {0}",
    "the length": "Content-Length: {0}",
    "the transfer": "Transfer-Encoding: {0}",
}


@pytest.mark.parametrize("where", [*HEADS, "the status line", "the reason"])
@pytest.mark.parametrize("status", [200, 302, 429])
def test_a_key_in_a_head_is_in_nothing_that_is_made_of_it(tmp_path: Path, where: str, status: int) -> None:
    key = " ".join(KEYS) if "name" in where or "line" in where else CANARY
    first = {"the status line": f"HTTP/1.1 {key}", "the reason": f"HTTP/1.1 {status} {key}"}.get(where)
    lines = [first or f"HTTP/1.1 {status} OK", HEADS.get(where, "X-A: b").format(key), "Connection: close"]
    with RawServer(saying("\r\n".join([*lines, "", '{"data": null}']).encode())) as server:
        made, _ = told(settings_of(server.url, tmp_path), READERS["positions"])
    assert made
    assert not has_key(made, KEYS)


TRADES: dict[str, tuple[TradeRequest, dict[str, Any]]] = {
    "close": (CLOSE, DONE[1]),
    "close all": (CLOSE_ALL, DONE[1]),
    "submit": (SUBMIT, {"data": [instruction("mine")], "error": None, "metadata": {"request_id": "r1"}}),
    "cancel": (CANCEL, {"data": instruction("mine", status="CANCEL_REQUESTED"), "metadata": {"request_id": "r1"}}),
}


@pytest.mark.heavy
@pytest.mark.parametrize("status", [200, 207, 403, 409, 503])
@pytest.mark.parametrize("operation", TRADES)
def test_a_key_in_the_answer_to_a_trade_is_in_nothing_that_is_made_of_it(
    tmp_path: Path, operation: str, status: int
) -> None:
    """Once in every place of the answer and its head at the same time, and once in each that decides what is made."""
    request, document = TRADES[operation]
    everywhere = orjson.dumps(_everywhere(document)).replace(PLACE.encode(), CANARY.encode())
    message = with_canary(document | {"error": {"code": status, "message": ""}}, ("error", "message"))
    for body in (everywhere, message, with_canary(document, ("metadata", "request_id")), CANARY.encode()):
        done = _trade(tmp_path, request, status, body)
        assert not has_key(done, KEYS)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.parent.name == "trading" for path in files)
    assert [path for path in files if has_key(path.read_bytes(), KEYS)] == []


def _trade(home: Path, request: TradeRequest, status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} {CANARY}\r\nX-Request-Id: {CANARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    with RawServer(saying(head.encode(), body)) as server:
        clock = ClockReading(FRIDAY_NOON, "API", timedelta())
        done = trade(settings_of(server.url, home), unchanging(request), clock, timeout=5.0)
    assert any("had an API key in it" in note for note in done.notes), done.sentence
    return f"{done!r} {done.sentence} {done.instructions}".encode()


def _everywhere(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _everywhere(each) for name, each in value.items()} | {PLACE: 1, "extra": PLACE}
    if isinstance(value, list):
        return [_everywhere(each) for each in value]
    return PLACE if isinstance(value, str) and value != TAKEN else value
