"""The content of a report: the answers to its questions about one day, before they are formatted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.books.as_known import BooksAsKnown
from pipelines.report.days import DayTotals, asker, days_of, linked
from pipelines.report.formatting import NOTHING
from pipelines.report.period import first_date
from pipelines.report.section import Row, Section, money_columns, named
from pipelines.report.sections import OVER_ACCOUNTS, SECTIONS
from pipelines.report.trades import with_realized

#: The questions of the report, a file a section.
QUESTIONS = Path(__file__).parent / "sql"
CONTRIBUTORS = 10
_PERCENT = Decimal("0.00000001")


@dataclass(frozen=True)
class Report:
    """A day's report. `status` is COMPLETE, INCOMPLETE or BROKEN; `accounts` names those asked for, where not all, and
    `currency` the one that they are all in; of `recovered` accounts nobody read the end of the day."""

    day: date
    known_at: datetime
    status: str
    finality: str | None
    expected: int
    complete: int
    known: int
    recovered: int
    accounts: tuple[str, ...]
    currency: str | None
    sections: dict[str, Section]
    days: Sequence[DayTotals]

    @property
    def is_whole(self) -> bool:
        """Whether the day's figures may be added up."""
        return self.known == self.expected

    @property
    def totals(self) -> Row:
        """The figures over all accounts; a sum of which a part is not known is not known."""
        return self.sections["accounts"].total or {}

    @property
    def accounts_known(self) -> str:
        """Of how many accounts the end of the day is known, in words."""
        return f"{self.known} of {self.expected} accounts"

    @property
    def cumulative_label(self) -> str:
        """What a curve of P&L from the beginning is: of what is known, where a session never will be."""
        is_lost = not self.days[-1].holes and self.totals.get("itd") is None
        return "cumulative, of what is known" if is_lost else "cumulative"

    @property
    def known_pnl(self) -> Decimal:
        """The day's P&L as far as it is known: no total where the day is not whole."""
        return sum((row["day"] for row in self.sections["accounts"].rows if row["day"] is not None), Decimal(0))


def collect_report(books: BooksAsKnown) -> Report:
    """Ask the books every question of the report. Amounts are exact decimals; None is unknown."""
    ask = asker(books, QUESTIONS)
    header = ask("header")[0]
    asked = {"since": header["reported_before"], "first_date": books.day, "first_restated": date.min}
    days = days_of(books)
    answers = {section.name: ask(section.name, **asked) for section in SECTIONS if section.name not in _MADE}
    for name, make in _MADE.items():
        answers[name] = make(answers)
    answers["trades"] = with_realized(answers["trades"])
    answers["events"] = [_of_cash(row) for row in answers["events"]]
    sections = _sections(header, answers, days)
    return Report(
        day=books.day,
        known_at=books.known_at,
        status=header["status"],
        finality=header["finality"],
        expected=header["accounts_expected"],
        complete=header["accounts_complete"],
        known=header["accounts_known"],
        recovered=header["accounts_recovered"],
        accounts=books.accounts,
        currency=header["currency"],
        sections=named(sections),
        days=days,
    )


def _sections(header: Row, answers: Answers, days: Sequence[DayTotals]) -> list[Section]:
    """The sections with their answers, their sums where they are of every account, and what is said of a part."""
    is_whole = header["accounts_known"] == header["accounts_expected"]
    known = f"{header['accounts_known']} of {header['accounts_expected']}"
    for name in ("underlyings", "types", "concentration"):
        answers[name] = [{**row, "accounts_known": known} for row in answers[name]]
    totals: dict[str, Row | None] = {}
    if header["is_one_currency"]:
        totals = {name: _sums(answers[name], name) for name in ("bridge", "fees")}
        totals["dividends"] = _sums(answers["dividends"], "dividends") if is_whole else None
        totals["accounts"] = _account_total(answers, days)
    sections = [each.filled(answers[each.name], totals.get(each.name)) for each in SECTIONS]
    if not is_whole:
        sections = [_of_some(section, known) for section in sections]
    if not header["is_one_currency"]:
        sections = [_with_columns(section, "currency") for section in sections]
    if any(day.spanned for day in days[-1:]):
        sections = [_with_columns(section, "days_covered") for section in sections]
    return sections


def _of_cash(row: dict[str, Any]) -> dict[str, Any]:
    """An event; one of cash alone has no symbol and no quantity to know."""
    return row | {"symbol": NOTHING, "quantity": NOTHING} if row["event"] in ("deposit", "withdrawal") else row


def _of_some(section: Section, known: str) -> Section:
    """The section with a note that it is not of every account."""
    if section.name not in OVER_ACCOUNTS:
        return section
    note = f"Of {known} accounts: the end of day of the others is not known. {section.note}"
    return replace(section, note=note.strip())


def _with_columns(section: Section, name: str) -> Section:
    """The section with a column on the page that is else in the extracts alone."""
    shown = tuple(replace(each, on_page=True) if each.name == name else each for each in section.columns)
    return replace(section, columns=shown)


Answers = dict[str, list[dict[str, Any]]]


def _best(answers: Answers) -> list[dict[str, Any]]:
    return [row for row in answers["positions"][:CONTRIBUTORS] if (row["total_pnl"] or 0) > 0]


def _worst(answers: Answers) -> list[dict[str, Any]]:
    losers = [row for row in answers["positions"] if row["total_pnl"] is not None and row["total_pnl"] < 0]
    return losers[: -CONTRIBUTORS - 1 : -1]


def _concentration(answers: Answers) -> list[dict[str, Any]]:
    """Underlyings by gross value, with their share of it and of equity."""
    held = sorted((row for row in answers["underlyings"] if row["gross"]), key=lambda row: row["gross"], reverse=True)
    gross = _sum([row["gross"] for row in answers["underlyings"]])
    equities = [row["equity"] for row in answers["accounts"]]
    equity = None if None in equities else sum(equities, Decimal(0))
    running, rows = Decimal(0), []
    for row in held:
        running += row["gross"]
        shares = {"gross_share": _share(row["gross"], gross), "running_share": _share(running, gross)}
        rows.append({**row, **shares, "equity_share": _share(row["gross"], equity)})
    return rows


#: Sections that are made of the answers to others.
_MADE: dict[str, Callable[[Answers], list[dict[str, Any]]]] = {
    "best": _best,
    "worst": _worst,
    "concentration": _concentration,
}


def _share(part: Decimal, whole: Decimal | None) -> Decimal | None:
    return (100 * part / whole).quantize(_PERCENT) if whole else None


def _sums(rows: Sequence[Row], name: str) -> Row | None:
    """The sum of each money column; None for one of which a part is not known."""
    if not rows:
        return None
    section = named(SECTIONS)[name]
    return {column: _sum([row[column] for row in rows]) for column in money_columns(section)}


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _account_total(answers: Answers, days: Sequence[DayTotals]) -> Row | None:
    """Sums of money; returns linked over the days of all accounts, where each of them is known."""
    total = _sums(answers["accounts"], "accounts")
    if total is None:
        return None
    last = days[-1].date
    month = [day for day in days if day.date >= first_date("month", last)]
    year = [day for day in days if day.date >= first_date("year", last)]
    return {
        **total,
        "day_return": linked(days[-1:]),
        "mtd_return": linked(month),
        "ytd_return": linked(year),
        "gross_pct": _share(total["gross"], total["equity"]) if total["gross"] is not None else None,
        "net_pct": _share(total["net"], total["equity"]) if total["net"] is not None else None,
    }
