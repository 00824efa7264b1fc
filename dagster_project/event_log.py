"""Dagster's own log in SQLite, without a wait for the disk at each of its events.

Dagster opens a connection for every event and closes it, about 600 times an evening. SQLite then waits for the disk
when the event is committed, and again because the last connection of a file moves its write-ahead log into the file.
Here one connection stays open beside them, and a commit waits no more: after a power cut the log may lack its last
moments, and is whole (https://sqlite.org/pragma.html#pragma_synchronous). The books are in no way part of it.
"""

import os
import sqlite3
from collections import OrderedDict
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

#: Files kept open at once: a run has four (runs, its own events, the index of all events, schedules).
MOST = 8
_open: OrderedDict[str, sqlite3.Connection] = OrderedDict()


def spare_the_disk() -> None:
    """From now on, for every SQLite file of Dagster's home that this process opens."""
    if not event.contains(Engine, "connect", _connected):
        event.listen(Engine, "connect", _connected)


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
