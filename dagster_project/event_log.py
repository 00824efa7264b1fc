"""Dagster's own log in SQLite, without a wait for the disk at each of its events, nor a beginning at each.

Dagster makes an engine of SQLAlchemy and a connection for every event and closes it, about 600 times an evening of a
small book, and a third of that evening's time. SQLite then opens the file, waits for the disk when the event is
committed, and again because the last connection of a file moves its write-ahead log into the file. Here the engine of a
file is kept with its connections, and a commit waits no more: after a power cut the log may lack its last moments, and
is whole (https://sqlite.org/pragma.html#pragma_synchronous). The books are in no way part of it.
"""

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

# there is no public way to their connections
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.pool import QueuePool

#: Files kept open at once: a run has four (runs, its own events, the index of all events, schedules).
MOST = 8
#: What makes engines: of the log, of runs, and of schedules.
STORAGES = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
_engines: OrderedDict[str, Engine] = OrderedDict()


class _Kept(QueuePool):
    """Connections that Dagster lets go of after every event stay open for the next one."""

    def dispose(self) -> None:
        """Called by Dagster after every event: nothing happens."""

    def recreate(self) -> "_Kept":
        """Called where a pool is put in the place of one that was disposed of."""
        return self

    def close(self) -> None:
        """Close what is not in use."""
        super().dispose()


def spare_the_disk() -> None:
    """From now on, for every SQLite file of Dagster's home that this process opens."""
    for storage in STORAGES:
        storage.create_engine = _engine_of  # type: ignore[attr-defined]


def _engine_of(url: str, **settings: Any) -> Engine:
    """The engine of a file, made when it is first asked for; the settings are the same each time."""
    if url not in _engines:
        if not _is_dagsters(make_url(url).database):
            return create_engine(url, **settings)
        _engines[url] = create_engine(url, **settings | {"poolclass": _Kept, "pool_size": 1, "max_overflow": -1})
        event.listen(_engines[url], "connect", _connected)
    _engines.move_to_end(url)
    while len(_engines) > MOST:
        _, engine = _engines.popitem(last=False)
        _close(engine)
    return _engines[url]


def _is_dagsters(file: str | None) -> bool:
    home = os.environ.get("DAGSTER_HOME")
    return bool(file and home) and Path(str(home)).resolve() in Path(str(file)).resolve().parents


def _close(engine: Engine) -> None:
    assert isinstance(engine.pool, _Kept)  # noqa: S101  (none other is made here)
    engine.pool.close()


def _connected(connection: Any, _: Any) -> None:
    """Called by SQLAlchemy with each new connection of its driver."""
    connection.execute("pragma synchronous = normal")
