"""What a person gets from sync, build, status and sql on one broker's books: exit codes, text, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.broker_server import BrokerServer, Fault, position
from tests.support.command_line import DAYBOOK, EVENING, NEXT_EVENING, ask, daybook, environment
from tests.support.terminal import on_terminal

MIDDAY = datetime(2025, 10, 31, 16, 0, tzinfo=UTC)
HOSTILE = "\x1b[2J[bold]x[/bold]"


def broker(now: datetime = EVENING, **changes: Any) -> BrokerServer:
    books: dict[str, Any] = {
        "accounts": [100001, 100002],
        "positions": {100001: [position(100001, 1), position(100001, 2)], 100002: []},
        "instructions": {},
        "now": now,
    }
    return BrokerServer(**{**books, **changes})


def test_an_evening_is_complete_built_published_and_told(tmp_path: Path) -> None:
    with broker() as server:
        synced = daybook("sync", home=tmp_path, url=server.url)
        assert (synced.code, synced.out.splitlines()[0][:57]) == (
            0,
            "2025-10-31 POST_CLOSE: COMPLETE, 2/2 accounts complete (r",
        )
        built = daybook("build", home=tmp_path)
        assert (built.code, built.out.splitlines()[0]) == (0, "2025-10-31 COMPLETE")
        assert built.err in ("", "publishing\n"), "what takes long is told of, and nothing else is"
    status = daybook("status", home=tmp_path)
    assert status.code == 0
    assert "Last day: 2025-10-31 COMPLETE" in status.out
    assert "Gaps: none" in status.out


def test_the_brokers_history_is_read_again_from_a_day_on(tmp_path: Path) -> None:
    days = [f"2025-10-{day:02}" for day in (1, 2, 3, 29, 30, 31)]
    history = [{"date": day, "realized_pnl": "1", "unrealized_pnl": "0", "net_pnl": "1"} for day in days]
    with broker(accounts=[100001], history={100001: history}) as server:
        nothing = daybook("backfill", home=tmp_path, url=server.url)
        assert (nothing.code, "--from" in nothing.sentence) == (2, True)
        too_early = daybook("backfill", "--from", "1999-12-31", home=tmp_path, url=server.url)
        assert (too_early.code, "sessions begin on" in too_early.sentence) == (2, True)
        first = daybook("backfill", "--from", "2025-10-02", home=tmp_path, url=server.url)
        assert (first.code, first.out) == (0, "account 100001: 6 sessions of history since 2025-10-01\n")
        history[1]["realized_pnl"] = "5"
        server.now = EVENING + timedelta(minutes=5)
        # a year that comes in part is told of, and what is there stays
        server.faults.append(Fault("portfolio-history", skip=1, status=207, edit=lambda whole: whole.update(error={})))
        again = json.loads(daybook("backfill", "--from", "2025-10-02", "--json", home=tmp_path, url=server.url).out)
        assert again["accounts"][0]["problem"].startswith(
            "portfolio-history of 2025-10-02/2025-10-19 could not be read"
        )
        server.now = EVENING + timedelta(minutes=10)
        last = daybook("backfill", "--from", "2025-10-02", home=tmp_path, url=server.url)
        assert last.code == 0
    query = "select total_pnl from pnl.account_history where trading_date = '2025-10-02'"
    assert ask(tmp_path / "daybook.duckdb", query) == [(Decimal(5),)]


def test_build_says_when_nothing_has_changed_and_publishes_what_is_missing(tmp_path: Path) -> None:
    with broker() as server:
        daybook("sync", home=tmp_path, url=server.url)
    first = json.loads(daybook("build", "--json", home=tmp_path).out)
    assert first["days"] == [{"trading_date": "2025-10-31", "status": "COMPLETE"}]
    assert (first["changed"], first["published"]) == (True, True)
    again = json.loads(daybook("build", "--json", home=tmp_path).out)
    assert (again["days"], again["changed"], again["published"]) == ([], False, False)
    (tmp_path / "daybook.duckdb").unlink()
    assert "Nothing has changed in the books. The published copy is new." in daybook("build", home=tmp_path).out
    assert ask(tmp_path / "daybook.duckdb", "select count(*) from pnl.position_daily") == [(2,)]


def test_building_given_days_again_changes_nothing(tmp_path: Path) -> None:
    with broker() as server:
        daybook("sync", home=tmp_path, url=server.url)
        daybook("build", home=tmp_path)
        server.now = NEXT_EVENING
        daybook("sync", home=tmp_path, url=server.url)
        daybook("build", home=tmp_path)
    for arguments in (["--from", "2025-10-31"], ["--to", "2025-11-03"], ["--from", "2025-10-01", "--to", "2025-11-30"]):
        again = json.loads(daybook("build", *arguments, "--json", home=tmp_path).out)
        assert [day["trading_date"] for day in again["days"]] == ["2025-10-31", "2025-11-03"]
        assert not again["changed"]


def test_an_account_that_fails_makes_the_day_incomplete_and_the_exit_code_3(tmp_path: Path) -> None:
    with broker(forbidden=[(100002, "positions")]) as server:
        synced = daybook("sync", home=tmp_path, url=server.url)
        assert synced.code == 3
        assert "INCOMPLETE, 1/2 accounts complete" in synced.out
        assert [line.count("100002") for line in synced.out.splitlines() if line.startswith("- ")] == [1]
        as_json = json.loads(daybook("sync", "--json", home=tmp_path, url=server.url).out)
        assert (as_json["is_complete"], as_json["accounts_complete"], len(as_json["problems"])) == (False, 1, 1)
    built = daybook("build", home=tmp_path)
    assert (built.code, built.out.splitlines()[0]) == (3, "2025-10-31 INCOMPLETE")
    assert daybook("build", home=tmp_path).code == 3  # nothing new, and the last day still is what it is
    status = daybook("status", home=tmp_path)
    assert status.code == 0
    assert "Gap: 100002 FETCH_FAILED 2025-10-31" in status.out
    assert json.loads(daybook("status", "--json", home=tmp_path).out)["last_day"]["status"] == "INCOMPLETE"


def test_a_sync_in_mid_session_is_kept_and_is_no_end_of_day(tmp_path: Path) -> None:
    with broker(now=MIDDAY) as server:
        synced = daybook("sync", home=tmp_path, url=server.url)
    assert synced.code == 0
    assert "2025-10-31 INTRADAY" in synced.out
    assert "not the end of the day" in synced.out
    assert daybook("build", home=tmp_path).code == 0
    assert ask(tmp_path / "daybook.duckdb", "select count(*) from pnl.account_daily") == [(0,)]


def test_eod_does_it_all_and_says_how_the_day_stands(tmp_path: Path) -> None:
    with broker() as server:
        first = daybook("eod", home=tmp_path, url=server.url)
        report = tmp_path / "reports" / "report_2025-10-31.html"
        performance = tmp_path / "reports" / "performance_month_2025-10-31.html"
        assert (first.code, first.out.splitlines()) == (
            0,
            [
                "2025-10-31 is COMPLETE: 2 of 2 accounts whole.",
                f"The report is {report}",
                f"A performance report is {performance}",  # of the month, whose last session it is
            ],
        )
        assert report.is_file()
        assert performance.is_file()
        server.forbidden = {("100002", "positions")}
        server.now = NEXT_EVENING
        second = daybook("eod", "--json", home=tmp_path, url=server.url)
    said = json.loads(second.out)
    assert (second.code, said["is_complete"]) == (3, False)
    assert said["last_day"]["trading_date"] == "2025-11-03"
    assert said["last_day"]["status"] == "INCOMPLETE"
    assert ask(tmp_path / "daybook.duckdb", "select count(*) from quality.day") == [(2,)]


def test_build_before_any_sync_says_what_to_do_first(tmp_path: Path) -> None:
    ended = daybook("build", home=tmp_path)
    assert ended.code == 1
    assert "`daybook sync`" in ended.sentence


def test_status_is_0_whatever_it_finds(tmp_path: Path) -> None:
    nothing = daybook("status", home=tmp_path / "nothing")
    assert nothing.code == 0
    assert "Nothing has been published" in nothing.out
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "daybook.duckdb").write_bytes(b"not a database")
    damaged = daybook("status", home=tmp_path)
    assert damaged.code == 0
    assert "can't be opened" in damaged.out
    assert daybook("status", home=tmp_path, CLEAR_STREET_BASE_URL="nonsense").code == 0


def test_status_tells_of_a_run_that_was_landed_and_not_built(tmp_path: Path) -> None:
    with broker() as server:
        daybook("sync", home=tmp_path, url=server.url)
        daybook("build", home=tmp_path)
        assert "is not in the published books" not in daybook("status", home=tmp_path).out
        server.now = NEXT_EVENING
        daybook("sync", home=tmp_path, url=server.url)
    assert "is not in the published books" in daybook("status", home=tmp_path).out


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published books of one evening, with a symbol that would clear a terminal."""
    home = tmp_path_factory.mktemp("books")
    hostile = position(100001, 1, symbol=HOSTILE, market_value="15050.12", unrealized_pnl="-550.125")
    with broker(positions={100001: [hostile, position(100001, 2)], 100002: []}) as server:
        assert daybook("sync", home=home, url=server.url).code == 0
    assert daybook("build", home=home).code == 0
    return home


VALUES = "select symbol, market_value from core.position_eod order by symbol"


def test_sql_writes_decimals_as_exact_text(books: Path) -> None:
    rows = json.loads(daybook("sql", VALUES, "--format", "json", home=books).out)
    assert rows[0] == {"symbol": HOSTILE, "market_value": "15050.1200000000"}
    lines = daybook("sql", VALUES, "--format", "csv", home=books).out.splitlines()
    assert lines[1].endswith(",15050.1200000000")


def test_sql_writes_parquet_with_its_types_to_a_file_or_a_pipe(books: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    assert daybook("sql", VALUES, "--format", "parquet", "--output", str(target), home=books).code == 0
    assert pq.read_table(target)["market_value"][0].as_py() == Decimal("15050.1200000000")
    piped = subprocess.run(
        [DAYBOOK, "sql", VALUES, "-f", "parquet"], env=environment(books), capture_output=True, check=True
    ).stdout
    assert piped == target.read_bytes()


def test_a_table_shows_text_as_text_whatever_is_in_it(books: Path) -> None:
    shown = daybook("sql", VALUES, home=books).out
    assert "\x1b" not in shown
    assert "\\x1b[2J[bold]x[/bold]" in shown
    assert "15050.12\n" in shown.replace(" ", "")


def test_sql_says_when_it_shows_only_the_first_rows(books: Path) -> None:
    cut = on_terminal(80, ["sql", "from range(201)"], environment(books))
    assert "200 rows" in cut
    assert "--limit 0 shows all" in cut
    whole = daybook("sql", "from range(201)", home=books)  # a pipe is not cut
    assert (whole.out.splitlines()[-2:], whole.err) == (["  200", "201 rows"], "")
    assert len(daybook("sql", "from range(30000)", "--format", "csv", home=books).out.splitlines()) == 30_001
    for limit, rows in {"4": 4, "9" * 30: 9}.items():
        assert len(json.loads(daybook("sql", "from range(9)", "-f", "json", "--limit", limit, home=books).out)) == rows


def test_a_file_is_whole_and_its_name_tells_the_format(books: Path, tmp_path: Path) -> None:
    query = "-- a query may begin with a comment\nselect range as n, null as nothing from range(201)"
    for name in ("x.csv", "x.JSON", "x.parquet", "x.txt"):
        assert daybook("sql", query, "--output", str(tmp_path / name), home=books).code == 0
    assert (tmp_path / "x.csv").read_text().splitlines()[::201] == ["n,nothing", "200,"]
    assert len(json.loads((tmp_path / "x.JSON").read_text())) == pq.read_table(tmp_path / "x.parquet").num_rows == 201
    assert (tmp_path / "x.txt").read_text().splitlines()[-2:] == ["200      null", "201 rows"]
    unknown = daybook("sql", query, "--output", str(tmp_path / "x.xlsx"), home=books)
    assert (unknown.code, "doesn't tell the format" in unknown.sentence) == (2, True)
    assert daybook("sql", "--format=table -- no option", home=books).code == 2


def test_sql_reads_a_query_from_standard_input(books: Path) -> None:
    assert daybook("sql", "-", "-f", "csv", home=books, stdin="select 1 as one").out == "one\n1\n"
    assert daybook("sql", "-", home=books, stdin=b"\xff\xfe").code == 2


@pytest.mark.parametrize(
    "hostile",
    [
        "delete from pnl.position_daily_version",
        "create table x as select 1",
        "drop view pnl.position_daily",
        "select 1; drop view pnl.position_daily",
        "copy (select 1) to '/tmp/stolen.csv'",
        "from read_csv('/etc/passwd')",
        "from '/etc/passwd'",
        "from 'https://example.com/x.parquet'",
        "attach '/tmp/x.duckdb' as x",
        "set enable_external_access = true",
        "install httpfs",
        "call pragma_version()",
        "export database '/tmp/stolen'",
        "select * from no_such_table",
        "selec 1",
        "",
        "-- nothing",
    ],
)
def test_hostile_or_wrong_sql_is_one_sentence_and_changes_nothing(books: Path, hostile: str) -> None:
    before = (books / "daybook.duckdb").read_bytes()
    ended = daybook("sql", hostile, home=books)
    assert (ended.code, ended.out) == (2, "")
    assert ended.sentence.startswith("daybook: ")
    assert (books / "daybook.duckdb").read_bytes() == before


def test_a_query_that_takes_too_long_is_stopped(books: Path) -> None:
    ended = daybook(
        "sql", "select sum(a.range * b.range) from range(100000000) a, range(100000) b", "--timeout", "0.5", home=books
    )
    assert ended.code == 1
    assert "longer than 0.5 s" in ended.sentence


def test_an_output_that_cannot_be_written_is_named_and_leaves_nothing(books: Path, tmp_path: Path) -> None:
    ended = daybook("sql", VALUES, "-f", "csv", "-o", str(tmp_path / "no" / "x.csv"), home=books)
    assert ended.code == 2
    assert "can't be written" in ended.sentence
    (tmp_path / "x.parquet").write_text("former")
    failed = daybook(
        "sql", "select interval 1 day as i", "-f", "parquet", "-o", str(tmp_path / "x.parquet"), home=books
    )
    assert failed.code == 2
    assert "cast it to VARCHAR" in failed.sentence
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x.parquet", "former")]


def test_a_reader_that_has_enough_ends_the_query_without_a_word(books: Path) -> None:
    with subprocess.Popen(
        [DAYBOOK, "sql", "from range(1000000)", "-f", "csv"],
        env=environment(books),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == b"range\n"
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 1


def test_before_anything_is_published_sql_says_what_to_do(tmp_path: Path) -> None:
    ended = daybook("sql", "select 1", home=tmp_path)
    assert ended.code == 1
    assert "daybook eod" in ended.sentence


def test_the_everyday_commands_never_import_dagster_nor_what_a_lake_needs(tmp_path: Path) -> None:
    """Installed or not: the books in a file pay nothing for the engines that they can do without."""
    program = """
import sys
from daybook.cli import main
code = main(sys.argv[1:])
engines = "dagster", "psycopg", "celery", "redis", "pyspark", "duckdb_extension_ducklake", "pipelines.warehouse.lake"
brought = [name for name in sys.modules if f"{name}.".startswith(tuple(f"{each}." for each in engines))]
assert not brought, f"{brought} were imported"
sys.exit(code)
"""
    with broker() as server:
        for arguments in (["sync"], ["build"], ["sql", "select 1"], ["status"], ["--help"]):
            ended = subprocess.run(
                [sys.executable, "-c", program, *arguments],
                env=environment(tmp_path, server.url),
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("command", ["demo", "eod", "sync", "build", "sql", "status", "sandbox", "dev"])
def test_every_command_explains_itself_with_examples(tmp_path: Path, command: str) -> None:
    ended = daybook(command, "--help", home=tmp_path)
    assert ended.code == 0
    assert f"    daybook {command}" in ended.out
    assert command in daybook("--help", home=tmp_path).out


def test_the_version_is_that_of_the_project(tmp_path: Path) -> None:
    assert daybook("--version", home=tmp_path).out == version("daybook") + "\n"
