"""The demo: the whole pipeline over real HTTP, from nothing, without touching anybody's real books."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from daybook.cli.demo import _print_day
from daybook.demo import DemoDay
from daybook.demo_script import GAP
from pipelines.warehouse.connect import open_published
from tests.support.broker_server import BrokerServer
from tests.support.command_line import KEY, Ended, ask, daybook

README = Path(__file__).parents[2] / "README.md"

#: Everything that the books say, as one text per table: equal texts are equal books.
TABLES = """
    select schema_name || '.' || table_name from duckdb_tables()
    where schema_name in ('raw', 'core', 'pnl', 'quality') and table_name not like '\\_dlt%' escape '\\'
"""


#: What a newcomer is told of the evenings that went wrong, by day; events of the accounts stand between.
WENT_WRONG = [
    "2005-02-04 20517: positions not whole at 16:20: 3 different rows came where the broker counts 4. The day was "
    "INCOMPLETE until the run of 19:55, which read them all.",
    "2005-02-09 20517: our P&L was 360.00 above the broker's own figure, which is a BREAK. On 2005-02-11, when the "
    "broker had corrected its fills, the P&L was restated from -6,373.20 to -6,733.20, and after 2 sessions the break "
    "is gone.",
    "2005-02-17 20518: a gap, because the broker answered 403 (The caller does not have permission to execute the "
    "specified operation). The P&L is unknown, not zero, and the firm has no total. That of 2005-02-18 covers 2 "
    "sessions: -1,571.00.",
    "2005-03-02 all: nobody read this evening. The run of the next morning, 08:30, RECOVERED it: its positions, less "
    "what was traded since the close, at the closing prices.",
]
UNUSUAL = """
    select trading_date::varchar, status, grade, account_id, reason, covered_by_date::varchar
    from quality.day left join quality.gap using (trading_date)
    where status <> 'COMPLETE' or grade <> 'POST_CLOSE' order by all
"""
#: How far each version of the mispriced day is from the broker's own figure.
OFF = """
    select total_pnl - broker_realized - broker_unrealized from pnl.account_daily_version
    where trading_date = '2005-02-09' and account_id = '20517' order by version
"""


def contents(path: Path) -> dict[str, object]:
    """A digest of every table of a DuckDB file, whatever the order of its rows."""
    with duckdb.connect(path, read_only=True) as con:
        names = [name for (name,) in con.execute(TABLES).fetchall()]
        digest = "select count(*), bit_xor(md5_number(t::varchar)) from {} as t"
        return {name: con.execute(digest.format(name)).fetchone() for name in names}


@pytest.mark.heavy
@pytest.mark.timeout(500)
def test_make_demo_replays_early_2005_and_a_second_run_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = daybook("demo", home=tmp_path, timeout=420)
    assert first.code == 0, first.err
    assert "27 of 28 days COMPLETE, 2005-02-01 to 2005-03-11, and a gap that the demo means to show" in first.out
    happened = [line[2:] for line in first.out.splitlines() if line.startswith("  2005-")]
    assert happened == sorted(happened)
    assert [line for line in happened if re.match(r"\S+ \w+: ", line)] == WENT_WRONG
    assert "split of AAPL, 2:1" in first.out
    assert "exercise of IBM" in first.out
    assert f"DAYBOOK_HOME={tmp_path}/demo" in first.out
    books = tmp_path / "demo" / "daybook.duckdb"
    assert ask(books, UNUSUAL) == [
        ("2005-02-17", "INCOMPLETE", "POST_CLOSE", "20518", "FETCH_FAILED", "2005-02-18"),
        ("2005-03-02", "COMPLETE", "RECOVERED", None, None, None),
    ]
    assert ask(books, "select count(*) from quality.reconciliation where status = 'BREAK'") == [(0,)]
    assert ask(books, OFF) == [(360,), (0,)]
    with open_published(books) as con:
        _print_day(con, DemoDay(GAP, replayed=True, status="INCOMPLETE"))
    assert re.search(r"20518 +OPTIONS +unknown +unknown +unknown +UNKNOWN", capsys.readouterr().out)
    before = contents(tmp_path / "demo" / "warehouse.duckdb"), contents(tmp_path / "demo" / "daybook.duckdb")
    assert before[0]["pnl.account_daily_version"] == before[1]["pnl.account_daily_version"]
    second = daybook("demo", home=tmp_path)
    assert second.code == 0
    assert "Days in the books already: 28;" in second.out
    after = contents(tmp_path / "demo" / "warehouse.duckdb"), contents(tmp_path / "demo" / "daybook.duckdb")
    assert before == after


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended, Ended]:
    """A home whose demo has gone on after its first day, begun beside a real broker, and both answers."""
    home = tmp_path_factory.mktemp("two-days")
    with BrokerServer(accounts=[100001], positions={}, instructions={}) as real:
        first = daybook("demo", "--days", "1", home=home, url=real.url, timeout=200, DAYBOOK_ACCOUNTS="100001")
        assert real.requests == []
    return home, first, daybook("demo", "--days", "2", home=home, timeout=200)


def test_the_demo_goes_on_where_it_was_and_shows_the_last_day(two_days: tuple[Path, Ended, Ended]) -> None:
    home, first, more = two_days
    assert (first.code, more.code) == (0, 0)
    assert "1 of 1 days COMPLETE" in first.out
    assert "P&L of 2005-02-02 by account" in more.out
    assert "Days replayed: 1 in" in more.out
    assert "Days in the books already: 1;" in more.out
    runs = ask(
        home / "demo" / "daybook.duckdb", "select trading_date::varchar, count(*) from raw.extract_run group by 1"
    )
    assert sorted(runs) == [("2005-02-01", 1), ("2005-02-02", 1)]


def test_the_demo_uses_nothing_of_a_real_environment_but_its_home(two_days: tuple[Path, Ended, Ended]) -> None:
    home, _, _ = two_days
    assert {path.name for path in home.iterdir()} == {"demo"}
    for path in home.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_more_days_than_there_are_prices_for_are_a_usage_error(tmp_path: Path) -> None:
    ended = daybook("demo", "--days", "100000", home=tmp_path)
    assert ended.code == 2
    assert "The sandbox replays" in ended.sentence
    assert not (tmp_path / "demo").exists()


def test_what_the_demo_shows_how_to_go_on_with_works(two_days: tuple[Path, Ended, Ended]) -> None:
    home, shown, _ = two_days
    assert 'sql "from pnl.firm_daily order by trading_date"' in shown.out
    answer = daybook("sql", "from pnl.firm_daily order by trading_date", "-f", "csv", home=home / "demo")
    assert answer.out.splitlines()[1].startswith("2005-02-01,")
    assert "replayed by a stand-in broker" in daybook("status", home=home / "demo").out


def test_every_sql_example_of_the_readme_runs_on_the_demo(two_days: tuple[Path, Ended, Ended]) -> None:
    home, _, _ = two_days
    examples = re.findall(r"```sql\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 5
    for example in examples:
        answer = daybook("sql", "-", "-f", "csv", home=home / "demo", stdin=example)
        assert (answer.code, answer.err) == (0, "")
