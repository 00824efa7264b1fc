"""How the rows of an answer are written: table, csv, json, parquet; decimals exactly."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from daybook.cli import console
from models.printable import printable_json
from pipelines.errors import ConfigurationError
from pipelines.report.formatting import exact

if TYPE_CHECKING:
    import duckdb

BATCH = 10_000
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "FLOAT", "DOUBLE")
_ALL = 2**62  # as many as DuckDB counts
_AS_THEY_ARE = {"BOOLEAN", *_NUMBERS}  # in JSON; everything else is text there, for only text is exact
_NESTED = ("[", "STRUCT", "MAP", "UNION")
_BETWEEN = "   "  # columns of a table
_NULL = "null"  # compared by identity: a text may say the same
_INSTANT = "TIMESTAMP WITH TIME ZONE"


def write(answer: duckdb.DuckDBPyRelation, form: str, most: int) -> bool:
    """Write an answer's rows to standard output, at most `most` of them (0: all); whether there were more."""
    if form in ("json", "parquet") and len(set(answer.columns)) < len(answer.columns):
        raise ConfigurationError(f"Two columns have the same name, which {form} can't hold: name them apart with AS.")
    most = 0 if most >= _ALL else most
    asked = answer.limit(most + 1) if most else answer
    return _WRITERS[form](asked, sys.stdout.buffer if form == "parquet" else sys.stdout, most)


def _write_table(answer: duckdb.DuckDBPyRelation, target: IO[str], most: int) -> bool:
    kinds = [str(kind) for kind in answer.types]
    rows = _as_text(answer).fetchall()
    shown = rows[:most] if most else rows
    screen = console.screen(file=target)
    texts = [[_cell_text(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in shown]
    if screen.is_terminal:
        _show_table(screen, answer.columns, kinds, texts)
    else:
        _write_lines(target, [*map(console.printable, answer.columns)], kinds, texts)
    screen.print(Text(f"{len(shown):,} {'row' if len(shown) == 1 else 'rows'}", "dim"))
    return len(rows) > len(shown)


def _show_table(screen: Console, columns: list[str], kinds: list[str], texts: list[list[str]]) -> None:
    numbers = tuple(name for name, kind in zip(columns, kinds, strict=True) if _is_number(kind))
    made = console.table("", *columns, numbers=numbers)
    cells = [[_cell(text, kind) for text, kind in zip(row, kinds, strict=True)] for row in texts]
    for row in cells:
        made.add_row(*row)
    if console.natural_width(made) <= screen.width:
        screen.print(made)
    else:
        console.show_records(screen, columns, cells)


def _write_lines(target: IO[str], columns: list[str], kinds: list[str], texts: list[list[str]]) -> None:
    """The same table for a file or a program, as wide as it is. Without rich, which takes a second for 1,000 rows."""
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *texts, strict=True)]
    aligned = [_is_number(kind) for kind in kinds]

    def line(cells: list[str]) -> str:
        padded = (
            " " * (width - cell_len(cell)) + cell if right else cell + " " * (width - cell_len(cell))
            for cell, width, right in zip(cells, widths, aligned, strict=True)
        )
        return _BETWEEN.join(padded).rstrip(" ") + "\n"

    rule = "─" if str(getattr(target, "encoding", None) or "utf-8").lower().startswith("utf") else "-"
    target.write(line(columns))
    target.write(rule * (sum(widths) + len(_BETWEEN) * (len(widths) - 1)) + "\n")
    target.writelines(map(line, texts))


def _cell(text: str, kind: str) -> Text:
    if text is _NULL:
        return Text(text, "dim italic")
    return Text(text, "red" if _is_number(kind) and text.startswith("-") else "")


def _cell_text(value: str | None, kind: str) -> str:
    if value is None:
        return _NULL
    if kind.startswith("DECIMAL") and "." in value:
        whole, _, fraction = value.partition(".")
        value = f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"  # the same number, without its scale's zeros
    return console.printable(value)


def _is_number(kind: str) -> bool:
    return kind in _NUMBERS or kind in ("HUGEINT", "UHUGEINT", "UBIGINT") or kind.startswith("DECIMAL")


def _write_csv(answer: duckdb.DuckDBPyRelation, target: IO[str], most: int) -> bool:
    """Numbers with every digit; a text that a spreadsheet would run as a formula gets an apostrophe in front. A file or
    a program gets every text to the letter; on a terminal what it would obey is written out, for CSV has no escapes."""
    screen = target.isatty()
    texts = [not (_is_number(kind) or kind in _AS_THEY_ARE) for kind in map(str, answer.types)]

    def cell_of(text: object) -> str:
        return console.printable(exact(text)) if screen else exact(text)

    table = csv.writer(_Lines(target), lineterminator="\r\n")
    table.writerow(map(cell_of, answer.columns))
    rows = _Counted(_as_text(answer), most)
    table.writerows([cell_of(cell) if text else cell for cell, text in zip(row, texts, strict=True)] for row in rows)
    return rows.cut


class _Lines:
    """Ends lines as everything else here does. The csv module quotes a carriage return only where it ends
    lines, too."""

    def __init__(self, target: IO[str]) -> None:
        self._target = target

    def write(self, line: str) -> None:
        self._target.write(line.removesuffix("\r\n") + "\n")


def _write_json(answer: duckdb.DuckDBPyRelation, target: IO[str], most: int) -> bool:
    """An array with an object per line."""
    kinds = [str(kind) for kind in answer.types]
    plain = [f"#{at}" if _stays(kind) else f"#{at}::varchar" for at, kind in enumerate(kinds, 1)]
    rows = _Counted(answer.project(", ".join(plain)), most)
    separator = "[\n"
    for row in rows:
        named = {name: _json(value, kind) for name, value, kind in zip(answer.columns, row, kinds, strict=True)}
        line = json.dumps(named, ensure_ascii=False, allow_nan=False, default=str)
        target.write(separator + (printable_json(line) if target.isatty() else line))
        separator = ",\n"
    target.write("[]\n" if separator == "[\n" else "\n]\n")
    return rows.cut


def _write_parquet(answer: duckdb.DuckDBPyRelation, target: IO[bytes], most: int) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    reader = answer.to_arrow_reader(100_000)
    written, cut = 0, False
    try:
        with pq.ParquetWriter(target, reader.schema, compression="zstd") as parquet:
            for batch in reader:
                keep = batch.slice(0, most - written) if most else batch
                cut = cut or keep.num_rows < batch.num_rows
                parquet.write_batch(keep)
                written += keep.num_rows
    except pa.ArrowNotImplementedError as error:
        raise ConfigurationError(
            f"Parquet can't hold a column of this answer ({error}): cast it to VARCHAR."
        ) from error
    target.flush()
    return cut


class _Counted:
    """Rows a batch at a time, at most so many (0: all); `cut` once there were more."""

    def __init__(self, answer: duckdb.DuckDBPyRelation, most: int) -> None:
        self._answer, self._most = answer, most
        self.cut = False

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        count = 0
        while batch := self._answer.fetchmany(BATCH):
            for row in batch:
                if self._most and count == self._most:
                    self.cut = True
                    return
                count += 1
                yield row


def _as_text(answer: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Every column as the text that DuckDB writes for it, which is exact."""
    return answer.project(", ".join(f"#{at}::varchar" for at in range(1, len(answer.columns) + 1)))


def _stays(kind: str) -> bool:
    return kind in _AS_THEY_ARE or any(mark in kind for mark in _NESTED)


def _json(value: Any, kind: str) -> Any:
    if kind == _INSTANT and isinstance(value, str):
        return value.replace(" ", "T", 1).removesuffix("+00") + "+00:00"  # the copy is read in UTC
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None  # JSON has no word for it
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return {str(name): _json(each, "") for name, each in value.items()}
    return [_json(each, "") for each in value] if isinstance(value, list) else value


_WRITERS: dict[str, Callable[[duckdb.DuckDBPyRelation, IO[Any], int], bool]] = {
    "table": _write_table,
    "csv": _write_csv,
    "json": _write_json,
    "parquet": _write_parquet,
}
