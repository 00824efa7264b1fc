"""The stand-in over real HTTP on loopback: in a thread of its own for tests and the demo, or in the foreground."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import date, datetime, timedelta
from threading import Thread
from types import TracebackType
from typing import Self

import uvicorn

from pipelines.calendar import Session
from pipelines.errors import ConfigurationError
from pipelines.sandbox.app import application
from pipelines.sandbox.broker import Broker, BrokerOptions, Bulk
from pipelines.sandbox.clock import SettableClock
from pipelines.sandbox.incidents import NO_INCIDENTS, Incidents
from pipelines.sandbox.market import Market
from pipelines.sandbox.program import OPENED
from pipelines.sandbox.truth import Truth

FIRST_DAY = date(2005, 2, 1)
DAYS = 28  # to 2005-03-11: the AAPL split of 2005-02-28 lies inside
# The first reading of an evening: what is asked then is an end-of-day answer.
AFTER_CLOSE = timedelta(minutes=20)
HOST = "127.0.0.1"


class Sandbox:
    """A stand-in broker that serves while its context is open.

    `with Sandbox(seed=1) as sb`: `sb.url` is where, `sb.clock` what time it is there (20 minutes after the first close
    until it is set), `sb.days` the sessions to replay, `sb.truth` what the accounts really made.
    Raises ConfigurationError for days that there are no prices for.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        start: date = FIRST_DAY,
        days: int = DAYS,
        keys: Collection[str] | None = None,
        read_only_keys: Collection[str] = ("read-only",),
        short_sales: bool = True,
        bare_errors: bool = False,
        bulk: Bulk = (),
        partial_years: Collection[int] = (),
        slow_years: Collection[int] = (),
        incidents: Incidents = NO_INCIDENTS,
        port: int = 0,
    ) -> None:
        market = Market()
        self.sessions = _sessions(market, start, days)
        self.days = [session.date for session in self.sessions]
        self.clock = SettableClock(self.sessions[0].close + AFTER_CLOSE)
        settings = BrokerOptions(
            seed, keys, read_only_keys, short_sales, bare_errors, bulk, partial_years, slow_years, incidents
        )
        self.broker = Broker(market, self.clock, settings)
        self._port = port

    @property
    def truth(self) -> Truth:
        """The P&L truth, as the books stand now."""
        return self.broker.truth

    @property
    def url(self) -> str:
        """The base URL; known once the context is open."""
        host, port = self._socket.getsockname()
        return f"http://{host}:{port}"

    def after_close(self, day: date) -> datetime:
        """20 minutes after the close of one of `days`: what to set the clock to for its end-of-day snapshot."""
        return self.sessions[self.days.index(day)].close + AFTER_CLOSE

    def __enter__(self) -> Self:
        self._socket = listen(self._port)
        self._server = _server(self.broker)
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="sandbox", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                self._socket.close()
                raise ConfigurationError(f"The sandbox could not be started on port {self._port}.")
            self._thread.join(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def serve(
    port: int = 8005,
    days: int = DAYS,
    seed: int = 1,
    now: datetime | None = None,
    on_listening: Callable[[], None] = lambda: None,
) -> None:
    """Serves in the foreground until it is interrupted, and prints the URL once, after `on_listening`. The clock stands
    at `now`: 20 minutes after the close of the last of `days` where it isn't given."""
    sandbox = Sandbox(seed=seed, days=days)
    sandbox.clock.set(now or sandbox.after_close(sandbox.days[-1]))
    with listen(port) as bound:
        host, chosen = bound.getsockname()
        on_listening()
        print(f"http://{host}:{chosen}", flush=True)  # the one thing this command says
        with suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
            _server(sandbox.broker).run([bound])


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 is any free one. ConfigurationError where the port is taken."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise ConfigurationError(f"Port {port} can't be used ({error.strerror}): choose another one.") from None
    return bound


def _server(broker: Broker) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            application(broker),
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )


def _sessions(market: Market, start: date, days: int) -> list[Session]:
    """`days` sessions from `start`, all with prices."""
    found = [session for session in market.sessions if session.date >= start][:days]
    if start < OPENED or days < 1 or len(found) < days:
        left = len([session for session in market.sessions if session.date >= max(start, OPENED)])
        raise ConfigurationError(
            f"The sandbox replays {OPENED} to {market.prices.last}: choose a start in between and 1 to {left} days."
        )
    return found
