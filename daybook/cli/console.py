"""How the command line speaks: results on stdout; progress, notices and errors on stderr."""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import IO

from rich import box
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from models.printable import printable as printable  # the commands have it from here
from models.printable import printable_json, printable_lines
from pipelines.progress import OnProgress, ProgressEvent, Waiting

#: Without a terminal, progress is plain lines, at most one in so many seconds.
QUIET = 2.0


def say(text: str = "", style: str = "") -> None:
    """One line of the result, never wrapped where it goes to a file."""
    _out().print(Text(printable_lines(text), style), soft_wrap=True)


def say_item(text: str) -> None:
    """One item of a list: wrapped and indented on a terminal, one line where it goes to a file."""
    out, shown = _out(), Text(printable_lines(text))
    if out.is_terminal:
        lines = shown.wrap(out, max(out.width - 4, 20))
        shown = Text("\n    ").join(lines)
    out.print(Text("  ") + shown, soft_wrap=True)


def show(table: Table) -> None:
    """A table at the width of the terminal, or as wide as it needs to be where there is none."""
    out = _out()
    if not out.is_terminal:
        out.width = max(out.width, natural_width(table))
    out.print(table)


def fits(table: Table) -> bool:
    """Whether a table can be shown with nothing in it wrapped."""
    out = _out()
    return not out.is_terminal or natural_width(table) <= out.width


def natural_width(table: Table) -> int:
    """How many characters wide a table is when nothing in it is wrapped."""
    return Console(width=100_000).measure(table).maximum


def show_json(value: object) -> None:
    """Print a value as one JSON document; control characters in its texts are escaped as JSON escapes them."""
    print(printable_json(json.dumps(value, indent=2, default=_plain, ensure_ascii=False)))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)  # an instant is a date too


def notice(text: str) -> None:
    """A line that is not part of the result."""
    _err().print(Text(printable(text)), soft_wrap=True)


def show_event(event: ProgressEvent) -> None:
    """Progress as a line of its own, however much there is of it."""
    notice(str(event))


def complain(sentence: str) -> None:
    """The one sentence of an error, on one line."""
    line = re.sub(r"\s*\n\s*", " ", sentence.strip())
    _err().print(Text(f"daybook: {printable(line)}", "red"), soft_wrap=True)


class _Notices(logging.Handler):
    """A handler that shows what our own modules log as notices on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        notice(record.getMessage())


@contextmanager
def log_shown() -> Iterator[None]:
    """Shows what daybook logs, warnings and worse, while a command runs."""
    ours, handler = logging.getLogger("daybook"), _Notices(logging.WARNING)
    ours.addHandler(handler)
    try:
        yield
    finally:
        ours.removeHandler(handler)


@contextmanager
def progress(what: str) -> Iterator[OnProgress]:
    """Gives the function that shows progress: on a bar on a terminal, in plain lines now and then otherwise."""
    err = _err()
    if not err.is_terminal:
        yield _ProgressLines().show
        return
    from daybook.cli.bar import Work, bar

    with bar(err) as shown:
        yield Work(shown, what).show


class _ProgressLines:
    """Progress without a terminal: at most one line in QUIET seconds, but every `Waiting`."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def show(self, event: ProgressEvent) -> None:
        if isinstance(event, Waiting) or time.monotonic() - self._last >= QUIET:
            self._last = time.monotonic()
            show_event(event)


def table(title: str, *columns: str, numbers: tuple[str, ...] = (), wrap: str = "") -> Table:
    """An empty table; the columns named in `numbers` are right-aligned, and only the one named in `wrap` may wrap."""
    made = Table(
        title=Text(title, "bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for column in columns:
        made.add_column(
            Text(printable(column)),
            justify="right" if column in numbers else "left",
            no_wrap=column != wrap,
        )
    return made


def money(amount: Decimal | None) -> Text:
    """An amount to the cent with thousands separators, red where it is negative; "unknown" for None."""
    if amount is None:
        return Text("unknown", "dim italic")
    return Text(f"{amount:,.2f}", "red" if amount < 0 else "")


def quantity(amount: Decimal | None) -> Text:
    """A quantity with all its digits, without trailing zeros, red where it is negative (short)."""
    if amount is None:
        return Text("unknown", "dim italic")
    whole, _, fraction = f"{amount:,f}".partition(".")
    fraction = fraction.rstrip("0")
    return Text(f"{whole}.{fraction}" if fraction else whole, "red" if amount < 0 else "")


def program_name() -> str:
    """The command that started this program, as it can be typed again."""
    called = Path(sys.argv[0])
    if called.name != "daybook":
        return "daybook"
    on_path = shutil.which("daybook")
    return "daybook" if on_path and Path(on_path).samefile(called) else shlex.quote(str(called))


def screen(*, stderr: bool = False, file: IO[str] | None = None) -> Console:
    """Where things are shown. Whoever shows text of somebody else's makes it `printable`, so that it also has the width
    that it takes; what nobody has thought of is written out here, on its way to the terminal."""
    made = Console(stderr=stderr, file=file, highlight=False, markup=False, emoji=False)
    made.push_render_hook(_WrittenOut())
    return made


class _WrittenOut(RenderHook):
    """A rich hook that escapes control characters in text, but not rich's own control codes."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Printable(each) for each in renderables]


@dataclass(frozen=True)
class _Printable:
    """A renderable whose text is made printable."""

    shown: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self.shown, options):
            yield segment if segment.control else Segment(printable_lines(segment.text), segment.style)


def _out() -> Console:
    return screen()


def _err() -> Console:
    return screen(stderr=True)
