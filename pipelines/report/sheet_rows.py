"""The rows of a large sheet, as the XML that a workbook keeps them in: a column at a time, and the cells of a few
thousand rows together. docs/adr/0010 says why this is not a library's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from xlsxwriter.utility import xl_col_to_name

from pipelines.report.rows import AT_ONCE, digits
from pipelines.report.section import ReportColumn

#: A cell, or nothing where its value is not known.
Cells = list[str]
#: The number of the look of each kind, and of `whole`: quantities without digits after the point.
Styles = Mapping[str, int]

MOST_LETTERS = 32_767
_MICROSECONDS_A_DAY = 86_400_000_000
#: Days from the first of what a workbook counts from to that of what Arrow counts from.
_EPOCH = 25_569
#: What XML can't hold, and what would be read as standing for it.
_ESCAPED = re.compile(r"_x[0-9a-fA-F]{4}_|[\x00-\x08\x0b-\x1f\ufffe\uffff]")


def sheet_rows(table: pa.Table, columns: Sequence[ReportColumn], styles: Styles) -> Iterator[bytes]:
    """The rows of a sheet below its header, in pieces. Numbers have their exact digits, and texts are texts: what looks
    like a formula is none."""
    wanted, first = table.select([column.name for column in columns]), 2
    for batch in wanted.to_batches(AT_ONCE):
        numbers = range(first, first + batch.num_rows)
        cells = [
            _cells(values, column, xl_col_to_name(at), numbers, styles)
            for at, (column, values) in enumerate(zip(columns, batch.columns, strict=True))
        ]
        lines = zip(numbers, zip(*cells, strict=True), strict=True)
        yield "".join([f'<row r="{number}">{"".join(line)}</row>' for number, line in lines]).encode()
        first += batch.num_rows


def _cells(values: Any, column: ReportColumn, letter: str, rows: range, styles: Styles) -> Cells:
    if pa.types.is_null(values.type):
        return [""] * len(rows)
    if pa.types.is_decimal(values.type) or pa.types.is_integer(values.type):
        return _numbers(digits(values), column, letter, rows, styles)
    if pa.types.is_date(values.type):
        return _instants(pc.cast(values, pa.timestamp("us")), column, letter, rows, styles)
    if pa.types.is_timestamp(values.type):
        return _instants(values, column, letter, rows, styles)
    return _texts(values, letter, rows)


def _numbers(texts: Sequence[str | None], column: ReportColumn, letter: str, rows: range, styles: Styles) -> Cells:
    broken = f'" s="{styles[column.kind]}"><v>'
    whole = f'" s="{styles["whole"]}"><v>' if column.kind == "quantity" else broken
    power = "E-2" if column.kind in ("percent", "share") else ""  # a workbook's per cent are hundredths
    return [
        "" if text is None else f'<c r="{letter}{row}{whole if _is_whole(text) else broken}{text}{power}</v></c>'
        for row, text in zip(rows, texts, strict=True)
    ]


def _is_whole(text: str) -> bool:
    return "." not in text or text.rstrip("0")[-1] == "."


def _instants(values: Any, column: ReportColumn, letter: str, rows: range, styles: Styles) -> Cells:
    style = f'" s="{styles[column.kind]}"><v>'
    counted = pc.cast(pc.cast(values, pa.timestamp("us")), pa.int64()).to_pylist()
    return [
        "" if at is None else f'<c r="{letter}{row}{style}{at / _MICROSECONDS_A_DAY + _EPOCH!r}</v></c>'
        for row, at in zip(rows, counted, strict=True)
    ]


def _texts(values: Any, letter: str, rows: range) -> Cells:
    named = values.dictionary_encode()
    words = [_text(text) for text in named.dictionary.to_pylist()]
    return [
        "" if at is None or not words[at] else f'<c r="{letter}{row}{words[at]}'
        for row, at in zip(rows, named.indices.to_pylist(), strict=True)
    ]


def _text(text: str) -> str:
    """A text within a cell; nothing of an empty one."""
    if not text:
        return ""
    kept = ' xml:space="preserve"' if text[0].isspace() or text[-1].isspace() else ""
    plain = escape(_ESCAPED.sub(_written_out, text[:MOST_LETTERS]), quote=False)
    return f'" t="inlineStr"><is><t{kept}>{plain}</t></is></c>'


def _written_out(found: re.Match[str]) -> str:
    text = found[0]
    return f"_x{ord(text):04X}_" if len(text) == 1 else f"_x005F{text}"
