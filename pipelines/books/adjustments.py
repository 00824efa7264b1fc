"""adjustments.csv: transfers, id changes and cash that no API reports, written by people. The file is read whole or not
at all, and every bad line is named."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from models.printable import shortened
from pipelines.archive.files import read_file
from pipelines.errors import ConfigurationError

COLUMNS = (
    "trading_date",
    "account_id",
    "kind",
    "instrument_id",
    "to_instrument_id",
    "quantity",
    "cash",
    "value",
    "cost_basis",
    "author",
    "note",
)


NEEDED = ("trading_date", "account_id", "kind", "instrument_id")
#: People write this file: one that is larger was not meant to be it.
MOST_BYTES = 8 * 2**20
#: So many bad lines, or columns, are named; the rest are counted.
SHOWN = 10
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Quantity = Annotated[Annotated[Decimal, Field(max_digits=24, decimal_places=8)] | None, BeforeValidator(_blank_is_none)]
Money = Annotated[Annotated[Decimal, Field(max_digits=28, decimal_places=10)] | None, BeforeValidator(_blank_is_none)]
Text = Annotated[str | None, BeforeValidator(_blank_is_none)]


class Adjustment(BaseModel):
    """One line. Quantity, value and cost basis are signed (in +, out -), cash is received +, in account currency."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    trading_date: date
    account_id: Annotated[str, Field(min_length=1)]
    kind: Literal["TRANSFER", "ID_CHANGE", "CASH_IN_LIEU", "CASH_SETTLEMENT"]
    instrument_id: Annotated[str, Field(min_length=1)]
    to_instrument_id: Text = None
    quantity: Quantity = None
    cash: Money = None
    value: Money = None
    cost_basis: Money = None
    author: Text = None
    note: Text = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Adjustment:
        needed = {
            "TRANSFER": ("quantity", "value", "cost_basis"),
            "ID_CHANGE": ("to_instrument_id",),
            "CASH_IN_LIEU": ("cash",),
            "CASH_SETTLEMENT": ("cash",),
        }[self.kind]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.kind} needs {' and '.join(missing)}")
        if self.kind == "TRANSFER" and (self.quantity or 0) * (self.value or 0) < 0:
            raise ValueError("a TRANSFER's quantity and value have the same sign: + for what came in")
        return self


def read_adjustments(path: Path) -> list[Adjustment]:
    """The file's lines; none where there is no file. Raises ConfigurationError that names the first bad lines, and how
    many more there are; and for what is no such file: a pipe, a folder, a link to nothing, one that is too big."""
    if not os.path.lexists(path):
        return []
    try:
        text = read_file(path, MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read ({error.strerror}); nothing is applied without it.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} can't be read ({error}); save it as UTF-8 text.") from error
    rows = _rows(path, text)
    _check_columns(path, next(rows, (1, []))[1])
    lines: list[Adjustment] = []
    problems: list[str] = []
    bad = 0
    for number, row in rows:
        try:
            lines.append(Adjustment.model_validate(row))
        except ValidationError as error:
            bad += 1
            if len(problems) < SHOWN:
                problems.append(f"line {number}: {_explain(error)}")
    if bad:
        more = f"; and {bad - len(problems):,} more bad lines" if bad > len(problems) else ""
        raise ConfigurationError(f"{path} is not applied, none of it: {'; '.join(problems)}{more}")
    return lines


def _rows(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    """First the names of the columns, as a list, then every row by these names; each with the number of its line.

    Lines end where a CSV's do, at a line break: not at each of the letters that may break one, which a note may have.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            if reader.line_num > line:
                raise ConfigurationError(f"{path}, line {line}: a quoted text goes on in the next line; end it there.")
            if any(_CONTROL.search(cell) for cell in cells):
                raise ConfigurationError(f"{path}, line {line}: it has a control character; write it as plain text.")
            if names is None:
                names = cells
                yield line, names
            elif cells:
                yield line, _named(names, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        reason = "a quotation mark is not closed" if "unexpected end" in str(error) else str(error)
        raise ConfigurationError(f"{path}, line {line}: {reason}; nothing of the file is applied.") from error


def _named(names: list[str], cells: list[str]) -> dict[str, Any]:
    """A row under the names of its columns; what has no column is said to be too much."""
    row: dict[str, Any] = dict(zip(names, cells, strict=False))
    return row | {"(no column)": ""} if len(cells) > len(names) else row


def _check_columns(path: Path, names: list[str]) -> None:
    unknown = [shortened(name) for name in names if name not in COLUMNS]
    missing = [name for name in NEEDED if name not in names]
    twice = sorted({name for name in names if name in COLUMNS and names.count(name) > 1})
    if unknown or missing or twice:
        shown = ", ".join(unknown[:SHOWN]) + (f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else "")
        raise ConfigurationError(
            f"{path}: its first line must name columns of {', '.join(COLUMNS)}"
            + (f"; it lacks {', '.join(missing)}" if missing else "")
            + (f"; it has {shown}" if unknown else "")
            + (f"; it names {', '.join(twice)} twice" if twice else "")
        )


def adjustment_table(lines: list[Adjustment]) -> pa.Table:
    """The lines as Arrow, in the types of `core.position_adjustment`."""
    schema = pa.schema(
        [
            ("trading_date", pa.date32()),
            ("account_id", pa.string()),
            ("kind", pa.string()),
            ("instrument_id", pa.string()),
            ("to_instrument_id", pa.string()),
            ("quantity", pa.decimal128(24, 8)),
            ("cash", pa.decimal128(28, 10)),
            ("value", pa.decimal128(28, 10)),
            ("cost_basis", pa.decimal128(28, 10)),
            ("author", pa.string()),
            ("note", pa.string()),
        ]
    )
    return pa.Table.from_pylist([line.model_dump() for line in lines], schema=schema)


def _explain(error: ValidationError) -> str:
    return ", ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'the line'}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False, include_input=False)
    )
