"""`daybook lake`: the warehouse as a lake, made, and given readers."""

from __future__ import annotations

from typing import Annotated

import typer

from daybook.cli import console
from daybook.cli.options import Wait

lake = typer.Typer(
    name="lake", help="The warehouse as a lake, for readers on other hosts: make one.", rich_markup_mode=None
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
