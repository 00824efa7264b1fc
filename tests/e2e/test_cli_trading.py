"""The commands that trade, typed by a person and by a script: what they show, ask, refuse and end with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.sandbox.server import Sandbox
from tests.support.command_line import KEY, Ended, ask, daybook, environment
from tests.support.conversation import Reply, converse
from tests.support.trading_server import Recorder

ACCOUNT, OPTIONS = "20517", "20518"
READ_ONLY = "a-key-that-may-only-read"


@dataclass
class Desk:
    sandbox: Sandbox
    recorder: Recorder
    home: Path

    def run(self, *arguments: str, **more: str) -> Ended:
        ended = daybook(*arguments, home=self.home, url=self.recorder.url, timeout=120, **more)
        assert KEY not in ended.out + ended.err
        assert "Traceback" not in ended.err
        return ended

    def type(self, answer: str, *arguments: str) -> Ended:
        """Run a command on a terminal, and type an answer when it asks."""
        env = environment(self.home, self.recorder.url)
        ended, _ = converse(arguments, env, Reply(answer), timeout=60)
        return ended


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with (
        Sandbox(seed=1, short_sales=False, keys=[KEY], read_only_keys=[READ_ONLY]) as sandbox,
        Recorder(sandbox.url) as recorder,
    ):
        sandbox.clock.set(datetime(2005, 2, 3, 18, tzinfo=UTC))
        yield Desk(sandbox, recorder, tmp_path / "home")


def test_close_all_asks_for_the_account_and_lands_before_it_prints(desk: Desk) -> None:
    ended = desk.type(f"{ACCOUNT}\n", "positions", "close-all", "--account", ACCOUNT)
    assert ended.code == 0, ended.err
    assert "Would be closed" in ended.err
    assert f"type {ACCOUNT}: " in ended.err
    assert "PENDING_NEW" in ended.out
    assert "Sent, and not done yet: close_positions of account 20517, " in ended.out
    assert " orders PENDING_NEW." in ended.out
    assert len(desk.recorder.writes) == 1
    landed = ask(desk.home / "warehouse.duckdb", "select id from raw.orders")
    assert landed
    assert all(order in ended.out for (order,) in landed)


@pytest.mark.parametrize("answer", ["yes\n", "\n", "20518\n", "\x04"])
def test_any_other_answer_sends_nothing(desk: Desk, answer: str) -> None:
    ended = desk.type(answer, "positions", "close-all", "--account", ACCOUNT)
    assert ended.code == 2
    assert "Nothing was sent." in ended.err
    assert desk.recorder.writes == []
    assert not (desk.home / "trading").exists()


SUBMIT = (
    *("instructions", "submit", "--account", OPTIONS, "--type", "EXERCISE", "--quantity", "1"),
    *("--instrument", "goog050319c00200000", "--key", "mine"),
)


def test_each_of_the_four_asks_for_its_own_word_and_sends_nothing_for_another(desk: Desk) -> None:
    def asked(word: str, *arguments: str) -> Any:
        assert desk.run(*arguments, "--dry-run").code == 0
        assert desk.type("yes\n", *arguments).code == 2
        before = len(desk.recorder.writes)
        ended = desk.type(f"{word}\n", *arguments)
        assert ended.code == 0, ended.err
        assert f"type {word}: " in ended.err
        (sent,) = desk.recorder.writes[before:]
        return sent.wire

    of = "/v1/accounts/{}/positions"
    method, path, (row,) = asked("submit", *SUBMIT)
    assert (method, path, row["client_instruction_id"]) == ("POST", f"{of.format(OPTIONS)}/instructions", "mine")
    given = desk.sandbox.broker.book(OPTIONS).instructions[-1].id
    cancelled = asked("cancel", "instructions", "cancel", "--account", OPTIONS, "--id", given)
    assert cancelled == ("DELETE", f"{of.format(OPTIONS)}/instructions/{given}", None)
    close = ("positions", "close", "--account", ACCOUNT, "--instrument")
    for name in ("IBM", "msft"):  # what is shown is closed, and named so that it can't be taken for anything else
        instrument_id = next(row["id"] for row in _listed(desk) if row["symbol"] == name.upper())
        assert asked(name, *close, name) == ("DELETE", f"{of.format(ACCOUNT)}/{instrument_id}", {})
    assert asked(ACCOUNT, "positions", "close-all", "--account", ACCOUNT)[:2] == ("DELETE", of.format(ACCOUNT))
    assert len(desk.recorder.writes) == 5


def _listed(desk: Desk) -> list[dict[str, str]]:
    rows = orjson.loads(desk.run("positions", "list", "--account", ACCOUNT, "--json").out)
    return [{"id": row["instrument_id"], "symbol": row["symbol"]} for row in rows]


BATCH = "instruction_type,instrument_id,quantity,client_instruction_id\nEXERCISE,GOOG  050319C00200000,1,a\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("EXERCISE,GOOG  050319C00200000,-1,b", "line 3: quantity '-1' is not a number of contracts above 0"),
        ("exercise,GOOG  050319C00200000,1,b", "line 3: instruction_type 'exercise' is not EXERCISE"),
        ("EXERCISE,NOBODY,1,b", "line 3: The account holds no position in 'NOBODY'"),
        ("EXERCISE,GOOG  050319C00200000,1,a", "line 3: an earlier row has the key 'a' too"),
        ("EXERCISE,GOOG  050319C00200000", "line 3: quantity is missing"),
    ],
)
def test_a_bad_line_of_a_batch_is_named_and_nothing_is_sent(desk: Desk, line: str, words: str) -> None:
    batch = desk.home.with_name("batch.csv")
    batch.write_text(f"{BATCH}{line}\n")
    ended = desk.run("instructions", "submit", "--account", OPTIONS, "--file", str(batch), "--yes")
    assert ended.code == 2
    assert f"{batch}, {words}" in ended.sentence
    assert desk.recorder.writes == []
    assert not (desk.home / "trading").exists()


def test_without_a_terminal_and_without_yes_all_four_refuse_before_they_ask_anyone(desk: Desk) -> None:
    batch = desk.home.with_name("batch.csv")
    batch.write_text(f"instruction_type,instrument_id,quantity\nEXERCISE,{'0' * 8}-0000-0000-0000-{'1' * 12},1\n")
    for arguments in (
        ("positions", "close", "--account", ACCOUNT, "--instrument", "IBM"),
        ("positions", "close-all", "--account", ACCOUNT),
        ("instructions", "submit", "--account", OPTIONS, "--file", str(batch)),
        ("instructions", "cancel", "--account", OPTIONS, "--id", "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e02"),
    ):
        ended = desk.run(*arguments)
        assert ended.code == 2
        assert "--yes" in ended.sentence
    assert desk.recorder.requests == []


@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_shows_the_request_and_sends_nothing(desk: Desk, as_json: bool) -> None:
    flags = ["--json"] if as_json else []
    ended = desk.run("positions", "close-all", "--account", ACCOUNT, "--cancel-orders", "--dry-run", *flags)
    assert ended.code == 0
    assert desk.recorder.writes == []
    if as_json:
        told: dict[str, Any] = orjson.loads(ended.out)
        assert told["sent"] is False
        expected = {"method": "DELETE", "path": "/v1/accounts/20517/positions", "body": {"cancel_orders": True}}
        assert told["request"] == expected
        assert {line["side"] for line in told["preview"]} <= {"BUY", "SELL"}
    else:
        assert 'Would send: DELETE /v1/accounts/20517/positions {"cancel_orders":true}' in ended.out
        assert "market value" in ended.out


def test_a_submission_shows_what_it_would_do_at_today_s_price(desk: Desk) -> None:
    arguments = ("--type", "EXERCISE", "--instrument", "GOOG050319C00200000", "--quantity", "2", "--key", "mine")
    ended = desk.run("instructions", "submit", "--account", OPTIONS, *arguments, "--dry-run")
    assert ended.code == 0, ended.err
    assert "-40,000.00" in ended.out  # 2 contracts of 100 at 200
    assert "200" in ended.out
    assert "previous close" not in ended.err  # the price is that of a trade of the day
    assert '"client_instruction_id":"mine"' in ended.out
    assert desk.recorder.writes == []


def test_a_batch_is_answered_row_by_row_and_its_rejections_are_in_the_books(desk: Desk, tmp_path: Path) -> None:
    goog = next(each for each in desk.sandbox.broker.options() if each.symbol == "GOOG  050319C00200000")
    batch = tmp_path / "batch.csv"
    batch.write_text(
        "instruction_type,instrument_id,quantity,client_instruction_id\n"
        f"EXERCISE,{goog.symbol},1,good\nDO_NOT_EXERCISE,{goog.id},1,early\n"
    )
    ended = desk.run("instructions", "submit", "--account", OPTIONS, "--file", str(batch), "--yes")
    assert ended.code == 3
    assert "Row 2 was rejected: " in ended.out
    assert "[OUTSIDE_EXPIRATION]" in ended.out
    assert "Only in part" in ended.err
    rows = ask(
        desk.home / "warehouse.duckdb",
        "select client_instruction_id, status, id from raw.position_instructions order by 1",
    )
    assert [(key, status) for key, status, _ in rows] == [("early", "REJECTED"), ("good", "SENT")]
    assert rows[0][2].startswith("rejected:")
    listed = desk.run("instructions", "list", "--account", OPTIONS, "--json")
    assert [row["client_instruction_id"] for row in orjson.loads(listed.out)][-1:] == ["good"]
    cancelled = desk.run("instructions", "cancel", "--account", OPTIONS, "--id", rows[1][2], "--yes", "--json")
    assert orjson.loads(cancelled.out)["instructions"][0]["status"] == "CANCEL_REQUESTED"


def test_a_key_that_may_only_read_lists_but_does_not_trade(desk: Desk) -> None:
    reader = {"CLEAR_STREET_API_KEY": READ_ONLY}
    assert desk.run("positions", "list", "--account", ACCOUNT, **reader).code == 0
    assert desk.run("instructions", "list", "--account", ACCOUNT, **reader).code == 0
    assert desk.run("sync", **reader).code == 0
    assert desk.run("positions", "close-all", "--account", ACCOUNT, "--dry-run", **reader).code == 0
    ended = desk.run("positions", "close-all", "--account", ACCOUNT, "--yes", **reader)
    assert ended.code == 1
    assert "this key may only read" in ended.err
    assert READ_ONLY not in ended.out + ended.err
    both = reader | {"CLEAR_STREET_TRADING_API_KEY": KEY}
    assert desk.run("positions", "close-all", "--account", ACCOUNT, "--yes", **both).code == 0


def test_a_flat_account_has_nothing_to_close_and_nothing_is_sent(desk: Desk) -> None:
    desk.sandbox.clock.set(datetime(2005, 1, 3, 14, 31, tzinfo=UTC))
    ended = desk.run("positions", "close-all", "--account", ACCOUNT, "--yes")
    assert ended.code == 0, ended.err
    assert "There is nothing to close." in ended.err
    assert desk.recorder.writes == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("positions", "close", "--account", ACCOUNT, "--instrument", "NOBODY", "--yes"),
            "holds no position in 'NOBODY'",
        ),
        (("positions", "close", "--account", ACCOUNT, "--instrument", "..", "--yes"), "neither an instrument's UUID"),
        (("positions", "close-all", "--account", "x", "--yes"), "is not an account id"),
        (("instructions", "submit", "--account", ACCOUNT, "--yes"), "--type, --instrument, --quantity are missing"),
        (("instructions", "submit", "--account", ACCOUNT, "--file", "none.csv", "--yes"), "can't be read"),
        (("instructions", "submit", "--account", ACCOUNT, "--file", "b", "--key", "k"), "exclude each other"),
        (("instructions", "cancel", "--account", ACCOUNT, "--id", "mine", "--yes"), "not your own key"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_nothing_is_sent(
    desk: Desk, arguments: tuple[str, ...], words: str
) -> None:
    ended = desk.run(*arguments)
    assert ended.code == 2
    assert words in ended.sentence
    assert desk.recorder.writes == []


def test_no_answer_ends_with_3_and_the_commands_that_find_out(desk: Desk) -> None:
    desk.recorder.then = "drop"
    ended = desk.run("positions", "close-all", "--account", ACCOUNT, "--yes", "--json")
    assert ended.code == 3
    told = orjson.loads(ended.out)
    assert (told["outcome"], told["sent"], told["http_status"]) == ("UNKNOWN", True, None)
    assert told["find_out"] == [f"daybook positions list --account {ACCOUNT}", "daybook sync"]
    assert "OUTCOME UNKNOWN" in ended.err
    assert len(desk.recorder.writes) == 1


def test_the_next_sync_says_what_became_of_an_outcome_that_was_unknown(desk: Desk) -> None:
    desk.recorder.then = "drop"
    assert desk.run("positions", "close-all", "--account", ACCOUNT, "--yes").code == 3
    desk.recorder.then = "answer"
    desk.sandbox.clock.set(datetime(2005, 2, 3, 18, 10, tzinfo=UTC))
    ended = desk.run("sync", "--json")
    assert ended.code == 0
    (sentence,) = orjson.loads(ended.out)["trades"]
    assert sentence in ended.err
    assert f"close_positions of account {ACCOUNT}, whose outcome was unknown: order " in sentence
    assert desk.run("sync").err == ""  # it is told once
    assert len(desk.recorder.writes) == 1


def test_lists_and_trades_need_no_orchestrator() -> None:
    modules = "daybook.cli.app, daybook.cli.trading, pipelines.trading.send, pipelines.trading.settle"
    program = f"import sys, {modules}; print('dagster' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
