"""The reports as an asset: the last step of an evening, after the books are published and never in their way."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import accumulate
from typing import Any

import dagster as dg

from assets.catalog import CATALOG
from assets.orchestration.failures import as_dagster_failure
from assets.orchestration.open_books import OpenBooks
from assets.orchestration.partitions import one_run, partition_days, trading_days
from assets.orchestration.published import published
from assets.orchestration.recovery import evening_before
from assets.orchestration.specs import WRITER
from pipelines.books.as_known import days_to_report
from pipelines.books.resolved import resolve_ended
from pipelines.errors import DaybookError
from pipelines.progress import PerformanceWritten, ReportWritten
from pipelines.report.mail import mail_report
from pipelines.report.markdown_chart import INLINE, sparkline
from pipelines.report.performance.write import WrittenPerformance, write_performance
from pipelines.report.period import Period, periods_ending
from pipelines.report.view import view
from pipelines.report.write import Written, write_report
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.published import check_published

_PREVIEWED = ("account_id", "state", "day", "mtd", "ytd")


@dg.asset(
    deps=[published],
    partitions_def=trading_days,
    backfill_policy=one_run(),
    group_name="report",
    kinds={"html", "pdf", "excel", "csv"},
    pool=WRITER,  # its run has the books, and the same file is written once at a time
    output_required=False,  # a day that has not closed yet has no report
)
def report(
    context: dg.AssetExecutionContext, books: dg.ResourceParam[OpenBooks]
) -> Iterator[dg.MaterializeResult[None]]:
    """The end-of-day report as HTML, PDF, Excel and CSV in DAYBOOK_HOME/reports, from the published copy alone; on the
    last session of a month its performance report too, and on that of a quarter or a year theirs."""
    first, last = partition_days(context)
    with as_dagster_failure():
        days = _days(books, first, last)
        written = [_write(books, day) for day in days]
        performance = [made for day in days for made in _write_performance(books, day)]
    if context.run.job_name == "end_of_day":
        resolve_ended(books.con, books.settings, run_succeeded=True)
        for each in written:
            mail_report(books.settings, each)
    if written:
        yield dg.MaterializeResult(metadata=_metadata(written[-1], performance))


def _days(books: OpenBooks, first: date, last: date) -> list[date]:
    """The days asked for that have closed, else the one that a run before the close has recovered."""
    closed = days_to_report(CATALOG, books.settings.books, first, last)
    if closed or first != last:
        return closed
    with open_published(books.settings.books) as con:
        missed = evening_before(con, last)
    return [missed.day] if missed and missed.recovered else []


def _write(books: OpenBooks, day: date) -> Written:
    """A report, or a failure that says that the books stand all the same."""
    try:
        written = write_report(books.settings, CATALOG, day)
    except Exception as error:
        check_published(books.con, books.settings)  # a copy that is no longer ours is the reason, whatever it led to
        raise DaybookError(
            f"The books of {day} are published, but their report could not be made ({_reason(error)}): "
            f"`daybook report --date {day}` tries again."
        ) from error
    books.on_progress(ReportWritten(written.files[0]))
    return written


def _write_performance(books: OpenBooks, day: date) -> list[WrittenPerformance]:
    """The performance reports of the periods that end on a day, or a failure as of `_write`."""
    written = []
    for period in _periods(books, day):
        try:
            written.append(write_performance(books.settings, CATALOG, period, day))
        except Exception as error:
            check_published(books.con, books.settings)
            raise DaybookError(
                f"The books of {day} are published and its report is written, but the performance report of the "
                f"{period} could not be made ({_reason(error)}): "
                f"`daybook report --period {period} --date {day}` tries again."
            ) from error
        books.on_progress(PerformanceWritten(written[-1].files[0]))
    return written


def _periods(books: OpenBooks, day: date) -> list[Period]:
    """The periods of the calendar, as the broker has it, whose last session a day is."""
    with open_published(books.settings.books) as con:
        row = con.execute("select min(trading_date) from core.calendar where trading_date > ?", [day]).fetchone()
    return periods_ending(day, row[0]) if row and row[0] else []


def _reason(error: Exception) -> str:
    return (str(error) if isinstance(error, DaybookError) else f"{type(error).__name__}: {error}").rstrip(".")


def _metadata(written: Written, performance: Sequence[WrittenPerformance]) -> dict[str, Any]:
    """How whole the day is, its P&L, the head of the report. Numbers are numbers: Dagster plots them over the days."""
    report = written.report
    files = [*written.files, *(path for each in performance for path in each.files)]
    total = {} if report.totals.get("day") is None else {"P&L of the day": float(report.totals["day"])}
    return {
        "preview": dg.MetadataValue.md(_preview(written)),
        "P&L so far": dg.MetadataValue.md(sparkline(report.days)),
        "status": f"{report.status} {report.finality or ''}".strip(),
        "accounts complete": report.complete,
        "accounts expected": report.expected,
        **total,
        "file": dg.MetadataValue.path(written.files[0]),
        "files": dg.MetadataValue.md("\n".join(f"- `{path}`" for path in files)),
    }


def _preview(written: Written) -> str:
    """The head of the report, and of its accounts as many as Dagster shows without a click; a bar would end a cell."""
    shown = view(written.report)
    accounts = shown["sections"]["accounts"]
    names = [column.name for column in written.report.sections["accounts"].page_columns]
    kept = [names.index(name) for name in _PREVIEWED]
    lines = [
        f"**{shown['title']}** · {shown['status']} {shown['finality']} · {shown['accounts_complete']}",
        "",
        f"To look at: {' · '.join(item['text'] for item in shown['attention'])}",
        "",
        f"{shown['money']}.",
        "",
        "| " + " | ".join(accounts["columns"][at]["label"] for at in kept) + " |",
        "|" + "|".join("---:" if accounts["columns"][at]["right"] else "---" for at in kept) + "|",
    ]
    total = [_line(row, kept) for row in (accounts["total"],) if row]
    room = INLINE - sum(len(line) + 1 for line in [*lines, *total]) - 80  # for what is said of those left out
    rows = [_line(row, kept) for row in accounts["rows"]]
    inside = sum(used < room for used in accumulate(len(line) + 1 for line in rows))
    left_out = len(written.report.sections["accounts"].rows) - inside
    more = ["", f"and {left_out:,} more accounts in the report"] if left_out else []
    return "\n".join([*lines, *rows[:inside], *total, *more])


def _line(row: list[dict[str, str]], kept: list[int]) -> str:
    return "| " + " | ".join(_cell(row[at]["text"]) for at in kept) + " |"


def _cell(text: str) -> str:
    for mark in "\\`*_|[]<>#":
        text = text.replace(mark, f"&#{ord(mark)};")
    return text
