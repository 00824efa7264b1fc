"""Who reads a lake: with a role that may only SELECT, while evenings are closed, and never more than the books."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.settings import Lake, Settings
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.lake.create import create_lake
from pipelines.warehouse.lake.extensions import _paths
from tests.support.command_line import daybook, on_lake
from tests.support.desk import FRIDAY, THURSDAY
from tests.support.fault_books import broker, close_day, turn
from tests.support.lakes import STORE_SECRET, copy_of
from tests.support.postgres import PASSWORD, Postgres

psycopg = pytest.importorskip("psycopg", reason="the extra lake is not installed")

MONDAY = "2025-11-03T16:20:00-05:00"
READER_PASSWORD = "readers-password-that-must-never-be-seen-4711"
READER = "analyst"


def readers_lake(postgres: Postgres, settings: Settings) -> Settings:
    """The lake as somebody sees it who may only read: a role that `lake create --reader` has made."""
    said = " ".join(create_lake(settings, READER))
    assert f"{READER} may read the lake." in said
    with psycopg.connect(postgres.url, autocommit=True) as con:
        con.execute(f"alter role {READER} password '{READER_PASSWORD}'")
    passfile = Path(os.environ["PGPASSFILE"])
    entry = passfile.read_text().splitlines()[0].replace("daybook", READER).replace(PASSWORD, READER_PASSWORD)
    if entry not in passfile.read_text():
        passfile.write_text(f"{passfile.read_text()}{entry}\n")
    return settings.model_copy(update={"lake": str(settings.lake).replace("daybook@", f"{READER}@")})


def lake_of(settings: Settings) -> Lake:
    assert isinstance(settings.books, Lake)
    return settings.books


@pytest.mark.heavy
def test_eight_readers_see_whole_days_through_three_evenings(
    postgres: Postgres, lake_of_thursday: Settings, tmp_path: Path
) -> None:
    with broker(THURSDAY) as at:
        settings = copy_of(postgres, lake_of_thursday, tmp_path / "home", at.url)
        lake = lake_of(readers_lake(postgres, settings))
        command = [sys.executable, "-m", "tests.support.lake_readers", lake.catalog, lake.data]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as readers:
            assert readers.stdout is not None
            assert readers.stdout.readline() == "reading\n"
            for evening in (THURSDAY, FRIDAY, FRIDAY):
                turn(at, evening)
                close_day(settings)
            said, _ = readers.communicate()
    read = json.loads(said)
    assert (read["errors"], read["torn"]) == ([], [])
    assert min(read["asked"]) > 0
    assert read["days"][0] == 1
    assert read["days"][-1] == 2


def test_a_reader_can_change_nothing_reach_nothing_else_and_see_no_password(
    postgres: Postgres, lake_of_thursday: Settings, tmp_path: Path
) -> None:
    settings = copy_of(postgres, lake_of_thursday, tmp_path / "home", "http://127.0.0.1:1")
    reader = readers_lake(postgres, settings)
    with psycopg.connect(str(reader.lake), autocommit=True) as con:
        for statement in (
            "delete from ducklake_snapshot",
            "create table mine (a int)",
            "select pg_read_file('/etc/passwd')",
        ):
            with pytest.raises(psycopg.Error):
                con.execute(statement)
    with open_published(reader.books) as con:
        for refused in (
            "delete from raw.extract_run",
            "create table core.mine (a integer)",
            "select * from read_csv('/etc/passwd')",
            "copy raw.extract_run to '/tmp/mine.parquet'",
            f"attach '{tmp_path / 'mine.duckdb'}'",
            "set enable_external_access = true",
            "install spatial",
        ):
            with pytest.raises(duckdb.Error):
                con.execute(refused)
        told = [
            con.execute(f"from {each}").fetchall()
            for each in ("duckdb_databases()", "duckdb_secrets()", "duckdb_settings()")
        ]
    for secret in (PASSWORD, READER_PASSWORD, STORE_SECRET):
        assert secret not in str(told)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # between DuckDB and pandas 3.1
def test_what_the_page_tells_readers_to_type_reads_the_books(
    postgres: Postgres, lake_of_thursday: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copy_of(postgres, lake_of_thursday, tmp_path / "home", "http://127.0.0.1:1")
    page = (Path(__file__).parents[2] / "docs" / "lake.md").read_text(encoding="utf-8")
    statements = re.search(r"```sql\n(install .*?)```", page, re.DOTALL)
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert statements is not None
    assert program is not None
    typed = re.sub(
        r"install .*;\n",  # they are here already
        "".join(f"load '{path}';\n" for path in _paths()),
        statements[1].replace(
            "postgresql://analyst@db.example.com/daybook?sslmode=verify-full",
            str(readers_lake(postgres, settings).lake),
        ),
        count=1,
    )
    ((day, *_),) = duckdb.connect().execute(typed).fetchall()
    monkeypatch.chdir(tmp_path)
    Path("attach.sql").write_text(typed.rpartition("from pnl.firm_daily")[0])
    names: dict[str, Any] = {}
    exec(program[1], names)  # noqa: S102  (our own page)
    assert set(names["daily"]["trading_date"].dt.date) == {day}
    with open_published(settings.books) as con:
        (made,) = con.execute("select sum(total_pnl) from pnl.account_daily").fetchone() or ()
    assert names["exact"]["total_pnl"].sum() == made


@pytest.mark.parametrize(
    "query",
    [
        "from postgres_query('__ducklake_metadata_daybook', 'select 1')",
        "from system.main.\"postgres_scan\"('host=127.0.0.1', 'public', 't')",
        "from query('select 1')",
        "from json_execute_serialized_sql(json_serialize_sql('select 1'))",
        "from ducklake_merge_adjacent_files('daybook')",
        "from checkpoint('daybook')",
        "select 1 where exists (from Ducklake_Set_Option('daybook', 'x', 1))",
    ],
)
def test_a_query_of_a_lake_may_not_reach_what_it_is_kept_in(
    query: str, lake_of_thursday: Settings, tmp_path: Path
) -> None:
    refused = on_lake(lake_of_thursday, "sql", query, home=tmp_path)
    assert refused.code == 2
    assert "a query of a lake may not use" in refused.sentence


def test_the_books_are_asked_as_they_were_at_an_earlier_commit(
    postgres: Postgres, lake_of_thursday: Settings, tmp_path: Path
) -> None:
    asked = on_lake(lake_of_thursday, "sql", "from ducklake_snapshots('daybook')", "-f", "json", home=tmp_path)
    last = json.loads(asked.out)[-1]["snapshot_id"]
    count = "select count(*) as runs from raw.extract_run"
    now, then = (
        on_lake(lake_of_thursday, "sql", count, "--at-version", str(version), "-f", "csv", home=tmp_path)
        for version in (last, last - 1)
    )
    assert now.out == "runs\n1\n"
    assert then.out == "runs\n1\n"  # the build alone came after it
    before = on_lake(lake_of_thursday, "sql", "from pnl.account_daily", "--at-version", str(last - 1), home=tmp_path)
    assert before.code == 2  # there was no such table yet
    embedded = daybook("sql", count, "--at-version", "1", home=tmp_path)
    assert (embedded.code, "DAYBOOK_LAKE is not set" in embedded.sentence) == (2, True)


def test_no_password_is_in_what_a_process_of_ours_says_of_itself(
    postgres: Postgres, lake_of_thursday: Settings, tmp_path: Path
) -> None:
    """Its line in the list of processes, what it logs, what it says when the role is refused."""
    wrong = tmp_path / "wrong-passfile"
    wrong.write_text(f"*:*:*:*:{READER_PASSWORD}\n")
    wrong.chmod(0o600)
    refused = on_lake(lake_of_thursday, "sync", home=tmp_path / "home", PGPASSFILE=str(wrong))
    assert refused.code == 2
    assert re.search("PostgreSQL refuses the role of postgresql://daybook@127.0.0.1:.*PGPASSFILE", refused.sentence)
    with psycopg.connect(postgres.url) as con:
        seen = con.execute("select application_name, query from pg_stat_activity").fetchall()
    logs = "".join(path.read_text() for path in (tmp_path / "home").rglob("*.log"))
    for secret in (PASSWORD, READER_PASSWORD, STORE_SECRET):
        assert secret not in f"{refused.out}{refused.err}{seen}{logs}"
