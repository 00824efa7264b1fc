"""The content of a report: the answers to its questions about one day, before they are formatted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from pipelines.books.as_known import BooksAsKnown
from pipelines.report.days import DayTotals, asker, days_of, linked
from pipelines.report.formatting import NOTHING
from pipelines.report.period import first_date
from pipelines.report.rows import ArrowRows
from pipelines.report.section import Row, Section, money_columns, named
from pipelines.report.sections import OVER_ACCOUNTS, SECTIONS
from pipelines.report.trades import realized_of

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
    def known_pnl(self) -> Decimal:
        """The day's P&L as far as it is known: no total where the day is not whole."""
        return sum((row["day"] for row in self.sections["accounts"].rows if row["day"] is not None), Decimal(0))


def collect_report(books: BooksAsKnown) -> Report:
    """Ask the books every question of the report. Amounts are exact decimals; None is unknown."""
    ask = asker(books, QUESTIONS)
    header = ask("header")[0]
    asked = {"since": header["reported_before"], "first_date": books.day, "first_restated": date.min}
    days = days_of(books)
    answers: Answers = {each.name: ask(each.name, **asked) for each in SECTIONS if each.name not in _MADE}
    answers["trades"] = answers["trades"].with_column(
        "realized_pnl", realized_of(answers["trades"]), "realized_of_position"
    )
    sections = [_with_ages(section, books.day) for section in _sections(header, answers, days)]
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
    rows: dict[str, Sequence[Row]] = {**answers, **{name: make(answers) for name, make in _MADE.items()}}
    rows["events"] = [_of_cash(row) for row in answers["events"]]
    for name in ("underlyings", "types", "concentration"):
        rows[name] = [{**row, "accounts_known": known} for row in rows[name]]
    sections = [each.filled(rows[each.name], total) for each, total in _with_totals(header, answers, days)]
    if not is_whole:
        sections = [_of_some(section, known) for section in sections]
    if not header["is_one_currency"]:
        sections = [_with_columns(section, "currency") for section in sections]
    if any(day.spanned for day in days[-1:]):
        sections = [_with_columns(section, "days_covered") for section in sections]
    return sections


def _with_totals(header: Row, answers: Answers, days: Sequence[DayTotals]) -> list[tuple[Section, Row | None]]:
    """Each section with its sums; without where they would be of several currencies, or of some of the accounts."""
    totals: dict[str, Row | None] = {}
    if header["is_one_currency"]:
        totals = {name: _sums(answers[name], name) for name in ("bridge", "fees")}
        totals["accounts"] = _account_total(answers, days)
        if header["accounts_known"] == header["accounts_expected"]:
            totals |= {name: _sums(answers[name], name) for name in ("dividends", "positions")}
    return [(each, totals.get(each.name)) for each in SECTIONS]


def _of_cash(row: Row) -> Row:
    """An event; one of cash alone has no symbol and no quantity to know."""
    return {**row, "symbol": NOTHING, "quantity": NOTHING} if row["event"] in ("deposit", "withdrawal") else row


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


def _with_ages(section: Section, day: date) -> Section:
    """Positions with the day of each one's last official close, and how many are older, where any is."""
    if section.name != "positions" or not section.rows:
        return section
    table = ArrowRows.of(section.rows).table
    held = table.filter(pc.not_equal(table["quantity"], 0))
    old = held.filter(pc.less(held["price_date"], day))
    if not old.num_rows:
        return section
    oldest = pc.min(old["price_date"])
    some = f"{old.num_rows:,} of {held.num_rows:,} held"
    note = f"The last official close of {some} is of an earlier day, the oldest of {oldest}."
    return replace(_with_columns(section, "price_date"), note=f"{section.note} {note}".strip())


Answers = dict[str, ArrowRows]


def _best(answers: Answers) -> list[dict[str, Any]]:
    return [row for row in answers["positions"][:CONTRIBUTORS] if (row["total_pnl"] or 0) > 0]


def _worst(answers: Answers) -> list[dict[str, Any]]:
    positions = answers["positions"]
    losers = positions.where(pc.less(positions.table["total_pnl"], 0))
    return losers[: -CONTRIBUTORS - 1 : -1]


def _concentration(answers: Answers) -> list[dict[str, Any]]:
    """Underlyings by gross value, with their share of it and of equity."""
    held = sorted((row for row in answers["underlyings"] if row["gross"]), key=lambda row: row["gross"], reverse=True)
    gross = answers["underlyings"].sum("gross")
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


def _sums(rows: ArrowRows, name: str) -> Row | None:
    """The sum of each money column; None for one of which a part is not known."""
    if not rows:
        return None
    section = named(SECTIONS)[name]
    return {column: rows.sum(column) for column in money_columns(section)}


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
