"""The report in Excel: a sheet a section, numbers as numbers, texts never as formulas."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from pipelines.report.content import Report
from pipelines.report.formatting import Kind
from pipelines.report.sections import ReportColumn, Row, Section
from pipelines.report.view import view

#: What a sheet holds, its header apart.
MOST_ROWS = 1_048_575
MOST_LETTERS = 32_767
_NUMBERS: dict[Kind, str] = {
    "money": "#,##0.00;[Red]-#,##0.00",
    "percent": '0.00" %";[Red]-0.00" %"',
    "share": '0.00" %"',
    "quantity": "#,##0.########;[Red]-#,##0.########",
    "price": "#,##0.00######",
    "integer": "#,##0",
    "day": "yyyy-mm-dd",
    "instant": "yyyy-mm-dd hh:mm:ss",
}
_DAYS = Section(
    "days",
    "Day by day",
    (
        ReportColumn("date", "day", "day"),
        ReportColumn("pnl", "P&L", "money"),
        ReportColumn("holes", "accounts not known", "integer"),
        ReportColumn("net", "net P&L", "money"),
        ReportColumn("base", "earned on", "money"),
        ReportColumn("gross", "gross", "money"),
        ReportColumn("net_exposure", "net", "money"),
    ),
    empty="",
)


def workbook(report: Report) -> bytes:
    """The file. Numbers are shown by their formats; Excel keeps fifteen digits of each, the extracts keep all."""
    target = BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True})
    book.set_properties(
        {
            "title": f"daybook {report.day}",
            "author": "daybook",
            "created": report.known_at.astimezone(UTC).replace(tzinfo=None),
        }
    )
    formats = {kind: book.add_format({"num_format": number, "align": "right"}) for kind, number in _NUMBERS.items()}
    formats["text"] = formats["symbol"] = formats["prose"] = book.add_format()
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    _cover(book.add_worksheet("report"), report, book.add_format({"bold": True}))
    for section in report.sections.values():
        _sheet(book.add_worksheet(section.name), section, formats, head)
    days = _DAYS.filled([vars(day) for day in report.days])
    _sheet(book.add_worksheet(days.name), days, formats, head)
    book.close()
    return target.getvalue()


def _cover(sheet: Worksheet, report: Report, bold: Format) -> None:
    said = view(report)
    lines = [
        ("trading date", said["day"]),
        ("as known at", said["known_at"]),
        ("status", said["status"]),
        ("prices", f"{said['finality']}: {said['finality_note']}"),
        ("accounts", said["accounts_complete"]),
        ("of accounts", said["only"] or "all"),
        ("", said["warning"]),
        ("to look at", "; ".join(item["text"] for item in said["attention"])),
        *((kpi["label"], " ".join([kpi["text"], kpi["note"]]).strip()) for kpi in said["kpis"]),
    ]
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
