"""A page of positions read straight into Arrow columns, for a page that is exactly as documented.

pyarrow parses the reply against the types that the models document, without a Python object for any row and without
holding other threads up; casts and a few sums then show that every value fits its column. Whatever is not exactly as
documented (an unknown field or member, a number where text is due, digits that don't fit, a row of another account, an
instrument that comes twice) is not judged here: the models then read the page row by row, and say what there is to say.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, get_args

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from typing_extensions import get_type_hints

from models.drift import Observed
from models.envelope import Metadata, WireMetadata, metadata_of
from models.exact import DECIMALS
from models.fields import ModelColumn
from models.shapes import POSITIONS
from pipelines.broker.columns import ARROW, page_schema

_FIRST_DAY = pa.scalar(date.min, pa.date32())
#: Where the rows of a reply begin. No text within one can have this: its quotes would be escaped.
_ROWS = re.compile(rb'"data"\s*:\s*\[')
#: How an object begins. pyarrow must not be given a body that begins otherwise.
_OBJECT = re.compile(rb"[ \t\r\n]*\{")
#: What two reads of a book are compared by, beside the instrument.
HELD = ("quantity", "avg_price", "cost_basis")


class _Unlike(ValueError):
    """A page that is not as documented, and is left to the models."""


@dataclass(frozen=True)
class PageTable:
    """A page of positions, one column for each of the model's. `holdings` has the texts as sent, by instrument;
    `rows_hash` is that of its rows, None where they can't be told from the rest of the reply."""

    table: pa.Table
    metadata: Metadata
    observed: Observed
    holdings: dict[str, tuple[Any, ...]]
    rows_hash: bytes | None


def read_table(account_id: str, body: bytes) -> PageTable | None:
    """The positions of a reply as columns; None where the models have to look at it."""
    try:
        metadata, sent = _parse(body)
        columns = {column.name: _fitting(column, sent[column.name], account_id) for column in POSITIONS.columns}
        _agree(columns)
    except ValueError:  # Arrow's and Python's own are such, too
        return None
    rows = len(sent["instrument_id"])
    arrays = [*columns.values(), pa.nulls(rows, pa.string())]
    held = zip(*(sent[name].to_pylist() for name in HELD), strict=True)
    where = _rows_of(body)
    return PageTable(
        table=pa.Table.from_arrays(arrays, schema=page_schema(POSITIONS)),
        metadata=metadata,
        observed=Observed(_fields(sent, body) if rows else set()),
        holdings=dict(zip(sent["instrument_id"].to_pylist(), held, strict=True)),
        rows_hash=_hash(body, where) if where else None,
    )


def read_rest(body: bytes) -> tuple[Metadata, bytes] | None:
    """The metadata of a reply, and the hash of the text of its rows, which are not looked at. Where that is the hash of
    a page that was read, they are the same rows. None where the rest is not as documented."""
    where = _rows_of(body)
    if where is None:
        return None
    try:
        metadata, sent = _parse(body[: where.start] + body[where.stop :])
    except ValueError:  # Arrow's and Python's own are such, too
        return None
    return None if len(sent["instrument_id"]) else (metadata, _hash(body, where))


def _rows_of(body: bytes) -> slice | None:
    """Where the text of the rows stands, between its brackets; None where that can't be told."""
    begin, end = _ROWS.search(body), body.rfind(b"]")
    if begin is None or end < begin.end():
        return None
    try:
        orjson.loads(b'{"data":[' + body[end:])  # not the end of the rows, but one in a text: then a quote is missing
    except ValueError:
        return None
    return slice(begin.end(), end)


def _hash(body: bytes, where: slice) -> bytes:
    return hashlib.sha256(memoryview(body)[where]).digest()


def _parse(body: bytes) -> tuple[Metadata, dict[str, pa.Array]]:
    """The metadata, and the columns as sent."""
    if _OBJECT.match(body) is None:
        raise _Unlike  # a document that begins with null ends the process: pyarrow 26 follows a pointer to nothing
    if not body.isascii():
        body.decode()  # pyarrow takes bytes that are no text
    whole = pj.read_json(
        pa.BufferReader(body),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(body) + 1),
        parse_options=pj.ParseOptions(
            explicit_schema=_wire_schema(), newlines_in_values=True, unexpected_field_behavior="error"
        ),
    )
    listed = whole["data"].combine_chunks()
    rows = listed.flatten()
    if len(listed) != 1 or listed.null_count or rows.null_count:
        raise _Unlike
    return metadata_of(whole["metadata"][0].as_py()), {
        column.name: rows.field(number) for number, column in enumerate(POSITIONS.columns)
    }


def _fitting(column: ModelColumn, sent: pa.Array, account_id: str) -> pa.Array:
    """The column as its table holds it, proven to have nothing in it that a model would mind."""
    if sent.null_count and not column.nullable:
        raise _Unlike
    if column.name == "account_id":
        if not account_id.isdecimal() or str(int(account_id)) != account_id:
            raise _Unlike
        _all(pc.equal(sent, int(account_id)))
        return pa.repeat(pa.scalar(account_id), len(sent))
    if column.kind in DECIMALS:
        return sent.cast(ARROW[column.kind])
    if column.kind == "day":
        days = sent.cast(ARROW["day"])
        _all(pc.greater_equal(days, _FIRST_DAY))
        return days
    _all(pc.greater(pc.binary_length(sent), 0))
    if column.members is not None:
        _all(pc.is_in(sent.drop_null(), _members(column)))
    return sent


def _agree(columns: Mapping[str, pa.Array]) -> None:
    """Each instrument once, and long or short as its sign says."""
    instruments, quantity, side = (columns[name] for name in ("instrument_id", "quantity", "position_type"))
    if pc.count_distinct(instruments).as_py() != len(instruments):
        raise _Unlike
    sign = pc.sign(quantity)
    _all(pc.or_(pc.greater_equal(sign, 0), pc.starts_with(side, "SHORT")))
    _all(pc.or_(pc.less_equal(sign, 0), pc.starts_with(side, "LONG")))


def _all(true: pa.Array) -> None:
    """Raises _Unlike where one is false; nulls are neither."""
    if pc.all(true).as_py() is False:
        raise _Unlike


def _fields(sent: Mapping[str, pa.Array], body: bytes) -> set[str]:
    """The fields that came, with a value or as null."""
    return {name for name, column in sent.items() if column.null_count < len(column) or f'"{name}"'.encode() in body}


@cache
def _members(column: ModelColumn) -> pa.Array:
    return pa.array(sorted(column.members or ()), pa.string())


@cache
def _wire_schema() -> pa.Schema:
    """A reply whose every field is as the models have it: text, or a whole number."""
    metadata = [
        (name, pa.int64() if int in get_args(hint) else pa.string())
        for name, hint in get_type_hints(WireMetadata).items()
    ]
    row = [(column.name, pa.int64() if column.number else pa.string()) for column in POSITIONS.columns]
    return pa.schema([("metadata", pa.struct(metadata)), ("data", pa.list_(pa.struct(row))), ("error", pa.null())])
