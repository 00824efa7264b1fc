"""`daybook backup`, `restore` and `verify`: copies of the books that were read again before anybody relies on them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daybook.cli import console
from daybook.cli.options import AsJson, Wait
from pipelines.errors import ConfigurationError

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.warehouse.verify import Verified

WithArchive = Annotated[bool, typer.Option("--with-archive", help="Copy the archive too; else it is only referred to.")]
To = Annotated[
    Path | None, typer.Option("--to", metavar="DIR", help="Where backups are kept; else DAYBOOK_HOME/backups.")
]
Keep = Annotated[
    int | None, typer.Option("--keep", min=1, metavar="N", help="Delete all but the N newest of these books.")
]
Folder = Annotated[Path, typer.Argument(metavar="BACKUP", help="The folder that `daybook backup` made.")]
Maybe = Annotated[Path | None, typer.Argument(metavar="[BACKUP]", help="A backup; else the books themselves.")]
Force = Annotated[bool, typer.Option("--force", help="Where there are books, move them aside. They are not deleted.")]


def backup(
    *, with_archive: WithArchive = False, to: To = None, keep: Keep = None, wait: Wait = 600.0, json: AsJson = False
) -> int:
    """Copy the books, and read the copy to prove it.

    Waits while a run goes on. What is copied: the warehouse, packages that are not loaded yet, adjustments.csv, and
    with --with-archive every page as it was received. Keep a copy of the folder on another machine.

    --keep deletes older backups of the same books there, once the new one is proven; an upgrade's stay.

    \b
    Examples:
      daybook backup
      daybook backup --with-archive
      daybook backup --to /mnt/backups --keep 30
    """
    from pipelines.settings import Settings
    from pipelines.warehouse.backup import make_backup, read_backup
    from pipelines.warehouse.rotation import rotate
    from pipelines.warehouse.session import warehouse_session

    settings = Settings.from_env()
    _require_warehouse(settings)
    with (
        console.progress("backing up") as on_progress,
        warehouse_session(settings, wait=wait, on_progress=console.show_event) as con,
    ):
        folder = make_backup(con, settings, to=to, with_archive=with_archive, on_progress=on_progress)
    made = read_backup(folder)
    deleted = rotate(folder, keep) if keep else []
    if json:
        console.show_json({"folder": str(folder), "deleted": [str(each) for each in deleted], **asdict(made)})
        return 0
    console.say(f"Backed up and read again: {sum(made.tables.values()):,} rows of {len(made.tables)} tables.")
    if made.archive:
        console.say(f"The archive is not in it; it is at {made.archive}.")
    if deleted:
        console.say(f"Deleted {len(deleted)} older backups of these books; the oldest that is left: {_oldest(folder)}.")
    console.say(f"{folder}")
    return 0


def _oldest(folder: Path) -> str:
    from pipelines.warehouse.rotation import rotated

    return rotated(folder)[-1].name


def restore(folder: Folder, *, force: Force = False, wait: Wait = 60.0) -> int:
    """Put a backup in the place of the books of DAYBOOK_HOME.

    The backup is read to the last byte first. Where there are books already it refuses, or with --force moves them to
    the folder `replaced`.

    \b
    Examples:
      DAYBOOK_HOME=~/restored daybook restore ~/.daybook/backups/20251103T213000Z
      daybook restore ~/.daybook/backups/20251103T213000Z --force
    """
    from pipelines.settings import Settings
    from pipelines.warehouse.backup import restore as put_back

    settings = Settings.from_env()
    with console.progress("restoring") as on_progress:
        restored, aside = put_back(folder, settings, force=force, wait=wait, on_progress=on_progress)
    console.say(f"Restored to {settings.home} and published: the books as of {restored.made_at}.")
    if aside:
        console.say(f"What was there before is in {aside}.")
    if aside and (aside / "archive").is_dir():
        console.say(f"Days since are in its archive: `daybook replay --archive {aside / 'archive'} --from DATE`.")
    if restored.archive and Path(restored.archive) != settings.archive:
        console.say(f"The archive was not in the backup; it was at {restored.archive}. Copy it to {settings.archive}.")
    else:
        console.say("`daybook replay --from DATE` lands what the archive has of the days since.")
    return 0


def verify(folder: Maybe = None, *, wait: Wait = 600.0, json: AsJson = False) -> int:
    """Read the books, or a backup, to the last byte, and count.

    Of the books: every row of every table, the rows of every listing against its manifest, every page of the archive
    against its hash. The exit code is 1 where anything is not as it was written.

    \b
    Examples:
      daybook verify
      daybook verify ~/.daybook/backups/20251103T213000Z
    """
    from pipelines.settings import Settings
    from pipelines.warehouse.backup import verify_backup

    if folder is not None:
        with console.progress("verifying") as on_progress:
            proven = verify_backup(folder, on_progress)
        if json:
            console.show_json({"folder": str(folder), **asdict(proven)})
        else:
            rows = sum(proven.tables.values())
            console.say(f"{folder} is as it was made: {rows:,} rows of {len(proven.tables)} tables.", "green")
        return 0
    found = _verify_books(Settings.from_env(), wait)
    if json:
        console.show_json(asdict(found))
    else:
        _report(found)
    return 1 if found.problems else 0


def _verify_books(settings: Settings, wait: float) -> Verified:
    from pipelines.warehouse.session import warehouse_session
    from pipelines.warehouse.verify import verify_home

    _require_warehouse(settings)
    with (
        console.progress("verifying") as on_progress,
        warehouse_session(settings, wait=wait, on_progress=console.show_event) as con,
    ):
        return verify_home(con, settings, on_progress)


def _report(found: Verified) -> None:
    console.say(f"Read {found.rows:,} rows of {found.tables} tables, and {found.pages:,} pages of {found.runs} runs.")
    for note in found.notes:
        console.say(note)
    for problem in found.problems:
        console.say(console.printable(problem), "red")
    if not found.problems:
        console.say("What is there is as it was written." if found.notes else "All is as it was written.", "green")


def _require_warehouse(settings: Settings) -> None:
    from pipelines.warehouse.missing_books import require_warehouse

    if not settings.home.exists():
        raise ConfigurationError(f"DAYBOOK_HOME ({settings.home}) is not there: set it to the folder of your books.")
    require_warehouse(settings, f"There is no warehouse at {settings.warehouse}: run `daybook eod` first.")
