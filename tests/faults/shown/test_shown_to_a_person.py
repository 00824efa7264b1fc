"""A person at a terminal is asked anew about whatever has changed since it was shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest

from pipelines.trading.journal import Journal
from tests.support.broker_server import BrokerServer
from tests.support.command_line import Ended, environment
from tests.support.conversation import Reply, converse
from tests.support.shown import (
    CLOSE,
    CLOSE_ALL,
    EACH,
    GONE,
    GREW,
    SENT,
    Books,
    answers,
    stock,
    wires,
)
from tests.support.trading_desk import FRIDAY_NOON, TradingDesk


def on_a_terminal(desk: TradingDesk, command: Sequence[str], *replies: Reply) -> tuple[Ended, int]:
    """A command on a terminal: how it ended, and how many questions it asked."""
    ended, questions = converse(command, environment(desk.settings.home, desk.recorder.url), *replies)
    assert "Traceback" not in ended.err
    return ended, questions


@EACH
def test_a_person_is_shown_what_has_changed_and_asked_again(desk: TradingDesk, command: tuple[str, ...]) -> None:
    method, path, word = SENT[command]
    answers(desk, command)
    ended, questions = on_a_terminal(
        desk, command, Reply(f"{word}\n", partial(GREW[command].put, desk.broker)), Reply(f"{word}\n")
    )
    assert (ended.code, questions) == (0, 2), ended.err
    assert wires(desk) == [(method, path)]
    first, changed, second = ended.err.partition("Nothing was sent, for this has changed since it was shown: ")
    assert changed
    assert first.count("Would be") == second.count("Would be") == 1
    assert sorted(desk.states()) == [["PREPARED", "RESOLVED"], ["PREPARED", "SENT", "ANSWERED"]]


def test_a_person_who_does_not_want_it_any_more_sends_nothing(desk: TradingDesk) -> None:
    ended, questions = on_a_terminal(desk, CLOSE, Reply("AAPL\n", partial(GREW[CLOSE].put, desk.broker)), Reply("no\n"))
    assert (ended.code, questions) == (2, 2)
    assert "Nothing was sent." in ended.err
    assert wires(desk) == []


def test_a_book_that_changes_under_every_answer_is_asked_about_three_times_and_no_more(desk: TradingDesk) -> None:
    grown = [Reply("AAPL\n", partial(Books([stock(quantity=str(each))]).put, desk.broker)) for each in (101, 102, 103)]
    ended, questions = on_a_terminal(desk, CLOSE, *grown, Reply("AAPL\n"))
    assert (ended.code, questions) == (2, 3)
    assert "quantity is 103 (was 102)" in ended.err.splitlines()[-1]
    assert wires(desk) == []


@pytest.mark.parametrize(("command", "books"), [(CLOSE, GONE["it vanished"]), (CLOSE_ALL, GONE["the account is flat"])])
def test_what_is_gone_when_the_answer_comes_is_told_and_nothing_is_sent(
    desk: TradingDesk, command: tuple[str, ...], books: Books
) -> None:
    ended, questions = on_a_terminal(desk, command, Reply(f"{SENT[command][2]}\n", partial(books.put, desk.broker)))
    assert (ended.code, questions) == (2, 1), ended.err
    assert wires(desk) == []


def test_an_answer_that_was_typed_before_the_question_is_none(desk: TradingDesk) -> None:
    ended, questions = on_a_terminal(
        desk, CLOSE, Reply("AAPL\nAAPL\n", partial(GREW[CLOSE].put, desk.broker)), Reply("no\n")
    )
    assert (ended.code, questions) == (2, 2)
    assert wires(desk) == []


def test_an_answer_after_lunch_is_compared_with_the_book_and_the_clock_of_after_lunch(desk: TradingDesk) -> None:
    def lunch(broker: BrokerServer) -> None:
        broker.now = FRIDAY_NOON + timedelta(hours=1)

    answers(desk, CLOSE)
    ended, _ = on_a_terminal(desk, CLOSE, Reply("AAPL\n", partial(lunch, desk.broker)))
    assert ended.code == 0
    journal = Journal(desk.settings)
    (run,) = journal.run_ids()
    assert journal.read(run).began_at >= FRIDAY_NOON + timedelta(hours=1)
    assert run.startswith("20251031T16")  # it was shown at noon
