"""What is sent is what was shown: books that change between the table and the request, for each of the four trades."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dagster_project.trading_jobs import trading_jobs
from daybook.cli.app import main
from pipelines.broker.client import BrokerClient
from pipelines.errors import ConfigurationError
from pipelines.trading.changes import Changed, refuse_changed, refuse_unexpected
from pipelines.trading.held import find_position
from pipelines.trading.journal import Journal
from pipelines.trading.proposals import propose_closing, propose_closing_all
from tests.support.broker_server import BrokerServer, Fault, position
from tests.support.command_line import DAYBOOK, KEY, Ended, environment
from tests.support.desk import AAPL, shares
from tests.support.processes import Process
from tests.support.trading_desk import CONTRACT, FRIDAY_NOON, SMALL, TAKEN, Desk, instruction, order, trading_desk

MSFT = "b1b2b3b4-c1c2-d1d2-e1e2-e3e4e5e6e7e8"
CALL = "AAPL  251219C00140000"
OF = f"/v1/accounts/{SMALL}/positions"
CLOSE = ("positions", "close", "--account", str(SMALL), "--instrument", "AAPL")
CLOSE_ALL = ("positions", "close-all", "--account", str(SMALL))
SUBMIT = (
    *("instructions", "submit", "--account", str(SMALL), "--type", "EXERCISE"),
    *("--instrument", CALL, "--quantity", "2", "--key", "mine"),
)
CANCEL = ("instructions", "cancel", "--account", str(SMALL), "--id", TAKEN)
#: What each sends, and the word that a person types to have it sent.
SENT = {
    CLOSE: ("DELETE", f"{OF}/{AAPL}", "AAPL"),
    CLOSE_ALL: ("DELETE", OF, str(SMALL)),
    SUBMIT: ("POST", f"{OF}/instructions", "submit"),
    CANCEL: ("DELETE", f"{OF}/instructions/{TAKEN}", "cancel"),
}
EACH = pytest.mark.parametrize("command", SENT, ids=["close", "close-all", "submit", "cancel"])


def stock(**changes: Any) -> dict[str, Any]:
    return {**shares("100", "151.00", cost="14500.00", day="2025-10-31", account=SMALL), **changes}


def call(**changes: Any) -> dict[str, Any]:
    return position(
        SMALL, 1, **{"instrument_id": CONTRACT, "instrument_type": "OPTION", "symbol": CALL, "quantity": "5", **changes}
    )


def contract(**changes: Any) -> dict[str, Any]:
    terms = {"contract_type": "CALL", "strike_price": "140", "multiplier": "100", "expiry": "2025-12-19"}
    return {"id": CONTRACT, "symbol": CALL, "underlying_instrument_id": AAPL, **terms, **changes}


@dataclass
class Books:
    """Everything that a preview is made of, as a test sets it."""

    positions: Sequence[dict[str, Any]] = (stock(), call())
    instructions: Sequence[dict[str, Any]] = (instruction("theirs"),)
    contracts: Sequence[dict[str, Any]] = (contract(),)

    def put(self, broker: BrokerServer) -> None:
        broker.books["positions"] = {str(SMALL): deepcopy(list(self.positions))}
        broker.books["instructions"] = {str(SMALL): deepcopy(list(self.instructions))}
        broker.contracts = list(self.contracts)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with trading_desk(tmp_path / "home") as desk:
        Books().put(desk.broker)
        monkeypatch.setenv("DAYBOOK_HOME", str(desk.settings.home))
        monkeypatch.setenv("CLEAR_STREET_BASE_URL", desk.recorder.url)
        monkeypatch.setenv("CLEAR_STREET_API_KEY", KEY)
        yield desk


def answers(desk: Desk, command: tuple[str, ...]) -> None:
    """What the broker says to the request of a command: yes."""
    rows = {SUBMIT: [instruction("mine")], CANCEL: instruction("theirs", status="CANCEL_REQUESTED")}
    desk.recorder.canned = (200, {"data": rows.get(command, [order()]), "error": None, "metadata": {}})


def after_the_first_read(desk: Desk, command: tuple[str, ...], change: Callable[[BrokerServer], None]) -> None:
    """Let something happen to the broker's books once a command has read them for its table."""
    last = {SUBMIT: "contracts", CANCEL: "instructions"}.get(command, "positions")
    desk.broker.faults.append(Fault(last, then=change))


def wires(desk: Desk) -> list[tuple[str, str]]:
    return [each.wire[:2] for each in desk.recorder.writes]


HELD = {
    "it grew": (Books([stock(quantity="150"), call()]), "quantity is 150 (was 100)"),
    "it shrank": (Books([stock(quantity="99.5"), call()]), "quantity is 99.5 (was 100)"),
    "it flipped": (
        Books([stock(quantity="-100", position_type="SHORT"), call()]),
        "quantity is -100 (was 100), order is BUY (was SELL)",
    ),
    "an order took hold of a part": (Books([stock(available_quantity="40"), call()]), "free is 40 (was 100)"),
    "it is called otherwise": (Books([stock(symbol="AAPL.OLD"), call()]), "AAPL"),
    "it was sold": (Books([stock(quantity="0"), call()]), "is no longer there"),
}
GONE = {
    "it vanished": Books([call()]),
    "the account is flat": Books([]),
    "its symbol means another instrument": Books([stock(instrument_id=MSFT), call()]),
    "its symbol means two instruments": Books([stock(), stock(instrument_id=MSFT), call()]),
    "another is called by its id": Books([stock(), stock(instrument_id=MSFT, symbol=AAPL), call()]),
}
INSTRUCTED = {
    "fewer contracts are held": (Books([stock(), call(quantity="3")]), "held is 3 (was 5)"),
    "more contracts are held": (Books([stock(), call(quantity="6")]), "held is 6 (was 5)"),
    "the contracts were sold short": (
        Books([stock(), call(quantity="-5", position_type="SHORT")]),
        "held is -5 (was 5)",
    ),
    "the contract is no longer held": (Books([stock()]), "holds no position in"),
    "its symbol means another contract": (Books([stock(), call(instrument_id=MSFT)]), f"({CONTRACT})"),
    "somebody instructed it too": (
        Books(instructions=[instruction("theirs"), instruction("x", id=MSFT, quantity="2")]),
        "instructed before is EXERCISE of 1 is SENT; EXERCISE of 2 is SENT (was EXERCISE of 1 is SENT)",
    ),
    "what stood was cancelled": (
        Books(instructions=[instruction("theirs", status="CANCELLED")]),
        "instructed before is none (was EXERCISE of 1 is SENT)",
    ),
    "the contract was adjusted": (Books(contracts=[contract(multiplier="150")]), "shares is 300 (was 200)"),
    "the contract is no longer known": (Books(contracts=[]), "shares is none (was 200)"),
}
LISTED = {
    "it was accepted": (
        Books(instructions=[instruction("theirs", status="ACCEPTED")]),
        "status is ACCEPTED (was SENT)",
    ),
    "its quantity is another": (Books(instructions=[instruction("theirs", quantity="3")]), "contracts is 3 (was 1)"),
    "its contract is another": (
        Books(instructions=[instruction("theirs", instrument_id=MSFT)]),
        f"is {MSFT} (was {CONTRACT})",
    ),
    "its type is another": (
        Books(instructions=[instruction("theirs", instruction_type="DO_NOT_EXERCISE")]),
        "instruction type is DO_NOT_EXERCISE (was EXERCISE)",
    ),
    "it is no longer listed": (Books(instructions=[]), "lists no instruction"),
}
APPEARED = Books([stock(), call(), stock(instrument_id=MSFT, symbol="MSFT", quantity="-7", position_type="SHORT")])
CHANGES: dict[str, tuple[tuple[str, ...], Books, str]] = {
    **{f"close: {name}": (CLOSE, books, words) for name, (books, words) in HELD.items()},
    **{f"close: {name}": (CLOSE, books, "AAPL") for name, books in GONE.items() if "flat" not in name},
    **{f"close-all: {name}": (CLOSE_ALL, books, words) for name, (books, words) in HELD.items()},
    **{f"close-all: {name}": (CLOSE_ALL, books, "there") for name, books in GONE.items()},
    "close-all: another appeared": (CLOSE_ALL, APPEARED, f"MSFT ({MSFT}) was not there before: -7"),
    **{f"submit: {name}": (SUBMIT, books, words) for name, (books, words) in INSTRUCTED.items()},
    **{f"cancel: {name}": (CANCEL, books, words) for name, (books, words) in LISTED.items()},
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_script_sends_nothing_where_the_book_is_no_longer_what_it_printed(
    desk: Desk, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    command, books, words = CHANGES[case]
    answers(desk, command)
    after_the_first_read(desk, command, books.put)
    assert main([*command, "--yes"]) == 2
    assert wires(desk) == []
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("daybook: ")]
    assert "Nothing was sent, for this has changed since it was shown" in sentence
    assert words in sentence
    assert desk.states() == [["PREPARED", "RESOLVED"]]


ELSEWHERE = {
    CLOSE: [*APPEARED.positions[:1], call(quantity="9"), *APPEARED.positions[2:]],
    CLOSE_ALL: Books().positions,
    SUBMIT: [stock(quantity="1", available_quantity="1"), call()],
    CANCEL: [],
}


@EACH
def test_another_price_or_another_position_is_no_change_and_the_request_names_uuids(
    desk: Desk, command: tuple[str, ...]
) -> None:
    prices = {"market_value": "1.00", "instrument_price": "0.01", "closing_price": "7.00", "unrealized_pnl": "-14.00"}
    moved = [{**row, **prices} for row in ELSEWHERE[command]]
    apart = [instruction("theirs"), instruction("x", id=MSFT, instrument_id=MSFT)]
    answers(desk, command)
    after_the_first_read(desk, command, Books(moved, apart).put)
    assert main([*command, "--yes"]) == 0
    assert wires(desk) == [SENT[command][:2]]
    rows = desk.recorder.writes[0].wire[2] if command == SUBMIT else []
    assert [row["instrument_id"] for row in rows] == ([CONTRACT] if command == SUBMIT else [])


@EACH
def test_the_books_are_the_last_thing_that_is_read_before_a_request_leaves(
    desk: Desk, command: tuple[str, ...]
) -> None:
    answers(desk, command)
    if command == SUBMIT:  # then what the underlying costs has to be asked for
        Books([call()]).put(desk.broker)
    assert main([*command, "--yes"]) == 0
    asked = [each.target.partition("?")[0] for each in desk.recorder.requests]
    read = [f"{OF}/instructions" if command == CANCEL else OF]
    if command == SUBMIT:
        read += [f"{OF}/instructions", "/v1/instruments/options/contracts"]
    assert asked[-len(read) - 1 : -1] == read  # and nobody waits for a price
    assert asked[-len(read) - 2] == "/v1/clock"  # the broker's time is that of the request, not of the table
    assert desk.recorder.requests[-1].method != "GET"


TORN = {
    "refused": Fault("positions", skip=1, times=None, status=403, body={"error": {"code": 403, "message": "no"}}),
    "with a row too few": Fault(
        "positions", skip=1, times=None, edit=lambda whole: whole["metadata"].update(total_items=3)
    ),
    "with a row of another account": Fault(
        "positions", skip=1, times=None, edit=lambda whole: whole["data"][0].update(account_id=7)
    ),
    "with a side that its sign contradicts": Fault(
        "positions", skip=1, times=None, edit=lambda whole: whole["data"][0].update(position_type="SHORT")
    ),
}


@pytest.mark.parametrize("command", [CLOSE, CLOSE_ALL, SUBMIT], ids=["close", "close-all", "submit"])
@pytest.mark.parametrize("torn", TORN)
def test_a_book_that_cannot_be_read_whole_again_sends_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], torn: str
) -> None:
    fault = TORN[torn]
    desk.broker.faults.append(Fault(**{**fault.__dict__, "skip": 1}))
    assert main([*command, "--yes"]) == 1
    assert wires(desk) == []
    assert "Nothing was sent, for what is there could not be read" in capsys.readouterr().err
    assert desk.states() == [["PREPARED", "RESOLVED"]]


def test_instructions_that_cannot_be_read_leave_a_submission_and_a_cancellation_unsent(desk: Desk) -> None:
    desk.broker.forbidden = {(str(SMALL), "instructions")}
    assert [main([*command, "--yes"]) for command in (SUBMIT, CANCEL)] == [1, 1]
    assert wires(desk) == []


def test_a_dry_run_reads_once_and_sends_nothing(desk: Desk) -> None:
    assert main([*CLOSE_ALL, "--dry-run"]) == 0
    assert len(desk.broker.asked("/positions")) == 1
    assert wires(desk) == []


# A person at a terminal.


@dataclass(frozen=True)
class Reply:
    """What happens while a person looks at a table, and what they then type."""

    text: str
    meanwhile: Callable[[BrokerServer], Any] = lambda _: None


def converse(desk: Desk, command: Sequence[str], *replies: Reply) -> tuple[Ended, int]:
    """A command on a terminal: how it ended, and how many questions it asked."""
    mine, theirs = pty.openpty()
    with Process(
        [DAYBOOK, *command],
        env=environment(desk.settings.home, desk.recorder.url),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(theirs)
        assert process.stderr is not None
        heard, questions = b"", 0
        for reply in replies:
            said = b""
            while not said.endswith(b": ") and (more := os.read(process.stderr.fileno(), 4096)):
                said += more
            heard += said
            if not said.endswith(b": "):
                break
            questions += 1
            reply.meanwhile(desk.broker)
            os.write(mine, reply.text.encode())
        out, err = process.communicate(timeout=120)
    os.close(mine)
    ended = Ended(process.returncode, out.decode(), (heard + err).decode())
    assert "Traceback" not in ended.err
    return ended, questions


GREW = {
    CLOSE: Books([stock(quantity="150"), call()]),
    CLOSE_ALL: APPEARED,
    SUBMIT: Books([stock(), call(quantity="3")]),
    CANCEL: Books(instructions=[instruction("theirs", status="UNKNOWN")]),
}


@EACH
def test_a_person_is_shown_what_has_changed_and_asked_again(desk: Desk, command: tuple[str, ...]) -> None:
    method, path, word = SENT[command]
    answers(desk, command)
    ended, questions = converse(desk, command, Reply(f"{word}\n", GREW[command].put), Reply(f"{word}\n"))
    assert (ended.code, questions) == (0, 2), ended.err
    assert wires(desk) == [(method, path)]
    first, changed, second = ended.err.partition("Nothing was sent, for this has changed since it was shown: ")
    assert changed
    assert first.count("Would be") == second.count("Would be") == 1
    assert sorted(desk.states()) == [["PREPARED", "RESOLVED"], ["PREPARED", "SENT", "ANSWERED"]]


def test_a_person_who_does_not_want_it_any_more_sends_nothing(desk: Desk) -> None:
    ended, questions = converse(desk, CLOSE, Reply("AAPL\n", GREW[CLOSE].put), Reply("no\n"))
    assert (ended.code, questions) == (2, 2)
    assert "Nothing was sent." in ended.err
    assert wires(desk) == []


def test_a_book_that_changes_under_every_answer_is_asked_about_three_times_and_no_more(desk: Desk) -> None:
    grown = [Reply("AAPL\n", Books([stock(quantity=str(each))]).put) for each in (101, 102, 103)]
    ended, questions = converse(desk, CLOSE, *grown, Reply("AAPL\n"))
    assert (ended.code, questions) == (2, 3)
    assert "quantity is 103 (was 102)" in ended.err.splitlines()[-1]
    assert wires(desk) == []


@pytest.mark.parametrize(("command", "books"), [(CLOSE, GONE["it vanished"]), (CLOSE_ALL, GONE["the account is flat"])])
def test_what_is_gone_when_the_answer_comes_is_told_and_nothing_is_sent(
    desk: Desk, command: tuple[str, ...], books: Books
) -> None:
    ended, questions = converse(desk, command, Reply(f"{SENT[command][2]}\n", books.put))
    assert (ended.code, questions) == (2, 1), ended.err
    assert wires(desk) == []


def test_an_answer_that_was_typed_before_the_question_is_none(desk: Desk) -> None:
    ended, questions = converse(desk, CLOSE, Reply("AAPL\nAAPL\n", GREW[CLOSE].put), Reply("no\n"))
    assert (ended.code, questions) == (2, 2)
    assert wires(desk) == []


def test_an_answer_after_lunch_is_compared_with_the_book_and_the_clock_of_after_lunch(desk: Desk) -> None:
    def lunch(broker: BrokerServer) -> None:
        broker.now = FRIDAY_NOON + timedelta(hours=1)

    answers(desk, CLOSE)
    ended, _ = converse(desk, CLOSE, Reply("AAPL\n", lunch))
    assert ended.code == 0
    journal = Journal(desk.settings)
    (run,) = journal.run_ids()
    assert journal.read(run).began_at >= FRIDAY_NOON + timedelta(hours=1)
    assert run.startswith("20251031T16")  # it was shown at noon


# A job, which nobody watches.

STATED: dict[tuple[str, ...], tuple[str, dict[str, Any]]] = {
    CLOSE: ("close_position", {"instrument": "AAPL", "quantity": "100"}),
    CLOSE_ALL: ("close_positions", {"positions": {"AAPL": "100", CONTRACT: "5.0"}}),
    SUBMIT: (
        "submit_instructions",
        {"instructions": [{"instruction_type": "EXERCISE", "instrument_id": CALL, "quantity": "2"}]},
    ),
    CANCEL: ("cancel_instruction", {"instruction_id": TAKEN}),
}


@EACH
def test_a_job_sends_what_it_read_twice_and_nothing_else(
    desk: Desk, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYBOOK_TRADING_JOBS", "on")
    name, config = STATED[command]
    job = next(each for each in trading_jobs if each.name == name)
    confirmed = {"account": str(SMALL), "confirm": str(SMALL), **config}
    run_config = {
        "ops": {f"{name}_op": {"config": confirmed}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    answers(desk, command)
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(run_config=run_config, instance=instance).success
        assert wires(desk) == [SENT[command][:2]]
        after_the_first_read(desk, command, GREW[command].put)
        with pytest.raises(dg.Failure, match="has changed since it was shown") as caught:
            job.execute_in_process(run_config=run_config, instance=instance)
    assert caught.value.allow_retries is False
    assert len(wires(desk)) == 1


STRANGE = [
    "sNaN",
    "NaN",
    "Infinity",
    "1e999999999",
    "-1E+999999",
    "\u0661\u0660\u0660",
    "1_00",
    "",
    "9" * 5000,
    "100\n",
]


@pytest.mark.parametrize("quantity", STRANGE, ids=lambda each: ascii(each)[:20])
def test_a_stated_quantity_that_is_no_plain_number_is_a_sentence_and_sends_nothing(desk: Desk, quantity: str) -> None:
    answers(desk, CLOSE)
    with (
        BrokerClient(desk.recorder.url, KEY, requests_per_second=None) as client,
        pytest.raises(ConfigurationError, match="is not a number such as") as caught,
    ):
        refuse_unexpected(propose_closing(client, str(SMALL), "AAPL"), {"AAPL": quantity})
    assert len(str(caught.value)) < 500


#: A long s, a Kelvin sign, a sharp s, a ligature, a Cyrillic M, a dotless i, a wide A, each with what it is taken for.
LOOKALIKES = [
    *(("M\u017fFT", "MSFT"), ("K", "\u212a"), ("\u00df", "SS"), ("\ufb01", "FI")),
    *(("MSFT", "\u041cSFT"), ("I", "\u0131"), ("A", "\uff21")),
]


@pytest.mark.parametrize(("held", "typed"), LOOKALIKES, ids=map(ascii, LOOKALIKES))
def test_letters_that_only_look_or_become_alike_are_another_name(held: str, typed: str) -> None:
    for symbol, name in ((held, typed), (typed, held)):
        with pytest.raises(ConfigurationError, match="holds no position"):
            find_position([stock(symbol=symbol)], name)


# Books of any kind.

SYMBOLS = ("AAPL", "MSFT", "BRK.B", CALL)
IDS = tuple(f"a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d{each}" for each in "0123")
QUANTITIES = st.sampled_from(["100", "100.00", "-100", "1", "0", "0.0001", "-5"])
HOLDINGS = st.dictionaries(st.sampled_from(IDS), st.tuples(st.sampled_from(SYMBOLS), QUANTITIES), max_size=4)


def book(holdings: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        stock(
            instrument_id=instrument,
            symbol=symbol,
            quantity=quantity,
            available_quantity=quantity,
            position_type="SHORT" if quantity.startswith("-") else "LONG",
        )
        for instrument, (symbol, quantity) in holdings.items()
    ]


def shown(holdings: dict[str, tuple[str, str]], name: str | None = None) -> dict[str, tuple[str, Decimal]]:
    """What is to be closed of a book: all that isn't zero, or what has a symbol."""
    return {
        instrument: (symbol, Decimal(quantity))
        for instrument, (symbol, quantity) in holdings.items()
        if Decimal(quantity) and name in (None, symbol)
    }


@pytest.fixture(scope="module")
def reader() -> Iterator[tuple[BrokerServer, BrokerClient]]:
    with (
        BrokerServer(accounts=[SMALL], positions={SMALL: []}, now=FRIDAY_NOON) as server,
        BrokerClient(server.url, None, requests_per_second=None) as client,
    ):
        yield server, client


@given(before=HOLDINGS, after=HOLDINGS | st.none())
@settings(max_examples=300, deadline=None)
def test_of_any_two_books_all_is_closed_only_where_they_are_the_same(
    reader: tuple[BrokerServer, BrokerClient],
    before: dict[str, tuple[str, str]],
    after: dict[str, tuple[str, str]] | None,
) -> None:
    server, client = reader
    now = before if after is None else after
    server.positions[str(SMALL)] = book(before)
    proposal = propose_closing_all(client, str(SMALL))
    server.positions[str(SMALL)] = [{**row, "market_value": "1.00"} for row in reversed(book(now))]
    try:
        refuse_changed(proposal)
    except Changed:
        assert shown(before) != shown(now)
    else:
        assert shown(before) == shown(now)


@given(before=HOLDINGS, after=HOLDINGS | st.none(), name=st.sampled_from(SYMBOLS))
@settings(max_examples=300, deadline=None)
def test_of_any_two_books_one_is_closed_only_where_it_is_the_same_and_its_name_is_nothing_else_s(
    reader: tuple[BrokerServer, BrokerClient],
    before: dict[str, tuple[str, str]],
    after: dict[str, tuple[str, str]] | None,
    name: str,
) -> None:
    server, client = reader
    now = before if after is None else after
    named = [instrument for instrument, (symbol, _) in before.items() if symbol == name]
    assume(len(named) == 1)
    server.positions[str(SMALL)] = book(before)
    proposal = propose_closing(client, str(SMALL), name)
    assert proposal.request.path == f"{OF}/{named[0]}"
    server.positions[str(SMALL)] = book(now)
    same = [each for each, (symbol, _) in now.items() if symbol == name] == named and shown(before, name) == shown(
        now, name
    )
    try:
        refuse_changed(proposal)
    except Changed:
        assert not same
    else:
        assert same
