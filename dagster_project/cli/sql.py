"""`daybook sql`: one question to the published copy, read-only and bounded in time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli import console
from pipelines.errors import ConfigurationError, DaybookError

if TYPE_CHECKING:
    import duckdb

#: What a table on a terminal shows unless told otherwise; files are never cut without being asked.
ROWS_SHOWN = 200
MOST_BYTES = 2**20  # of a query on standard input, which may have no end


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT, or - to read it from standard input.")],
    *,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to write the rows.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file, instead of standard output.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Most rows; 0 is all. A table shows 200 by itself.")] = None,
    timeout: Annotated[float, typer.Option(min=0.001, metavar="SECONDS", help="How long it may take.")] = 60.0,
) -> int:
    """Ask the published books a question in SQL.

    DuckDB's SQL, read-only: no file, no network and no setting can be reached. Decimals come out exactly, as text in
    JSON. Only a table on the screen is cut without being asked to.

    \b
    Examples:
      daybook sql "from pnl.firm_daily order by trading_date desc limit 5"
      daybook sql "from pnl.position_daily" --format parquet --output positions.parquet
      daybook sql - --format csv < query.sql
    """
    from dagster_project.cli import rows
    from pipelines.settings import Settings
    from pipelines.warehouse.connect import open_published

    text = _from_stdin() if query == "-" else query
    most = (ROWS_SHOWN if form is Format.TABLE else 0) if limit is None else limit
    with open_published(Settings.from_env().published) as con, _in_time(con, timeout):
        answer = ask(con, text)
        cut = rows.write(answer, form.value, output, most)
    if cut:
        console.notice(f"These are the first {most:,} rows of more: --limit 0 shows all.")
    return 0


def _from_stdin() -> str:
    content = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"Standard input has more than {MOST_BYTES // 2**20} MiB: that is not a query.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError("The query on standard input is not UTF-8 text.") from error


def ask(con: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyRelation:
    """The answer to one question, not computed yet. Raises ConfigurationError for anything but a single SELECT."""
    import duckdb

    statements = con.extract_statements(text)
    # DuckDB turns a PIVOT without IN into two statements of its own, which have no text
    written = [each for each in statements if each.query.strip()] or statements[-1:]
    if not statements:
        raise ConfigurationError("The query is empty: give one SELECT.")
    if len(written) > 1:
        raise ConfigurationError(f"That is {len(written)} statements: give one SELECT at a time.")
    if written[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise ConfigurationError(f"The published books are read-only, and {written[0].type.name} is not a SELECT.")
    answer = con.sql(text)
    if answer is None:  # pragma: no cover  (a SELECT always has an answer)
        raise ConfigurationError("The query has no answer: give one SELECT.")
    return answer


@contextmanager
def _in_time(con: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Stops the query after so many seconds, and turns DuckDB's errors into a sentence."""
    import duckdb

    timer = threading.Timer(seconds, con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        raise DaybookError(
            f"The query took longer than {seconds:g} s: narrow it, or give it more with --timeout."
        ) from None
    except duckdb.Error as error:
        raise ConfigurationError(f"The query failed: {_sentence(error)}") from None
    finally:
        timer.cancel()


def _sentence(error: duckdb.Error) -> str:
    """DuckDB's reason without the drawing of where it is."""
    reason = str(error).partition("\n\nLINE ")[0]
    return " ".join(line.strip() for line in reason.splitlines() if line.strip())
