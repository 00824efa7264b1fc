"""The content of a performance report: the answers to its questions about a period, before they are formatted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.books.as_known import BooksAsKnown
from pipelines.errors import ConfigurationError
from pipelines.report.content import QUESTIONS as EVENING_QUESTIONS
from pipelines.report.days import Ask, DayTotals, asker, days_of, linked
from pipelines.report.performance import figures
from pipelines.report.performance.benchmark import Closes, Comparison, compare
from pipelines.report.performance.sections import NAMED
from pipelines.report.period import WINDOWS, Period, first_date
from pipelines.report.section import Row, Section, money_columns

QUESTIONS = Path(__file__).parent / "sql"
#: Sections that sum what was held, of the accounts that are known.
_OF_POSITIONS = ("underlyings", "symbols", "dividends")
#: Over how many sessions volatility and Sharpe ratio roll: about a month in a short period, a quarter in a long one.
ROLLING: Mapping[Period, int] = {"month": 21, "quarter": 21, "year": 63, "all": 63}


@dataclass(frozen=True)
class PerformanceReport:
    """The performance of accounts over the part of a period that ends on `day`.

    `statistics` is the row of pnl.performance of all accounts: None where they are in several currencies. `days` are
    the sessions of the period, `history` all of them; `rolled` has volatility and Sharpe ratio to each of `days`.
    """

    period: Period
    day: date
    known_at: datetime
    accounts: tuple[str, ...]
    currencies: tuple[str, ...]
    statistics: Row | None
    history: Sequence[DayTotals]
    days: Sequence[DayTotals]
    rolled: Sequence[tuple[float | None, float | None]]
    risk_free: Decimal
    benchmarks: Sequence[Comparison]
    benchmark_problem: str
    sections: dict[str, Section]

    @property
    def since(self) -> date:
        """The first session of the period that is known."""
        return self.days[0].date

    @property
    def is_whole(self) -> bool:
        """Whether P&L and return of every session are known of every account."""
        return len(self.currencies) == 1 and not self.days_unknown and not self.returns_unknown

    @property
    def days_unknown(self) -> list[date]:
        """The sessions whose P&L is not known of every account."""
        return [day.date for day in self.days if day.holes]

    @property
    def returns_unknown(self) -> list[date]:
        """The sessions whose return is not known."""
        return [day.date for day in self.days if day.growth is None]

    @property
    def known_pnl(self) -> Decimal:
        """The P&L of the period as far as it is known."""
        return sum((day.pnl for day in self.days if day.pnl is not None), Decimal(0))


def collect_performance(
    books: BooksAsKnown, period: Period, day: date, benchmarks: Mapping[str, Closes], benchmark_problem: str = ""
) -> PerformanceReport:
    """Ask the books every question about the period that ends on `day`.

    Raises ConfigurationError where nobody knows a session of it.
    """
    history = [each for each in days_of(books) if each.date <= day]
    first = first_date(period, day)
    days = [each for each in history if each.date >= first]
    if not days:
        raise ConfigurationError(_nothing_known(books, day))
    ask = asker(books, QUESTIONS, day=day, first_date=first)
    accounts, together = _performance(ask, WINDOWS[period])
    currencies = tuple(sorted({str(row["currency"]) for row in together}))
    risk_free = ask("risk_free")[0]["yearly_rate"] or Decimal(0)
    statistics = together[0] if len(together) == 1 else None
    if statistics is not None:
        statistics |= {key: figures.totals_of(days)[key] for key in ("sessions", "by_broker")}
    before = _session_before(books, days[0])
    rolled = figures.rolling(history, ROLLING[period], float(risk_free))[-len(days) :]
    compared = [compare(name, closes, days, before) for name, closes in sorted(benchmarks.items())]
    return PerformanceReport(
        period=period,
        day=day,
        known_at=books.known_at,
        accounts=books.accounts,
        currencies=currencies,
        statistics=statistics,
        history=history,
        days=days,
        rolled=rolled,
        risk_free=risk_free,
        benchmarks=compared if statistics is not None else [],
        benchmark_problem=benchmark_problem,
        sections=_sections(books, ask, accounts, together, history, days, period, compared, before),
    )


def _nothing_known(books: BooksAsKnown, day: date) -> str:
    row = books.con.execute("select min(trading_date) from pnl.account_history").fetchone()
    whose = (
        f"account{'s' if len(books.accounts) > 1 else ''} {', '.join(books.accounts)}"
        if books.accounts
        else "these books"
    )
    if row is None or row[0] is None:
        return f"Nothing is known yet of {whose}: run `daybook eod` after the close."
    return f"Nothing is known of {whose} in the period that ends on {day}: the first session known is {row[0]}."


def whose_books(books: BooksAsKnown) -> str:
    """The accounts that were asked for, in a sentence."""
    if not books.accounts:
        return "these books"
    return f"account{'s' if len(books.accounts) > 1 else ''} {', '.join(books.accounts)}"


def _performance(ask: Ask, window: str) -> tuple[list[Row], list[dict[str, Any]]]:
    """The rows of every account, and of all accounts of a currency, each as of its last session in the period."""
    ends = ask("ends")
    found = {
        (row["account_id"], row["currency"], as_of): row
        for as_of in {end["as_of"] for end in ends}
        for row in ask("accounts", as_of=as_of, period_window=window)
    }
    rows = [found[end["account_id"], end["currency"], end["as_of"]] for end in ends]
    accounts = sorted((row for row in rows if row["account_id"] is not None), key=lambda row: str(row["account_id"]))
    together = sorted((row for row in rows if row["account_id"] is None), key=lambda row: str(row["currency"]))
    return list(accounts), together


def _session_before(books: BooksAsKnown, first: DayTotals) -> date | None:
    """The session at whose end the first return of the period begins; None where that is an opening, without one."""
    if first.is_opening:
        return None
    row = books.con.execute(
        "select max(trading_date) from core.calendar where trading_date < ?", [first.date]
    ).fetchone()
    return row[0] if row else None


def _sections(
    books: BooksAsKnown,
    ask: Ask,
    accounts: Sequence[Row],
    together: Sequence[Row],
    history: Sequence[DayTotals],
    days: Sequence[DayTotals],
    period: Period,
    compared: Sequence[Comparison],
    before: date | None,
) -> dict[str, Section]:
    is_one = len(together) == 1
    also = asker(
        books, EVENING_QUESTIONS, day=days[-1].date, since=None, first_date=days[0].date, first_restated=days[0].date
    )
    rows: dict[str, Sequence[Row]] = {
        "accounts": [*accounts, *(() if is_one else (_all_in(row) for row in together))],
        "bridge": ask("bridge"),
        "options": ask("options"),
        "dividends": also("dividends"),
        "restatements": also("restatements"),
    }
    totals: dict[str, Row | None] = {}
    if is_one:  # figures in different currencies are never added
        rows |= _over_accounts(ask, history, days, period, compared, before)
        totals = {name: _sums(NAMED[name], rows[name]) for name in ("bridge", "underlyings", "symbols", "dividends")}
        if any(
            day.holes for day in days
        ):  # of what was held by accounts whose sessions are not all known there is no sum
            totals |= dict.fromkeys(_OF_POSITIONS)
        totals |= {"accounts": together[0], "breakdown": figures.totals_of(days)}
    sections = {name: section.filled(rows.get(name, ()), totals.get(name)) for name, section in NAMED.items()}
    if not_known := sum(day.holes > 0 for day in days):
        sections |= {name: _of_some(sections[name], not_known) for name in (*_OF_POSITIONS, "options")}
    return sections


def _of_some(section: Section, not_known: int) -> Section:
    """The section with a note that it is not of every account."""
    sessions = f"{not_known:,} session{'s' if not_known > 1 else ''}"
    return replace(section, note=f"{sessions} not known of every account. {section.note}".strip())


def _over_accounts(
    ask: Ask,
    history: Sequence[DayTotals],
    days: Sequence[DayTotals],
    period: Period,
    compared: Sequence[Comparison],
    before: date | None,
) -> dict[str, Sequence[Row]]:
    """The sections that are of all accounts together."""
    return {
        "monthly": figures.by_month(history, linked),
        "monthly_pnl": figures.by_month(history, figures.pnl_of),
        "breakdown": figures.breakdown(days, period),
        "drawdowns": [fall.row() for fall in figures.falls(days, before or days[0].date)],
        "best": figures.days_by_return(days, best=True),
        "worst": figures.days_by_return(days, best=False),
        "underlyings": ask("contributors", by_underlying=True),
        "symbols": ask("contributors", by_underlying=False),
        "distribution": figures.distribution(days),
        "benchmarks": [_benchmark_row(each, linked(days)) for each in compared],
    }


def _all_in(row: Row) -> Row:
    return {**row, "account_id": f"all in {row['currency']}"}


def _benchmark_row(compared: Comparison, ours: Decimal | None) -> Row:
    return {**vars(compared), "ours": ours, "missing": len(compared.missing)}


def _sums(section: Section, rows: Sequence[Row]) -> Row:
    """The sum of each money column; None for one of which a part is not known."""
    return {name: figures.known_sum([row[name] for row in rows]) for name in money_columns(section)}
