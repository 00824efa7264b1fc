"""Whatever is asked of the published books, nothing is written: DuckDB's own parser decides what is asked.

The second wall, tried without this one, is in test_published_copy_is_read_only.py.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.errors import ConfigurationError
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.question import ask
from tests.support.command_line import DAYBOOK, environment
from tests.support.queries import WRITING, filled, seen

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
        files = seen(home) if writes else {}
        with open_published(home / "daybook.duckdb") as con:
            if not writes:
                assert ask(con, text).fetchall()
                return
            with pytest.raises((ConfigurationError, duckdb.Error)):
                ask(con, text).fetchall()
        assert seen(home) == files

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
        files = seen(home)
        with open_published(home / "daybook.duckdb") as con:
            with suppress(ConfigurationError, duckdb.Error):
                ask(con, filled(" ".join(words), home)).fetchall()
            assert con.execute("select count(*) from duckdb_tables() where table_name = 'mine'").fetchone() == (0,)
        assert seen(home) == files
