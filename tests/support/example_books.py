"""Books with something to ask about: the sandbox's days through the whole pipeline, with an evening that was missed, an
account that could not be read, prices that came late, and lines of adjustments.csv written before and after a lock.

What is wrong is done by a real HTTP server in front of the sandbox; what is true stays the sandbox's own truth.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.books.locks import lock_period
from pipelines.ingest.snapshot import take_snapshot
from pipelines.sandbox.broker import Broker
from pipelines.sandbox.instruments import stock
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.truth import Truth
from pipelines.settings import Settings
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish
from pipelines.warehouse.session import warehouse_session
from tests.support.once import made_once

START, DAYS = date(2005, 2, 7), 26  # to 2005-03-15: a dividend each side, a split, an expiry, and one to come
LONG_SHORT, OPTIONS, SMALL = "20517", "20518", "205170"
ACCOUNTS = (LONG_SHORT, SMALL, OPTIONS)
GOOG, AAPL, MSFT, IBM = (stock(symbol).id for symbol in ("GOOG", "AAPL", "MSFT", "IBM"))

MISSED = date(2005, 2, 17)  # nobody asked the broker that evening
FORBIDDEN = date(2005, 2, 24)  # the positions of OPTIONS were refused
LATE_MARK = date(2005, 3, 4)  # GOOG of LONG_SHORT had yesterday's price until 03:30
LAST = date(2005, 3, 15)  # the price of GOOG in OPTIONS is yesterday's still
RESTATED = date(2005, 2, 28)  # AAPL splits; cash for a fraction of a share is noted when the month is closed
CASH_IN_LIEU = Decimal("12.34")
MISTAKEN = date(2005, 3, 9)  # a transfer of AAPL that never was: its quantity doesn't add up
LOCKED_THROUGH = date(2005, 2, 28)
LOCKED_AT, SAID_AT = datetime(2005, 3, 15, 22, tzinfo=UTC), datetime(2005, 3, 15, 23, tzinfo=UTC)
_ADJUSTMENTS = f"""\
trading_date,account_id,kind,instrument_id,to_instrument_id,quantity,cash,value,cost_basis,author,note
{RESTATED},{LONG_SHORT},CASH_IN_LIEU,{AAPL},,,{CASH_IN_LIEU},,,ops,fraction after the split
{MISTAKEN},{LONG_SHORT},TRANSFER,{AAPL},,5,,250,250,ops,never happened
"""

Row = dict[str, Any]


@dataclass
class Trouble:
    """What the server in front of the sandbox does to an answer: refuse an account's positions, or change rows."""

    refused: str | None = None
    edit: Callable[[Row], None] | None = None


@contextmanager
def in_front_of(url: str, trouble: Trouble) -> Iterator[str]:
    """A server that passes every request on to `url`, but for the trouble of the moment; its own URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = self._answer()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _answer(self) -> tuple[int, bytes]:
            path = self.path.partition("?")[0]
            if trouble.refused and path == f"/v1/accounts/{trouble.refused}/positions":
                return 403, b'{"error": {"code": 403, "message": "not permitted"}}'
            request = urllib.request.Request(url + self.path, headers=dict(self.headers))  # noqa: S310  (loopback)
            try:
                with urllib.request.urlopen(request) as reply:  # noqa: S310
                    body = reply.read()
            except urllib.error.HTTPError as refused:
                return refused.code, refused.read()
            if trouble.edit is None or not path.endswith("/positions"):
                return 200, body
            whole = json.loads(body)
            for row in whole["data"]:
                trouble.edit(row)
            return 200, json.dumps(whole).encode()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Books:
    """Where the books are published, and what is true of them. USD; gains positive."""

    published: Path
    truth: Truth
    days: list[date]
    broker: Broker

    def known(self, account: str) -> list[date]:
        """The days whose end is in the books."""
        missing = {MISSED, FORBIDDEN} if account == OPTIONS else {MISSED}
        return [day for day in self.days if day not in missing]

    def spanned(self, account: str, day: date) -> list[date]:
        """The sessions that the P&L of a known day covers: itself, and those before it that nobody knows."""
        known = self.known(account)
        before = [each for each in known if each < day][-1:]
        return [each for each in self.days if (before or [date.min])[0] < each <= day]

    def made(self, account: str, day: date) -> Decimal:
        """What the books should say that an account made on a known day: the truth, and the trouble that stayed."""
        total = sum((self.truth.day(account, each).total for each in self.spanned(account, day)), Decimal(0))
        if (account, day) == (OPTIONS, LAST):
            return total - self.truth.day(account, day).positions[GOOG].total  # held, at yesterday's price
        return total + CASH_IN_LIEU if (account, day) == (LONG_SHORT, RESTATED) else total


def example_books(root: Path) -> Books:
    """The books, replayed once for all workers of a test run, whose common folder is `root`."""
    published = made_once(root, "example-books", _replay) / "daybook.duckdb"
    sandbox = Sandbox(start=START, days=DAYS)
    return Books(published, sandbox.truth, sandbox.days, sandbox.broker)


def _replay(home: Path) -> None:
    replay_evenings(home)


def replay_evenings(
    home: Path, start: date = START, days: int = DAYS, build_on: Callable[[date], bool] = lambda _: True
) -> None:
    """The books of some of the days, built after the evenings that `build_on` names, and published."""
    trouble = Trouble()
    with Sandbox(start=start, days=days) as sandbox, in_front_of(sandbox.url, trouble) as url:
        settings = Settings.model_validate({"base_url": url, "home": home, "api_key": "any"})
        with warehouse_session(settings) as con:
            for day in sandbox.days:
                if day != MISSED:
                    _evening(con, settings, sandbox, trouble, day, build_it=build_on(day))
            say(con, settings)
            publish(con, settings.published, PUBLISHED_SCHEMAS)


def _evening(con: Any, settings: Settings, sandbox: Sandbox, trouble: Trouble, day: date, *, build_it: bool) -> None:
    trouble.refused = OPTIONS if day == FORBIDDEN else None
    trouble.edit = {
        LATE_MARK: _yesterdays_price(LONG_SHORT, sandbox, day),
        LAST: _yesterdays_price(OPTIONS, sandbox, day),
    }.get(day)
    sandbox.clock.set(sandbox.after_close(day))
    take_snapshot(con, settings)
    if build_it:
        build(con, settings, CATALOG)
    trouble.refused = trouble.edit = None
    if day == LATE_MARK:
        sandbox.clock.set(sandbox.after_close(day) + timedelta(hours=11))  # 03:20 of the next morning
        take_snapshot(con, settings)
        if build_it:
            build(con, settings, CATALOG)


def _yesterdays_price(account: str, sandbox: Sandbox, day: date) -> Callable[[Row], None]:
    market = sandbox.broker.market
    before = sandbox.days[sandbox.days.index(day) - 1]

    def edit(row: Row) -> None:
        if (str(row["account_id"]), row["instrument_id"]) != (account, GOOG):
            return
        price = market.prices.close("GOOG", before)
        value = price * Decimal(row["quantity"])
        row |= {
            "market_value": str(value),
            "instrument_price": str(price),
            "closing_price": str(price),
            "closing_price_date": before.isoformat(),
            "unrealized_pnl": str(value - Decimal(row["cost_basis"])),
        }

    return edit


def say(con: Any, settings: Settings) -> None:
    """The period is closed; then people say two things, one of them about the closed period and one of them wrong."""
    lock_period(con, LOCKED_THROUGH, at=LOCKED_AT)
    settings.adjustments.write_text(_ADJUSTMENTS)
    build(con, settings, CATALOG, built_at=SAID_AT)
