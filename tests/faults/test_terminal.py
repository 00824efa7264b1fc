"""F18: nothing that a broker, a file or a name says moves a terminal, in any format of any command."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from dagster_project.log import Printable
from dagster_project.log import console as run_logger
from daybook.cli import console
from models.printable import printable, printable_json, printable_lines
from tests.faults.test_hostile_text import book
from tests.support.broker_server import Fault, account
from tests.support.command_line import environment
from tests.support.fault_books import SMALL, broker

#: A letter of each kind that a terminal may obey, or that makes a line look like another one.
TELLING = [
    "\x1b[2J", "\x1b]0;owned\x07", "\x07", "\x08", "\r", "\x7f", "\x80", "\x9b2J", "\x9d0;owned\x9c", "\x85", "\u2028",
    "\u2029", "\u202e", "\u2066", "\u200b", "\u200f", "\ufeff", "\u00ad", "\U000e0041", "\x00",
]  # fmt: skip
TEXTS = [f"a{letters}b" for letters in TELLING]
#: Commands one after the other in one process on a terminal.
SCRIPT = """
import json, sys
from daybook.cli.app import main
for command in json.loads(sys.argv[1]):
    main(command)
"""


def on_a_terminal(home: Path, url: str | None, *commands: list[str]) -> str:
    """What a terminal gets of commands, both of their outputs; one that knows no colours, so that all escapes are
    somebody else's."""
    ours, theirs = os.openpty()
    env = environment(home, url) | {"TERM": "dumb", "COLUMNS": "200", "LINES": "50"}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)], stdin=theirs, stdout=theirs, stderr=theirs, env=env
    ) as process:
        os.close(theirs)
        got = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            got += piece
            if not piece:
                break
        process.wait(200)
    os.close(ours)
    return got.decode().replace("\r\n", "\n")


def telling(text: str) -> set[str]:
    """The letters of a text that a terminal may obey."""
    kinds = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return {letter for letter in text if unicodedata.category(letter) in kinds and letter != "\n"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose own name is hostile, with the books of a broker that has no other texts."""
    home = tmp_path_factory.mktemp("hostile") / "ho\x1b[2J\u202eme"
    with broker() as server:
        server.accounts = [account(SMALL, short_name="a\x9b2Jb", full_name="a\u202eb")]
        server.books["positions"] = {str(SMALL): book(TEXTS)}
        message = {"error": {"code": 403, "message": "no \x1b[2J\x9b2J\u202e\u2028\x07 way"}}
        server.faults = [Fault("orders", times=None, status=403, body=message)]
        said = on_a_terminal(
            home, server.url, ["sync"], ["build"], ["positions", "list", "--account", str(SMALL)],
            ["positions", "list", "--account", str(SMALL), "--json"],
            ["positions", "close", "--account", str(SMALL), "--instrument", "a\x1b[2J", "--dry-run"],
            ["instructions", "list", "--account", str(SMALL)],
        )  # fmt: skip
    assert "COMPLETE" in said
    assert "a\\x1b[2Jb" in said
    assert "a\\u001b[2Jb" in said
    assert telling(said) == set()
    return home


def test_no_command_sends_a_letter_that_a_terminal_obeys(home: Path) -> None:
    (home / "adjustments.csv").write_text("trading_date,account_id,kind,instrument_id,no\x1b[2J\u202e\n", "utf-8")
    query = 'select symbol, extra as "na\x1b[2J\x9bme" from raw.positions'
    said = on_a_terminal(
        home, None, ["status"], ["status", "--json"], ["sql", query], ["sql", query, "--format", "csv"],
        ["sql", query, "--format", "json"], ["sql", "select 'a' \x1b[2J\u2028"], ["sql", "from raw.extract_manifest"],
        ["report", "--format", "csv"], ["report", "--format", "x\x1b[2J\x9b"], ["report", "--json"], ["build"],
        ["doctor"], ["doctor", "--json"], ["verify"], ["backup", "--json"], ["no\x1b[2J\u202ecommand"],
        ["restore", "no\x9b2J\u2066backup"], ["lock", "--through", "2025-10-31", "--account", "a\x1b[2J\u2029"],
    )  # fmt: skip
    assert telling(said) == set()
    assert "a\\x9b2Jb" in said  # a table and CSV
    assert "a\\u009b2Jb" in said  # JSON
    assert "no\\x1b[2J\\u202e" in said  # a file that a person wrote


def test_a_file_or_a_program_gets_every_text_to_the_letter(home: Path, tmp_path: Path) -> None:
    query = "select symbol from raw.positions"
    output = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, "-m", "daybook", "sql", query, "--format", "json", "--output", output],
        env=environment(home), capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == b""
    assert sorted(row["symbol"] for row in json.loads(output.read_text())) == sorted(TEXTS)
    assert "a\x9b2Jb" in output.read_text()


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_that_can_be_printed_says_the_same(value: object) -> None:
    shown = printable_json(json.dumps(value, indent=2, ensure_ascii=False))
    assert json.loads(shown) == value
    assert telling(shown) == set()


@given(st.text(st.characters()))
def test_what_is_printable_has_no_letter_that_a_terminal_obeys_and_stays_as_it_is(text: str) -> None:
    assert telling(printable(text)) == set()
    assert "\n" not in printable(text)
    assert printable(printable(text)) == printable(text)
    assert printable_lines(text).count("\n") == text.count("\n")


@given(st.text(st.characters(exclude_characters="\n")), st.text())
def test_what_nobody_made_printable_is_written_out_on_its_way_to_the_screen(cell: str, title: str) -> None:
    file = io.StringIO()
    screen = console.screen(file=file)
    assert isinstance(screen, Console)
    made = Table(title=title)
    made.add_column(cell)
    made.add_row(cell)
    screen.print(made)
    screen.print(cell, soft_wrap=True)
    assert telling(file.getvalue()) == set()


def test_what_a_run_of_dagster_logs_to_a_terminal_is_printable_too() -> None:
    logger = run_logger.logger_fn(dg.build_init_logger_context({"log_level": "DEBUG", "name": "dagster"}))
    (handler,) = logger.handlers
    record = logging.LogRecord("daybook", logging.INFO, "", 1, "read %s", ("a\x9b2J\u202e\x1b]0;owned\x07b",), None)
    said = handler.format(record)
    assert isinstance(handler.formatter, Printable)
    assert "a\\x9b2J\\u202e\\x1b]0;owned\\x07b" in said
    assert record.getMessage() == "read a\x9b2J\u202e\x1b]0;owned\x07b"  # the event log's own copy


def test_a_job_logs_through_it() -> None:
    from dagster_project.definitions import defs

    assert defs().resolve_job_def("end_of_day").loggers["console"] is run_logger
