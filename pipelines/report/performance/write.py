"""A performance report on the disk, beside the end-of-day reports and in their formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.books.as_known import BooksAsKnown, open_known
from pipelines.books.catalog import Catalog
from pipelines.errors import ConfigurationError
from pipelines.progress import OnProgress, ignore_progress
from pipelines.report.performance.benchmark import Closes, read_benchmarks
from pipelines.report.performance.content import PerformanceReport, collect_performance, whose_books
from pipelines.report.period import Period
from pipelines.report.write import FORMATS, file_name, write_files
from pipelines.settings import Books, Settings

_FIRST = "select min(trading_date) from pnl.account_history"
_KNOWN = "select max(known_from) from pnl.account_history where trading_date <= ?"


@dataclass(frozen=True)
class WrittenPerformance:
    """A performance report and where its files are; the first is the one to open."""

    report: PerformanceReport
    files: tuple[Path, ...]


def write_performance(
    settings: Settings,
    catalog: Catalog,
    period: Period,
    day: date | None = None,
    *,
    known_at: datetime | None = None,
    accounts: Sequence[str] = (),
    formats: Iterable[str] = FORMATS,
    on_progress: OnProgress = ignore_progress,
) -> WrittenPerformance:
    """Write the performance report of the period that ends on a day (the last one, where None).

    The day may be one that only the broker's history tells of. Raises as `open_known` does, ConfigurationError where
    nobody knows a session of the period, and DaybookError where a file can't be written. Benchmarks that can't be read
    are left out, and the report says why.
    """
    benchmarks, problem = _benchmarks(settings.benchmarks)
    with _books_to(catalog, settings.books, day, known_at, accounts) as books:
        report = collect_performance(books, period, books.day, benchmarks, problem)
    name = file_name(f"performance_{period}_{report.day}", known_at, report.accounts)
    makers = {form: partial(make, report, name) for form, make in _MAKERS.items()}
    return WrittenPerformance(report, write_files(settings, makers, formats, on_progress))


def _benchmarks(path: Path) -> tuple[dict[str, Closes], str]:
    try:
        return read_benchmarks(path), ""
    except ConfigurationError as error:
        return {}, str(error)


@contextmanager
def _books_to(
    catalog: Catalog, published: Books, day: date | None, known_at: datetime | None, accounts: Sequence[str]
) -> Iterator[BooksAsKnown]:
    """The books as known up to a day, which may be before the first that was closed, or one that was missed: where the
    broker's history has it, they are those of the last day."""
    with ExitStack() as stack:
        try:
            books = stack.enter_context(open_known(catalog, published, day, known_at, accounts))
        except ConfigurationError:
            if day is None:
                raise
            books = stack.enter_context(open_known(catalog, published, None, known_at, accounts))
            if not _is_told(books, day):
                raise
            known = books.con.execute(_KNOWN, [day]).fetchone()
            books = replace(books, day=day, known_at=known[0] if known and known[0] else books.known_at)
        yield books


def _is_told(books: BooksAsKnown, day: date) -> bool:
    """Whether a day is a session between the first that the broker's history has and the last of the books."""
    row = books.con.execute(_FIRST).fetchone()
    is_session = books.con.execute("select 1 from core.calendar where trading_date = ?", [day]).fetchone()
    if is_session and day < books.day and (row is None or row[0] is None or day < row[0]):
        whose = whose_books(books)
        first = row[0] if row else None
        raise ConfigurationError(f"Nothing is known of {whose} on {day}: the first session known is {first}.") from None
    return bool(is_session) and day < books.day


def _html(report: PerformanceReport, name: str) -> dict[str, bytes]:
    from pipelines.report.performance.page import interactive_page, static_page

    return {f"{name}.html": static_page(report), f"{name}_interactive.html": interactive_page(report)}


def _pdf(report: PerformanceReport, name: str) -> dict[str, bytes]:
    from pipelines.report.pdf import on_paper
    from pipelines.report.performance.charts import charts
    from pipelines.report.performance.view import view

    return {f"{name}.pdf": on_paper("performance.typ", view(report) | {"charts": charts(report)}, report.known_at)}


def _xlsx(report: PerformanceReport, name: str) -> dict[str, bytes]:
    from pipelines.report.performance.view import view
    from pipelines.report.xlsx import Line, days_section, sheets_of, tiles

    said = view(report)
    cover = [
        Line("period", said["title"]),
        Line("first session", report.since, "day"),
        Line("last session", report.days[-1].date, "day"),
        Line("sessions", len(report.days), "integer", said["accounts_complete"]),
        Line("as known at (UTC)", report.known_at, "instant"),
        Line("status", said["status"]),
        Line("currency", said["finality"], note=said["finality_note"]),
        Line("figures", said["money"]),
        Line("of accounts", said["only"] or "all"),
        Line("", said["warning"]),
        Line("to look at", "; ".join(item["text"] for item in said["attention"])),
        *tiles(said),
    ]
    sheets = [*report.sections.values(), days_section(report.days)]
    currency = report.currencies[0] if report.currencies != ("UNKNOWN",) and len(report.currencies) == 1 else None
    made = sheets_of(f"daybook {said['name']}", report.known_at, cover, sheets, currency, said["money"])
    return {f"{name}.xlsx": made}


def _csv(report: PerformanceReport, name: str) -> dict[str, bytes]:
    from pipelines.report.csv import extracts
    from pipelines.report.xlsx import days_section

    days = days_section(report.days)
    return {f"{name}_csv/{file}": text for file, text in extracts(report.sections | {days.name: days}).items()}


#: Each imports what it needs when it is asked for: a page doesn't wait for the libraries of the others.
_MAKERS: Mapping[str, Callable[[PerformanceReport, str], dict[str, Any]]] = {
    "html": _html,
    "pdf": _pdf,
    "xlsx": _xlsx,
    "csv": _csv,
}
