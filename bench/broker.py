"""A broker on loopback with every page ready before the first request, in a process of its own that nobody pays for.

Run as `python -m bench.broker ACCOUNTS POSITIONS [DAY [SECONDS]]`, SECONDS being how long each answer is held back: it
prints one line of JSON (url, market_value) and serves until its standard input ends.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from datetime import date, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.book import DAY, account_ids, contract, envelope, instrument_id, pages, token
from pipelines.calendar import TradingCalendar


def replies(accounts: int, positions: int, day: date) -> dict[tuple[str, str | None], bytes]:
    """Every reply that can be made beforehand, by path and page token, or the last day asked for."""
    ids = account_ids(accounts)
    # a broker lists the fills of the days before, too: one that it lists no longer would be withdrawn
    listed_days = [session.date for session in TradingCalendar.load().sessions(day - timedelta(days=7), day)]
    listed = [{"id": each, "short_name": f"A{each}", "status": "ACTIVE", "open_date": "2020-01-02"} for each in ids]
    ready: dict[tuple[str, str | None], bytes] = {
        ("/v1/clock", None): envelope({"clock": f"{day}T21:30:00Z"}),
        ("/v1/accounts", None): envelope(listed, page_number=1, total_items=len(ids), total_pages=1),
    }
    for account in ids:
        prefix = f"/v1/accounts/{account}"
        ready |= {(f"{prefix}/positions", asked): body for asked, body in pages(account, positions, day)}
        ready[f"{prefix}/balances", None] = envelope({"account_id": account, "currency": "USD", "equity": "1.00"})
        # of the years before there is nothing
        segments = envelope({"segments": [{"date": str(day), "realized_pnl": "0"}]})
        ready[f"{prefix}/portfolio-history", str(day)] = segments
        ready[f"{prefix}/executions", None] = envelope(
            [_fill(account, number, each) for each in listed_days for number in range(0, positions, 100)]
        )
    return ready


def _fill(account: int, number: int, day: date) -> dict[str, Any]:
    """Bought and sold again within the day: something to look at that leaves the position alone."""
    return {
        "id": f"{day}-{account}-{number}",
        "account_id": account,
        "instrument_id": instrument_id(number // 200 * 200),
        "symbol": "S",
        "side": "SELL" if number // 100 % 2 else "BUY",
        "quantity": "10",
        "price": "1.50",
        "transaction_time": f"{day}T15:00:00Z",
    }


def market_value(ready: dict[tuple[str, str | None], bytes]) -> Decimal:
    """The sum of market_value over all pages, as sent."""
    sent = (json.loads(body)["data"] for (path, _), body in ready.items() if path.endswith("/positions"))
    return sum((Decimal(row["market_value"]) for rows in sent for row in rows), Decimal(0))


class PageServer(ThreadingHTTPServer):
    """Serves what is ready; what isn't there is an empty listing."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, ready: dict[tuple[str, str | None], bytes], latency: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), PageHandler)
        self.ready = ready
        self.latency = latency


class PageHandler(BaseHTTPRequestHandler):
    """One connection. Head and body leave in one piece: two would wait for each other's acknowledgement."""

    protocol_version = "HTTP/1.1"
    server: PageServer

    def setup(self) -> None:
        """Send at once, however small."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def do_GET(self) -> None:
        """Answer with the page that was asked for, as late as this broker is."""
        time.sleep(self.server.latency)
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query)
        page = next(iter(asked.get("page_token") or asked.get("end_date") or []), token(0))
        body = self.server.ready.get((parts.path, page)) or _made(parts.path, asked)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def _made(path: str, asked: dict[str, list[str]]) -> bytes:
    if path == "/v1/instruments/options/contracts":
        return envelope([contract(each) for each in asked["contract_ids"][0].split(",")])
    if path.endswith("/events"):
        return envelope(
            {"event_dates": []} if path == "/v1/instruments/events" else {"instrument_id": path.split("/")[3]}
        )
    return envelope({"segments": []} if path.endswith("/portfolio-history") else [])


def main() -> None:
    """Make the pages, say where they are, serve until nobody holds the other end of standard input."""
    day = date.fromisoformat(sys.argv[3]) if len(sys.argv) > 3 else DAY
    latency = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
    ready = replies(int(sys.argv[1]), int(sys.argv[2]), day)
    with PageServer(ready, latency) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        print(json.dumps({"url": url, "market_value": str(market_value(ready))}), flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
