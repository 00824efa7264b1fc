"""The functions that the selects call: what each says of the cases at its edges."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, get_args

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.calendar import Assignment, Grade


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute(CATALOG.functions)
        yield con


def value(con: duckdb.DuckDBPyConnection, expression: str, *given: Any) -> Any:
    found = con.execute(f"select {expression}", list(given)).fetchone()
    assert found
    return found[0]


@pytest.mark.parametrize("grade", get_args(Grade))
def test_a_grade_counts_as_end_of_day_in_sql_where_it_does_in_python(
    con: duckdb.DuckDBPyConnection, grade: Grade
) -> None:
    in_python = Assignment(date(2025, 10, 31), grade).eod_eligible
    assert value(con, "is_end_of_day(?)", grade) is in_python


def test_a_sum_is_as_good_as_the_worst_of_its_parts(con: duckdb.DuckDBPyConnection) -> None:
    worst = "select quality_of(max(quality_rank(quality))) from (select unnest(?::varchar[]) as quality)"
    for parts, expected in [
        (["EXACT", "EXACT"], "EXACT"),
        (["EXACT", "REPORTED"], "REPORTED"),
        (["ASSUMED", "REPORTED"], "ASSUMED"),
        (["ASSUMED", "IMPLIED"], "IMPLIED"),
        (["UNKNOWN", "EXACT", "IMPLIED"], "UNKNOWN"),
    ]:
        assert value(con, f"({worst})", parts) == expected


@pytest.mark.parametrize(("positions", "expected"), [(0, "0.05"), (5, "0.05"), (6, "0.06"), (1000, "10.00")])
def test_every_position_may_be_off_by_a_cent_and_an_account_by_five(
    con: duckdb.DuckDBPyConnection, positions: int, expected: str
) -> None:
    assert value(con, "tolerance(?::bigint)", positions) == Decimal(expected)


def test_figures_of_our_own_differ_from_the_next_digit_on(con: duckdb.DuckDBPyConnection) -> None:
    assert value(con, "differs(1.000001::decimal(28, 10), 1)") is False
    assert value(con, "differs(1.0000011::decimal(28, 10), 1)") is True
    assert value(con, "differs(null::decimal(28, 10), 1)") is None


@pytest.mark.parametrize("figure", ["1234567.890123", "46721954.937831", "-0.000001"])
def test_what_is_shared_out_ends_at_the_millionth_at_any_size(con: duckdb.DuckDBPyConnection, figure: str) -> None:
    assert value(con, "in_millionths(?::double)", float(figure)) == Decimal(figure)


@pytest.mark.parametrize(
    ("symbol", "root", "expiry", "right", "strike"),
    [
        ("AAPL  251031C00150000", "AAPL", date(2025, 10, 31), "CALL", Decimal(150)),
        ("XYZ251121P00012500", "XYZ", date(2025, 11, 21), "PUT", Decimal("12.5")),
        ("BRK.B 260116C00000001", "BRK.B", date(2026, 1, 16), "CALL", Decimal("0.001")),
        ("XYZ251399P00012500", "XYZ", None, "PUT", Decimal("12.5")),
        ("AAPL", None, None, None, None),
        ("AAPL  251031X00150000", None, None, None, None),
        ("TOOLONGNAME251031C00150000", None, None, None, None),
        (None, None, None, None, None),
    ],
)
def test_an_options_symbol_tells_its_terms(
    con: duckdb.DuckDBPyConnection, symbol: str | None, root: Any, expiry: Any, right: Any, strike: Any
) -> None:
    terms = "osi_terms($1::varchar)"
    asked = f"[osi_root($1::varchar), osi_expiry({terms})::varchar, osi_right({terms}), osi_strike({terms})::varchar]"
    found = value(con, asked, symbol)
    assert found[0] == root
    assert found[1] == (expiry and expiry.isoformat())
    assert found[2] == right
    assert (found[3] and Decimal(found[3])) == strike


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("100", "100"),
        ("-0.50000000", "-0.5"),
        ("1234567.00000001", "1234567.00000001"),
        ("0", "0"),
        ("1" + 20 * "0", None),
    ],
)
def test_a_quantity_is_written_as_a_file_takes_it(
    con: duckdb.DuckDBPyConnection, quantity: str, text: str | None
) -> None:
    assert value(con, "written(?::decimal(38, 8))", Decimal(quantity)) == text
