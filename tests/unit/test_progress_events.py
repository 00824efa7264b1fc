"""Progress as it is shown: a bar that counts what was read, and lines where there is no terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.progress import Progress

from daybook.cli import console
from daybook.cli.bar import Work, bar
from pipelines.progress import (
    AccountRead,
    AccountsExpected,
    Activity,
    ProgressEvent,
    ReportWritten,
    Waiting,
    as_lines,
)

READ: list[ProgressEvent] = [
    AccountsExpected(3),
    AccountRead("100001", 2500, 3, None),
    AccountRead("100002", 7, 1, "page 2 of positions of 100002 was not answered"),
]


@pytest.fixture
def shown() -> Progress:
    """A bar of 200 letters that is drawn into a text."""
    screen = console.screen(file=io.StringIO())
    screen.width = 200
    return bar(screen)


def after(shown: Progress, events: list[ProgressEvent]) -> str:
    """The line that the bar shows after these events."""
    work = Work(shown, "reading")
    for event in events:
        work.show(event)
    with shown.console.capture() as drawn:
        shown.console.print(shown.get_renderable())
    return " ".join(drawn.get().split())


def test_a_bar_has_no_end_until_the_accounts_are_counted(shown: Progress) -> None:
    assert "reading" in after(shown, [])
    assert shown.tasks[0].total is None


def test_a_bar_counts_accounts_pages_and_positions(shown: Progress) -> None:
    line = after(shown, READ)
    assert "2 of 3 accounts, 4 pages, 2,507 positions" in line
    assert "account 100002: 7 positions on 1 pages - NOT WHOLE: page 2 of positions of 100002 was not answered" in line
    assert (shown.tasks[0].completed, shown.tasks[0].total) == (2, 3)


def test_a_bar_begins_anew_with_the_next_list_of_accounts(shown: Progress) -> None:
    line = after(shown, [*READ, AccountsExpected(1), AccountRead("100001", 5, 1, None)])
    assert "1 of 1 accounts, 1 pages, 5 positions" in line


def test_words_that_look_like_counts_move_no_bar(shown: Progress) -> None:
    line = after(shown, [Activity("9 accounts to read"), Activity("account 1: 5 positions on 2 pages")])
    assert "account 1: 5 positions on 2 pages" in line
    assert (shown.tasks[0].completed, shown.tasks[0].total) == (0, None)


def test_a_bar_shows_markup_as_it_is_and_writes_out_what_a_terminal_would_obey(shown: Progress) -> None:
    line = after(shown, [AccountRead("1", 0, 0, "[red]\x1b[2Jno answer")])
    assert "[red]" in line
    assert r"\x1b[2Jno answer" in line
    assert "\x1b" not in line


def test_without_a_terminal_whom_we_wait_for_is_always_said_and_the_rest_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    waiting = Waiting("process 12 (daybook eod)")
    events: list[ProgressEvent] = [*READ, waiting, Activity("publishing"), waiting]
    with console.progress("reading") as show:
        for event in events:
            show(event)
    assert capsys.readouterr().err == 2 * "waiting for process 12 (daybook eod) to finish\n"


def test_without_a_terminal_something_is_said_when_it_was_quiet_for_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with console.progress("reading") as show:
        monkeypatch.setattr(console, "QUIET", 0.0)
        show(READ[0])
        monkeypatch.setattr(console, "QUIET", 60.0)
        show(READ[1])
    assert capsys.readouterr().err == "3 accounts to read\n"


def test_a_log_gets_every_event_as_a_line() -> None:
    lines: list[str] = []
    on_progress = as_lines(lines.append)
    on_progress(READ[1])
    on_progress(Waiting("another process", Path("/books/w.duckdb")))
    on_progress(ReportWritten(Path("/books/r.html")))
    assert lines == [
        "account 100001: 2500 positions on 3 pages",
        "waiting: Another process has /books/w.duckdb open: close it there.",
        "report /books/r.html",
    ]
