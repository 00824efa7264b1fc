"""The broker of the load tests: its books move from day to day, and it can behave badly in one of several ways.

Run as `python -m bench.unreliable_broker ACCOUNTS POSITIONS MODE`: it prints its address and serves until its standard
input ends; a line with a date on it moves it to that day, and is answered with an empty line.
Modes: `calm` answers everything; `busy` answers 429 to each request until it is asked again; `shut` answers 429 to each
listing of positions and asks to come back in an hour; `slow` sends the first account's positions one byte a second.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import date
from typing import Any

from bench.book import DAY, account_ids
from bench.broker import PageHandler, PageServer, replies

FULL = json.dumps({"error": {"code": 429, "message": "too many requests"}}).encode()


class UnreliableBroker(PageServer):
    """A broker in one of the modes. `refused` are the requests that it answers when they come again."""

    def __init__(self, accounts: int, positions: int, mode: str) -> None:
        super().__init__(replies(accounts, positions, DAY))
        self.RequestHandlerClass = UnreliableHandler
        self.size = accounts, positions
        self.mode = mode
        self.refused: set[str] = set()
        self.slow_path = f"/v1/accounts/{account_ids(1)[0]}/positions"

    def move(self, day: date) -> None:
        """Serve the books of another day."""
        self.ready = replies(*self.size, day)


class UnreliableHandler(PageHandler):
    """Answers by the mode of its broker."""

    server: UnreliableBroker

    def do_GET(self) -> None:  # noqa: N802  (the name that http.server calls)
        """A page, a refusal, or one byte after the other."""
        refused = self.server.refused
        if self.server.mode == "busy" and self.path not in refused:
            refused.add(self.path)
            self._refuse("0")
        elif self.server.mode == "shut" and "/positions" in self.path:
            self._refuse("3600")
        elif self.server.mode == "slow" and self.path.partition("?")[0] == self.server.slow_path:
            self._drip()
        else:
            refused.discard(self.path)
            super().do_GET()

    def _refuse(self, wait: str) -> None:
        head = f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {wait}\r\nContent-Length: {len(FULL)}\r\n\r\n"
        self.wfile.write(head.encode() + FULL)

    def _drip(self) -> None:
        body = self.server.ready[self.server.slow_path, None]
        try:
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(1)
        except OSError:  # whoever asked has had enough
            self.close_connection = True


def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    accounts, positions, mode = sys.argv[1:4]
    with UnreliableBroker(int(accounts), int(positions), mode) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said: dict[str, Any] = {"url": f"http://127.0.0.1:{server.server_port}"}
        print(json.dumps(said), flush=True)
        for line in sys.stdin:
            server.move(date.fromisoformat(line.strip()))
            print(flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()
