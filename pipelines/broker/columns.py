"""What a validated row becomes in a table: Arrow types from the models alone, and pages turned into Arrow at once.

Casting is exact: the models let nothing through that a column can't hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from models.shapes import Shape

_FINER = r"(\.[0-9]{6})[0-9]+"

ARROW = {
    "price": pa.decimal128(24, 8),
    "quantity": pa.decimal128(24, 8),
    "average": pa.decimal128(24, 8),
    "ratio": pa.decimal128(24, 8),
    "money": pa.decimal128(28, 10),
    "percent": pa.decimal128(18, 8),
    "instant": pa.timestamp("us", "UTC"),
    "day": pa.date32(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "text": pa.string(),
    "json": pa.string(),
}

#: Fields whose name on the wire is not what the tables call them.
RENAMED = {"accounts": {"id": "account_id"}}


_RUN_ID = pa.field("run_id", pa.string(), nullable=False)


@cache
def schema_of(shape: Shape) -> pa.Schema:
    """The columns of a shape's raw table: `run_id`, then those of `page_schema`."""
    return pa.schema([_RUN_ID, *page_schema(shape)])


@cache
def page_schema(shape: Shape) -> pa.Schema:
    """The columns of a page: the model's, the text of instants finer than a microsecond, `extra`."""
    names = RENAMED.get(shape.name, {})
    fields = []
    for column in shape.columns:
        is_key = column.name in (*shape.key, "account_id")
        nullable = column.nullable and not is_key
        fields.append(pa.field(names.get(column.name, column.name), ARROW[column.kind], nullable=nullable))
        if column.kind == "instant":
            fields.append(pa.field(f"{column.name}_text", pa.string()))
    fields.append(pa.field("extra", pa.string()))
    return pa.schema(fields)


@cache
def key_of(shape: Shape) -> tuple[str, ...]:
    """The primary key of a shape's raw table: the run, the account where the model names one, then the model's
    own key."""
    names = RENAMED.get(shape.name, {})
    own = [names.get(name, name) for name in shape.key]
    account = ["account_id"] if "account_id" in schema_of(shape).names and "account_id" not in own else []
    return ("run_id", *account, *own)


def to_batch(shape: Shape, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Validated rows as a table of `page_schema(shape)`. Fields that no model knows are kept as JSON in `extra`."""
    columns: list[pa.Array] = []
    for column in shape.columns:
        values = [row.get(column.name) for row in rows]
        if column.kind in ("integer", "flag"):
            columns.append(pa.array(values, ARROW[column.kind]))
            continue
        texts = pa.array(values, pa.string())
        if column.kind == "instant":
            columns += _instants(texts)
        else:
            columns.append(texts if ARROW[column.kind] == pa.string() else texts.cast(ARROW[column.kind]))
    columns.append(pa.array(_extras(shape, rows), pa.string()))
    return pa.Table.from_arrays(columns, schema=page_schema(shape))


def as_they_are(page: pa.Table) -> pa.Table:
    """What becomes of a page that was read as columns: nothing, for they are those of `page_schema`."""
    return page


def with_run(run_id: str, page: pa.Table) -> pa.Table:
    """The rows of a page as those of its raw table, of a run."""
    return page.add_column(0, _RUN_ID, pa.repeat(run_id, len(page)))


def empty(shape: Shape) -> pa.Table:
    """A table of the shape's columns without rows, which makes the raw table exist; a flat account lands it, too."""
    return schema_of(shape).empty_table()


def _instants(texts: pa.Array) -> list[pa.Array]:
    """Instants cut to microseconds, and beside them the broker's text where it said more."""
    finer = pc.match_substring_regex(texts, _FINER)
    cut = pc.replace_substring_regex(texts, _FINER, r"\1") if pc.any(finer).as_py() else texts
    return [cut.cast(ARROW["instant"]), pc.if_else(finer, texts, pa.scalar(None, pa.string()))]


def _extras(shape: Shape, rows: Sequence[Mapping[str, Any]]) -> list[str | None]:
    known = _known(shape)
    if not rows or not set().union(*rows) - known:
        return [None] * len(rows)
    return [_extra({name: row[name] for name in row.keys() - known}) for row in rows]


def _extra(unknown: Mapping[str, Any]) -> str | None:
    return json_of(unknown) if unknown else None


def json_of(row: Mapping[str, Any]) -> str:
    """A row, or a part of it, as JSON text with every digit as sent."""
    try:
        return orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # a whole number of more than 64 bits
        return json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@cache
def _known(shape: Shape) -> frozenset[str]:
    return frozenset(column.name for column in shape.columns)
