"""Dagster's own log in SQLite, without a wait for the disk at each of its events, nor a beginning at each.

Dagster opens a connection for every event and closes it, about 600 times an evening. SQLite then waits for the disk
when the event is committed, and again because the last connection of a file moves its write-ahead log into the file.
Here one connection stays open beside them, and a commit waits no more: after a power cut the log may lack its last
moments, and is whole (https://sqlite.org/pragma.html#pragma_synchronous). The books are in no way part of it.

It also makes an engine of SQLAlchemy for each event, which then learns of its database and translates the same few
statements anew: a tenth of a small evening. Here the engine of a file is kept.
"""

import os
import sqlite3
from collections import OrderedDict
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log  # there is no public way to its connections
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine

#: Files kept open at once: a run has four (runs, its own events, the index of all events, schedules).
MOST = 8
_open: OrderedDict[str, sqlite3.Connection] = OrderedDict()
_engines: OrderedDict[str, Engine] = OrderedDict()


def spare_the_disk() -> None:
    """From now on, for every SQLite file of Dagster's home that this process opens."""
    if not event.contains(Engine, "connect", _connected):
        event.listen(Engine, "connect", _connected)
    sqlite_event_log.create_engine = _engine_of  # type: ignore[assignment,attr-defined]


def _engine_of(url: str, **settings: Any) -> Engine:
    """The engine of a file, made when it is first asked for; the settings are the same each time."""
    engine = _engines.get(url) or create_engine(url, **settings)
    _engines[url] = engine
    _engines.move_to_end(url)
    while len(_engines) > MOST:
        _engines.popitem(last=False)
    return engine


def _connected(connection: Any, _: Any) -> None:
    """Called by SQLAlchemy with each new connection of its driver."""
    if not isinstance(connection, sqlite3.Connection):
        return
    ((_, _, file),) = connection.execute("pragma database_list").fetchall()
    home = os.environ.get("DAGSTER_HOME")
    if not file or not home or Path(home).resolve() not in Path(file).resolve().parents:
        return
    connection.execute("pragma synchronous = normal")
    if file not in _open:
        _open[file] = sqlite3.connect(file, check_same_thread=False)
        _open[file].execute("select count(*) from sqlite_schema").fetchone()  # SQLite opens the file when it is read
        while len(_open) > MOST:
            _open.popitem(last=False)[1].close()
