"""A file of instructions, JSON or CSV, read whole: a bad line is named, and then nothing of it is used."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from models.trading import InstructionRow
from pipelines.errors import ConfigurationError

NEEDED = ("instruction_type", "instrument_id", "quantity")
KEY = "client_instruction_id"
#: A file bigger than this is not a batch of instructions.
MOST_BYTES = 4 * 1024 * 1024


def read_batch(path: Path) -> list[dict[str, str]]:
    """The rows of a batch file: a JSON list of objects, or CSV with a line of names, both under the broker's names.

    Keys may be missing, instruments may be symbols. Raises ConfigurationError that names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read ({error.strerror}).") from error
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"{path} is too big for a batch of instructions.")
    rows = _json(path, content) if path.suffix.lower() == ".json" else _csv(path, content)
    if not rows:
        raise ConfigurationError(f"{path} has no instruction in it.")
    return [_named(path, number, row) for number, row in enumerate(rows, 1)]


def instruction_row(row: dict[str, str], where: str) -> InstructionRow:
    """A checked instruction. Raises ConfigurationError that begins with `where` and says what may be written."""
    try:
        return InstructionRow.model_validate(row)
    except ValidationError as error:
        problems = [_words(str(each["loc"][0]), row.get(str(each["loc"][0]))) for each in error.errors()]
        raise ConfigurationError(f"{where}{'; '.join(problems)}.") from None


def with_keys(rows: Sequence[dict[str, str]], run_id: str) -> list[dict[str, str]]:
    """The rows, each with a key: its own, else one made of the run's id and its number, by which it is found."""
    return [{KEY: f"{run_id}-{number}", **row} for number, row in enumerate(rows, 1)]


_ALLOWED = {
    "instruction_type": "EXERCISE, DO_NOT_EXERCISE or CONTRARY_EXERCISE",
    "instrument_id": "an instrument's UUID",
    "quantity": "a number of contracts above 0, such as 2",
    KEY: "1 to 128 letters without blanks",
}


def _words(name: str, value: str | None) -> str:
    return f"{name} {value!r} is not {_ALLOWED[name]}"


def _named(path: Path, number: int, row: Any) -> dict[str, str]:
    where = f"{path}, instruction {number}: "
    if not isinstance(row, dict):
        raise ConfigurationError(f"{where}it is not an object with {', '.join(NEEDED)}.")
    strangers = [str(name) for name in row if name not in (*NEEDED, KEY)]
    missing = [name for name in NEEDED if not row.get(name)]
    if strangers:
        raise ConfigurationError(f"{where}{strangers[0]!r} is not known: there are {', '.join((*NEEDED, KEY))}.")
    if missing:
        raise ConfigurationError(f"{where}{missing[0]} is missing.")
    numbers = [name for name, value in row.items() if not isinstance(value, str | None)]
    if numbers:
        raise ConfigurationError(f"{where}{numbers[0]} must be text, in quotation marks.")
    return {name: value.strip() for name, value in row.items() if value}


def _json(path: Path, content: bytes) -> list[Any]:
    try:
        rows = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{path} is not JSON ({error}).") from None
    if not isinstance(rows, list):
        raise ConfigurationError(f"{path} must hold a JSON list of instructions.")
    return rows


def _csv(path: Path, content: bytes) -> list[Any]:
    try:
        lines = csv.DictReader(
            io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True, restkey="a column too many"
        )
        return list(lines)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} is not CSV in UTF-8 ({error}).") from None
