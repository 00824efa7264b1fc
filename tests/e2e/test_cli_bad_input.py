"""Bad input: one clear sentence, the right exit code, in bounded time, and nothing lost."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.warehouse.connect import remember_broker
from tests.support.broker_server import BrokerServer, Fault, position
from tests.support.command_line import DAYBOOK, EVENING, KEY, NEXT_EVENING, ask, daybook, environment
from tests.support.processes import Process

HOLD_RUN_LOCK = """
import sys
from pathlib import Path
from pipelines.warehouse.lock import run_lock
with run_lock(Path(sys.argv[1]), command="daybook eod"):
    print("held", flush=True)
    sys.stdin.read()
"""
HOLD_WAREHOUSE = """
import sys
import duckdb
con = duckdb.connect(sys.argv[1])
con.execute("create table if not exists kept as select 1")
print("held", flush=True)
sys.stdin.read()
"""


def broker(now: datetime = EVENING, **changes: Any) -> BrokerServer:
    books: dict[str, Any] = {
        "accounts": [100001],
        "positions": {100001: [position(100001, 1)]},
        "instructions": {},
        "now": now,
    }
    return BrokerServer(**{**books, **changes})


@contextmanager
def held(program: str, path: Path) -> Iterator[int]:
    """Another process that holds `path` for the block; its pid."""
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield other.pid
        other.stdin.close()
        other.wait(10)


def unused_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_without_a_key_sync_says_which_variable_to_set_and_makes_nothing(tmp_path: Path) -> None:
    ended = daybook("sync", home=tmp_path / "home")
    assert ended.code == 2
    assert "CLEAR_STREET_API_KEY is not set" in ended.sentence
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", ["sync", "eod", "demo"])
def test_every_wrong_variable_is_named_at_once(tmp_path: Path, command: str) -> None:
    ended = daybook(
        command, home=tmp_path, url="http://api.example.com", DAYBOOK_ACCOUNTS="12,x", DAYBOOK_REALIZED="maybe"
    )
    assert ended.code == 2
    for variable in ("CLEAR_STREET_BASE_URL", "DAYBOOK_ACCOUNTS", "DAYBOOK_REALIZED"):
        assert variable in ended.sentence


def test_a_broker_that_is_not_there_is_told_within_a_minute(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    ended = daybook("sync", home=tmp_path, url=url)
    assert ended.code == 1
    assert ended.err.count("daybook: ") == 1
    assert "the connection to 127.0.0.1:" in ended.err.splitlines()[-1]
    assert KEY not in ended.err
    assert "Traceback" not in ended.err
    kept = ask(tmp_path / "warehouse.duckdb", "select key from main.daybook_meta")
    assert kept == [("schema_version",)], "an address that never answered may be a mistyped one: nobody's books yet"


def test_an_account_that_the_key_does_not_see_is_named_and_nothing_lands(tmp_path: Path) -> None:
    with broker() as server:
        ended = daybook("sync", home=tmp_path, url=server.url, DAYBOOK_ACCOUNTS="100001,424242")
        assert ended.code == 2
        assert "424242" in ended.sentence
        assert "100001" in ended.sentence
        assert not server.asked("positions")
        assert ask(tmp_path / "warehouse.duckdb", "select * from duckdb_tables() where schema_name = 'raw'") == []
        evening = daybook("eod", "--json", home=tmp_path, url=server.url, DAYBOOK_ACCOUNTS="424242")
    assert (evening.code, "424242" in evening.sentence) == (2, True)  # once, though it is an alert as well
    assert json.loads(evening.out) == {"error": evening.sentence.removeprefix("daybook: "), "exit_code": 2}
    (alert,) = map(json.loads, (tmp_path / "alerts.log").read_text().splitlines())
    assert alert["sentence"] == f"daybook eod failed: {evening.sentence.removeprefix('daybook: ')}"
    assert alert["todo"] == "Correct that, then run `daybook eod`."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "2025-13-01"], "'2025-13-01' is not a date"),
        (["--from", "20251031"], "'20251031' is not a date"),
        (["--to", "yesterday"], "'yesterday' is not a date"),
        (["--from", "2025-11-04", "--to", "2025-11-03"], "--from 2025-11-04 is after --to 2025-11-03"),
        (["--from", "2025-11-01", "--to", "2025-11-01"], "2025-11-01 (Saturday) is not a trading day"),
        (["--from", "2025-11-01", "--to", "2025-11-02"], "None of the days from 2025-11-01 to 2025-11-02"),
        (["--from", "1990-01-02"], "1990-01-02 is before them"),
        (["--from", "2099-01-02"], "2099-01-02 is not among them"),
    ],
)
def test_days_that_cannot_be_are_a_usage_error(tmp_path: Path, arguments: list[str], said: str) -> None:
    ended = daybook("build", *arguments, home=tmp_path / "home")
    assert ended.code == 2
    assert said in ended.sentence
    assert not (tmp_path / "home").exists()


def test_days_of_which_nothing_was_landed_are_told_with_the_days_there_are(tmp_path: Path) -> None:
    with broker() as server:
        assert daybook("sync", home=tmp_path, url=server.url).code == 0
    ended = daybook("build", "--from", "2025-12-01", home=tmp_path)
    assert ended.code == 2
    assert "2025-10-31" in ended.sentence


@pytest.mark.parametrize("arguments", [["nonsense"], ["sync", "--nonsense"], ["demo", "--days", "0"], ["sql"]])
def test_a_command_that_is_not_there_is_a_usage_error(tmp_path: Path, arguments: list[str]) -> None:
    ended = daybook(*arguments, home=tmp_path)
    assert ended.code == 2
    assert "--help" in ended.sentence


def test_a_home_that_cannot_be_written_is_named_and_what_is_in_the_way_stays(tmp_path: Path) -> None:
    in_the_way = tmp_path / "home"
    in_the_way.write_text("precious")
    with broker() as server:
        ended = daybook("sync", home=in_the_way, url=server.url)
    assert ended.code == 2
    assert f"DAYBOOK_HOME ({in_the_way}) can't be written" in ended.sentence
    assert in_the_way.read_text() == "precious"
    assert server.requests == []


@pytest.mark.parametrize("command", ["sync", "build"])
def test_a_second_run_waits_as_long_as_it_is_told_and_names_the_first(tmp_path: Path, command: str) -> None:
    with broker() as server, held(HOLD_RUN_LOCK, tmp_path / "run.lock") as pid:
        began = time.monotonic()
        ended = daybook(command, "--wait", "0.5", home=tmp_path, url=server.url)
        assert time.monotonic() - began < 15
        assert server.requests == []
        at_once = daybook(command, "--wait", "0", home=tmp_path, url=server.url)
        assert (at_once.code, f"process {pid}" in at_once.sentence) == (2, True)
    assert ended.code == 2
    waiting, gave_up = ended.err.splitlines()
    assert f"process {pid} (daybook eod" in waiting
    assert f"process {pid} (daybook eod" in gave_up
    assert "waited 0.5 s" in gave_up


def test_a_second_run_begins_when_the_first_is_done(tmp_path: Path) -> None:
    with broker() as server, held(HOLD_RUN_LOCK, tmp_path / "run.lock"):
        second = Process([DAYBOOK, "sync"], env=environment(tmp_path, server.url), stderr=subprocess.PIPE)
        assert second.stderr is not None
        assert b"waiting for process" in second.stderr.readline()
    with broker() as server, second:  # the first has ended: whatever port the broker is on now, the lock is free
        second.communicate(timeout=60)
    assert second.returncode in (0, 1)


def test_a_warehouse_that_another_program_has_open_is_waited_for_and_its_pid_named(tmp_path: Path) -> None:
    with broker() as server, held(HOLD_WAREHOUSE, tmp_path / "warehouse.duckdb") as pid:
        ended = daybook("sync", "--wait", "0.5", home=tmp_path, url=server.url)
        assert server.requests == []
    assert ended.code == 2
    assert f"Process {pid}" in ended.err.splitlines()[-1]
    assert ask(tmp_path / "warehouse.duckdb", "from kept") == [(1,)]


def test_a_warehouse_of_another_broker_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as con:
        remember_broker(con, "api.clearstreet.com")
    with broker() as server:
        ended = daybook("sync", home=tmp_path, url=server.url)
        assert server.requests == []
    assert ended.code == 2
    assert "holds the books of api.clearstreet.com, not of loopback" in ended.sentence
    said = ask(tmp_path / "warehouse.duckdb", "select value from main.daybook_meta where key = 'broker_host'")
    assert said == [("api.clearstreet.com",)]


def test_a_key_that_is_refused_is_asked_for_once_and_never_shown(tmp_path: Path) -> None:
    with broker(key="another") as server:
        ended = daybook("sync", home=tmp_path, url=server.url)
        assert len(server.requests) == 1
    assert ended.code == 1
    assert "401" in ended.sentence
    assert "request-00001" in ended.sentence


def test_a_reader_keeps_the_copy_it_has_open_while_a_run_publishes(tmp_path: Path) -> None:
    with broker() as server:
        assert daybook("sync", home=tmp_path, url=server.url).code == 0
        assert daybook("build", home=tmp_path).code == 0
        with duckdb.connect(tmp_path / "daybook.duckdb", read_only=True) as reader:
            server.now = NEXT_EVENING
            assert daybook("sync", home=tmp_path, url=server.url).code == 0
            assert daybook("build", home=tmp_path).code == 0
            assert reader.execute("select count(*) from quality.day").fetchone() == (1,)
    assert (
        daybook("sql", "select count(*) as days from quality.day", "--format", "csv", home=tmp_path).out == "days\n2\n"
    )


def test_what_nobody_foresaw_is_one_sentence_and_a_file_without_the_key(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "2025-10").write_text("a file where the month's folder goes")
    with broker() as server:
        ended = daybook("sync", home=tmp_path, url=server.url)
    assert ended.code == 1
    (log,) = (tmp_path / "logs").iterdir()
    assert str(log) in ended.sentence
    assert "Traceback" in log.read_text()
    assert KEY not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_an_interrupted_sync_says_so_in_a_word_and_lands_nothing(tmp_path: Path) -> None:
    slow = Fault("positions", times=None, drip=0.05)
    with (
        broker(faults=[slow]) as server,
        Process(
            [DAYBOOK, "sync"], env=environment(tmp_path, server.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as run,
    ):
        while not server.asked("positions"):
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert err.decode().splitlines()[-1] == "daybook: Interrupted."
    assert b"Traceback" not in err
    assert out == b""
    assert ask(tmp_path / "warehouse.duckdb", "select * from duckdb_tables() where schema_name = 'raw'") == []
