"""`daybook compact` and `daybook prune`: giving space back, when somebody asks for it and never otherwise."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from daybook.cli import console
from daybook.cli.options import AsJson, Wait, parse_day
from daybook.cli.status import format_size
from pipelines.errors import USAGE, ConfigurationError

if TYPE_CHECKING:
    from pipelines.ingest.retention import Pruned
    from pipelines.settings import Settings


Before = Annotated[
    date,
    typer.Option("--archive-before", parser=parse_day, metavar="DATE", help="Runs of trading days before this one."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask; for scripts.")]


def compact(*, dry_run: DryRun = False, wait: Wait = 60.0, json: AsJson = False) -> int:
    """Write the warehouse anew without the space that nothing uses.

    The new file is read and compared with the old one before it takes its place. Needs as much free space as the
    warehouse has now.

    \b
    Examples:
      daybook compact --dry-run
      daybook compact
    """
    from pipelines.settings import Settings
    from pipelines.warehouse.compact import compact as rewrite

    with console.progress("compacting") as on_progress:
        done = rewrite(Settings.from_env(), dry_run=dry_run, wait=wait, on_progress=on_progress)
    if json:
        console.show_json(asdict(done))
    elif done.done:
        before, after = format_size(done.before), format_size(done.after)
        console.say(f"The warehouse had {before} and has {after}; its contents are unchanged.")
    else:
        console.say(
            f"The warehouse has {format_size(done.before)}, of which {format_size(done.before - done.after)} is unused."
        )
    return 0


def prune(
    *, archive_before: Before, dry_run: DryRun = False, yes: Yes = False, wait: Wait = 60.0, json: AsJson = False
) -> int:
    """Delete the archive of old days.

    The books stay. What is deleted can't be replayed any more: with later models, or after a loss, those days come
    from a backup alone. Runs that are not in the books are kept. Asks, unless --yes is given.

    \b
    Examples:
      daybook prune --archive-before 2024-01-01 --dry-run
      daybook prune --archive-before 2024-01-01 --yes
    """
    from pipelines.settings import Settings
    from pipelines.warehouse.missing_books import require_warehouse

    settings = Settings.from_env()
    require_warehouse(
        settings, f"There is no warehouse at {settings.warehouse}, so no run is known to be in the books."
    )
    found = _prune(settings, archive_before, wait, dry_run=True)
    if not dry_run and found.runs:
        if not yes and not _agreed(found):
            console.say("Nothing was deleted.")
            return USAGE
        found = _prune(settings, archive_before, wait, dry_run=False)
    _report(found, dry_run=dry_run, as_json=json)
    return 0


def _prune(settings: Settings, before: date, wait: float, *, dry_run: bool) -> Pruned:
    from pipelines.ingest.retention import prune as delete
    from pipelines.warehouse.session import warehouse_session

    with warehouse_session(settings, wait=wait, on_progress=console.show_event) as con:
        return delete(settings, con, before, dry_run=dry_run)


def _agreed(found: Pruned) -> bool:
    """Whether the person says yes. Raises ConfigurationError where standard input is no terminal."""
    if not sys.stdin.isatty():
        raise ConfigurationError("There is no terminal to ask on, so nothing was deleted: give --yes to go ahead.")
    question = f"Delete the archive of {len(found.runs)} runs ({format_size(found.bytes)}) for ever?"
    return typer.confirm(question, default=False)


def _report(found: Pruned, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        console.show_json({**asdict(found), "dry_run": dry_run})
        return
    for sentence in found.kept:
        console.say(console.printable(sentence))
    what = "Would delete" if dry_run else "Deleted"
    console.say(f"{what} the archive of {len(found.runs)} runs, {format_size(found.bytes)}.")
