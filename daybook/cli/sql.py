"""`daybook sql`: one question to the published copy, read-only and bounded in time."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from daybook.cli import console
from daybook.cli.output_file import output_file
from pipelines.errors import ConfigurationError

if TYPE_CHECKING:
    from pipelines.settings import Settings

#: What a table on a terminal shows unless told otherwise; files and pipes are never cut without being asked.
ROWS_SHOWN = 200
_COMMENT = re.compile(r"--(?:[^\s=]*\s|[^\n]*\n)")  # a name of an option has no blank in it
MOST_BYTES = 2**20  # of a query on standard input, which may have no end


class Format(StrEnum):
    """The formats in which rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


Form = Annotated[
    Format | None,
    typer.Option("--format", "-f", help="How to write the rows: else as --output is named, or a table."),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="A file, instead of standard output.")]
Limit = Annotated[
    int | None, typer.Option(min=0, help="Most rows; 0 is all. A table on a terminal shows 200 by itself.")
]

Version = Annotated[
    int | None, typer.Option("--at-version", min=0, metavar="N", help="A lake as it was at its snapshot N.")
]


class SqlCommand(TyperCommand):
    """The command `sql`, whose query may begin with a comment: `-- why` is no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As any command reads its arguments, with a line end before a comment."""
        return super().parse_args(ctx, [f"\n{each}" if _COMMENT.match(each) else each for each in args])


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT, or - to read it from standard input.")],
    *,
    form: Form = None,
    output: Output = None,
    limit: Limit = None,
    timeout: Annotated[float, typer.Option(min=0.001, metavar="SECONDS", help="How long it may take.")] = 60.0,
    at_version: Version = None,
) -> int:
    """Ask the published books a question in SQL.

    DuckDB's SQL, read-only: no file, no network and no setting can be reached. Decimals come out exactly, as text in
    JSON. Only a table on a terminal stops at 200 rows; files and pipes get all of them, unless --limit says less.

    \b
    Examples:
      daybook sql "from pnl.firm_daily order by trading_date desc limit 5"
      daybook sql "from pnl.position_daily" --output positions.parquet
      daybook sql - --format csv < query.sql
    """
    from daybook.cli.query_process import Query, run_query
    from pipelines.settings import Lake, Settings
    from pipelines.warehouse.restoring import finish_if_killed

    text = _from_stdin() if query == "-" else query
    form = form or _format_of(output)
    shown = form is Format.TABLE and output is None and sys.stdout.isatty()
    most = (ROWS_SHOWN if shown else 0) if limit is None else limit
    settings = Settings.from_env()
    _refuse(form, output, timeout, at_version, settings)
    finish_if_killed(settings.home)  # here, where it can be said: the process that asks has no home of its own
    place = settings.books
    books = (place.catalog, place.data) if isinstance(place, Lake) else str(place)
    with output_file(output, settings.home) as target:
        asked = Query(text, books, form.value, most, timeout, output is not None, at_version)
        cut = run_query(asked, target)
    if cut:
        console.notice(f"These are the first {most:,} rows of more: --limit 0 shows all.")
    return 0


def _refuse(form: Format, output: Path | None, timeout: float, at_version: int | None, settings: Settings) -> None:
    """Raises ConfigurationError for what can't be asked so."""
    if form is Format.PARQUET and output is None and sys.stdout.isatty():
        raise ConfigurationError(
            "Parquet is not for reading on a terminal: give --output FILE, or send it to a program."
        )
    if isnan(timeout):
        raise ConfigurationError("--timeout needs a number of seconds.")
    if at_version is not None and not settings.has_lake:
        raise ConfigurationError("--at-version is of a lake, and DAYBOOK_LAKE is not set: ask pnl.*_as_known(instant).")


def _format_of(output: Path | None) -> Format:
    """The format that a file's name tells. Raises ConfigurationError for a name that tells another one than ours."""
    ending = output.suffix.lower().removeprefix(".") if output else ""
    if ending in ("", "txt"):
        return Format.TABLE
    try:
        return Format(ending)
    except ValueError:
        raise ConfigurationError(
            f"--output {output} doesn't tell the format: name it .csv, .json, .parquet or .txt, or give --format."
        ) from None


def _from_stdin() -> str:
    content = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"Standard input has more than {MOST_BYTES // 2**20} MiB: that is not a query.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError("The query on standard input is not UTF-8 text.") from error
