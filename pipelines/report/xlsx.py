"""The report in Excel: a sheet a section, numbers as numbers, texts never as formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from pipelines.report.content import Report
from pipelines.report.days import DayTotals
from pipelines.report.formatting import Kind
from pipelines.report.section import ReportColumn, Row, Section, columns
from pipelines.report.view import view

#: What a sheet holds, its header apart.
MOST_ROWS = 1_048_575
MOST_LETTERS = 32_767
_NUMBERS: dict[Kind, str] = {
    "money": "#,##0.00;[Red]-#,##0.00",
    "percent": '0.00" %";[Red]-0.00" %"',
    "share": '0.00" %"',
    "ratio": "#,##0.00;[Red]-#,##0.00",
    "quantity": "#,##0.########;[Red]-#,##0.########",
    "price": "#,##0.00######",
    "integer": "#,##0",
    "day": "yyyy-mm-dd",
    "instant": "yyyy-mm-dd hh:mm:ss",
}
_DAYS = Section(
    "days",
    "Day by day",
    columns("""
        date         day     day
        pnl          money   P&L before fees
        known_pnl    money   P&L of the accounts known
        holes        integer accounts not known
        accounts     integer accounts known
        by_broker    integer of those, by the broker
        spanned      integer accounts of which it covers several sessions
        sessions_covered integer sessions that it covers at most
        realized     money   realized
        unrealized   money   unrealized
        fees         money   income and fees
        net          money   P&L after fees
        day_return   percent return after fees
        flow         money   flows
        sod_equity   money   equity at start
        equity       money   equity at end
        gross        money   gross
        net_exposure money   net
        bought       money   bought
        sold         money   sold
    """),
    empty="",
)


def days_section(days: Sequence[DayTotals]) -> Section:
    """Every session with what is known of it, a row each."""
    rows = [
        vars(day) | {"pnl": day.whole_pnl, "known_pnl": day.pnl, "day_return": _per_cent(day.daily_return)}
        for day in days
    ]
    return _DAYS.filled(rows)


def _per_cent(fraction: Decimal | None) -> Decimal | None:
    return None if fraction is None else 100 * fraction


def workbook(report: Report) -> bytes:
    """The end-of-day report in Excel."""
    said = view(report)
    cover = [
        ("trading date", said["day"]),
        ("as known at", said["known_at"]),
        ("status", said["status"]),
        ("prices", f"{said['finality']}: {said['finality_note']}"),
        ("accounts", said["accounts_complete"]),
        ("money", said["money"]),
        ("of accounts", said["only"] or "all"),
        ("", said["warning"]),
        ("to look at", "; ".join(item["text"] for item in said["attention"])),
        *tiles(said),
    ]
    sheets = [*report.sections.values(), days_section(report.days)]
    return sheets_of(f"daybook {report.day}", report.known_at, cover, sheets)


def tiles(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The tiles of a view as lines of a cover."""
    return [(kpi["label"], " ".join([kpi["text"], kpi["note"]]).strip()) for kpi in said["kpis"]]


def sheets_of(title: str, known_at: datetime, cover: Sequence[tuple[str, str]], sections: Sequence[Section]) -> bytes:
    """A workbook: a cover of labels and texts, and a sheet a section.

    Numbers are shown by their formats; Excel keeps fifteen digits of each, the extracts keep all.
    """
    target = BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True})
    created = known_at.astimezone(UTC).replace(tzinfo=None)
    book.set_properties({"title": title, "author": "daybook", "created": created})
    formats = {kind: book.add_format({"num_format": number, "align": "right"}) for kind, number in _NUMBERS.items()}
    formats["text"] = formats["symbol"] = formats["prose"] = book.add_format()
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    _cover(book.add_worksheet("report"), cover, book.add_format({"bold": True}))
    for section in sections:
        _sheet(book.add_worksheet(section.name), section, formats, head)
    book.close()
    return target.getvalue()


def _cover(sheet: Worksheet, lines: Sequence[tuple[str, str]], bold: Format) -> None:
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 60)
    for number, (label, text) in enumerate(lines):
        sheet.write_string(number, 0, label, bold)
        sheet.write_string(number, 1, text)


def _sheet(sheet: Worksheet, section: Section, formats: dict[Kind, Format], head: Format) -> None:
    for number, column in enumerate(section.columns):
        sheet.write_string(0, number, column.label, head)
        sheet.set_column(number, number, _width(section, column))
    sheet.freeze_panes(1, 1)
    rows = section.rows[:MOST_ROWS]
    for at, row in enumerate(rows, 1):
        for number, column in enumerate(section.columns):
            _write(sheet, at, number, row[column.name], formats[column.kind])
    if rows:
        sheet.autofilter(0, 0, len(rows), len(section.columns) - 1)


def _write(sheet: Worksheet, row: int, column: int, value: Any, look: Format) -> None:
    """A cell by its type; what is not known stays empty. Texts are written as texts, so that none becomes a formula."""
    if value is None:
        return
    if isinstance(value, datetime):
        sheet.write_datetime(row, column, value.astimezone(UTC).replace(tzinfo=None), look)
    elif isinstance(value, date):
        sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), look)  # noqa: DTZ001
    elif isinstance(value, (int, Decimal)):
        sheet.write_number(row, column, value, look)
    else:
        sheet.write_string(row, column, str(value)[:MOST_LETTERS], look)


def _width(section: Section, column: ReportColumn) -> float:
    """Wide enough for the header and the first rows, within reason."""
    if column.is_number:
        return 16
    longest = max((len(str(row[column.name])) for row in _sample(section.rows)), default=0)
    return min(40, max(10, len(column.label), longest) + 2)


def _sample(rows: Any) -> list[Row]:
    return list(rows[:200])
