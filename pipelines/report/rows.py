"""The answer to a question of a report as Arrow columns: what a few hundred thousand rows cost as Python objects, they
cost in seconds and in gigabytes. Whoever wants rows gets those that it looks at; renderers take the columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, overload

import pyarrow as pa
import pyarrow.compute as pc

#: So many rows at a time become Python objects.
AT_ONCE = 8_192


class ArrowRows(Sequence[dict[str, Any]]):
    """Rows by the names of their columns, kept as a table. Each look makes new dicts: nobody can change a row."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @classmethod
    def of(cls, rows: Sequence[Any]) -> ArrowRows:
        """Rows as they are, or made columns of."""
        return rows if isinstance(rows, ArrowRows) else cls(pa.Table.from_pylist(list(rows)))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(at, slice):
            found: list[dict[str, Any]] = self.table.take(pa.array(range(len(self))[at], pa.int64())).to_pylist()
            return found
        row: dict[str, Any] = self.table.slice(range(len(self))[at], 1).to_pylist()[0]
        return row

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.table.to_batches(AT_ONCE):
            yield from batch.to_pylist()

    def where(self, chosen: Any) -> ArrowRows:
        """The rows for which a column of truths is true, in their order."""
        return ArrowRows(self.table.filter(chosen))

    def largest(self, name: str) -> InOrder:
        """The rows by the size of a figure, be it above or below zero; first those of which it is not known."""
        figure = self.table[name]
        keys = pa.table({"unknown": pc.cast(pc.is_null(figure), pa.int8()), "size": pc.abs(figure)})
        order = pc.sort_indices(keys, [("unknown", "descending"), ("size", "descending")])
        return InOrder(self, order)

    def with_column(self, name: str, values: Sequence[Any], like: str) -> ArrowRows:
        """The rows with one more column, of the type of another."""
        return ArrowRows(self.table.append_column(name, pa.array(values, self.table.schema.field(like).type)))

    def sum(self, name: str) -> Decimal | None:
        """The sum of a column; None where a part of it is not known."""
        column = self.table[name]
        if column.null_count:
            return None
        total: Decimal | None = pc.sum(column).as_py()
        return Decimal(0) if total is None else total


class InOrder(Sequence[dict[str, Any]]):
    """Rows in another order. They are put in it as they are looked at: nobody looks at all of them."""

    def __init__(self, rows: ArrowRows, order: pa.Array) -> None:
        self._rows, self._order = rows, order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(at, slice):
            return list(ArrowRows(self._rows.table.take(self._order[at])))
        place: int = self._order[range(len(self))[at]].as_py()
        return self._rows[place]


def digits(column: pa.Array) -> list[str | None]:
    """Exact numbers as text, with a point and never with an exponent."""
    texts: list[str | None] = pc.cast(column, pa.string()).to_pylist()
    return [text if text is None or "E" not in text else _plain(text) for text in texts]


@lru_cache(maxsize=4_096)
def _plain(text: str) -> str:
    return f"{Decimal(text):f}"
