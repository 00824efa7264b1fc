"""The days of a report: what each session made over the accounts, as pnl.performance measures it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.books.as_known import BooksAsKnown
from pipelines.books.catalog import select_of
from pipelines.report.formatting import format_value
from pipelines.warehouse.tables import rows_of

_SERIES = Path(__file__).parent / "sql"
_PERCENT = Decimal("0.00000001")

Ask = Callable[..., list[dict[str, Any]]]


@dataclass(frozen=True)
class DayTotals:
    """One session over the accounts. `pnl` is what is known of it before fees; `holes` says of how many accounts it is
    not known, `accounts` of how many it is, and `by_broker` of how many of those the broker's history alone tells.
    Of `spanned` accounts it is the P&L of up to `sessions_covered` sessions, for those before it were missed.
    `net` is after fees and with income, and `daily_return` is of that. What is not known of every account is None."""

    date: date
    pnl: Decimal | None
    holes: int
    gross: Decimal | None = None
    net_exposure: Decimal | None = None
    daily_return: Decimal | None = None
    #: It has no return and needs none: nothing was in the accounts before it.
    is_opening: bool = False
    accounts: int = 0
    by_broker: int = 0
    spanned: int = 0
    sessions_covered: int = 1
    realized: Decimal | None = None
    unrealized: Decimal | None = None
    fees: Decimal | None = None
    net: Decimal | None = None
    flow: Decimal | None = None
    sod_equity: Decimal | None = None
    equity: Decimal | None = None
    bought: Decimal | None = None
    sold: Decimal | None = None

    @property
    def whole_pnl(self) -> Decimal | None:
        """The P&L of all accounts before fees; None where that of one is not known."""
        return None if self.holes else self.pnl

    @property
    def caveat(self) -> str:
        """What its P&L leaves out or has beside the session, in words; empty where it is that of the session."""
        if self.holes:
            known = "nothing known" if self.pnl is None else f"{format_value(self.pnl, 'money')} known"
            return f"{known}, of {self.accounts} of {self.accounts + self.holes} accounts"
        if self.spanned:
            return f"covers {self.sessions_covered} sessions of {self.spanned} account{'s' if self.spanned > 1 else ''}"
        return ""

    @property
    def growth(self) -> Decimal | None:
        """One plus the day's return; None where it is not known."""
        if self.daily_return is None:
            return Decimal(1) if self.is_opening else None
        return 1 + self.daily_return


def asker(books: BooksAsKnown, folder: Path, **always: Any) -> Ask:
    """What answers the questions of a folder, each a file, about the day of the books."""

    def ask(name: str, **values: Any) -> list[dict[str, Any]]:
        return rows_of(books.con, select_of(folder / f"{name}.sql"), {"day": books.day, **always, **values})

    return ask


def days_of(books: BooksAsKnown) -> list[DayTotals]:
    """Every session of the accounts, from the first that anybody knows to the day of the books."""
    books.make("pnl.performance_day")
    return [DayTotals(**row) for row in asker(books, _SERIES)("series")]


def linked(days: Sequence[DayTotals]) -> Decimal | None:
    """The returns of days, linked, in per cent; None where one is not known."""
    index = Decimal(1)
    for day in days:
        if day.growth is None:
            return None
        index *= day.growth
    return ((index - 1) * 100).quantize(_PERCENT)


def who_knew(days: Sequence[DayTotals]) -> str:
    """How many of the days are known, and how many of those the broker alone tells of."""
    known = [day for day in days if day.accounts]
    told = [day for day in known if day.by_broker]
    if not known:
        return "no session known"
    said = f"{len(known):,} session{'s' if len(known) > 1 else ''}"
    if not told:
        return said
    in_part = any(day.by_broker < day.accounts for day in told)
    return f"{said}, {len(told):,} of them {'wholly or partly ' if in_part else ''}by the broker"
