"""Dagster's log waits for the disk no more often than it must, and nobody else's files are touched."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from dagster_project import event_log

NORMAL, FULL = 1, 2


@pytest.fixture
def dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Dagster's home, in a process that keeps the files of no other one open meanwhile."""
    monkeypatch.setattr(event_log, "_engines", OrderedDict())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    (tmp_path / "dagster" / "history").mkdir(parents=True)
    event_log.spare_the_disk()
    yield tmp_path / "dagster"
    for engine in event_log._engines.values():
        event_log._close(engine)


def dagsters_engine(file: Path, storage: ModuleType = event_log.STORAGES[0]) -> Engine:
    """What Dagster has when it asks SQLAlchemy for the engine of a file."""
    made: Engine = vars(storage)["create_engine"](f"sqlite:///{file}", poolclass=NullPool, connect_args={"timeout": 5})
    return made


def note(file: Path, what: str) -> int:
    """Write one event as Dagster does, by an engine that it lets go of; how long it waited for the disk."""
    engine = dagsters_engine(file)
    with engine.connect() as connection:
        connection.execute(text("pragma journal_mode = wal"))
    with engine.connect() as connection, connection.begin():
        connection.execute(text("create table if not exists events (what text)"))
        connection.execute(text("insert into events values (:what)"), {"what": what})
        waits = connection.execute(text("pragma synchronous")).scalar_one()
    engine.dispose()
    return int(waits)


def test_an_event_is_in_the_write_ahead_log_and_the_file_stays_open(dagster_home: Path) -> None:
    file = dagster_home / "history" / "runs.db"
    assert note(file, "begun") == NORMAL
    assert file.with_name("runs.db-wal").stat().st_size > 0
    with sqlite3.connect(file) as reader:
        assert reader.execute("select what from events").fetchall() == [("begun",)]
    reader.close()


def test_files_of_others_are_as_sqlite_has_them(dagster_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    assert note(file, "begun") == FULL
    assert not file.with_name("other.db-wal").exists()


@pytest.mark.parametrize("storage", event_log.STORAGES)
def test_one_connection_serves_one_event_after_the_other(dagster_home: Path, storage: ModuleType) -> None:
    file, used = dagster_home / "history" / "runs.db", set()
    for number in range(3):
        engine = dagsters_engine(file, storage)
        with engine.connect() as connection, connection.begin():
            used.add(id(connection.connection.driver_connection))
            connection.execute(text(f"create table event_{number} (what text)"))
        engine.dispose()
    assert len(used) == 1


def test_what_another_process_wrote_is_seen_and_threads_may_write_at_once(dagster_home: Path) -> None:
    file = dagster_home / "history" / "runs.db"
    note(file, "ours")
    with sqlite3.connect(file) as other:
        other.execute("insert into events values ('theirs')")
    other.close()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(partial(note, file), map(str, range(20)))) == {NORMAL}
    with dagsters_engine(file).connect() as connection:
        assert connection.execute(text("select count(*) from events")).scalar_one() == 22


def test_few_files_stay_open(dagster_home: Path) -> None:
    files = [dagster_home / "history" / f"{number}.db" for number in range(event_log.MOST + 2)]
    for file in files:
        assert note(file, "begun") == NORMAL
    there = {str(name.readlink()) for name in Path("/proc/self/fd").iterdir() if name.is_symlink()}
    assert [file for file in files if str(file) in there] == files[2:]
