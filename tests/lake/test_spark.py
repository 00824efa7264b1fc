"""Spark computes the same books: on a cluster of which an executor is killed in the middle, and committed to a lake.

DAYBOOK_SPARK_BOOKS=150 tries more random books, and days that are built after others, which takes minutes.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.catalog import CATALOG
from daybook.cli import main
from daybook.demo_script import INCIDENTS, runs_of
from pipelines.books.build import Built, build
from pipelines.books.inputs import load_earlier
from pipelines.errors import BuildFailed
from pipelines.ingest.moving import import_home
from pipelines.ingest.replay import replay
from pipelines.ingest.snapshot import Snapshot, take_snapshot
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.spark.exchange import Exchange
from pipelines.warehouse.contents import contents
from pipelines.warehouse.session import warehouse_session
from tests.lake.conftest import NewLake
from tests.support.desk import FRIDAY
from tests.support.fault_books import Books, broker, published
from tests.support.lakes import Bucket, copy_of, exported, snapshots
from tests.support.postgres import Postgres
from tests.support.processes import Process
from tests.support.spark_books import LANDED, drawn, land_together
from tests.support.spark_cluster import children, executors, free_port, kill, servers, spark_cluster

pyspark = pytest.importorskip("pyspark", reason="the extra spark is not installed")
pytestmark = [
    pytest.mark.timeout(3000),  # most of it is planning, which a busy machine makes long
    pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # sockets of py4j's
]

BOOKS = int(os.environ.get("DAYBOOK_SPARK_BOOKS", "5"))
BUILT_AT = datetime(2026, 1, 2, tzinfo=UTC)
#: The day from which the second of two builds is Spark's.
LATER = date(2005, 3, 1)


@dataclass
class Two:
    """The same raw rows twice: in a file, whose books are DuckDB's, and in a lake with its files in a bucket, whose
    books are Spark's."""

    file: Settings
    lake: Settings


@pytest.fixture(scope="module")
def two(home_of_week: Path, lake: NewLake, bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Two:
    folder = tmp_path_factory.mktemp("spark")
    shutil.copytree(home_of_week, folder / "file")
    in_bucket = lake(folder / "lake", bucket=bucket)
    import_home(in_bucket, folder / "file", _finish)
    file = Settings.model_validate({"base_url": in_bucket.base_url, "home": folder / "file", "api_key": "any"})
    with warehouse_session(file) as con:
        land_together(con, file.adjustments, drawn(BOOKS))
    shutil.copy(file.adjustments, in_bucket.adjustments)
    with warehouse_session(in_bucket) as con:
        _copy_landed(con, file.warehouse)
    return Two(file, in_bucket)


def _finish(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    build(con, settings, CATALOG)


def _copy_landed(con: duckdb.DuckDBPyConnection, file: Path) -> None:
    """What was landed together, from a file: a lake takes a tenth of a second for each insertion."""
    con.execute(f"attach '{file}' as landed (read_only)")
    names = "select table_name from duckdb_tables() where database_name = 'landed' and schema_name = 'raw'"
    for (name,) in con.execute(names).fetchall():
        load = "load_id" if name == "_dlt_loads" else "_dlt_load_id"
        if name != "_dlt_version":
            con.execute(f"insert into raw.{name} by name select * from landed.raw.{name} where {load} like '%{LANDED}'")
    con.execute("detach landed")


@pytest.mark.heavy
def test_an_executor_is_killed_in_the_middle_and_the_books_are_the_same_to_the_last_digit(
    two: Two, tmp_path: Path
) -> None:
    with warehouse_session(two.file) as con:
        ours = build(con, two.file, CATALOG, **_everything(con), built_at=BUILT_AT)
        in_file = exported(con, "warehouse", tmp_path / "file")
    with spark_cluster(tmp_path) as master, warehouse_session(two.lake) as con:
        settings = two.lake.model_copy(update={"spark": master})
        killed = _when(
            settings.working, "core.trade_flow", lambda: kill(executors(tmp_path)), lambda: executors(tmp_path)
        )
        theirs = _by_spark(con, settings, **_everything(con))
        assert killed.wait(0), "no executor was killed while it computed"
        on_lake = exported(con, "lake", tmp_path / "lake")
    assert theirs.versions == ours.versions
    assert on_lake == in_file  # the same tables, columns and types
    assert {name: found for name in in_file if (found := _differing(tmp_path, name))} == {}
    with warehouse_session(two.lake) as con:
        again = build(con, two.lake, CATALOG, **_everything(con))
        assert set(again.versions.values()) == {0}, "a rebuild by DuckDB added versions"


def _by_spark(con: duckdb.DuckDBPyConnection, settings: Settings, **days: Any) -> Built:
    from pipelines.spark.engine import spark_engine

    with spark_engine(settings) as engine:
        return build(con, settings, CATALOG, **days, built_at=BUILT_AT, engine=engine)


def _everything(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    first, last = con.execute("select min(trading_date), max(trading_date) from raw.extract_run").fetchone() or (
        None,
        None,
    )
    return {"from_date": first, "to_date": last}


def _differing(folder: Path, name: str) -> list[Any]:
    """Some rows that are in one and not in the other, or not as often."""
    one, other = (f"select * from read_parquet('{folder / side / name}.parquet')" for side in ("lake", "file"))
    return duckdb.sql(f"(({one} except all {other}) union all ({other} except all {one})) limit 2").fetchall()


def _when(working: Path, table: str, act: Any, found: Any) -> threading.Event:
    """Act once a table of Spark's is there and what is to be acted on is found; the event says that it was."""
    done = threading.Event()

    def watch() -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            if any(working.glob(f"spark-*/made/{table}")) and found():
                act()
                done.set()
                return
            time.sleep(0.1)

    threading.Thread(target=watch, daemon=True).start()
    return done


@pytest.mark.heavy
def test_spark_is_given_the_dates_that_the_selects_can_look_at_and_no_others(two: Two, tmp_path: Path) -> None:
    with warehouse_session(two.file) as con:
        build(con, two.file, CATALOG, built_at=BUILT_AT)
        dates = {day for (day,) in con.execute("select distinct trading_date from core.position_eod").fetchall()}
        last = max(dates)
        load_earlier(con, last)
        exchange = Exchange(con, tmp_path, {"from_date": last, "to_date": last})
        folders = {name: exchange.write(name)[0].glob("on_date=*") for name in ("raw.positions", "core.position_eod")}
        given = {name: {date.fromisoformat(each.name[8:]) for each in found} for name, found in folders.items()}
        # no account that was asked on the last day was known last before the end of February
        assert min(given["raw.positions"]) > min(dates)
        assert min(given["core.position_eod"]) > min(dates)
        assert max(given["raw.positions"]) == last
        assert max(given["core.position_eod"]) == max(dates - {last})
        (everything,) = con.execute("select count(*) from raw.positions").fetchone() or (0,)
        (rows,) = duckdb.sql(f"select count(*) from read_parquet('{tmp_path}/raw.positions/*/*')").fetchone() or (0,)
        assert 0 < rows < everything


@pytest.mark.heavy
@pytest.mark.skipif(BOOKS < 100, reason="DAYBOOK_SPARK_BOOKS=150 asks for it")
def test_days_that_spark_builds_after_those_before_them_are_the_same(two: Two, tmp_path: Path) -> None:
    sides = {"file": two.file, "lake": two.lake}
    types = {}
    for side, settings in sides.items():
        with warehouse_session(settings) as con:
            con.execute("delete from raw.executions where hash(id) % 7 = 0")  # so that there is something to restate
            days = {**_everything(con), "from_date": LATER}
            if side == "lake":
                _by_spark(con, settings, **days)
            else:
                build(con, settings, CATALOG, **days, built_at=BUILT_AT)
            types[side] = exported(con, "lake" if side == "lake" else "warehouse", tmp_path / side)
    assert types["lake"] == types["file"]
    assert {name: found for name in types["file"] if (found := _differing(tmp_path, name))} == {}


@pytest.mark.heavy
def test_a_cluster_that_is_lost_in_the_middle_changes_nothing_of_a_lake_in_a_bucket_and_the_next_build_is_exact(
    postgres: Postgres,
    thursday_in_bucket: Settings,
    undisturbed: tuple[Books, list[Books]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.spark.watch.PATIENCE", 4.0)
    with broker(FRIDAY) as at:
        settings = copy_of(postgres, thursday_in_bucket, tmp_path / "home", at.url)
        with warehouse_session(settings) as con:
            take_snapshot(con, settings)
    before = snapshots(settings)
    with spark_cluster(tmp_path) as master, warehouse_session(settings) as con:
        on_cluster = settings.model_copy(update={"spark": master})
        lost = _when(settings.working, "core.snapshot_grade", lambda: kill(servers()), lambda: True)
        with pytest.raises(
            BuildFailed, match=rf"changed nothing: Spark says: no executor of {master} was there for 4 "
        ):
            _by_spark(con, on_cluster)
        assert lost.wait(0)
    assert snapshots(settings) == before
    assert not settings.working.exists()
    with warehouse_session(settings) as con:
        build(con, settings, CATALOG)
    assert published(settings) == undisturbed


def test_spark_that_is_killed_changes_nothing_and_is_one_sentence(home_of_week: Path, tmp_path: Path) -> None:
    home = shutil.copytree(home_of_week, tmp_path / "home")
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as con:
        before = contents(con)
    process = _command(home, "build", "--from", "2005-02-24", "--engine", "spark")
    killed = _when(home / "working", "core.snapshot_grade", lambda: kill(children(process.pid, "java")), lambda: True)
    _, said = process.communicate(timeout=200)
    assert killed.wait(0)
    assert process.returncode == 1
    assert said.decode().strip().splitlines()[-1].startswith("daybook: The build failed and changed nothing: Spark ")
    assert b"Traceback" not in said
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as con:
        assert contents(con) == before
    assert not (home / "working").exists()


def _command(home: Path, *arguments: str) -> Process:
    environment = {**os.environ, "DAYBOOK_HOME": str(home), "CLEAR_STREET_BASE_URL": "http://127.0.0.1:1"}
    return Process([sys.executable, "-m", "daybook", *arguments], env=environment, stdout=-1, stderr=-1)


@pytest.mark.parametrize(
    ("said", "code", "sentence"),
    [
        (
            {"PATH": "/nowhere", "JAVA_HOME": ""},
            2,
            "needs Java 17 or newer, and there is none on the PATH",
        ),
        ({"JAVA_HOME": "/nowhere"}, 2, "there is none in JAVA_HOME (/nowhere): install a JRE."),
        ({"DAYBOOK_SPARK": "spark://127.0.0.1:PORT"}, 1, "No Spark master answers at spark://127.0.0.1:"),
        (
            {"DAYBOOK_SPARK": "yarn"},
            2,
            "DAYBOOK_SPARK is not a Spark master; write it like local[2] or spark://host:7077",
        ),
    ],
)
def test_spark_that_cannot_begin_is_one_sentence_before_anything_is_touched(
    said: Mapping[str, str],
    code: int,
    sentence: str,
    home_of_week: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DAYBOOK_HOME", str(home_of_week))
    monkeypatch.setenv("CLEAR_STREET_BASE_URL", "http://127.0.0.1:1")
    for name, value in said.items():
        monkeypatch.setenv(name, value.replace("PORT", str(free_port())))
    assert main(["build", "--engine", "spark"]) == code
    shown = " ".join(capsys.readouterr().err.split())
    assert sentence in shown
    assert "Traceback" not in shown
    assert not (home_of_week / "working").exists()


def test_without_pyspark_the_extra_is_named(
    home_of_week: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAYBOOK_HOME", str(home_of_week))
    monkeypatch.setenv("CLEAR_STREET_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("pipelines.spark.session.find_spec", {}.get)
    assert main(["build", "--engine", "spark"]) == 2
    assert "install daybook with the extra `spark`" in " ".join(capsys.readouterr().err.split())


@pytest.mark.heavy
def test_all_evenings_of_the_demo_make_the_same_books_in_a_file_on_a_lake_and_by_spark(
    lake: NewLake, bucket: Bucket, tmp_path: Path
) -> None:
    on_lake = lake(tmp_path / "home", bucket=bucket)
    with Sandbox(incidents=INCIDENTS) as sandbox:
        in_file = Settings.model_validate({"base_url": sandbox.url, "home": tmp_path / "alone", "api_key": "any"})
        with warehouse_session(in_file) as con:
            for at in (at for day in sandbox.days for at in runs_of(sandbox, day)):
                sandbox.clock.set(at)
                snapshot = take_snapshot(con, in_file)
                build(con, in_file, CATALOG, built_at=snapshot.finished_at)
            types = exported(con, "warehouse", tmp_path / "file")
            days = con.execute("select count(distinct trading_date) from pnl.account_daily").fetchone()
    assert days == (len(sandbox.days),)
    with warehouse_session(on_lake, rebuilding=True) as con:

        def after(snapshot: Snapshot) -> None:
            build(con, on_lake, CATALOG, built_at=snapshot.finished_at)

        assert not replay(con, on_lake, archive=in_file.home / "archive", after=after).damaged
        assert exported(con, "lake", tmp_path / "lake") == types
        assert {name: found for name in types if (found := _differing(tmp_path, name))} == {}
        again = _by_spark(con, on_lake, **_everything(con))
        assert set(again.versions.values()) == {0}, "Spark's rows are others"
        assert exported(con, "lake", tmp_path / "lake") == types
    assert {name: found for name in types if (found := _differing(tmp_path, name))} == {}
