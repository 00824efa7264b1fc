"""What a section of a report is: a question, its columns, and how much of the answer fits a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines.report.formatting import NUMBERS, Kind

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ReportColumn:
    """A column of an answer. Those that are not `on_page` are in the extracts alone."""

    name: str
    label: str
    kind: Kind = "text"
    on_page: bool = True

    @property
    def is_number(self) -> bool:
        """Whether it is written to the right."""
        return self.kind in NUMBERS


@dataclass(frozen=True)
class Section:
    """One table of the report. `shown` rows of it are on a page (0: none), all of them in the extracts."""

    name: str
    title: str
    columns: tuple[ReportColumn, ...]
    empty: str
    shown: int = 20
    note: str = ""
    rows: Sequence[Row] = ()
    total: Row | None = field(default=None)

    def filled(self, rows: Sequence[Row], total: Row | None = None) -> Section:
        """The section with its answer."""
        return replace(self, rows=rows, total=total)

    @property
    def page_columns(self) -> tuple[ReportColumn, ...]:
        """The columns that are on a page."""
        return tuple(column for column in self.columns if column.on_page)

    @property
    def page_rows(self) -> Sequence[Row]:
        """The rows that are on a page."""
        return self.rows[: self.shown]

    @property
    def left_out(self) -> int:
        """How many rows are only in the extracts."""
        return len(self.rows) - len(self.page_rows)


def columns(text: str) -> tuple[ReportColumn, ...]:
    """Columns written one a line: name, kind (with ~ for extracts only), label."""
    return tuple(_column(line) for line in text.strip().splitlines())


def _column(line: str) -> ReportColumn:
    name, kind, label = line.split(maxsplit=2)
    return ReportColumn(name, label, kind.removeprefix("~"), on_page=not kind.startswith("~"))  # type: ignore[arg-type]


def named(sections: Sequence[Section]) -> dict[str, Section]:
    """Sections by name."""
    return {section.name: section for section in sections}


def money_columns(section: Section) -> Iterator[str]:
    """The columns whose sum means something."""
    return (column.name for column in section.columns if column.kind == "money")
