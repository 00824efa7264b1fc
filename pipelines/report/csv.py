"""The report as CSV: a file a section, every digit, and no text that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO

from pipelines.report.formatting import exact
from pipelines.report.section import Section


def extracts(sections: Mapping[str, Section]) -> dict[str, bytes]:
    """The files by name. The first line of each names its columns as the books do."""
    return {f"{name}.csv": _table(section) for name, section in sections.items()}


def _table(section: Section) -> bytes:
    text = StringIO(newline="")
    table = csv.writer(text, lineterminator="\r\n")  # with both in it, a text that has either is quoted
    table.writerow([column.name for column in section.columns])
    for row in section.rows:
        table.writerow([exact(row[column.name]) for column in section.columns])
    return text.getvalue().encode("utf-8", errors="backslashreplace")
