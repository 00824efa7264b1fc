"""F18, F19: whatever text a broker sends is stored verbatim, names no file, is no statement and moves no terminal."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker_server import Fault, account
from tests.support.command_line import ask, daybook
from tests.support.desk import FRIDAY, shares
from tests.support.fault_books import SMALL, broker

HOSTILE = [
    "'; DROP TABLE raw.positions; --",
    '"; DROP SCHEMA raw CASCADE; --',
    "../../../../tmp/x",
    "..\\..\\x",
    "a\x00b",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
    "x" * 10_000,
    "\U0001f4b8 emoji",
    "line\r\nbreak\ttab",
    "$run_id {{ 7*7 }} %s {0} ${HOME} `id`",
    "</script><script>alert(1)</script>",
    "| a | b |\n|---|---|\n[x](javascript:alert(1))",
    "[bold red]rich[/bold red]",
    "NULL",
    "",
    " ",
]
FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "\uff1d1+1"]
OURS = re.compile(r"[A-Za-z0-9_.,:=\-]+")


def book(texts: list[str]) -> list[dict[str, Any]]:
    return [
        shares(
            "-100", "1.00", cost="-100.00", day="2025-10-31", account=SMALL, symbol=text,
            instrument_id=f"h{number}-{text}" if number % 2 else f"h{number}", undocumented=text,
        )
        for number, text in enumerate(texts)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Books of one evening, closed by the scheduled job, of a broker with nothing but hostile texts."""
    home = tmp_path_factory.mktemp("hostile") / "home"
    names = account(SMALL, short_name=HOSTILE[0], full_name="<img src=x onerror=alert(1)>")
    with broker(FRIDAY) as server:
        server.accounts = [names]
        server.books["positions"] = {str(SMALL): book(HOSTILE + FORMULAS)}
        message = {"error": {"code": 403, "message": "\x1b[2J</script>'; DROP TABLE x; --\n| a |"}}
        server.faults = [Fault("orders", times=None, status=403, body=message)]
        ended = daybook("eod", home=home, url=server.url, timeout=120)
        assert ended.code in (0, 3), ended.err
        assert "\x1b" not in ended.out + ended.err
    return home


def test_every_text_is_stored_to_the_letter_in_every_table(home: Path) -> None:
    texts = sorted(HOSTILE + FORMULAS)
    for table in ("raw.positions", "core.position_eod", "pnl.position_daily"):
        stored = [symbol for (symbol,) in ask(home / "daybook.duckdb", f"select symbol from {table}")]
        assert sorted(stored) == texts
    assert ask(home / "daybook.duckdb", "select count(distinct instrument_id) from pnl.position_daily") == [
        (len(texts),)
    ]
    extra = ask(home / "daybook.duckdb", "select extra from raw.positions")
    assert sorted(json.loads(each)["undocumented"] for (each,) in extra) == texts


def test_no_file_is_named_by_a_broker(home: Path) -> None:
    names = [path.name for path in home.rglob("*")]
    assert len(names) > 20
    assert [name for name in names if not OURS.fullmatch(name)] == []
    assert [name for name in names if "DROP" in name or "owned" in name or "emoji" in name] == []


def test_no_command_shows_a_text_that_moves_the_terminal(home: Path) -> None:
    for arguments in (
        ["status"],
        ["sql", "from raw.extract_manifest"],
        ["sql", "select symbol, extra from raw.positions"],
    ):
        ended = daybook(*arguments, home=home)
        assert ended.code == 0
        assert not [letter for letter in ended.out + ended.err if not (letter.isprintable() or letter == "\n")]
        assert "[bold red]rich" in ended.out or "symbol" not in arguments[-1]


def test_a_text_is_data_to_every_query(home: Path) -> None:
    query = "select count(*) from pnl.position_daily where symbol = '''; DROP TABLE raw.positions; --'"
    assert daybook("sql", query, "--format", "csv", home=home).out.splitlines()[1] == "1"


def test_what_dagster_shows_is_no_markup_of_theirs(home: Path) -> None:
    import dagster as dg

    shown: list[str] = []
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        (run,) = instance.get_runs()
        for entry in instance.all_logs(run.run_id):
            event = entry.dagster_event
            if event is not None and event.is_step_materialization:
                metadata = event.step_materialization_data.materialization.metadata
                shown += [value.value for value in metadata.values() if isinstance(value, dg.MarkdownMetadataValue)]
    assert len(shown) >= 2
    text = re.sub(r"<svg.*?</svg>", "", "".join(shown), flags=re.DOTALL)
    assert "<script" not in text
    assert "<img" not in text
    assert "](javascript" not in text


def test_a_csv_runs_nothing_in_a_spreadsheet_and_gives_every_text_and_number_back(home: Path) -> None:
    query = "select symbol, quantity, market_value from core.position_eod"
    ended = daybook("sql", query, "--format", "csv", home=home)
    assert ended.code == 0
    rows = list(csv.reader(io.StringIO(ended.out, newline="")))[1:]
    cells = [row[0] for row in rows]
    assert not [cell for cell in cells if cell[:1] in list("=+-@\t\r\uff1d\uff0b\uff0d\uff20")]
    assert sorted(cell.removeprefix("'") if cell[1:] in FORMULAS else cell for cell in cells) == sorted(
        text for text in HOSTILE + FORMULAS
    )
    assert {(row[1], row[2]) for row in rows} == {("-100.00000000", "-100.0000000000")}


def test_an_account_that_is_no_number_names_nothing_and_promotes_nothing(tmp_path: Path) -> None:
    with broker(FRIDAY) as server:
        server.faults = [
            Fault("accounts", times=None, edit=lambda whole: whole["data"][0].update(id="../../../tmp/owned"))
        ]
        ended = daybook("sync", home=tmp_path / "home", url=server.url)
        assert ended.code == 1
        assert "nothing was landed" in ended.err
        assert not server.asked("/positions")
    assert not list(tmp_path.rglob("*owned*"))
