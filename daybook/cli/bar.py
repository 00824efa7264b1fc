"""A progress bar on a terminal: what is being done, how much of it is done, and the time it has taken."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from models.printable import printable
from pipelines.progress import AccountRead, AccountsExpected, ProgressEvent


def bar(screen: Console) -> Progress:
    """A progress bar that is removed at its end. It pulses until its total is known.

    Where the terminal is narrow, what is being done is cut, and the counts are not.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=screen, transient=True, expand=True)


class Work:
    """One piece of work on a bar: what is being done now, and how many accounts, pages and positions are read."""

    def __init__(self, on: Progress, what: str) -> None:
        self._bar, self._task = on, on.add_task(escape(what), total=None, counts="")
        self._accounts = self._done = self._pages = self._positions = 0

    def show(self, event: ProgressEvent) -> None:
        """Show what is being done; where an account was read, the bar goes on."""
        if isinstance(event, AccountsExpected):
            self._accounts, self._done, self._pages, self._positions = event.accounts, 0, 0, 0
            self._bar.update(self._task, total=self._accounts, completed=0)
        elif isinstance(event, AccountRead):
            self._done += 1
            self._pages += event.pages
            self._positions += event.positions
            self._bar.update(self._task, completed=self._done, counts=self._counts())
        self._bar.update(self._task, description=escape(printable(str(event))))

    def _counts(self) -> str:
        return f"{self._done:,} of {self._accounts:,} accounts, {self._pages:,} pages, {self._positions:,} positions"
