"""How the command line speaks: results on stdout; progress, notices and errors on stderr."""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import IO

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from models.printable import printable as printable  # the commands have it from here
from models.printable import printable_json, printable_lines
from pipelines.errors import with_full_stop
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


def show(table: Table, *, stderr: bool = False) -> None:
    """A table whole, whatever the width: on a terminal too narrow for it each row has a line for each column, and where
    there is no terminal it is as wide as it needs to be."""
    out = screen(stderr=stderr)
    if not out.is_terminal:
        out.width = max(out.width, natural_width(table))
    if narrowest_width(table) <= out.width:
        out.print(table)
        return
    if table.title:
        out.print(table.title)
    columns = [str(column.header) for column in table.columns]
    cells = [list(column.cells) for column in table.columns]
    show_records(out, columns, [[_as_text(cell) for cell in row] for row in zip(*cells, strict=True)])


def show_records(out: Console, columns: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Rows that are too wide for a terminal: a line for each column. A line that is too long goes on in the next."""
    names = [printable(column) for column in columns]
    width = max(map(cell_len, names), default=0)
    for number, row in enumerate(rows, 1):
        out.print(Text(f"row {number}", "bold"))
        for name, cell in zip(names, row, strict=True):
            out.print(Text(f"  {name}{' ' * (width - cell_len(name))}  ") + cell, soft_wrap=True)


def _as_text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


def fits(table: Table) -> bool:
    """Whether a table can be shown with nothing in it wrapped."""
    out = _out()
    return not out.is_terminal or natural_width(table) <= out.width


def natural_width(table: Table) -> int:
    """How many characters wide a table is when nothing in it is wrapped."""
    return Console(width=100_000).measure(table).maximum


def narrowest_width(table: Table) -> int:
    """How many characters wide a table is at least with nothing in it cut: columns that may wrap give way."""
    wide = Console(width=100_000)
    spare = 0
    for column in table.columns:
        if not column.no_wrap:
            cells = [Measurement.get(wide, wide.options, cell) for cell in (column.header, *column.cells)]
            spare += max(cell.maximum for cell in cells) - max(cell.minimum for cell in cells)
    return natural_width(table) - spare


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
    line = with_full_stop(re.sub(r"\s*\n\s*", " ", sentence.strip()))
    _err().print(Text(f"daybook: {printable(line)}", "red"), soft_wrap=True)


def fail(sentence: str, exit_code: int, *, as_json: bool) -> int:
    """The end of a command that failed: its sentence, with `as_json` as a JSON document too; the exit code."""
    if as_json:
        show_json({"error": with_full_stop(sentence), "exit_code": exit_code})
    complain(sentence)
    return exit_code


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
