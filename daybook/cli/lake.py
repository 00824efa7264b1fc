"""`daybook lake`: the warehouse as a lake: made, given readers, filled from a home and emptied into one, kept tidy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daybook.cli import console
from daybook.cli.options import Wait

if TYPE_CHECKING:
    import duckdb

    from pipelines.ingest.moving import Moved
    from pipelines.settings import Settings

lake = typer.Typer(
    name="lake",
    help="The warehouse as a lake, for readers on other hosts: make one, move books there and back, keep it tidy.",
    rich_markup_mode=None,
)


@lake.callback(invoke_without_command=True)
def _lake(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        console.say(context.get_help())


Reader = Annotated[
    str | None,
    typer.Option("--reader", metavar="ROLE", help="A role of PostgreSQL that may read it, and nothing else."),
]


@lake.command(short_help="Make the lake that DAYBOOK_LAKE names.")
def create(*, reader: Reader = None, wait: Wait = 60.0) -> int:
    """Make the lake that DAYBOOK_LAKE and DAYBOOK_LAKE_DATA name. Once, by one person.

    DAYBOOK_LAKE is the address of an empty PostgreSQL database, DAYBOOK_LAKE_DATA a bucket or a folder. With --reader a
    role is made, or taken, that may read the lake and change nothing; on a lake that is there already only that is
    done.

    \b
    Examples:
      daybook lake create
      daybook lake create --reader analyst
    """
    from pipelines.settings import Settings
    from pipelines.warehouse.lake.create import create_lake

    for sentence in create_lake(Settings.from_env(), reader, wait=wait, on_progress=console.show_event):
        console.say(sentence)
    return 0


Home = Annotated[Path, typer.Argument(metavar="HOME", help="A home of daybook: the folder that DAYBOOK_HOME named.")]


@lake.command(name="import", short_help="Move the books of a home into the lake.")
def import_(home: Home, *, wait: Wait = 60.0) -> int:
    """Move the books of HOME into the lake that DAYBOOK_LAKE names, which is empty.

    Everything: what was read and built, every version with the times from which it was known, locks, the archive,
    adjustments and benchmarks, the journal of trading. All of it is compared before this ends. HOME stays as it is, but
    for what a run of today's daybook would do first: an older one is migrated, after a backup. DAYBOOK_HOME is a new
    folder. Where it is killed, the lake has no books, and the same command again goes on.

    \b
    Examples:
      daybook lake create
      DAYBOOK_HOME=~/.daybook-lake daybook lake import ~/.daybook
    """
    from pipelines.ingest.moving import import_home
    from pipelines.settings import Settings

    settings = Settings.from_env()
    with console.progress("moving") as on_progress:
        moved = import_home(settings, home, _finish, wait=wait, on_progress=on_progress)
    _tell(moved, f"{home} is in {settings.books}")
    console.say(f"{home} is as it was: nothing writes there any more while DAYBOOK_LAKE is set.")
    return 0


@lake.command(short_help="Move the books of the lake into a new home.")
def export(home: Home, *, wait: Wait = 60.0) -> int:
    """Move the books of the lake into HOME, a folder that isn't there yet: the warehouse as one file again.

    The same as `daybook lake import` moves, compared in the same way. HOME appears when all of it is there. The lake
    stays as it is.

    \b
    Examples:
      daybook lake export ~/.daybook-again
    """
    from pipelines.ingest.moving import export_home
    from pipelines.settings import Settings

    settings = Settings.from_env()
    with console.progress("moving") as on_progress:
        moved = export_home(settings, home, _finish, wait=wait, on_progress=on_progress)
    _tell(moved, f"{settings.books} is in {home}")
    console.say(f"To work there, set DAYBOOK_HOME to {home}, and neither DAYBOOK_LAKE nor DAYBOOK_LAKE_DATA.")
    return 0


KeepDays = Annotated[
    int, typer.Option("--keep-days", metavar="N", min=1, help="Keep the snapshots of the last N days (30).")
]


@lake.command(short_help="Merge small files, and delete what nothing needs any more.")
def maintain(*, keep_days: KeepDays = 30, wait: Wait = 60.0) -> int:
    """Merge the lake's small files, forget its old snapshots, and delete the files that nothing needs any more.

    The books stay the same to the last row. Readers and landings may go on meanwhile: no file is deleted that is
    younger than a day. Earlier snapshots answer questions as of a commit; what was known at a time is in the books
    themselves, and is never forgotten.

    \b
    Examples:
      daybook lake maintain
      daybook lake maintain --keep-days 7
    """
    from pipelines.ingest.upkeep import maintain as tidy
    from pipelines.settings import Settings

    with console.progress("tidying") as on_progress:
        done = tidy(Settings.from_env(), timedelta(days=keep_days), wait=wait, on_progress=on_progress)
    console.say(
        f"The tables had {done.files_before:,} files and have {done.files:,}; {done.snapshots_forgotten:,} snapshots "
        f"were forgotten, {done.files_deleted:,} files deleted."
    )
    return 0


def _finish(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    from assets.catalog import CATALOG
    from pipelines.books.build import build
    from pipelines.warehouse.published import publish_books

    build(con, settings, CATALOG)
    publish_books(con, settings)


def _tell(moved: Moved, what: str) -> None:
    console.say(
        f"{what}: {moved.rows:,} rows of {len(moved.tables)} tables, {moved.runs:,} runs of the archive, "
        f"{moved.files:,} files of adjustments, benchmarks and trades; all of it was read again and is equal."
    )
