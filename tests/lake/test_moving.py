"""Books are moved into a lake and back: nothing is lost, nothing is half done, and upkeep changes nothing of them."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.errors import ConfigurationError, NotPublished, StoreAway, WrongWarehouse
from pipelines.ingest.moving import Moved, export_home, import_home
from pipelines.ingest.replay import replay
from pipelines.ingest.upkeep import maintain
from pipelines.settings import Settings
from pipelines.warehouse.connect import SCHEMA_VERSION, open_published, open_warehouse, remember
from pipelines.warehouse.contents import Contents, contents, differences
from pipelines.warehouse.lake.attach import attach_lake, lake_of
from pipelines.warehouse.published import publish_books
from pipelines.warehouse.session import warehouse_session
from pipelines.warehouse.verify import verify_home
from tests.lake.conftest import NewLake
from tests.support.command_line import Ended, daybook
from tests.support.kill import kill
from tests.support.lakes import Bucket

RECORD = "trading/20250228T150000Z-00000001.json"
NOBODY = "http://127.0.0.1:1"


def finish(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    build(con, settings, CATALOG)
    publish_books(con, settings)


def bring_in(settings: Settings, home: Path) -> Moved:
    return import_home(settings, home, finish, wait=0)


def command(settings: Settings, *words: str) -> Ended:
    """A command of `daybook lake`, in a process of its own."""
    variables = {"DAYBOOK_LAKE": str(settings.lake), "DAYBOOK_LAKE_DATA": str(settings.lake_data)}
    return daybook("lake", *words, home=settings.home, url=NOBODY, stdin="", timeout=300, **variables)


@pytest.fixture(scope="module")
def old(home_of_week: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a week, with benchmarks and a record of a trade."""
    home = tmp_path_factory.mktemp("old") / "home"
    shutil.copytree(home_of_week, home)
    (home / "benchmarks.csv").write_text("date,symbol,close\n2005-02-28,SPY,120.63\n")
    (home / RECORD).parent.mkdir(mode=0o700)
    (home / RECORD).write_text("{}")
    return home


@pytest.fixture(scope="module")
def moved(old: Path, lake: NewLake, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake into which it was moved."""
    settings = lake(tmp_path_factory.mktemp("moved") / "home")
    done = bring_in(settings, old)
    assert (done.runs, done.files) == (5, 3)
    assert done.rows > 500
    return settings


def contents_of_file(path: Path) -> Contents:
    with duckdb.connect(path, read_only=True) as con:
        return contents(con)


def tables_of_file(path: Path) -> Contents:
    """Every row and type. Views, macros and comments are those of the same build, in other words in a lake."""
    with duckdb.connect(path, read_only=True) as con:
        return _tables(con)


def tables_of(lake: Settings) -> Contents:
    with open_published(lake.books) as con:
        return _tables(con)


def _tables(con: duckdb.DuckDBPyConnection) -> Contents:
    found = contents(con, comments=False)
    return {name: said for name, said in found.items() if not name.startswith(("view ", "macro "))}


def files_of(home: Path, *names: str) -> dict[str, bytes]:
    paths = (path for name in names for path in (home, *home.rglob("*")) if path.is_file() and name in str(path))
    return {str(path.relative_to(home)): path.read_bytes() for path in paths}


def land_once_more(settings: Settings) -> None:
    """The last evening, by a dlt that knows nothing of the tables."""
    with warehouse_session(settings) as con:
        last = con.execute("select max(trading_date) from raw.extract_run").fetchone()
        assert last
        done = replay(con, settings, from_date=last[0])
        assert (len(done.landed), len(done.replaced), done.damaged) == (1, 1, [])
        assert verify_home(con, settings).problems == []


KEPT = (".csv", ".json.zst", "run.json", RECORD)


def test_a_home_that_was_moved_into_a_lake_and_out_again_is_the_same_home(
    old: Path, moved: Settings, tmp_path: Path
) -> None:
    assert not differences(tables_of_file(old / "warehouse.duckdb"), tables_of(moved))
    with warehouse_session(moved) as con:
        found = verify_home(con, moved)
    assert (found.problems, found.runs) == ([], 5)
    again = tmp_path / "again"
    ended = command(moved, "export", str(again))
    assert ended.code == 0, ended.err
    assert "5 runs of the archive, 3 files of adjustments" in ended.out
    for name in ("warehouse.duckdb", "daybook.duckdb"):
        assert not differences(contents_of_file(old / name), contents_of_file(again / name))
    assert files_of(again, *KEPT) == files_of(old, *KEPT)
    assert [path.name for path in tmp_path.iterdir()] == ["again"]
    embedded = Settings(base_url=NOBODY, home=again)
    with warehouse_session(embedded) as con:
        assert not build(con, embedded, CATALOG).spans
    land_once_more(embedded)


def test_upkeep_leaves_fewer_files_and_the_same_books_beside_a_reader(moved: Settings) -> None:
    with warehouse_session(moved) as con:
        for number in range(3):  # each a commit of one small file
            remember(con, f"noted {number}", "here")
    land_once_more(moved)
    before = tables_of(moved)
    tables = Path(lake_of(moved).tables)
    young, lost = tables / "young.parquet", tables / "lost.parquet"
    for path in (young, lost):
        path.write_bytes(b"of a landing that goes on, or was killed")
    os.utime(lost, (0, 0))
    sums: list[object] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            with open_published(moved.books) as con:
                sums.append(
                    con.execute("select count(*), sum(total_pnl), max(version) from pnl.account_daily").fetchall()
                )

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = maintain(moved, timedelta(0))
        again = maintain(moved, timedelta(0), least_age=timedelta(0))
    finally:
        ended.set()
        reader.join(60)
    assert done.files < done.files_before
    assert done.snapshots_forgotten > 2
    assert (done.files_deleted, again.files) == (1, done.files)
    assert again.files_deleted > 2
    assert not lost.exists()
    assert len(sums) > 2
    assert len({str(each) for each in sums}) == 1
    said = command(moved, "maintain")
    assert said.out.startswith(f"The tables had {again.files} files and have {again.files};"), said.err
    assert not differences(before, tables_of(moved))


def test_an_import_that_is_killed_leaves_the_lake_without_books_and_goes_on_when_it_is_repeated(
    old: Path, lake: NewLake, tmp_path: Path
) -> None:
    older = shutil.copytree(old, tmp_path / "older")
    with open_warehouse(older / "warehouse.duckdb") as con:
        remember(con, "schema_version", "2")
    settings = lake(tmp_path / "home")
    kill("after the books are copied", settings, f"lake import {older}")
    assert tables_of(settings).keys() <= {"main.daybook_meta"}
    assert [path.name.partition("-")[2] for path in (older / "backups").iterdir()] == ["version-2"]
    import_home(settings, older, lambda *_: None)
    assert differences(tables_of_file(old / "warehouse.duckdb"), tables_of(settings)) == ["main.daybook_meta"]
    with open_published(settings.books) as con:
        known = dict(con.execute("select key, value from main.daybook_meta").fetchall())
    assert known["schema_version"] == str(SCHEMA_VERSION)


def test_what_can_not_be_moved_is_a_sentence_and_nothing_is_changed(
    old: Path, moved: Settings, lake: NewLake, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = lake(tmp_path / "away", bucket=bucket)
    with monkeypatch.context() as patch, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(StoreAway, match=r"were not moved \(.*Could not connect to server.*\): .* is without books"):
            bring_in(away, old)
    with pytest.raises(ConfigurationError, match="has tables already"):
        bring_in(moved.model_copy(update={"home": tmp_path / "new"}), old)
    empty = lake(tmp_path / "home")
    with pytest.raises(ConfigurationError, match="it has no warehouse"):
        bring_in(empty, tmp_path)
    with pytest.raises(ConfigurationError, match="is DAYBOOK_HOME"):
        bring_in(empty.model_copy(update={"home": old}), old)
    with pytest.raises(ConfigurationError, match=r"has books already \(warehouse.duckdb, archive\)"):
        bring_in(empty.model_copy(update={"home": old}), shutil.copytree(old, tmp_path / "copy"))
    with pytest.raises(WrongWarehouse, match="holds the books of loopback"):
        bring_in(empty.model_copy(update={"base_url": "https://broker.example"}), old)
    (empty.home / "adjustments.csv").write_text("another\n")
    with pytest.raises(ConfigurationError, match=r"adjustments.csv is another than"):
        bring_in(empty, old)
    with pytest.raises(ConfigurationError, match="is not empty"):
        export_home(moved, old, finish)
    with pytest.raises(NotPublished, match="has no run in it"):
        export_home(empty, tmp_path / "nothing", finish)
    with pytest.raises(ConfigurationError, match="DAYBOOK_LAKE is not set"):
        bring_in(Settings(base_url=NOBODY, home=tmp_path / "new"), old)
    assert not (tmp_path / "nothing").exists()
    for each in (empty, away):
        with attach_lake(lake_of(each), "lake") as con:
            assert not con.execute("select 1 from duckdb_tables() where table_name <> 'daybook_meta'").fetchall()
