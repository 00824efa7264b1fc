"""How many requests a broker's host is asked a second: one rate over all that ask it, whoever they are.

Without a lake that is this process alone. On a lake all workers share one row of the PostgreSQL of its catalog: it
says when the next request may go out. pyrate-limiter's own PostgresBucket was tried first: its waiters ask again and
again for a lock (16 threads got 20 of 100 requests a second through), and what it lets pass may go out much later, so
that a broker counted 23 in a second where 20 were allowed.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pyrate_limiter import Limiter

#: Requests a second where nobody says how many; the broker names no limit.
SHIPPED_RATE = 20.0
#: A shared rate is lower than the limit by this much: a request may be slower on its way than the ones after it.
_MARGIN = 1.2
#: Whoever sends later than this after its turn takes another one, in seconds.
_LATE = 0.05

_CREATE = """
    select pg_advisory_xact_lock(hashtext('daybook_requests'));
    create table if not exists daybook_requests (host text primary key, next_at timestamptz not null)
"""
#: The turn that is taken, as seconds from now, by the database's clock; the next one is a step after it.
_TAKE = """
    insert into daybook_requests as shared (host, next_at)
    values (%(host)s, clock_timestamp() + %(step)s * interval '1 second')
    on conflict (host) do update
    set next_at = greatest(shared.next_at, clock_timestamp()) + %(step)s * interval '1 second'
    returning extract(epoch from next_at - clock_timestamp())::float8 - %(step)s
"""


class Turns(Protocol):
    """Whoever wants to ask the broker waits for its turn."""

    def wait(self) -> None:
        """Returns when the next request may go out."""


_turns: dict[tuple[str, float, str | None], Turns] = {}
_making = threading.Lock()


def turns_of(host: str, requests_per_second: float, lake: str | None = None) -> Turns:
    """The turns at a host, of all workers of a `lake` (the address of its catalog) where there is one."""
    with _making:
        key = (host, requests_per_second, lake)
        if key not in _turns:
            _turns[key] = _Shared(lake, host, requests_per_second) if lake else _Own(requests_per_second)
        return _turns[key]


class _Own:
    """A token bucket of this process. A burst of one keeps any second at or below the rate."""

    def __init__(self, requests_per_second: float) -> None:
        from pyrate_limiter import Limiter, Rate, SingleBucketFactory, StateBucket, TokenBucket

        rate = Rate(1, max(round(1000 / requests_per_second), 1), burst=1)
        # nothing to leak in a bucket of one number, so no thread for it
        factory = SingleBucketFactory(StateBucket([rate], TokenBucket()), schedule_leak=False)
        self._limiter: Limiter = Limiter(factory, buffer_ms=1)

    def wait(self) -> None:
        """See `Turns`."""
        self._limiter.try_acquire("get")


class _Shared:
    """One turn after another over all workers, by the clock of the database: theirs may be apart."""

    def __init__(self, lake: str, host: str, requests_per_second: float) -> None:
        self._lake = lake
        self._asked = {"host": host, "step": _MARGIN / requests_per_second}
        self._asking = threading.Lock()
        self._con: Any = None

    def wait(self) -> None:
        """See `Turns`. Raises psycopg's errors where the database can't be asked."""
        while True:
            due = self._take()
            time.sleep(max(due - time.monotonic(), 0.0))
            if time.monotonic() - due <= _LATE:
                return

    def _take(self) -> float:
        """When the turn that is taken is due, by this machine's monotonic clock."""
        with self._asking:
            try:
                con = self._connected()
                (seconds,) = con.execute(_TAKE, self._asked).fetchone()
            except BaseException:
                if self._con is not None:
                    self._con.close()
                    self._con = None
                raise
            return time.monotonic() + float(seconds)

    def _connected(self) -> Any:
        import psycopg

        if self._con is None:
            self._con = psycopg.connect(self._lake, autocommit=True, application_name="daybook: requests per second")
            with self._con.transaction():
                self._con.execute(_CREATE)
        return self._con
