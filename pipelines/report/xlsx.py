"""The report in Excel: a sheet a section, numbers as numbers, dates as dates, texts never as formulas."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from itertools import islice
from textwrap import wrap
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from pipelines.report.content import Report
from pipelines.report.days import DayTotals
from pipelines.report.formatting import Kind
from pipelines.report.rows import ArrowRows
from pipelines.report.section import ReportColumn, Section, columns
from pipelines.report.sheet_rows import MOST_LETTERS, sheet_rows
from pipelines.report.view import view

#: What a sheet holds, its header and a line of totals apart.
MOST_ROWS = 1_048_574
A4 = 9
_NUMBERS: dict[str, str] = {
    "money": "#,##0.00;[Red]-#,##0.00",
    "percent": "0.00%;[Red]-0.00%",
    "share": "0.00%",
    "ratio": "#,##0.00;[Red]-#,##0.00",
    "quantity": "#,##0.########;[Red]-#,##0.########",
    "price": "#,##0.00######",
    "integer": "#,##0",
    "day": "yyyy-mm-dd",
    "instant": "yyyy-mm-dd hh:mm:ss",
    # a quantity without digits after the point: the other format would leave the point
    "whole": "#,##0;[Red]-#,##0",
}
_WIDTHS: Mapping[str, float] = {
    "money": 17,
    "quantity": 14,
    "price": 13,
    "percent": 11,
    "share": 11,
    "ratio": 11,
    "integer": 11,
    "day": 12,
    "instant": 20,
}
#: Points of a line of the header.
_LINE = 16
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
    empty="No session is known.",
)


@dataclass(frozen=True)
class Line:
    """A line of the cover: a label, a value of a kind (text, where it is none of the others), and what it is of."""

    label: str
    value: Any
    kind: Kind = "text"
    note: str = ""


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
        Line("trading date", report.day, "day"),
        Line("as known at (UTC)", report.known_at, "instant"),
        Line("status", said["status"]),
        Line("prices", said["finality"], note=said["finality_note"]),
        Line("accounts complete", report.complete, "integer", f"of {report.expected}"),
        Line("figures", said["money"]),
        Line("of accounts", said["only"] or "all"),
        Line("", said["warning"]),
        Line("to look at", "; ".join(item["text"] for item in said["attention"])),
        *tiles(said),
    ]
    sheets = [*report.sections.values(), days_section(report.days)]
    return sheets_of(f"daybook {report.day}", report.known_at, cover, sheets, report.currency, said["money"])


def tiles(said: Mapping[str, Any]) -> list[Line]:
    """The tiles of a view as lines of a cover."""
    return [Line(kpi["label"], kpi["value"], kpi["kind"], kpi["note"]) for kpi in said["kpis"]]


def sheets_of(
    title: str,
    known_at: datetime,
    cover: Sequence[Line],
    sections: Sequence[Section],
    currency: str | None = None,
    money: str = "",
) -> bytes:
    """A workbook: a cover, and a sheet a section. Amounts have their currency above them where they are all in one, and
    on paper every page has what `money` says of them.

    Numbers are shown by their formats; Excel keeps fifteen digits of each, the extracts keep all. The same question
    makes the same bytes: the workbook was created when its books became known.
    """
    target = BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True})
    created = known_at.astimezone(UTC).replace(tzinfo=None)
    book.set_properties({"title": title, "author": "daybook", "created": created})
    looks = _Looks(book)
    front = book.add_worksheet("report")
    _cover(front, cover, looks)
    _print_set_up(front, title, "report", money)
    rows: dict[str, Section] = {}
    for section in sections:
        sheet = book.add_worksheet(section.name)
        _sheet(sheet, section, looks, currency)
        _print_set_up(sheet, title, section.name, money)
        if section.rows and isinstance(section.rows, ArrowRows):
            rows[f"xl/worksheets/sheet{sheet.index + 1}.xml"] = section
    book.close()
    return _with_rows(target, rows, looks)


class _Looks:
    """The formats of a workbook by the kind of what they are for."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self.numbers = {
            kind: book.add_format({"num_format": text, "align": "right"}) for kind, text in _NUMBERS.items()
        }
        self.totals = {
            kind: book.add_format({"num_format": text, "align": "right", "bold": True, "top": 1})
            for kind, text in _NUMBERS.items()
        }
        # by which rows name them; xlsxwriter numbers a format when a cell first has it, and these cells it never sees
        self.indices: dict[str, int] = {
            kind: look._get_xf_index()  # noqa: SLF001
            for kind, look in self.numbers.items()
        }
        head = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"}
        self.head = book.add_format(head)
        self.number_head = book.add_format({**head, "align": "right", "indent": 1})
        self.bold = book.add_format({"bold": True})
        self.soft = book.add_format({"italic": True, "font_color": "#667085"})

    def of(self, kind: str, value: Any = None) -> Format | None:
        """How a value of a kind looks; None where it is a text."""
        whole = kind == "quantity" and isinstance(value, (int, Decimal)) and value == int(value)
        return self.numbers.get("whole" if whole else kind)


def _cover(sheet: Worksheet, lines: Sequence[Line], looks: _Looks) -> None:
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 20)
    sheet.set_column(2, 2, 60)
    for number, line in enumerate(lines):
        sheet.write_string(number, 0, line.label, looks.bold)
        if isinstance(line.value, str):
            sheet.write_string(number, 1, line.value)
        else:
            _write(sheet, number, 1, line.value, line.kind, looks.of(line.kind, line.value))
        if line.note:
            sheet.write_string(number, 2, line.note, looks.soft)


def _print_set_up(sheet: Worksheet, title: str, name: str, money: str) -> None:
    """On paper: as wide as a page, however many there are, each with the header and with what it is of."""
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    said = money.replace("&", "&&")  # it would begin a code
    sheet.set_footer(f"&L{title} · {name}&C{said}&Rpage &P of &N")
    if name != "report":
        sheet.repeat_rows(0)


def _sheet(sheet: Worksheet, section: Section, looks: _Looks, currency: str | None) -> None:
    """A section without its rows where those are columns, which are put in at the end."""
    lines = 1
    for number, column in enumerate(section.columns):
        label = f"{column.label} ({currency})" if currency and column.kind == "money" else column.label
        sheet.write_string(0, number, label, looks.number_head if column.is_number else looks.head)
        width = _width(section, column)
        sheet.set_column(number, number, width)
        lines = max(lines, len(wrap(label, int(width) - 2)))
    sheet.set_row(0, _LINE * lines)
    sheet.freeze_panes(1, 1)
    count = min(len(section.rows), MOST_ROWS)
    if not count:
        sheet.write_string(1, 0, "none", looks.bold)
        sheet.write_string(1, 1, section.empty, looks.soft)
        return
    if not isinstance(section.rows, ArrowRows):
        for at, row in enumerate(islice(section.rows, count), 1):
            for number, column in enumerate(section.columns):
                value = row[column.name]
                _write(sheet, at, number, value, column.kind, looks.of(column.kind, value))
    sheet.autofilter(0, 0, count, len(section.columns) - 1)
    _totals(sheet, section, count, looks)


def _totals(sheet: Worksheet, section: Section, count: int, looks: _Looks) -> None:
    """Below the rows: money as a formula that adds them up, what can't be added as it is. Each formula has the value
    that the report says; a total of which a part is not known is left out, for a formula would add the rest."""
    if section.total is None:
        return
    sheet.write_string(count + 1, 0, "all", looks.bold)
    for number, column in enumerate(section.columns[1:], 1):
        value = section.total.get(column.name)
        if value is None or not column.is_number:
            continue
        look = looks.totals[column.kind]
        if column.kind == "money" and _adds_up(section, column, value, count):
            letter = xl_col_to_name(number)
            added = f"=SUM({letter}2:{letter}{count + 1})"
            sheet.write_formula(count + 1, number, added, look, float(value))
        else:
            _write(sheet, count + 1, number, value, column.kind, look)


def _adds_up(section: Section, column: ReportColumn, value: Decimal, count: int) -> bool:
    """Whether a total is the sum of the rows that a sheet has."""
    return count == len(section.rows) and ArrowRows.of(section.rows).sum(column.name) == value


def _write(sheet: Worksheet, row: int, column: int, value: Any, kind: str, look: Format | None) -> None:
    """A cell by its type; what is not known stays empty. Texts are written as texts, so that none becomes a formula."""
    if value is None:
        return
    if isinstance(value, datetime):
        sheet.write_datetime(row, column, value.astimezone(UTC).replace(tzinfo=None), look)
    elif isinstance(value, date):
        sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), look)  # noqa: DTZ001
    elif isinstance(value, (int, Decimal)):
        sheet.write_number(row, column, Decimal(value) / 100 if kind in ("percent", "share") else value, look)
    else:
        sheet.write_string(row, column, str(value)[:MOST_LETTERS], look)


def _width(section: Section, column: ReportColumn) -> float:
    """Wide enough for the header and the first rows, within reason."""
    if column.kind in _WIDTHS:
        return _WIDTHS[column.kind]
    longest = max((len(str(row[column.name])) for row in section.rows[:200]), default=0)
    return min(40, max(10, len(column.label), longest) + 2)


def _with_rows(package: BytesIO, sections: Mapping[str, Section], looks: _Looks) -> bytes:
    """The workbook with the rows of the sheets that were made without them."""
    target = BytesIO()
    with zipfile.ZipFile(package) as made, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as whole:
        for entry in made.infolist():
            section = sections.get(entry.filename)
            new = zipfile.ZipInfo(entry.filename)  # of 1980: the same question makes the same bytes
            new.compress_type, new.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            if section is None:
                whole.writestr(new, made.read(entry))
                continue
            with whole.open(new, "w", force_zip64=len(section.rows) > MOST_ROWS // 2) as sheet:
                for piece in _one_ahead(_sheet_with_rows(made.read(entry), section, looks)):
                    sheet.write(piece)
    return target.getvalue()


def _one_ahead(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Every piece, while the next one is made: compressing one takes as long, and lets another thread work."""
    each = iter(pieces)
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(next, each, None)
        while (piece := coming.result()) is not None:
            coming = beside.submit(next, each, None)
            yield piece


def _sheet_with_rows(frame: bytes, section: Section, looks: _Looks) -> Iterable[bytes]:
    """The sheet, its header first, then the rows, then whatever is below them."""
    assert isinstance(section.rows, ArrowRows)  # noqa: S101  (none else is put in)
    count = min(len(section.rows), MOST_ROWS)
    last = f"{xl_col_to_name(len(section.columns) - 1)}{count + (2 if section.total is not None else 1)}"
    head, end, rest = frame.partition(b"</row>")
    yield re.sub(rb'<dimension ref="[^"]*"/>', f'<dimension ref="A1:{last}"/>'.encode(), head) + end
    yield from sheet_rows(section.rows.table.slice(0, count), section.columns, looks.indices)
    yield rest
