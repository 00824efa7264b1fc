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
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.telling import Tell

#: Without a terminal, progress is plain lines, at most one in so many seconds.
QUIET = 2.0


def say(text: str = "", style: str = "") -> None:
    """One line of the result, never wrapped where it goes to a file."""
    _out().print(Text(text, style), soft_wrap=True)


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
    """One JSON document."""
    print(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)  # an instant is a date too


def notice(text: str) -> None:
    """A line that is not part of the result."""
    _err().print(Text(printable(text)), soft_wrap=True)


def complain(sentence: str) -> None:
    """The one sentence of an error, on one line."""
    line = re.sub(r"\s*\n\s*", " ", sentence.strip())
    _err().print(Text(f"daybook: {printable(line)}", "red"), soft_wrap=True)


class _Notices(logging.Handler):
    """What our own modules log is for whoever types the command, as any other notice."""

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
def progress(what: str) -> Iterator[Tell]:
    """Gives the function to tell of progress with: a bar on a terminal, plain lines now and then otherwise."""
    err = _err()
    if not err.is_terminal:
        yield _Lines().tell
        return
    from dagster_project.cli.bar import Work, bar

    with bar(err) as shown:
        work = Work(shown, what)
        yield lambda text: work.tell(printable(text))


class _Lines:
    """Progress without a terminal: what comes thick and fast is left out, whom we wait for never is."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def tell(self, text: str) -> None:
        if text.startswith("waiting") or time.monotonic() - self._last >= QUIET:
            self._last = time.monotonic()
            notice(text)


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
    """An amount to the cent with its thousands apart, red where it is negative; what is not known says so."""
    if amount is None:
        return Text("unknown", "dim italic")
    return Text(f"{amount:,.2f}", "red" if amount < 0 else "")


def quantity(amount: Decimal | None) -> Text:
    """A quantity with all its digits and no others, red where it is short."""
    if amount is None:
        return Text("unknown", "dim italic")
    whole, _, fraction = f"{amount:,f}".partition(".")
    fraction = fraction.rstrip("0")
    return Text(f"{whole}.{fraction}" if fraction else whole, "red" if amount < 0 else "")


def printable(text: Any) -> str:
    """Text that can't move the cursor or recolour a terminal: what a broker sends is data."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def myself() -> str:
    """How this program was called, for commands that can be copied."""
    called = Path(sys.argv[0])
    if called.name != "daybook":
        return "daybook"
    on_path = shutil.which("daybook")
    return "daybook" if on_path and Path(on_path).samefile(called) else shlex.quote(str(called))


def _out() -> Console:
    return Console(highlight=False, markup=False, emoji=False)


def _err() -> Console:
    return Console(stderr=True, highlight=False, markup=False, emoji=False)
