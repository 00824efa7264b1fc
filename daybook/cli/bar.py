"""Progress on a terminal: what is going on, how much of it is done, and for how long it has."""

from __future__ import annotations

import re

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

#: What a reading says of itself (pipelines/ingest/reading.py): how many accounts there are, and each as it is done.
_EXPECTED = re.compile(r"(?P<accounts>\d+) accounts to read")
_READ = re.compile(r"account .+: (?P<rows>\d+) positions on (?P<pages>\d+) pages")


def bar(screen: Console) -> Progress:
    """A line that is gone when its work is done; it moves to and fro until somebody says how much there is to do."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=screen, transient=True)


class Work:
    """One piece of work on a bar: the sentence of the moment, and accounts, pages and rows so far."""

    def __init__(self, on: Progress, what: str) -> None:
        self._bar, self._task = on, on.add_task(escape(what), total=None, counts="")
        self._accounts = self._done = self._pages = self._rows = 0

    def tell(self, text: str) -> None:
        """Show what is going on; where it says that something was read, the bar goes on."""
        if expected := _EXPECTED.fullmatch(text):
            self._accounts, self._done, self._pages, self._rows = int(expected["accounts"]), 0, 0, 0
            self._bar.update(self._task, total=self._accounts, completed=0)
        elif read := _READ.match(text):
            self._done, self._pages, self._rows = (
                self._done + 1,
                self._pages + int(read["pages"]),
                self._rows + int(read["rows"]),
            )
            self._bar.update(self._task, completed=self._done, counts=self._counts())
        self._bar.update(self._task, description=escape(text))

    def _counts(self) -> str:
        return f"{self._done:,} of {self._accounts:,} accounts, {self._pages:,} pages, {self._rows:,} positions"
