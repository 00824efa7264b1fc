"""Locks on a lake: PostgreSQL's advisory locks, each held by a connection of its own.

Such a lock ends with its connection: a process that was killed holds none a moment later, and a host that is gone holds
none when PostgreSQL has missed it. Who holds it is the name of that connection, which everybody may read.
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import DaybookError
from pipelines.progress import OnProgress, ignore_progress
from pipelines.settings import Lake
from pipelines.warehouse.lake.extensions import require_psycopg
from pipelines.warehouse.lake.problems import lake_problem
from pipelines.warehouse.lock import wait_for_books

if TYPE_CHECKING:
    import psycopg

#: The first number of every lock of ours. The second one says what is locked.
_OURS = 0x0DA7B00C
BOOKS = 0  # the derived tables, and all that only one process at a time may do
_LONGEST_NAME = 63  # bytes of a connection's name that PostgreSQL keeps
#: A host that is gone without a word is missed by PostgreSQL after a minute.
_MISSED = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
_HOLDER = """
    select activity.application_name, activity.backend_start
    from pg_locks as held inner join pg_stat_activity as activity using (pid)
    where held.locktype = 'advisory' and held.granted and held.classid = %s and held.objid = %s
        and held.database = (select oid from pg_database where datname = current_database())
"""

_held: dict[Lake, psycopg.Connection] = {}


@contextmanager
def lake_lock(
    lake: Lake,
    number: int = BOOKS,
    *,
    wait: float = 60.0,
    command: str | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Iterator[None]:
    """Holds a lock of a lake for the block: its books', or another `number`. `command` is what others are told that we
    are doing: by default, our command line.

    Waits up to `wait` seconds for another process, and tells `on_progress` whom for. Raises LockedOut with its host,
    pid and command after that, ConfigurationError and DaybookError where PostgreSQL can't be asked.
    """
    con = connect_catalog(lake, command or shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))
    try:
        _acquire(con, lake, number, wait, on_progress)
        if number == BOOKS:
            _held[lake] = con
        yield
    finally:
        if number == BOOKS:
            _held.pop(lake, None)
        con.close()


def connect_catalog(lake: Lake, what: str = "daybook") -> psycopg.Connection:
    """A connection of psycopg to the catalog, each statement a transaction of its own, named by host, pid and `what` it
    is for. Raises ConfigurationError and DaybookError as a lake that is opened does."""
    require_psycopg()
    import psycopg

    name = f"{socket.gethostname()} {os.getpid()} {what}".encode("ascii", "replace")[:_LONGEST_NAME].decode()
    try:
        return psycopg.connect(
            lake.catalog,
            autocommit=True,
            connect_timeout=10,
            application_name=name,
            options=_MISSED,
            keepalives_idle=30,
        )
    except psycopg.Error as error:
        raise lake_problem(lake, error) from error


def check_held(lake: Lake) -> None:
    """Raises DaybookError where this process had taken the books of a lake and has lost them: PostgreSQL was restarted,
    or ended the connection. Another may be writing by now; whichever of the two commits second is refused by it."""
    import psycopg

    con = _held.get(lake)
    if con is None:
        return
    try:
        con.execute("select 1")
    except psycopg.Error as error:
        raise DaybookError(
            f"The lock on {lake} was lost ({lake_reason(error)}), so another run may have begun: what was committed is "
            "in the books; run it again."
        ) from error


def read_holder(lake: Lake, number: int = BOOKS) -> dict[str, Any] | None:
    """Who holds a lock: `host`, `pid`, `command` and `since`, as they are written beside a home's lock; None where
    nobody does. Raises as `connect_catalog`."""
    with connect_catalog(lake) as con:
        return _holder(con, number)


def lake_reason(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()).rstrip(".")


def _acquire(con: psycopg.Connection, lake: Lake, number: int, wait: float, on_progress: OnProgress) -> None:
    import psycopg

    def take() -> str | None:
        try:
            row = con.execute("select pg_try_advisory_lock(%s, %s)", [_OURS, number]).fetchone()
            return None if row and row[0] else _sentence(_holder(con, number))
        except psycopg.Error as error:
            raise lake_problem(lake, error) from error

    wait_for_books(take, wait, on_progress)


def _holder(con: psycopg.Connection, number: int) -> dict[str, Any] | None:
    row = con.execute(_HOLDER, [_OURS, number]).fetchone()
    if row is None:
        return None
    host, pid, command = (*str(row[0]).split(" ", 2), "", "")[:3]
    return {"host": host, "pid": pid, "command": command, "since": row[1].astimezone(UTC).isoformat(timespec="seconds")}


def _sentence(holder: dict[str, Any] | None) -> str:
    if holder is None:  # it has given the lock back meanwhile
        return "another process"
    return f"process {holder['pid']} of host {holder['host']} ({holder['command']}, since {holder['since']})"
