"""What a quantity is worth at a price: exact to ten places, however it is found."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context, Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.catalog import CATALOG

EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
LARGEST = Decimal(10) ** 18

quantities = st.decimals(-(10**15), 10**15, places=8)
prices = st.one_of(st.decimals(0, 10**6, places=2), st.decimals(0, 10**15, places=8))
multipliers = st.sampled_from([Decimal(1), Decimal(100), Decimal("0.5"), Decimal("99.9875")])


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute(CATALOG.functions)
        yield con


def value_of(con: duckdb.DuckDBPyConnection, *given: Decimal) -> Decimal | None:
    found = con.execute(
        "select value_of(quantity, price, multiplier) from (select "
        "?::decimal(24, 8) as quantity, ?::decimal(24, 8) as price, ?::decimal(12, 4) as multiplier)",
        [format(each, "f") for each in given],
    ).fetchone()
    assert found
    value: Decimal | None = found[0]
    return value


@given(quantity=quantities, price=prices, multiplier=multipliers)
@settings(max_examples=300, deadline=None)
def test_a_value_is_the_exact_product_rounded_once(
    con: duckdb.DuckDBPyConnection, quantity: Decimal, price: Decimal, multiplier: Decimal
) -> None:
    exact = EXACT.quantize(EXACT.multiply(EXACT.multiply(quantity, price), multiplier), Decimal("1e-10"))
    found = value_of(con, quantity, price, multiplier)
    assert found == (exact if abs(exact) < LARGEST else None)


@pytest.mark.parametrize("price", ["2.34", "2.345678", "0.00000001", "9999999999.99999999"])
def test_many_rows_are_worth_what_each_of_them_is(con: duckdb.DuckDBPyConnection, price: str) -> None:
    rows = con.execute(
        "select q, value_of(q, p, m), -value_of(q, p, m) from (select "
        "(range / 8.0)::decimal(24, 8) as q, ?::decimal(24, 8) as p, 100::decimal(12, 4) as m from range(3000))",
        [price],
    ).fetchall()
    for quantity, value, negative in rows:
        assert value == EXACT.quantize(quantity * Decimal(price) * 100, Decimal("1e-10"))
        assert negative == -value


def test_what_no_column_could_hold_is_unknown_and_spoils_no_other_row(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.execute(
        "select value_of(q, p, m), abs(value_of(q, p, m)) from (values "
        "(9999999999999999::decimal(24, 8), 9999999999999999::decimal(24, 8), 100::decimal(12, 4)), "
        "(3, 1.25, 100), (null, 1, 1)) as absurd (q, p, m) where value_of(q, p, m) is null or value_of(q, p, m) > 0"
    ).fetchall()
    assert rows == [(None, None), (Decimal(375), Decimal(375)), (None, None)]
