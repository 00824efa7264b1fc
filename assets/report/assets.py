"""The report as an asset: the last step of an evening, after the books are published and never in their way."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from assets.failures import said_plainly
from assets.open_books import OpenBooks
from assets.partitions import days_of, one_run, trading_days
from assets.published import published
from assets.report.known import days_to_report
from assets.report.view import view
from assets.report.write import Written, write_report
from assets.specs import WRITER
from pipelines.errors import DaybookError


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
    """The end-of-day report as HTML, PDF, Excel and CSV in DAYBOOK_HOME/reports, from the published copy alone."""
    first, last = days_of(context)
    with said_plainly():
        written = [_write(books, day) for day in days_to_report(books.settings.published, first, last)]
    if written:
        yield dg.MaterializeResult(metadata=_metadata(written[-1]))


def _write(books: OpenBooks, day: date) -> Written:
    """A report, or a failure that says that the books stand all the same."""
    try:
        written = write_report(books.settings, day)
    except Exception as error:
        reason = str(error) if isinstance(error, DaybookError) else f"{type(error).__name__}: {error}"
        raise DaybookError(
            f"The books of {day} are published, but their report could not be made ({reason.rstrip('.')}): "
            f"`daybook report --date {day}` tries again."
        ) from error
    books.tell(f"report {written.files[0]}")
    return written


def _metadata(written: Written) -> dict[str, dg.MetadataValue]:
    return {
        "file": dg.MetadataValue.path(written.files[0]),
        "files": dg.MetadataValue.md("\n".join(f"- `{path}`" for path in written.files)),
        "preview": dg.MetadataValue.md(_preview(written)),
    }


def _preview(written: Written) -> str:
    """The head of the report and its accounts, as Markdown; a bar would end a cell."""
    shown = view(written.report)
    accounts = shown["sections"]["accounts"]
    lines = [
        f"**{shown['title']}** · {shown['status']} {shown['finality']} · {shown['accounts_complete']}",
        "",
        "| " + " | ".join(column["label"] for column in accounts["columns"]) + " |",
        "|" + "|".join("---:" if column["right"] else "---" for column in accounts["columns"]) + "|",
    ]
    rows = [*accounts["rows"], *([accounts["total"]] if accounts["total"] else [])]
    lines += ["| " + " | ".join(_cell(cell["text"]) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    for mark in "\\`*_|[]<>#":
        text = text.replace(mark, f"&#{ord(mark)};")
    return text
