"""What is made once for a module whose books are built without a network."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.support.landing import forget, open_raw


@pytest.fixture(scope="module")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """One warehouse for all books of a module, one after the other: its tables take longer to make than to fill."""
    with open_raw() as con:
        yield con


@pytest.fixture
def con(warehouse: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """That warehouse without a row."""
    forget(warehouse)
    return warehouse
