"""A file of instructions, JSON or CSV, read whole: a bad line is named, and then nothing of it is used."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from models.trading import InstructionRow
from pipelines.archive.files import read_file
from pipelines.errors import ConfigurationError

NEEDED = ("instruction_type", "instrument_id", "quantity")
KEY = "client_instruction_id"
#: A file bigger than this is not a batch of instructions.
MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Wanted:
    """An instruction that somebody asks for, under the names of the wire and not yet checked.

    `where` begins every sentence about it, such as "batch.csv, line 3: "; it is empty where there is one alone.
    """

    row: dict[str, str]
    where: str = ""


def read_batch(path: Path) -> list[Wanted]:
    """The rows of a batch file: a JSON list of objects, or CSV with a line of names, both under the broker's names.

    Keys may be missing, instruments may be symbols. Raises ConfigurationError that names the line.
    """
    try:
        content = read_file(path, MOST_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read as a batch of instructions ({error.strerror}).") from error
    read = _json if path.suffix.lower() == ".json" else _csv
    rows = [Wanted(_checked(row, where), where) for row, where in read(path, content)]
    if not rows:
        raise ConfigurationError(f"{path} has no instruction in it.")
    return rows


def checked_instruction(wanted: Wanted) -> InstructionRow:
    """A checked instruction. Raises ConfigurationError that says where it stands and what may be written."""
    row = wanted.row
    try:
        return InstructionRow.model_validate(row)
    except ValidationError as error:
        problems = [_words(str(each["loc"][0]), row.get(str(each["loc"][0]))) for each in error.errors()]
        raise ConfigurationError(f"{wanted.where}{'; '.join(problems)}.") from None


def with_keys(rows: Sequence[Wanted], run_id: str) -> list[Wanted]:
    """The rows, each with a key: its own, else one made of the run's id and its number, by which it is found. Raises
    ConfigurationError for a key that an earlier row has: the broker would refuse the second as a repeat."""
    keyed = [replace(each, row={KEY: f"{run_id}-{number}", **each.row}) for number, each in enumerate(rows, 1)]
    seen: set[str] = set()
    for each in keyed:
        if (key := each.row[KEY]) in seen:
            raise ConfigurationError(f"{each.where}an earlier row has the key {key!r} too: each needs its own.")
        seen.add(key)
    return keyed


_ALLOWED = {
    "instruction_type": "EXERCISE, DO_NOT_EXERCISE or CONTRARY_EXERCISE",
    "instrument_id": "an instrument's UUID",
    "quantity": "a number of contracts above 0, such as 2, and no part of one",
    KEY: "1 to 128 letters without blanks",
}


def _words(name: str, value: str | None) -> str:
    return f"{name} {value!r} is not {_ALLOWED[name]}"


def _checked(row: Any, where: str) -> dict[str, str]:
    """The row as text under known names. Raises ConfigurationError."""
    if not isinstance(row, dict):
        raise ConfigurationError(f"{where}it is not an object with {', '.join(NEEDED)}.")
    _refuse_strangers(row, where)
    missing = [name for name in NEEDED if row.get(name) in (None, "")]
    if missing:
        raise ConfigurationError(f"{where}{missing[0]} is missing.")
    numbers = [name for name, value in row.items() if not isinstance(value, str | None)]
    if numbers:
        raise ConfigurationError(f"{where}{numbers[0]} must be text, in quotation marks.")
    return {name: value.strip() for name, value in row.items() if value}


def _refuse_strangers(names: Iterable[str], where: str) -> None:
    strangers = [name for name in names if name not in (*NEEDED, KEY)]
    if strangers:
        raise ConfigurationError(f"{where}{strangers[0]!r} is not known: there are {', '.join((*NEEDED, KEY))}.")


def _json(path: Path, content: bytes) -> Iterator[tuple[Any, str]]:
    try:
        rows = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{path} is not JSON ({error}).") from None
    if not isinstance(rows, list):
        raise ConfigurationError(f"{path} must hold a JSON list of instructions.")
    for number, row in enumerate(rows, 1):
        yield row, f"{path}, instruction {number}: "


def _csv(path: Path, content: bytes) -> Iterator[tuple[Any, str]]:
    names: list[str] = []
    for cells, where in _lines(path, content):
        if not names:
            names = _header(cells, where)
        elif len(cells) > len(names):
            raise ConfigurationError(f"{where}it has {len(cells)} columns, and the first line names {len(names)}.")
        else:
            yield dict(zip(names, cells, strict=False)), where


def _lines(path: Path, content: bytes) -> Iterator[tuple[list[str], str]]:
    """The lines that are not empty."""
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        for line in lines:
            cells = [cell.strip() for cell in line]
            if any(cells):
                yield cells, f"{path}, line {lines.line_num}: "
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} is not CSV in UTF-8 ({error}).") from None


def _header(names: list[str], where: str) -> list[str]:
    """The names of the columns. Raises ConfigurationError where they can't be those of instructions."""
    absent = [name for name in NEEDED if name not in names]
    if absent:
        allowed = f"{', '.join(NEEDED)} and, if you like, {KEY}"
        raise ConfigurationError(f"{where}the column {absent[0]} is missing: the first line must name {allowed}.")
    _refuse_strangers(names, where)
    if len(set(names)) < len(names):
        raise ConfigurationError(f"{where}a column is named twice.")
    return names
