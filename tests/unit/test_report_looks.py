"""How a report is written down: the workbook's two ways to the same cells, labels that don't touch, names as words."""

from __future__ import annotations

import csv
import io
import re
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from pipelines.report.charts import LETTER, _ends, apart, calendar, pnl
from pipelines.report.csv import extracts
from pipelines.report.days import DayTotals
from pipelines.report.formatting import exact
from pipelines.report.rows import ArrowRows
from pipelines.report.section import Section, columns
from pipelines.report.view import in_words, to_the_second
from pipelines.report.xlsx import Line, sheets_of

_LABEL = re.compile(r'x="([\d.]+)" .*text-anchor="(\w+)".*>([^<>]+)</text>')
KNOWN_AT = datetime(2025, 10, 31, 21, 0, 0, 1, tzinfo=UTC)
SECTION = Section(
    "rows",
    "Rows",
    columns("""
        symbol   symbol   symbol
        quantity quantity quantity
        price    price    price
        value    money    value
        change   percent  change
        number   integer  number
        day      day      day
        at       instant  at
        nothing  money    nothing
    """),
    empty="Nothing is there.",
)
ROWS: list[dict[str, Any]] = [
    {
        "symbol": text,
        "quantity": Decimal(quantity),
        "price": Decimal("1.50000000"),
        "value": value,
        "change": Decimal("12.34000000"),
        "number": 3,
        "day": date(2025, 10, 31),
        "at": datetime(2025, 10, 31, 14, 30, 0, 250_000, tzinfo=UTC),
        "nothing": None,
    }
    for text, quantity, value in (
        ("=1+1", "600.00000000", Decimal("0E-10")),
        ("a\x01b & <c>", "0.00000001", Decimal("-0.0000000001")),
        (' padded, "said" ', "-2.50000000", None),
        ("_x0041_", "0E-8", Decimal("12345678901234.1200000000")),
        ("line\nbreak", "1000000.00000000", Decimal("600.0000000000")),
    )
]


def arrow(rows: list[dict[str, Any]]) -> ArrowRows:
    types = {"value": pa.decimal128(28, 10), "quantity": pa.decimal128(24, 8), "at": pa.timestamp("us", "UTC")}
    made = {name: pa.array([row[name] for row in rows], types.get(name)) for name in rows[0]}
    return ArrowRows(pa.table(made))


def cells(book: bytes) -> list[list[tuple[Any, str, str]]]:
    """Value, type and format of every cell. What stands for itself, Excel reads so wherever a text is kept; openpyxl
    reads it so only among the texts that cells share."""
    sheet = openpyxl.load_workbook(io.BytesIO(book))["rows"]
    return [[(_read(cell.value), cell.data_type, cell.number_format) for cell in row] for row in sheet.iter_rows()]


def _read(value: Any) -> Any:
    return value.replace("x005F_", "") if isinstance(value, str) else value


def test_rows_as_columns_and_as_objects_make_the_same_cells_and_the_same_lines() -> None:
    by_columns, by_objects = (SECTION.filled(rows, {"value": None}) for rows in (arrow(ROWS), ROWS))
    made = [sheets_of("daybook", KNOWN_AT, [], [each]) for each in (by_columns, by_objects)]
    assert cells(made[0]) == cells(made[1])
    assert sheets_of("daybook", KNOWN_AT, [], [by_columns]) == made[0]  # the same question, the same bytes
    assert cells(made[0])[1][0][:2] == ("=1+1", "s")
    formats = [row[1][2] for row in cells(made[0])[1:6]]
    assert [each.startswith("#,##0;") for each in formats] == [True, False, False, True, True]
    assert extracts({"rows": by_columns}) == extracts({"rows": by_objects})
    (text,) = extracts({"rows": by_columns}).values()
    read = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
    assert [row["value"] for row in read] == [exact(row["value"]) for row in ROWS]


def test_a_cover_has_values_and_an_empty_sheet_says_so() -> None:
    lines = [
        Line("date", date(2025, 10, 31), "day"),
        Line("return", Decimal("1.5"), "percent", "net"),
        Line("who", "=x"),
    ]
    book = openpyxl.load_workbook(io.BytesIO(sheets_of("daybook", KNOWN_AT, lines, [SECTION])))
    cover = [[cell.value for cell in row] for row in book["report"].iter_rows(max_row=3)]
    assert cover == [["date", datetime(2025, 10, 31), None], ["return", 0.015, "net"], ["who", "=x", None]]  # noqa: DTZ001
    assert book["report"]["B3"].data_type == "s"
    assert [book["rows"]["A2"].value, book["rows"]["B2"].value] == ["none", "Nothing is there."]


def test_rows_are_looked_at_as_any_sequence_is() -> None:
    rows = arrow(ROWS)
    assert len(rows) == len(ROWS)
    assert [rows[0]["symbol"], rows[-1]["symbol"]] == ["=1+1", "line\nbreak"]
    for part in (slice(0, 2), slice(0), slice(-1, -3, -1), slice(None)):
        assert [row["symbol"] for row in rows[part]] == [row["symbol"] for row in ROWS[part]]
    by_size = [row["value"] for row in rows.largest("value")]
    assert by_size == [None, *sorted((row["value"] for row in ROWS if row["value"] is not None), key=abs, reverse=True)]
    assert (rows.sum("value"), rows.sum("price")) == (None, Decimal("7.5"))
    largest = rows.largest("value")
    assert len(largest) == len(ROWS)
    assert [largest[0]["value"], largest[-1]["value"]] == [by_size[0], by_size[-1]]
    for part in (slice(0, 2), slice(0), slice(1, None), slice(None)):
        assert [row["value"] for row in largest[part]] == by_size[part]
    with pytest.raises(IndexError):
        largest[len(ROWS)]


def test_an_extract_takes_little_more_memory_than_the_file_has_bytes() -> None:
    table = pa.concat_tables([arrow(ROWS).table] * (30_000 // len(ROWS))).combine_chunks()
    many = SECTION.filled(ArrowRows(table))
    tracemalloc.start()
    try:
        (text,) = extracts({"rows": many}).values()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert text.count(b"\r\n") > 29_000
    assert peak < 2.5 * len(text) + 8 * 2**20  # rows of the few thousand at hand are Python objects


def days(first: date, number: int) -> list[DayTotals]:
    dates = [first + timedelta(days=each) for each in range(2 * number)]
    return [DayTotals(date=day, pnl=Decimal(1), holes=0) for day in dates if day.weekday() < 5][:number]


def test_no_label_of_a_chart_touches_another() -> None:
    for number in range(1, 30):
        drawn = [part for part in pnl(days(date(2024, 12, 20), number)).parts if 'y="224"' in part]
        assert len(drawn) >= min(number, 2)
        found = [_LABEL.search(part) for part in drawn]
        _are_apart([_ends((float(each[1]), each[3], each[2]), LETTER) for each in found if each])
    labels = [(10.0 * each, "1 Jan 25", "middle") for each in range(40)]
    kept = apart(labels)
    assert kept[0] == labels[0]
    assert kept[-1] == labels[-1]
    _are_apart([_ends(label, LETTER) for label in kept])


def _are_apart(ends: list[tuple[float, float]]) -> None:
    assert all(before[1] < after[0] for before, after in pairwise(ends))


def test_a_calendar_names_the_months_of_its_days_and_no_other() -> None:
    def months(shown: list[DayTotals]) -> list[str]:
        texts = [part.rpartition("</text>")[0].rpartition(">")[2] for part in calendar(shown).parts if "<text" in part]
        return [each for each in texts if each not in ("Mon", "Tue", "Wed", "Thu", "Fri")]

    assert months(days(date(2005, 2, 1), 8)) == ["Feb"]  # whose week begins in January
    year = months(days(date(2004, 3, 11), 262))
    assert year == ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb", "Mar"]


def test_names_of_the_books_are_words_and_texts_of_others_stay() -> None:
    assert in_words("UNEXPLAINED_QUANTITY PRICE_STALE") == "unexplained quantity, price stale"
    assert in_words("COMMON_STOCK") == "stock"
    assert in_words("fetch_failed") == "fetch failed"
    assert in_words("Rejected: no such contract") == "Rejected: no such contract"


def test_an_instant_of_knowledge_is_written_to_the_second_as_of_which_the_same_is_known() -> None:
    assert to_the_second(KNOWN_AT) == "2025-10-31 21:00:01 UTC"
    assert to_the_second(KNOWN_AT.replace(microsecond=0)) == "2025-10-31 21:00:00 UTC"
