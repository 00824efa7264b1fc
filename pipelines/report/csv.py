"""The report as CSV: a file a section, every digit, and no text that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO, StringIO
from typing import Any

import pyarrow as pa

from pipelines.report.formatting import exact
from pipelines.report.rows import AT_ONCE, ArrowRows, digits
from pipelines.report.section import Section


def extracts(sections: Mapping[str, Section]) -> dict[str, bytes]:
    """The files by name. The first line of each names its columns as the books do."""
    return {f"{name}.csv": _table(section) for name, section in sections.items()}


def _table(section: Section) -> bytes:
    text = BytesIO()
    for lines in _lines(section):  # a few thousand at a time: all of them as text take three times what they come to
        text.write("".join(lines).encode("utf-8", errors="backslashreplace"))
    return text.getvalue()


def _lines(section: Section) -> Iterator[list[str]]:
    names = [column.name for column in section.columns]
    yield [_line(names)]
    if isinstance(section.rows, ArrowRows):
        for batch in section.rows.table.select(names).to_batches(AT_ONCE):
            yield [",".join(row) + "\r\n" for row in zip(*map(_fields, batch.columns), strict=True)]
    else:
        yield [_line([exact(row[name]) for name in names]) for row in section.rows]


def _line(fields: Sequence[str]) -> str:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(fields)  # with both in it, a text that has either is quoted
    return text.getvalue()


def _fields(values: Any) -> list[str]:
    """A column as it is written: each text once, however often it is there."""
    if pa.types.is_decimal(values.type) or pa.types.is_integer(values.type):
        return [text or "" for text in digits(values)]
    if pa.types.is_null(values.type):
        return [""] * len(values)
    named = values.dictionary_encode()
    words = [_field(exact(value)) for value in named.dictionary.to_pylist()]
    return ["" if at is None else words[at] for at in named.indices.to_pylist()]


def _field(text: str) -> str:
    """A field as it stands in a line of several."""
    return _line([text, ""]).removesuffix(",\r\n")
