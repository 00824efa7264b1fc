"""The files of a home as several processes meet over them: the run lock, the warehouse, the published copy."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from pipelines.errors import BuildFailed, DaybookError, LockedOut, NotPublished, WrongWarehouse
from pipelines.progress import ProgressEvent, Waiting
from pipelines.warehouse import copying
from pipelines.warehouse.connect import SCHEMA_VERSION, open_published, open_warehouse, remember_broker
from pipelines.warehouse.limits import BUILD_THREAD, ROWS_A_THREAD, Size, hold_to, let_go
from pipelines.warehouse.lock import run_lock
from pipelines.warehouse.publish import _at_rest, copy_at_rest, publish
from tests.support.small_disk import MIB, sharing_disk, small_disk

ROOT = Path(__file__).parents[2]
DUCKDB2 = os.environ.get("DAYBOOK_DUCKDB2_PYTHON", "")
SCHEMAS = ("raw", "pnl")


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has printed "ready"; it ends when the block does."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready"
        try:
            yield child
        finally:
            child.kill()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


HOLD_LOCK = """
import sys; from pathlib import Path; from pipelines.warehouse.lock import run_lock
with run_lock(Path(sys.argv[1]), command="daybook eod"):
    print("ready", flush=True); sys.stdin.readline()
"""
HOLD_WAREHOUSE = """
import duckdb, sys
con = duckdb.connect(sys.argv[1], read_only=sys.argv[2:] == ["read"])
print("ready", flush=True); sys.stdin.readline()
"""


class TestRunLock:
    def test_a_second_run_is_told_whom_it_waits_for_and_gives_up_in_time(self, tmp_path: Path) -> None:
        told: list[ProgressEvent] = []
        lock = tmp_path / "run.lock"
        with process(HOLD_LOCK, lock) as holder:
            before = time.monotonic()
            with (
                pytest.raises(LockedOut, match=rf"process {holder.pid} \(daybook eod, since 20"),
                run_lock(lock, wait=0.4, on_progress=told.append),
            ):
                pytest.fail("two runs at once")
            assert 0.4 <= time.monotonic() - before < 5
        (waiting,) = told
        assert isinstance(waiting, Waiting)
        assert f"waiting for process {holder.pid} (daybook eod, since 20" in str(waiting)

    def test_a_second_run_goes_on_when_the_first_has_finished(self, tmp_path: Path) -> None:
        lock = tmp_path / "run.lock"
        with process(HOLD_LOCK, lock) as holder:

            def finish(_: ProgressEvent) -> None:
                holder.communicate("done\n")

            with run_lock(lock, wait=20, on_progress=finish):
                assert holder.returncode == 0

    @pytest.mark.kill
    def test_a_killed_run_blocks_nobody(self, tmp_path: Path) -> None:
        lock = tmp_path / "run.lock"
        with process(HOLD_LOCK, lock) as holder:
            holder.send_signal(signal.SIGKILL)
            holder.wait()
        assert str(holder.pid) in (tmp_path / "run.lock.holder").read_text()
        with run_lock(lock, wait=0, command="daybook sync"):
            note = json.loads((tmp_path / "run.lock.holder").read_text())
            assert (note["pid"], note["command"]) == (os.getpid(), "daybook sync")
            assert stat.S_IMODE((tmp_path / "run.lock.holder").stat().st_mode) == 0o600
            assert stat.S_IMODE(lock.stat().st_mode) == 0o600
        assert not (tmp_path / "run.lock.holder").exists()

    def test_the_lock_holds_between_threads_and_ends_with_an_error(self, tmp_path: Path) -> None:
        lock = tmp_path / "run.lock"
        outcome: list[str] = []

        def second() -> None:
            try:
                with run_lock(lock, wait=0):
                    outcome.append("in")
            except LockedOut as error:
                outcome.append(str(error))

        def failing() -> None:
            with run_lock(lock):
                thread = threading.Thread(target=second)
                thread.start()
                thread.join()
                raise RuntimeError("the run failed")

        with pytest.raises(RuntimeError, match="the run failed"):
            failing()
        assert f"process {os.getpid()}" in outcome[0]
        second()
        assert outcome[1:] == ["in"]

    def test_a_lock_that_cannot_be_made_is_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with (
            pytest.raises(DaybookError, match=r"run lock .* can't be taken"),
            run_lock(tmp_path / "file" / "run.lock", wait=0),
        ):
            pytest.fail("no lock was taken")


class TestWarehouse:
    def test_duckdb_takes_a_share_for_each_thread_where_it_may_take_more(self, tmp_path: Path) -> None:
        path, told = tmp_path / "warehouse.duckdb", "SELECT current_setting('memory_limit')"
        with open_warehouse(path) as con:
            for many, share in {1: "1.0 GiB", 2: "1.0 GiB", 6: "3.0 GiB"}.items():  # of two threads at least
                con.execute(f"SET threads = {many}; SET memory_limit = '18.75GiB'")
                for _ in range(3):  # however often, it may take as much afterwards
                    former = hold_to(con, BUILD_THREAD)
                    assert con.cursor().execute(told).fetchone() == (share,)
                    assert former is not None
                    let_go(con, former)
                    assert con.execute(told).fetchone() == ("18.7 GiB",)
            con.execute("SET threads = 2; SET memory_limit = '700MiB'")  # of a small machine, or a container
            assert hold_to(con, BUILD_THREAD) is None
            assert con.execute(told).fetchone() == ("700.0 MiB",)
            publish(con, tmp_path / "daybook.duckdb", SCHEMAS)
        with open_published(tmp_path / "daybook.duckdb", a_thread=2**20) as reader:
            found = reader.execute(f"SELECT current_setting('threads'), ({told})").fetchone()
            assert found
            assert found[1] == f"{max(int(found[0]), 2)}.0 MiB"

    def test_few_positions_have_one_thread_and_more_have_all_with_a_share_of_memory(self, tmp_path: Path) -> None:
        took = "SELECT current_setting('threads'), current_setting('memory_limit')"
        with open_warehouse(tmp_path / "warehouse.duckdb") as con:
            con.execute("SET threads = 3; SET memory_limit = '20GiB'")
            with Size(con, BUILD_THREAD) as size:
                assert con.execute(took).fetchone() == (1, "20.0 GiB")
                size.suit(ROWS_A_THREAD)
                assert con.execute(took).fetchone() == (1, "20.0 GiB")
                size.suit(ROWS_A_THREAD + 1)
                assert con.execute(took).fetchone() == (3, "1.5 GiB")
                size.suit(1)
                assert con.execute(took).fetchone() == (1, "1.5 GiB")
                assert size.free()
                size.suit(ROWS_A_THREAD + 1)
                assert con.execute(took).fetchone() == (3, "20.0 GiB")
                assert not size.free()
                con.execute("SET memory_limit = '20GiB'")
            assert con.execute(took).fetchone() == (3, "20.0 GiB")

    @pytest.mark.parametrize("how", ["write", "read"])
    def test_whoever_has_it_open_is_named_after_a_bounded_wait(self, tmp_path: Path, how: str) -> None:
        path = tmp_path / "warehouse.duckdb"
        duckdb.connect(path).close()
        told: list[ProgressEvent] = []
        with process(HOLD_WAREHOUSE, path, how) as holder:
            before = time.monotonic()
            with pytest.raises(LockedOut, match=rf"Process {holder.pid} \(.*python.*\) has .* open"):
                open_warehouse(path, wait=0.4, on_progress=told.append)
            assert 0.4 <= time.monotonic() - before < 5
        (waiting,) = told
        assert isinstance(waiting, Waiting)
        assert waiting.file == path
        assert re.fullmatch(rf"waiting: Process {holder.pid} \(.*\) has {path} open: close it there\.", str(waiting))

    def test_the_wait_ends_as_soon_as_the_file_is_free(self, tmp_path: Path) -> None:
        path = tmp_path / "warehouse.duckdb"
        with process(HOLD_WAREHOUSE, path) as holder:

            def let_go(_: ProgressEvent) -> None:
                holder.communicate("done\n")

            open_warehouse(path, wait=20, on_progress=let_go).close()

    def test_it_is_private_in_utc_and_shared_within_the_process(self, tmp_path: Path) -> None:
        path = tmp_path / "warehouse.duckdb"
        with open_warehouse(path) as con, duckdb.connect(path) as other, con.cursor() as cursor:
            con.execute("CREATE TABLE t AS SELECT TIMESTAMPTZ '2025-11-26 21:05:00+00' AS instant")
            for each in (con, other, cursor):
                assert each.execute("SELECT instant::VARCHAR FROM t").fetchone() == ("2025-11-26 21:05:00+00",)
                settings = "current_setting('TimeZone'), current_setting('autoinstall_known_extensions')"
                assert each.execute(f"SELECT {settings}").fetchone() == ("UTC", False)
            for file in (path, path.with_name("warehouse.duckdb.wal")):
                assert stat.S_IMODE(file.stat().st_mode) == 0o600

    @pytest.mark.parametrize("content", [b"", b"not a database " * 1000])
    def test_a_file_that_is_no_database_is_a_sentence_and_stays_as_it_is(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "warehouse.duckdb"
        path.write_bytes(content)
        with pytest.raises(DaybookError, match=r"warehouse.duckdb can't be opened \(.*\): `daybook doctor`") as caught:
            open_warehouse(path)
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == content

    def test_a_damaged_database_is_a_sentence(self, tmp_path: Path) -> None:
        path = tmp_path / "warehouse.duckdb"
        with duckdb.connect(path) as con:
            con.execute("CREATE TABLE t AS SELECT range AS i FROM range(100000)")
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(path.stat().st_size - 4096))
        with pytest.raises(DaybookError, match="can't be opened"):
            open_warehouse(path)

    def test_a_place_that_is_no_place_is_a_sentence(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "absent" / "warehouse.duckdb"):
            with pytest.raises(DaybookError, match="can't be opened"):
                open_warehouse(path)

    @pytest.mark.skipif(not DUCKDB2, reason="DAYBOOK_DUCKDB2_PYTHON names no python with duckdb>=2")
    def test_a_file_of_duckdb_2_is_a_sentence(self, tmp_path: Path) -> None:
        path = tmp_path / "warehouse.duckdb"
        code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE TABLE t AS SELECT 1')"
        subprocess.run([DUCKDB2, "-c", code, str(path)], check=True)
        with pytest.raises(DaybookError, match="written by a newer DuckDB than this one"):
            open_warehouse(path)
        with pytest.raises(DaybookError, match="written by a newer DuckDB than this one"), open_published(path):
            pytest.fail("it was opened")


class TestRememberedBroker:
    def test_a_warehouse_keeps_to_the_broker_that_filled_it(self, tmp_path: Path) -> None:
        path = tmp_path / "warehouse.duckdb"
        with open_warehouse(path) as con:
            remember_broker(con, "api.clearstreet.com")
        with open_warehouse(path) as con:
            remember_broker(con, "api.clearstreet.com")
            with pytest.raises(WrongWarehouse, match=r"books of api\.clearstreet\.com, not of loopback") as caught:
                remember_broker(con, "loopback")
            assert caught.value.exit_code == 2
            rows = con.execute("SELECT key, value FROM main.daybook_meta ORDER BY key").fetchall()
        assert rows == [("broker_host", "api.clearstreet.com"), ("schema_version", str(SCHEMA_VERSION))]

    def test_a_warehouse_of_a_newer_daybook_is_refused(self, tmp_path: Path) -> None:
        with open_warehouse(tmp_path / "warehouse.duckdb") as con:
            remember_broker(con, "loopback")
            con.execute("UPDATE main.daybook_meta SET value = '99' WHERE key = 'schema_version'")
            with pytest.raises(WrongWarehouse, match="newer daybook"):
                remember_broker(con, "loopback")


FILL = """
CREATE SCHEMA raw; CREATE SCHEMA raw_staging; CREATE SCHEMA pnl;
CREATE TABLE raw._dlt_loads AS SELECT 'load' AS load_id, 0 AS status;
CREATE TABLE raw_staging.leftover AS SELECT 1 AS x;
CREATE TABLE main.daybook_meta AS SELECT 'k' AS key; CREATE VIEW main.v AS SELECT 1 AS one;
CREATE MACRO main.twice(x) AS 2 * x; CREATE MACRO main.ones() AS TABLE SELECT 1 AS one;
CREATE TABLE pnl.day_version AS
    SELECT DATE '2025-01-01' + (i // 1000)::INTEGER AS trading_date, i AS id, (i / 8)::DECIMAL(28,10) AS total_pnl,
        TIMESTAMPTZ '2025-11-26 21:05:00+00' AS known_from
    FROM range(200000) AS r(i) ORDER BY 1;
CREATE VIEW pnl.day AS SELECT * FROM pnl.day_version WHERE known_from IS NOT NULL;
CREATE MACRO pnl.day_as_known(ts) AS TABLE SELECT * FROM pnl.day_version WHERE known_from <= ts;
COMMENT ON TABLE pnl.day_version IS 'every version'; COMMENT ON COLUMN pnl.day_version.total_pnl IS 'in dollars';
COMMENT ON VIEW pnl.day IS 'what is known now';
"""


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    con = open_warehouse(tmp_path / "warehouse.duckdb")
    con.execute(FILL)
    yield con
    con.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "daybook.duckdb"


def rows(con: duckdb.DuckDBPyConnection, table: str = "pnl.day") -> int:
    row = con.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


class TestPublish:
    def test_what_is_listed_arrives_with_its_views_macros_comments_and_order(
        self, warehouse: duckdb.DuckDBPyConnection, target: Path
    ) -> None:
        warehouse.execute("CREATE TEMP TABLE scratch AS SELECT 1 AS x")
        publish(warehouse, target, SCHEMAS)
        assert rows(warehouse, "scratch") == 1
        with duckdb.connect(target, read_only=True) as copy:
            held = copy.execute(
                "SELECT schema_name || '.' || table_name, comment FROM duckdb_tables() UNION ALL "
                "SELECT schema_name || '.' || view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY 1"
            ).fetchall()
            assert held == [
                ("pnl.day", "what is known now"),
                ("pnl.day_version", "every version"),
                ("raw._dlt_loads", None),
            ]
            macros = copy.execute("SELECT function_name FROM duckdb_functions() WHERE NOT internal").fetchall()
            assert macros == [("day_as_known",)]
            assert rows(copy, "pnl.day_as_known(now())") == 200_000
            ids = copy.execute("SELECT id FROM pnl.day").fetchall()
            assert ids == warehouse.execute("SELECT id FROM pnl.day").fetchall()
            assert ("in dollars",) in copy.execute("SELECT comment FROM duckdb_columns()").fetchall()
            schemas = copy.execute("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal ORDER BY 1").fetchall()
            assert schemas == [("pnl",), ("raw",)]

    def test_one_private_file_is_left_and_nothing_beside_it(
        self, warehouse: duckdb.DuckDBPyConnection, target: Path
    ) -> None:
        for _ in range(2):
            publish(warehouse, target, SCHEMAS)
            names = sorted(path.name for path in target.parent.iterdir() if "warehouse" not in path.name)
            assert names == ["daybook.duckdb"]
            assert stat.S_IMODE(target.stat().st_mode) == 0o600

    def test_the_writer_keeps_its_lock_on_the_warehouse(
        self, warehouse: duckdb.DuckDBPyConnection, target: Path
    ) -> None:
        publish(warehouse, target, SCHEMAS)
        code = "import duckdb, sys; duckdb.connect(sys.argv[1])"
        path = target.with_name("warehouse.duckdb")
        second = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
        assert "Could not set lock" in second.stderr

    def test_a_reader_keeps_the_copy_it_opened_and_a_new_one_sees_the_new_copy(
        self, warehouse: duckdb.DuckDBPyConnection, target: Path
    ) -> None:
        publish(warehouse, target, SCHEMAS)
        code = (
            "import duckdb, sys; con = duckdb.connect(sys.argv[1], read_only=True); print('ready', flush=True)\n"
            "sys.stdin.readline(); print(con.execute('SELECT count(*), sum(id) FROM pnl.day').fetchone())"
        )
        former = target.stat().st_ino
        with process(code, target) as other, open_published(target) as here:
            warehouse.execute("DELETE FROM pnl.day_version WHERE id >= 1000")
            publish(warehouse, target, SCHEMAS)
            assert target.stat().st_ino != former
            with open_published(target) as fresh:
                assert (rows(here), rows(fresh)) == (200_000, 1_000)
            answer, _ = other.communicate("now\n")
            assert answer.strip() == str((200_000, sum(range(200_000))))

    def test_where_files_can_share_blocks_a_copy_takes_no_room_and_each_changes_for_itself(
        self, tmp_path: Path
    ) -> None:
        with sharing_disk(tmp_path / "disk") as disk:
            path, target = disk / "warehouse.duckdb", disk / "daybook.duckdb"
            with open_warehouse(path) as con:
                con.execute("CREATE SCHEMA pnl; CREATE SCHEMA staging; CREATE TABLE staging.day AS SELECT 1 AS id")
                con.execute("CREATE TABLE pnl.day AS SELECT range AS id, hash(range) AS value FROM range(7000000)")
                con.execute("CHECKPOINT")
                with (disk / "ballast").open("wb") as ballast:  # half of the room that another warehouse would take
                    os.posix_fallocate(ballast.fileno(), 0, shutil.disk_usage(disk).free - path.stat().st_size // 2)
                subprocess.run(["sync", "--file-system", str(disk)], check=True)  # what is free is told then
                assert shutil.disk_usage(disk).free < path.stat().st_size
                publish(con, target, SCHEMAS)
                con.execute("UPDATE pnl.day SET id = -1 WHERE id < 1000; CHECKPOINT")
                with open_published(target) as copy:
                    assert (rows(copy, "pnl.day WHERE id >= 0"), rows(con, "pnl.day WHERE id >= 0")) == (
                        7_000_000,
                        6_999_000,
                    )
                # a backup has blocks of its own: one that goes bad is bad in one of them
                with pytest.raises(subprocess.CalledProcessError) as caught:
                    copy_at_rest(con, disk / "backup.duckdb")
                assert "free and the copy needs" in caught.value.stderr

    def test_where_they_cannot_it_is_a_plain_copy(self, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk") as disk:
            (disk / "given").write_bytes(b"one" * MIB)
            assert not copying.clone(disk / "given", disk / "shared")
            copying.main("clone", str(disk / "given"), str(disk / "made"))
            assert (disk / "made").read_bytes() == b"one" * MIB
            assert stat.S_IMODE((disk / "made").stat().st_mode) == 0o600

    def test_the_warehouse_file_stands_still_while_it_is_copied(
        self, warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
    ) -> None:
        warehouse.execute("SET checkpoint_threshold = '1KB'")  # every commit would rewrite the file
        with warehouse.cursor() as cursor, warehouse.cursor() as other:
            with _at_rest(cursor) as source:
                # DuckDB lets a checkpoint pass beside an open transaction that only reads, after inserts alone
                other.execute("INSERT INTO raw._dlt_loads SELECT 'late', range FROM range(500000)")
                with pytest.raises(duckdb.TransactionException, match="CHECKPOINT"):
                    other.execute("CHECKPOINT")
                other.execute("UPDATE pnl.day_version SET total_pnl = -1")
                other.execute("DELETE FROM pnl.day_version WHERE id >= 1000")
                shutil.copyfile(source, tmp_path / "copied.duckdb")
            assert rows(other) == 1000  # what was committed meanwhile is there, and
            other.execute("CHECKPOINT")  # nothing stays in the way
        with duckdb.connect(tmp_path / "copied.duckdb") as copy:
            assert rows(copy, "pnl.day WHERE total_pnl >= 0") == 200_000
            assert rows(copy, "raw._dlt_loads") == 1
            assert copy.execute("SELECT * FROM duckdb_tables() WHERE table_name LIKE 'daybook_pub%'").fetchall() == []

    def test_what_others_commit_while_it_copies_is_never_half_in_the_copy(
        self, warehouse: duckdb.DuckDBPyConnection, target: Path
    ) -> None:
        warehouse.execute("CREATE TABLE raw.pairs AS SELECT range AS i FROM range(0)")
        warehouse.execute("SET checkpoint_threshold = '1KB'")
        stop = threading.Event()

        def write() -> None:
            with warehouse.cursor() as cursor:
                start = 0
                while not stop.is_set():
                    cursor.execute("INSERT INTO raw.pairs SELECT range + ? FROM range(5000)", [start])
                    start += 5000
                    stop.wait(0.01)  # a checkpoint can't begin while somebody writes

        writer = threading.Thread(target=write)
        writer.start()
        published = 0
        try:
            for _ in range(200):
                try:
                    publish(warehouse, target, SCHEMAS)
                except BuildFailed:  # a commit was under way: said, and nothing happened
                    continue
                published += 1
                with open_published(target) as copy:
                    held = copy.execute("SELECT count(*), count(DISTINCT i), max(i) FROM raw.pairs").fetchone()
                    assert held is not None
                    assert held[0] == held[1] == (held[2] or -1) + 1
                    assert held[0] % 5000 == 0
                if published == 5:
                    break
        finally:
            stop.set()
            writer.join()
        assert published

    @pytest.mark.kill
    def test_a_killed_publication_leaves_the_former_copy_and_the_next_one_cleans_up(self, tmp_path: Path) -> None:
        target = tmp_path / "daybook.duckdb"
        path = tmp_path / "warehouse.duckdb"
        with open_warehouse(path) as con:
            con.execute(FILL)
            publish(con, target, SCHEMAS)
        code = (
            "import sys; from pathlib import Path; from pipelines.warehouse import connect, publish\n"
            "con = connect.open_warehouse(Path(sys.argv[1])); print('ready', flush=True)\n"
            "while True: publish.publish(con, Path(sys.argv[2]), ('raw', 'pnl'))"
        )
        for pause in (0.0, 0.01, 0.03, 0.06):
            with process(code, path, target) as publisher:
                eventually(lambda: any(tmp_path.glob("daybook.duckdb.*")))
                time.sleep(pause)
                publisher.send_signal(signal.SIGKILL)
                publisher.wait()
            with open_published(target) as copy:
                assert rows(copy) == 200_000
        (tmp_path / "daybook.duckdb.1.publishing").write_bytes(b"half")
        (tmp_path / "daybook.duckdb.1.publishing.wal").write_bytes(b"half")
        with open_warehouse(path) as con:
            publish(con, target, SCHEMAS)
        assert sorted(each.name for each in tmp_path.iterdir()) == ["daybook.duckdb", "warehouse.duckdb"]

    def test_a_wal_beside_the_former_copy_does_not_reach_the_new_one(
        self, warehouse: duckdb.DuckDBPyConnection, target: Path
    ) -> None:
        publish(warehouse, target, SCHEMAS)
        code = (
            "import duckdb, sys; con = duckdb.connect(sys.argv[1]); con.execute('CREATE TABLE pnl.mine AS SELECT 1')\n"
            "print('ready', flush=True); sys.stdin.readline()"
        )
        with process(code, target):
            pass
        assert target.with_name("daybook.duckdb.wal").exists()
        publish(warehouse, target, SCHEMAS)
        with open_published(target) as copy:
            assert rows(copy) == 200_000
            assert copy.execute("SELECT * FROM duckdb_tables() WHERE table_name = 'mine'").fetchall() == []

    def test_a_failure_is_a_sentence_and_the_former_copy_stands(
        self, warehouse: duckdb.DuckDBPyConnection, target: Path
    ) -> None:
        publish(warehouse, target, SCHEMAS)
        before = target.stat()
        with warehouse.cursor() as busy:
            busy.execute("BEGIN")
            busy.execute("CREATE TABLE raw.unfinished AS SELECT 1 AS x")
            with pytest.raises(BuildFailed, match=r"daybook\.duckdb was not published: .*CHECKPOINT") as caught:
                publish(warehouse, target, SCHEMAS)
            busy.execute("ROLLBACK")
        assert "\n" not in str(caught.value)
        assert (target.stat().st_ino, target.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        with pytest.raises(BuildFailed, match="was not published"):
            publish(warehouse, target.parent / "absent" / "daybook.duckdb", SCHEMAS)
        publish(warehouse, target, SCHEMAS)  # the failures left no transaction behind

    @pytest.mark.skipif(not DUCKDB2, reason="DAYBOOK_DUCKDB2_PYTHON names no python with duckdb>=2")
    def test_duckdb_2_reads_the_copy(self, warehouse: duckdb.DuckDBPyConnection, target: Path) -> None:
        publish(warehouse, target, SCHEMAS)
        code = (
            "import duckdb, sys; assert duckdb.__version__ >= '2'; con = duckdb.connect(sys.argv[1], read_only=True)\n"
            "print(con.execute('SELECT count(*), sum(total_pnl) FROM pnl.day_as_known(now())').fetchone())"
        )
        answer = subprocess.run([DUCKDB2, "-c", code, str(target)], check=True, capture_output=True, text=True).stdout
        ours = warehouse.execute("SELECT count(*), sum(total_pnl) FROM pnl.day").fetchone()
        assert answer.strip() == str(ours)


class TestPublishedCopy:
    def test_before_the_first_publication_one_is_told_what_to_do(self, target: Path) -> None:
        with pytest.raises(NotPublished, match="run `daybook eod`"), open_published(target):
            pytest.fail("it was opened")
        assert not target.exists()

    def test_a_query_reaches_the_books_and_nothing_else(
        self, warehouse: duckdb.DuckDBPyConnection, target: Path
    ) -> None:
        publish(warehouse, target, SCHEMAS)
        before = target.read_bytes()
        outside = target.with_name("outside.csv")
        outside.write_text("secret\n")
        refused = [
            "INSERT INTO raw._dlt_loads VALUES ('x', 0)",
            "UPDATE pnl.day_version SET total_pnl = 0",
            "DROP VIEW pnl.day",
            "CREATE TABLE pnl.mine (i INTEGER)",
            "CREATE TABLE mine (i INTEGER)",
            f"SELECT * FROM read_csv('{outside}')",
            f"SELECT * FROM read_text('{outside}')",
            f"SELECT * FROM '{outside}'",
            f"COPY raw._dlt_loads TO '{outside}'",
            f"ATTACH '{outside}.db'",
            f"ATTACH '{target}' AS again",
            f"EXPORT DATABASE '{target.parent}'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SET lock_configuration = false",
            "RESET enable_external_access",
            "SET threads = 1",
        ]
        with open_published(target) as con:
            assert rows(con) == 200_000
            assert con.execute("SELECT max(known_from)::VARCHAR FROM pnl.day").fetchone() == ("2025-11-26 21:05:00+00",)
            for statement in refused:
                with pytest.raises(duckdb.Error):
                    con.execute(statement).fetchall()
        assert target.read_bytes() == before
        assert outside.read_text() == "secret\n"

    def test_what_does_not_fit_in_memory_spills_into_a_folder_of_the_readers_own(
        self, warehouse: duckdb.DuckDBPyConnection, target: Path
    ) -> None:
        publish(warehouse, target, SCHEMAS)
        with open_published(target) as con:
            setting = con.execute("SELECT current_setting('temp_directory')").fetchone()
            assert setting is not None
            spilled = Path(setting[0])
            assert spilled.parent.is_dir()
            assert stat.S_IMODE(spilled.parent.stat().st_mode) == 0o700
            assert not spilled.is_relative_to(target.parent)
        assert not spilled.parent.exists()

    def test_a_damaged_copy_is_a_sentence(self, target: Path) -> None:
        target.write_bytes(b"not a database " * 1000)
        with pytest.raises(DaybookError, match="can't be opened"), open_published(target):
            pytest.fail("it was opened")

    def test_who_opened_the_copy_for_writing_is_named(self, warehouse: duckdb.DuckDBPyConnection, target: Path) -> None:
        publish(warehouse, target, SCHEMAS)
        with (
            process(HOLD_WAREHOUSE, target) as holder,
            pytest.raises(LockedOut, match=f"Process {holder.pid} .*close it there"),
            open_published(target),
        ):
            pytest.fail("it was opened")
