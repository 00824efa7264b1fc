"""Dagster's log waits for the disk no more often than it must, and nobody else's files are touched."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from dagster_project import event_log

NORMAL, FULL = 1, 2


@pytest.fixture
def dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Dagster's home, in a process whose own listener and open files are as before afterwards."""
    listened, kept = event.contains(Engine, "connect", event_log._connected), event_log._open.copy()
    event_log._open.clear()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    (tmp_path / "dagster" / "history").mkdir(parents=True)
    event_log.spare_the_disk()
    yield tmp_path / "dagster"
    for connection in event_log._open.values():
        connection.close()
    event_log._open.clear()
    event_log._open.update(kept)
    if not listened:
        event.remove(Engine, "connect", event_log._connected)


def note(file: Path, what: str) -> int:
    """Write one event as Dagster does, by a connection of its own; how long it waited for the disk."""
    with sqlite3.connect(file) as first:
        first.execute("pragma journal_mode = wal")
        first.execute("create table if not exists events (what text)")
    first.close()
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with engine.begin() as connection:
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


def test_few_files_stay_open(dagster_home: Path) -> None:
    for number in range(event_log.MOST + 2):
        assert note(dagster_home / "history" / f"{number}.db", "begun") == NORMAL
    assert list(event_log._open) == [str(dagster_home / "history" / f"{n}.db") for n in range(2, event_log.MOST + 2)]


def test_the_engine_of_a_file_is_kept(dagster_home: Path, tmp_path: Path) -> None:
    engine_of = vars(sys.modules["dagster._core.storage.event_log.sqlite.sqlite_event_log"])["create_engine"]
    urls = [f"sqlite:///{tmp_path / str(number)}.db" for number in range(event_log.MOST + 1)]
    first = engine_of(urls[0], poolclass=NullPool)
    assert engine_of(urls[0], poolclass=NullPool) is first
    for url in urls[1:]:
        engine_of(url, poolclass=NullPool)
    assert engine_of(urls[0], poolclass=NullPool) is not first  # few are kept
    for url in urls:
        event_log._engines.pop(url, None)
