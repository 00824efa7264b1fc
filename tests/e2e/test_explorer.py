"""The explorer in a real browser: the books' own figures, a day opened, two instants compared, nothing fetched."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from daybook.explore.questions import NOW, Scope, parse_typed_instant
from daybook.explore.questions import PublishedBooks as Questions
from daybook.explore.words import format_rows, numbers
from pipelines.errors import ConfigurationError
from pipelines.report.charts import cumulative_label
from pipelines.report.days import DayTotals
from tests.support.browser import Tab, needs_chromium, page
from tests.support.command_line import DAYBOOK, daybook, environment
from tests.support.example_books import AAPL, ACCOUNTS, LAST, LATE_MARK, LONG_SHORT, MISSED, Books

#: Marimo's parts keep their text in shadow roots: everything that can be read on the page.
_TEXT = """
    (function read(node) {
        const own = node.nodeType === 3 ? node.data : node.value && node.tagName === 'INPUT' ? node.value : '';
        const children = [...(node.shadowRoot ? node.shadowRoot.childNodes : []), ...node.childNodes];
        return [own, ...children.filter(c => c.tagName !== 'STYLE' && c.tagName !== 'SCRIPT').map(read)].join(' ');
    })(document.body).replace(/\\s+/g, ' ')
"""
_FIND = """
    function find(selector, node = document.body) {
        const inside = [...(node.shadowRoot ? node.shadowRoot.childNodes : []), ...node.childNodes];
        const own = node.matches && node.matches(selector) ? [node] : [];
        return own.concat(...inside.filter(c => c.nodeType === 1).map(c => find(selector, c)));
    }
"""


@contextmanager
def explorer(home: Path, log: Path) -> Iterator[str]:
    """`daybook explore` on a free port; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        command: list[str | Path] = [DAYBOOK, "explore", "--headless", "--port", str(port)]
        process = subprocess.Popen(command, env=environment(home), stdout=output, stderr=output, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(r"http://\S+", log.read_text())):
            assert time.monotonic() < deadline, log.read_text()
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
        yield found.group()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def wait_for(tab: Tab, words: str) -> str:
    """The text of the page, once it has these words."""
    deadline = time.monotonic() + 60
    while words not in (text := str(tab.run(_TEXT))):
        assert time.monotonic() < deadline, f"{words!r} is not in {text}"
        time.sleep(0.3)
    return text


def type_into(tab: Tab, placeholder: str, words: str, number: int = -1) -> None:
    tab.run(f"{_FIND} find('input[placeholder=\"{placeholder}\"]').at({number}).focus()")
    tab.ask("Input.insertText", text=words)
    for kind in ("keyDown", "keyUp"):
        tab.ask("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    tab.run("document.activeElement.blur()")


@needs_chromium
@pytest.mark.heavy
def test_a_day_is_found_opened_and_compared(books: Books, tmp_path: Path) -> None:
    with explorer(books.published.parent, tmp_path / "log") as url, page() as tab:
        tab.look(1280, 1600)
        tab.open(url)
        text = wait_for(tab, "rows, ")
        assert f"{books.made(LONG_SHORT, LAST):,.2f}" in text
        assert "days are not complete" in text
        tab.run(f"{_FIND} find('[role=checkbox]')[0].click()")
        (name,) = [name for name, account in Questions(books.published).names().items() if account == LONG_SHORT]
        assert name != LONG_SHORT  # the broker has a name for it
        wait_for(tab, f"{name} on {LAST}")
        text = wait_for(tab, "kind of price")
        assert not re.search(r"[a-z]_[a-z]", text), "a name of the books"
        assert f"{books.truth.day(LONG_SHORT, LAST).positions[AAPL].value:,.2f}" in text
        type_into(tab, "2005-03-04 22:00", "2005-03-04 16:30")
        type_into(tab, "2005-03-05 09:00", "2005-03-05 09:00")
        text = wait_for(tab, "price correction")
        assert "P&L by account and day, as known now" in text
        type_into(tab, "2005-03-04 22:00", "2005-03-04 16:30", number=0)
        wait_for(tab, "P&L by account and day, as known at 2005-03-04 21:30 UTC")
        tips = tab.run(f"{_FIND} find('svg rect title').map((each) => each.textContent)")
        assert any(re.fullmatch(r"2005-03-04: -?[\d,.]+.*, cumulative -?[\d,.]+", each) for each in tips)
        tab.look(390, 900)
        assert tab.run("document.documentElement.scrollWidth <= innerWidth")
        tab.look(1280, 1600)
        tab.keep("explorer")
        elsewhere = {urlsplit(asked).hostname for asked in tab.requests if asked.startswith("http")}
        assert elsewhere <= {"localhost", "127.0.0.1"}
        assert not [each for each in tab.trouble if each["method"] == "Runtime.exceptionThrown"]


@needs_chromium
def test_without_the_token_nothing_is_shown(books: Books, tmp_path: Path) -> None:
    with explorer(books.published.parent, tmp_path / "log") as url, page() as tab:
        tab.open(url.partition("?")[0])
        time.sleep(2)
        assert "P&L by account" not in str(tab.run(_TEXT))


def test_an_explorer_of_nothing_says_how_to_get_something(tmp_path: Path) -> None:
    ended = daybook("explore", "--headless", home=tmp_path)
    assert ended.code == 1
    assert "Nothing has been published" in ended.sentence


def test_an_explorer_on_a_port_in_use_is_not_started(books: Books) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = daybook("explore", "--headless", "--port", port, home=books.published.parent)
    assert ended.code == 2
    assert f"Port {port} can't be used" in ended.sentence


def test_the_questions_have_the_books_own_answers(books: Books) -> None:
    ask = Questions(books.published)
    ids, first, last = ask.extent()
    assert (ids, first, last) == (sorted(ACCOUNTS), books.days[0], LAST)
    scope = Scope(ids, first, last)
    daily = {(row["account_id"], row["trading_date"]): row["total_pnl"] for row in ask.daily(scope)}
    assert daily == {(account, day): books.made(account, day) for account in ACCOUNTS for day in books.known(account)}
    made = sum(row["total_pnl"] for row in ask.positions(LONG_SHORT, LAST))
    assert made == books.made(LONG_SHORT, LAST)
    assert [row["grade"] for row in ask.snapshots(LONG_SHORT, LATE_MARK)] == ["POST_CLOSE", "LATE"]
    assert [row["version"] for row in ask.versions(LONG_SHORT, LATE_MARK)] == [1, 2]
    assert MISSED in {row["trading_date"] for row in ask.days(scope) if row["status"] == "INCOMPLETE"}


def test_an_accounts_performance_and_history_reach_back_to_its_opening(books: Books) -> None:
    ask, scope = Questions(books.published), Scope([LONG_SHORT], books.days[0], LAST)
    opened = books.broker.book(LONG_SHORT).past[0].date
    done = {(row["account"], row["window"]): row for row in ask.performance(scope)}
    assert {account for account, _ in done} == {LONG_SHORT, "all in USD"}
    assert (done[LONG_SHORT, "ITD"]["from_date"], done[LONG_SHORT, "ITD"]["holes"]) == (opened, 0)
    sessions = ask.history(scope)
    assert (sessions[0]["trading_date"], sessions[-1]["trading_date"]) == (LAST, opened)
    assert len({row["trading_date"] for row in sessions}) == len(sessions) == done[LONG_SHORT, "ITD"]["sessions"] + 1


def test_two_instants_are_compared_whichever_they_are(books: Books) -> None:
    ask = Questions(books.published)
    scope = Scope([LONG_SHORT], books.days[0], LAST)
    evening, night = datetime(2005, 3, 4, 22, tzinfo=UTC), datetime(2005, 3, 5, 9, tzinfo=UTC)
    (row,) = ask.compared(scope, evening, night)
    assert (row["trading_date"], row["reason"]) == (LATE_MARK, "PRICE_CORRECTION")
    assert row["change"] == row["total_later"] - row["total_then"] != 0
    new = [row for row in ask.compared(scope, evening, NOW) if row["reason"] == "NEW"]
    assert {row["trading_date"] for row in new} == {day for day in books.days if day > LATE_MARK}
    assert ask.compared(scope, evening, evening) == []


def test_the_chart_marks_days_that_somebody_is_missing_from(books: Books) -> None:
    ask = Questions(books.published)
    whole = ask.chart(Scope([LONG_SHORT], date_after(MISSED, books), LAST))
    holes = ask.chart(Scope([LONG_SHORT], books.days[0], LAST))
    assert "f-doubt" in holes
    assert 'class="f-doubt" d=""' not in whole
    assert ask.chart(Scope([LONG_SHORT], LAST, books.days[0])) == ""


def date_after(day: date, books: Books) -> date:
    return books.days[books.days.index(day) + 1]


def test_instants_are_read_as_new_york_time_unless_they_say_otherwise() -> None:
    assert parse_typed_instant("2005-03-04 22:00") == datetime(2005, 3, 5, 3, tzinfo=UTC)
    assert parse_typed_instant("2005-03-04T22:00Z") == datetime(2005, 3, 4, 22, tzinfo=UTC)
    assert parse_typed_instant("  ") is None
    with pytest.raises(ConfigurationError, match="'soon' is not an instant"):
        parse_typed_instant("soon")


def test_what_is_shown_of_null_is_nothing_and_of_a_short_its_sign() -> None:
    rows = [
        {
            "total_pnl": None, "quantity": Decimal("-300.00000000"), "day_pnl": Decimal("-1234.5600000000"),
            "status": "INTRADAY_ROUND_TRIP", "flags": "PRICE_STALE SPLIT", "complete": False,
        }
    ]  # fmt: skip
    assert format_rows(rows) == [
        {
            "P&L before fees": "", "quantity": "-300", "traded": "-1,234.56", "status": "opened and closed",
            "flags": "price stale, split", "whole": "no",
        }
    ]  # fmt: skip
    assert numbers(rows) == ["quantity", "traded"]


def test_every_column_of_the_page_has_words_and_no_two_of_a_table_the_same(books: Books) -> None:
    ask = Questions(books.published)
    ids, first, last = ask.extent()
    scope = Scope(ids, first, last)
    evening = datetime(2005, 3, 4, 22, tzinfo=UTC)
    for rows in (
        *(ask.daily(scope), ask.positions(LONG_SHORT, LAST), ask.snapshots(LONG_SHORT, LATE_MARK)),
        *(ask.versions(LONG_SHORT, LATE_MARK), ask.compared(scope, evening), ask.performance(scope)),
        *(ask.history(scope), ask.days(scope)),
    ):
        (shown,) = format_rows(rows[:1])
        assert len(shown) == len(rows[0])
        assert not [name for name in shown if "_" in name]
    assert {row["price_date"] for row in ask.positions(LONG_SHORT, LAST)} == {LAST}


def test_the_curve_says_where_it_is_of_what_is_known_alone() -> None:
    whole, lost = (DayTotals(LAST, made, holes) for made, holes in ((Decimal(5), 0), (None, 1)))
    assert cumulative_label([whole], Decimal(5)) == "cumulative"
    assert cumulative_label([lost, whole], None) == "cumulative, of what is known"
    assert cumulative_label([whole, lost], None) == "cumulative"  # the next day may cover it
    assert cumulative_label([], None) == "cumulative"
