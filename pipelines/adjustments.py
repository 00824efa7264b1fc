"""adjustments.csv: what no API says, people say. Read whole or not at all, every bad line named."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

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
        return self


def read_adjustments(path: Path) -> list[Adjustment]:
    """The file's lines; none where there is no file. Raises ConfigurationError that names every bad line."""
    if not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read ({error}); save it as UTF-8 text.") from error
    reader = csv.DictReader(text.splitlines())
    unknown = [name for name in reader.fieldnames or () if name not in COLUMNS]
    missing = [
        name
        for name in ("trading_date", "account_id", "kind", "instrument_id")
        if name not in (reader.fieldnames or ())
    ]
    if unknown or missing:
        raise ConfigurationError(
            f"{path}: its first line must name columns of {', '.join(COLUMNS)}"
            + (f"; it lacks {', '.join(missing)}" if missing else "")
            + (f"; it has {', '.join(unknown)}" if unknown else "")
        )
    lines, problems = [], []
    for row in reader:
        try:
            lines.append(Adjustment.model_validate({k: v for k, v in row.items() if v is not None or k is None}))
        except ValidationError as error:
            problems.append(f"line {reader.line_num}: {_explain(error)}")
    if problems:
        raise ConfigurationError(f"{path} is not applied, none of it: " + "; ".join(problems))
    return lines


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
