"""Whatever is asked of the published books, nothing is written, and the question ends: in time, in memory, on Ctrl-C.

Two walls, each tried without the other: DuckDB's own parser decides what is asked, and the file is opened so that no
path of the home can be written, whatever is asked.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.errors import ConfigurationError
from pipelines.warehouse import passing_name
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.passing_name import BESIDE
from pipelines.warehouse.publish import ABANDONED, PUBLISHED_SCHEMAS, publish
from pipelines.warehouse.question import ask
from tests.faults.test_disk_full import small_disk
from tests.support.command_line import DAYBOOK, KEY, daybook, environment

LONG_SCALAR = "select levenshtein(repeat('a', 400000), repeat('b', 400000))"
LONG_JOIN = "select sum(a.range * b.range) from range(100000000) a, range(100000) b"
LONG_PLAN = "select " + "+".join(["1"] * 900)
FORGED = "(select 1 as total_pnl)"

#: What writes, or changes the session; {books}, {home} and {new} are put in.
WRITING = [
    f"copy {FORGED} to '{{books}}'",
    f"copy {FORGED} to '{{books}}' (use_tmp_file false)",
    f"copy {FORGED} to '{{books}}' (format parquet, use_tmp_file false)",
    f"copy {FORGED} to '{{books}}.wal'",
    f"copy {FORGED} to '{{books}}.tmp/x.csv'",
    f"copy {FORGED} to '{{home}}/warehouse.duckdb' (use_tmp_file false)",
    f"copy {FORGED} to '{{home}}/adjustments.csv'",
    f"copy {FORGED} to '{{home}}/new' (partition_by (total_pnl), format csv, overwrite)",
    f"copy {FORGED} to '{{new}}'",
    f"copy {FORGED} to 'file://{{new}}'",
    "copy core.run to '{new}' (format json)",
    "copy core.run from '{books}'",
    "copy from database daybook to memory",
    "insert into core.run select * from core.run",
    "insert into memory.main.t values (1)",
    "delete from pnl.position_daily_version",
    "update pnl.account_daily_version set total_pnl = 0",
    "merge into core.run using core.run as same on false when matched then delete",
    "truncate core.run",
    "create table mine as select 1 as x",
    "create table memory.main.mine as select 1 as x",
    "create temp table mine as select 1 as x",
    "create or replace view pnl.account_daily as select 1 as total_pnl",
    "create macro mine() as 1",
    "create schema mine",
    "create sequence mine",
    "create type mine as enum ('a')",
    "create index mine on core.run (run_id)",
    "create secret (type s3)",
    "create persistent secret mine (type s3)",
    "drop view pnl.position_daily",
    "drop schema pnl cascade",
    "alter table core.run add column mine integer",
    "comment on table core.run is 'mine'",
    "checkpoint",
    "force checkpoint daybook",
    "vacuum",
    "vacuum analyze core.run",
    "analyze",
    "attach '{books}' as again",
    "attach '{new}' as other",
    "attach ':memory:' as other",
    "detach daybook",
    "use memory",
    "export database '{home}/exported'",
    "import database '{home}'",
    "install httpfs",
    "load httpfs",
    "load json",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set temp_directory = '{home}'",
    "set variable mine = 1",
    "reset threads",
    "pragma enable_profiling = 'json'",
    "pragma profiling_output = '{new}'",
    "pragma enable_checkpoint_on_shutdown",
    "pragma version",
    "pragma import_database('{home}')",
    "pragma copy_database('daybook', 'memory')",
    "call enable_logging(storage = 'file', storage_path = '{home}/logged')",
    "call pragma_version()",
    "prepare mine as copy (select 1) to '{new}'",
    "execute mine",
    "deallocate mine",
    "begin",
    "commit",
    "rollback",
    "select 1; create table memory.main.mine as select 1",
    "pivot core.run on grade; create table memory.main.mine as select 1",
]
#: SELECTs that reach for what is not the books.
REACHING = [
    "from read_csv('/etc/passwd')",
    "from read_text('{home}/warehouse.duckdb')",
    "from read_blob('{books}')",
    "from '{home}/warehouse.duckdb'",
    "from read_duckdb('{home}/warehouse.duckdb')",
    "from glob('{home}/*')",
    "from parquet_metadata('{new}')",
    "from sniff_csv('/etc/passwd')",
    "select getenv('CLEAR_STREET_API_KEY')",
    "from duckdb_secrets()",
    "from query('create table memory.main.mine as select 1')",
    "from query('copy (select 1) to ''{new}''')",
    "from json_execute_serialized_sql('copy (select 1) to ''{new}''')",
    "from enable_logging(storage = 'file', storage_path = '{home}/logged')",
    "from checkpoint('daybook')",
    "from force_checkpoint('daybook')",
    "from statements",
    "from text",
]
SELECTS = [
    "select 1",
    "from pnl.account_daily",
    "table core.run",
    "values (1)",
    "(select 1) union all (select 2)",
    "with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) select * from r",
    "summarize core.run",
    "describe pnl.account_daily",
    "from query('select 1')",
    "pivot core.run on grade in ('LATE', 'POST_CLOSE') using count(*)",
    "select ';' as \"explain analyze copy\"",
]
WRAPPERS = [
    "{}",
    "explain {}",
    "explain analyze {}",
    "explain analyse {}",
    "explain (analyze) {}",
    "explain (format json) {}",
    "explain (analyze, format json) {}",
    "explain (format html, analyze true) {}",
]


@pytest.fixture(scope="module")
def home(home_of_thursday: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a Thursday has been closed, for these tests alone."""
    home = tmp_path_factory.mktemp("thursday") / "home"
    shutil.copytree(home_of_thursday, home)
    return home


def everything(home: Path) -> dict[str, str]:
    """Every file and folder of a home, with what it holds."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in home.rglob("*")
    }


@pytest.fixture
def untouched(home: Path) -> Iterator[None]:
    """Fails where anything in the home is other than before."""
    before = everything(home)
    yield
    assert everything(home) == before


def filled(statement: str, home: Path) -> str:
    for name, path in {"books": home / "daybook.duckdb", "home": home, "new": home / "new"}.items():
        statement = statement.replace(f"{{{name}}}", str(path))
    return statement


def no_links(*_: object, **__: object) -> None:
    raise OSError(18, "Invalid cross-device link")


@contextmanager
def another_disk(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[None]:
    """As if the temporary folder were on another disk than the home."""
    link = os.link

    def within_one(source: Path, name: Path) -> None:
        if not name.is_relative_to(home):
            no_links()
        link(source, name)

    with monkeypatch.context() as patch:
        patch.setattr(passing_name.os, "link", within_one)
        yield


class TestWhatIsAsked:
    @pytest.mark.parametrize("wrapper", WRAPPERS)
    @pytest.mark.usefixtures("untouched")
    def test_nothing_that_writes_is_asked_in_whatever_explain(self, home: Path, wrapper: str) -> None:
        with open_published(home / "daybook.duckdb") as con:
            for statement in WRITING:
                with pytest.raises((ConfigurationError, duckdb.Error)):
                    ask(con, wrapper.format(filled(statement, home))).fetchall()
            assert con.execute("select count(*) from duckdb_tables() where table_name = 'mine'").fetchone() == (0,)

    @pytest.mark.parametrize("statement", REACHING)
    @pytest.mark.usefixtures("untouched")
    def test_no_select_reaches_a_file_a_setting_or_a_variable(self, home: Path, statement: str) -> None:
        with open_published(home / "daybook.duckdb") as con, suppress(ConfigurationError, duckdb.Error):
            answer = ask(con, filled(statement, home)).fetchall()
            assert answer == []  # a log that is switched on for one question, a checkpoint of what can't be written

    @pytest.mark.parametrize("statement", SELECTS)
    @pytest.mark.parametrize("wrapper", WRAPPERS)
    def test_every_select_and_its_explain_is_answered(self, home: Path, wrapper: str, statement: str) -> None:
        with open_published(home / "daybook.duckdb") as con:
            assert ask(con, wrapper.format(statement)).fetchall()

    def test_a_pivot_of_unknown_values_is_a_select(self, home: Path) -> None:
        with open_published(home / "daybook.duckdb") as con:
            assert ask(con, "pivot core.run on grade using count(*)").fetchall()

    @pytest.mark.parametrize(
        "space", [*"\u00a0\u2000\u2003\u200b\u200d\u202f\u205f\u2060\u3000\ufeff", "\u00a0/**/", "\u3000;"]
    )
    @pytest.mark.parametrize("wrapper", ["{}", "explain {}", "explain analyze {}"])
    @pytest.mark.usefixtures("untouched")
    def test_spaces_beyond_ascii_hide_nothing_that_writes(self, home: Path, wrapper: str, space: str) -> None:
        with open_published(home / "daybook.duckdb") as con:
            for statement in ("pragma version", "pragma enable_profiling", *WRITING):
                text = space + wrapper.format(space + filled(statement, home)).replace(" ", space.strip("/*;"))
                with pytest.raises((ConfigurationError, duckdb.Error)):
                    ask(con, text).fetchall()

    @pytest.mark.parametrize("wrapper", ["{}", "explain {}", "explain analyze {}"])
    @pytest.mark.parametrize("name", ["é", "été", "数量", "Σ", "\U0001f600", "x\u0301", "_é"])
    def test_a_name_of_any_letters_is_as_good_as_another(self, home: Path, wrapper: str, name: str) -> None:
        query = wrapper.format(f"with {name} as (select 'é' as {name}) select {name} from {name} /* {name} */")
        with open_published(home / "daybook.duckdb") as con:
            assert ask(con, query).fetchall()
            assert ask(con, f"\ufeff{query}\u2003").fetchall()

    def test_what_is_no_text_is_one_sentence(self, home: Path) -> None:
        ended = subprocess.run(
            [DAYBOOK, "sql", b"select '\xff'"], env=environment(home), capture_output=True, check=False
        )
        assert ended.returncode == 2
        assert ended.stderr == b"daybook: The query is not UTF-8 text.\n"

    _blank = st.sampled_from(
        [" ", "\n", "\t", "  ", "/* select */", "/* /* nested */ */ ", " -- from x\n", "\u00a0", "\r\n"]
    )

    @settings(max_examples=300, deadline=None)
    @given(
        data=st.data(), wrapper=st.sampled_from(WRAPPERS), ends=st.sampled_from(["", ";", " ;; ", "-- x", ";\n/**/"])
    )
    def test_case_comments_and_spaces_change_nothing_about_it(
        self, home: Path, data: st.DataObject, wrapper: str, ends: str
    ) -> None:
        writes = data.draw(st.booleans())
        statement = data.draw(st.sampled_from(WRITING[:48] if writes else SELECTS))
        before = wrapper.partition("{}")[0].split(" ")
        mixed = [data.draw(st.sampled_from([word, word.upper(), word.title()])) for word in before if word]
        blanks = [data.draw(self._blank) for _ in range(len(mixed) + 1)]
        text = blanks[0] + "".join(word + blank for word, blank in zip(mixed, blanks[1:], strict=True))
        text += filled(statement, home) + ends
        files = everything(home) if writes else {}
        with open_published(home / "daybook.duckdb") as con:
            if not writes:
                assert ask(con, text).fetchall()
                return
            with pytest.raises((ConfigurationError, duckdb.Error)):
                ask(con, text).fetchall()
        assert everything(home) == files

    @settings(max_examples=300, deadline=None)
    @given(
        words=st.lists(
            st.sampled_from(
                ["explain", "analyze", "(analyze)", "(", ")", "(format json)", ";", "select 1", "from core.run",
                 "pivot",
                 "on grade", "copy", "copy core.run to '{new}'", "create table memory.main.mine as", "pragma version",
                 "prepare p as", "execute p", "with x as", "values (1)", "--\n", "/*", "*/", "'", '"', "$$",
                 "insert into"]
            ),
            max_size=7,
        )
    )  # fmt: skip
    @example(words=["explain", "analyze", "copy core.run to '{new}'"])
    def test_no_heap_of_words_writes(self, home: Path, words: list[str]) -> None:
        files = everything(home)
        with open_published(home / "daybook.duckdb") as con:
            with suppress(ConfigurationError, duckdb.Error):
                ask(con, filled(" ".join(words), home)).fetchall()
            assert con.execute("select count(*) from duckdb_tables() where table_name = 'mine'").fetchone() == (0,)
        assert everything(home) == files


class TestHowTheFileIsOpened:
    """Statements that the parser would never have let through."""

    def try_all(self, home: Path) -> None:
        before = everything(home)
        for statement in WRITING:
            plain, explained = "{}", "explain analyze {}"
            # DuckDB ends the process at the statement after one that sends its log where it may not write
            apart = "enable_logging" in statement
            for wrappers in [[plain], [explained]] if apart else [[plain, explained]]:
                with open_published(home / "daybook.duckdb") as con:
                    for wrapper in wrappers:
                        with suppress(duckdb.Error):
                            con.execute(wrapper.format(filled(statement, home))).fetchall()
            assert everything(home) == before, statement

    @pytest.mark.usefixtures("untouched")
    def test_no_statement_can_write(self, home: Path) -> None:
        self.try_all(home)

    @pytest.mark.usefixtures("untouched")
    def test_no_statement_can_write_where_the_temporary_folder_is_on_another_disk(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with another_disk(monkeypatch, home):
            self.try_all(home)

    @pytest.mark.usefixtures("untouched")
    def test_no_statement_can_write_where_a_file_can_have_one_name_only(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(passing_name.os, "link", no_links)
        with open_published(home / "daybook.duckdb") as con:
            assert con.execute("select count(*) from core.run").fetchone() == (1,)
        self.try_all(home)

    @pytest.mark.usefixtures("untouched")
    def test_what_does_not_fit_in_memory_spills_outside_of_the_home_also_then(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pipelines.warehouse.connect.memory_limit", lambda: 64 * 2**20)
        with another_disk(monkeypatch, home), open_published(home / "daybook.duckdb") as con:
            query = "select count(*) from (select distinct range, repeat('x', 100) from range(1000000))"
            assert con.execute(query).fetchone() == (1_000_000,)

    def test_a_second_name_that_a_killed_reader_left_goes_with_the_next_publication(self, tmp_path: Path) -> None:
        published = tmp_path / "daybook.duckdb"
        names = [tmp_path / f"daybook.duckdb.{age}{BESIDE}" for age in ("old", "new")]
        for folder in names:
            folder.mkdir()
            (folder / "daybook.duckdb").write_text("")
        long_ago = time.time() - ABANDONED - 60
        os.utime(names[0], (long_ago, long_ago))
        with duckdb.connect(tmp_path / "warehouse.duckdb") as con:
            publish(con, published, PUBLISHED_SCHEMAS)
        assert [folder.exists() for folder in names] == [False, True]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def askers(temporary: Path) -> list[Path]:
    """The processes whose temporary folder is in this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"TMPDIR={temporary}/".encode() in (process / "environ").read_bytes():
                found.append(process)
    return found


def eventually(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def asking(query: str, home: Path, temporary: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`daybook sql` with a question that takes long, once DuckDB is at it."""
    process = subprocess.Popen(
        [DAYBOOK, "sql", query, "--timeout", "3600"],
        env=environment(home, "http://127.0.0.1:9", TMPDIR=str(temporary)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        # what a script runs in its background is deaf to SIGINT, and this process would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        eventually(lambda: any(temporary.glob("daybook-*/daybook-*")))  # the copy is open
        yield process
    finally:
        process.kill()
        process.communicate()


class TestHowItEnds:
    @pytest.mark.parametrize("query", [LONG_SCALAR, LONG_JOIN, LONG_PLAN, f"explain analyze {LONG_SCALAR}"])
    @pytest.mark.usefixtures("untouched")
    def test_the_time_limit_ends_whatever_it_is_busy_with(self, home: Path, temporary: Path, query: str) -> None:
        ended = daybook("sql", query, "--timeout", "2", home=home, TMPDIR=str(temporary))
        assert (ended.code, ended.out) == (1, "")
        assert "longer than 2 s" in ended.sentence
        assert askers(temporary) == []
        assert list(temporary.iterdir()) == []

    @pytest.mark.usefixtures("untouched")
    def test_ctrl_c_ends_it_at_once(self, home: Path, temporary: Path) -> None:
        with asking(LONG_SCALAR, home, temporary) as process:
            os.killpg(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (130, b"daybook: Interrupted.\n")
        eventually(lambda: not askers(temporary))
        assert list(temporary.iterdir()) == []

    @pytest.mark.usefixtures("untouched")
    def test_it_ends_with_the_command_that_was_killed_and_leaves_nothing(self, home: Path, temporary: Path) -> None:
        with asking(LONG_SCALAR, home, temporary) as process:
            process.kill()
            eventually(lambda: not askers(temporary))
        assert list(temporary.iterdir()) == []

    def test_the_process_that_asks_has_no_key(self, home: Path, temporary: Path) -> None:
        with asking(LONG_SCALAR, home, temporary):
            (process,) = askers(temporary)
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        assert KEY.encode() not in told
        assert LONG_SCALAR.encode() not in told

    @pytest.mark.parametrize(
        "query", ["select list(range) from range(300000000)", "select length(repeat('a', 4000000000))"]
    )
    @pytest.mark.usefixtures("untouched")
    def test_a_query_that_is_too_large_for_the_memory_is_one_sentence(
        self, home: Path, temporary: Path, query: str
    ) -> None:
        said = self.with_little_memory(query, home, temporary)
        assert "more memory than" in said
        assert "ask for less at a time" in said

    @pytest.mark.usefixtures("untouched")
    def test_a_query_that_spills_too_much_is_one_sentence(self, home: Path, tmp_path: Path) -> None:
        query = "select count(*) from (select distinct range, repeat('x', 300) from range(6000000))"
        with small_disk(tmp_path / "small") as disk:
            said = self.with_little_memory(query, home, disk)
            assert list(disk.iterdir()) == []
        assert "of temporary space" in said
        assert "TMPDIR" in said

    def with_little_memory(self, query: str, home: Path, temporary: Path) -> str:
        ended = subprocess.run(
            [DAYBOOK, "sql", query],
            env=environment(home, TMPDIR=str(temporary)),
            capture_output=True, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (700 * 2**20, 700 * 2**20)),
        )  # fmt: skip
        assert (ended.returncode, ended.stdout) == (1, b""), ended.stderr
        assert ended.stderr.count(b"\n") == 1
        return ended.stderr.decode()


class TestWhereItIsWritten:
    @pytest.mark.parametrize("name", ["daybook.duckdb", "warehouse.duckdb", "new.csv", "archive/new.csv", "run.lock"])
    @pytest.mark.usefixtures("untouched")
    def test_an_output_among_the_books_is_refused(self, home: Path, name: str) -> None:
        ended = daybook("sql", "select 1", "-f", "csv", "-o", str(home / name), home=home)
        assert ended.code == 2
        assert "is in DAYBOOK_HOME" in ended.sentence

    @pytest.mark.usefixtures("untouched")
    def test_an_output_that_leads_into_the_books_is_refused(self, home: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").symlink_to(home)
        for path in (tmp_path / "elsewhere" / "daybook.duckdb", home / "dlt" / ".." / "daybook.duckdb"):
            ended = daybook("sql", "select 1", "-f", "csv", "-o", str(path), home=home)
            assert ended.code == 2
            assert "is in DAYBOOK_HOME" in ended.sentence

    @pytest.mark.usefixtures("untouched")
    def test_a_link_to_the_books_is_replaced_and_not_followed(self, home: Path, tmp_path: Path) -> None:
        link = tmp_path / "out.csv"
        link.symlink_to(home / "daybook.duckdb")
        assert daybook("sql", "select 1 as x", "-f", "csv", "-o", str(link), home=home).code == 0
        assert (link.is_symlink(), link.read_text()) == (False, "x\n1\n")

    def test_a_file_is_for_its_user_alone_and_whole_or_not_at_all(self, home: Path, tmp_path: Path) -> None:
        target = tmp_path / "out.csv"
        target.write_text("former")
        target.chmod(0o644)
        failed = daybook("sql", f"select 1 union all {LONG_SCALAR}", "--timeout", "1", "-o", str(target), home=home)
        assert (failed.code, target.read_text()) == (1, "former")
        assert daybook("sql", "select 1 as x", "-f", "csv", "-o", str(target), home=home).code == 0
        assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("x\n1\n", 0o600)
        assert list(tmp_path.iterdir()) == [target]

    def test_what_is_not_a_file_is_refused(self, home: Path, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path / "pipe", tmp_path):
            ended = daybook("sql", "select 1", "-o", str(path), home=home)
            assert ended.code == 2
            assert "is not a file" in ended.sentence
