"""How many requests a broker's host is asked a second: one rate over all that ask it, whoever they are.

Without a lake that is this process alone. On a lake all workers have one bucket, in the PostgreSQL of its catalogue.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyrate_limiter import Limiter

#: Requests a second where nobody says how many; the broker names no limit.
SHIPPED_RATE = 20.0
#: A shared second is longer than a broker's by this much: a request may be slower on its way than the ones after it.
_SHARED_SECOND = 1200  # milliseconds
_TABLE = "daybook_requests"

_limiters: dict[tuple[str, float], Limiter] = {}
_limiters_lock = threading.Lock()


def limiter_of(host: str, requests_per_second: float, lake: str | None = None) -> Limiter:
    """The one limiter of a host, over all workers of a `lake` (the address of its catalogue) where there is one.

    Raises psycopg's errors where that can't be reached."""
    with _limiters_lock:
        key = (lake or host, requests_per_second)
        if key not in _limiters:
            make = _shared(lake, requests_per_second) if lake else _own(requests_per_second)
            _limiters[key] = make
        return _limiters[key]


def _own(requests_per_second: float) -> Limiter:
    """A token bucket of this process. A burst of one keeps any second at or below the rate."""
    from pyrate_limiter import Limiter, Rate, SingleBucketFactory, StateBucket, TokenBucket

    rate = Rate(1, _between(requests_per_second), burst=1)
    # nothing to leak in a bucket of one number, so no thread for it
    factory = SingleBucketFactory(StateBucket([rate], TokenBucket()), schedule_leak=False)
    return Limiter(factory, buffer_ms=1)


def _shared(lake: str, requests_per_second: float) -> Limiter:
    """A log of the requests of all workers, by the database's clock: one at a time, and no more than the rate in any
    second as the broker counts."""
    from pyrate_limiter import Limiter, PostgresBucket, Rate

    rates = [Rate(1, _between(requests_per_second))]
    if requests_per_second >= 1:
        rates.append(Rate(int(requests_per_second), _SHARED_SECOND))
    bucket = PostgresBucket(_OneConnection(lake), _TABLE, rates)
    return Limiter(bucket, buffer_ms=1)


def _between(requests_per_second: float) -> int:
    return max(round(1000 / requests_per_second), 1)


class _OneConnection:
    """What the bucket takes for a pool: one connection, made again where it was lost. The limiter asks in turn."""

    def __init__(self, lake: str) -> None:
        self._lake = lake
        self._con: Any = None
        self._turn = threading.RLock()
        self.closed = False

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A transaction of its own, committed at the end."""
        import psycopg

        with self._turn:
            if self._con is None or self._con.closed:
                self._con = psycopg.connect(self._lake, application_name="daybook: requests per second")
            try:
                yield self._con
                self._con.commit()  # after a lock that was not to be had, a rollback
            except BaseException:
                self._con.close()
                raise

    def close(self) -> None:
        """Close the connection."""
        self.closed = True
        if self._con is not None:
            self._con.close()
