"""Progress of whatever takes long, as small events: whoever shows them words them, or takes their text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Activity:
    """What is being done, or has just been done, in a few words for people. No program reads them."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Waiting:
    """Another process has the run lock or, where `file` is given, that file open; `holder` names it, by its pid where
    that is known."""

    holder: str
    file: Path | None = None

    def __str__(self) -> str:
        return f"waiting: {self.reason}" if self.file else f"waiting for {self.holder} to finish"

    @property
    def reason(self) -> str:
        """Who has the file open, and what to do about it, in a sentence."""
        return f"{self.holder[:1].upper()}{self.holder[1:]} has {self.file} open: close it there."


@dataclass(frozen=True)
class AccountsExpected:
    """The list of accounts is read: so many of them are read next."""

    accounts: int

    def __str__(self) -> str:
        return f"{self.accounts} accounts to read"


@dataclass(frozen=True)
class AccountRead:
    """An account is read. `positions` counts rows; `error` says why not all of them are there, None where they are."""

    account_id: str
    positions: int
    pages: int
    error: str | None

    def __str__(self) -> str:
        state = "" if self.error is None else f" - NOT WHOLE: {self.error}"
        return f"account {self.account_id}: {self.positions} positions on {self.pages} pages{state}"


@dataclass(frozen=True)
class ReportWritten:
    """The report of a day is written; `path` is the file to open."""

    path: Path

    def __str__(self) -> str:
        return f"report {self.path}"


@dataclass(frozen=True)
class PerformanceWritten:
    """The performance report of a period is written; `path` is the file to open."""

    path: Path

    def __str__(self) -> str:
        return f"performance report {self.path}"


ProgressEvent = Activity | Waiting | AccountsExpected | AccountRead | ReportWritten | PerformanceWritten
#: Called with each event, by the thread that does the work.
OnProgress = Callable[[ProgressEvent], None]


def ignore_progress(event: ProgressEvent) -> None:
    """For callers who show nothing."""


def as_lines(write: Callable[[str], None]) -> OnProgress:
    """Progress for whoever takes lines of text: a log, or print."""
    return lambda event: write(str(event))
