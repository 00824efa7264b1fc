"""`daybook lock`: asks, closes once, says what can't be closed, and the open day gets what is learnt later."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.broker_server import BrokerServer
from tests.support.command_line import DAYBOOK, ask, daybook, environment
from tests.support.desk import FRIDAY, MONDAY, shares

HELD = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-31")], 200: []}


@contextmanager
def broker() -> Iterator[BrokerServer]:
    with BrokerServer(accounts=[100, 200], positions=HELD, instructions={}) as server:
        server.now = datetime.fromisoformat(FRIDAY)
        yield server


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Books of one Friday and the Monday after."""
    made = tmp_path_factory.mktemp("books")
    with broker() as server:
        for at in (FRIDAY, MONDAY):
            server.now = datetime.fromisoformat(at)
            assert daybook("sync", home=made, url=server.url).code == 0
            assert daybook("build", home=made, url=server.url).code in (0, 3)
    return made


@pytest.fixture
def home(tmp_path: Path, books: Path) -> Path:
    """A copy of them."""
    shutil.copytree(books, tmp_path, dirs_exist_ok=True)
    return tmp_path


def locks(home: Path) -> list[tuple[object, ...]]:
    return ask(home / "daybook.duckdb", "select account_id, locked_through::varchar from core.period_lock order by all")


def test_a_period_is_closed_published_and_never_closed_twice(home: Path) -> None:
    closed = daybook("lock", "--through", "2025-10-31", "--yes", home=home)
    assert closed.code == 0, closed.err
    assert "all accounts through 2025-10-31, 2 account-days that are open now" in closed.out
    assert locks(home) == [(None, "2025-10-31")]
    again = daybook("lock", "--through", "2025-10-31", "--account", "100", "--yes", home=home)
    assert (again.code, locks(home)) == (2, [(None, "2025-10-31")])
    assert "closed through 2025-10-31 already: a lock is never taken back" in again.sentence


def test_one_account_can_be_closed_by_itself(home: Path) -> None:
    closed = daybook("lock", "--through", "2025-10-31", "--account", "200", "--yes", home=home)
    assert "account 200 through 2025-10-31, 1 account-days" in closed.out
    assert locks(home) == [("200", "2025-10-31")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--through", "2025-11-04"), "The books end on 2025-11-03: 2025-11-04 can't be closed"),
        (("--through", "2025-10-31", "--account", "300"), "The books have no day of account 300"),
        (("--through", "yesterday"), "'yesterday' is not a date"),
        ((), "Missing option '--through'"),
    ],
)
def test_what_can_not_be_closed_is_said(home: Path, arguments: tuple[str, ...], sentence: str) -> None:
    refused = daybook("lock", *arguments, "--yes", home=home)
    assert refused.code == 2
    assert sentence in refused.sentence
    assert locks(home) == []


def test_books_that_are_not_there_can_not_be_closed(tmp_path: Path) -> None:
    refused = daybook("lock", "--through", "2025-10-31", "--yes", home=tmp_path)
    assert refused.code == 1
    assert "Nothing has been published" in refused.sentence


def test_without_a_person_to_ask_nothing_is_closed(home: Path) -> None:
    refused = daybook("lock", "--through", "2025-10-31", home=home)
    assert refused.code == 2
    assert "give --yes" in refused.sentence
    assert locks(home) == []


@pytest.mark.skipif(os.name != "posix", reason="a terminal of a test's own needs a POSIX system")
@pytest.mark.parametrize(("answer", "code", "expected"), [("n", 2, []), ("y", 0, [(None, "2025-10-31")])])
def test_a_person_is_asked(home: Path, answer: str, code: int, expected: list[object]) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    command: list[str | Path] = [DAYBOOK, "lock", "--through", "2025-10-31"]
    ended = subprocess.run(
        command, env=environment(home), stdin=theirs, capture_output=True, timeout=60, check=False, text=True
    )
    os.close(ours)
    os.close(theirs)
    assert ended.returncode == code, ended.stderr
    assert "Close it?" in ended.stdout
    assert locks(home) == expected
