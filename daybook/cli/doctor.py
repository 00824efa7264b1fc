"""`daybook doctor`: what is wrong with the books, what it means, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from daybook.cli import console
from daybook.cli.options import AsJson
from pipelines.progress import Activity

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.warehouse.doctor import Diagnosis

DryRun = Annotated[bool, typer.Option("--dry-run", help="Move nothing.")]
_STYLES = {"OK": "green", "NOTE": "", "WARN": "yellow", "FAIL": "bold red"}


def _failed_evening(settings: Settings) -> Iterator[Diagnosis]:
    from pipelines.alerts.history import last_failure
    from pipelines.warehouse.doctor import Diagnosis

    failed = last_failure(settings)
    if failed is not None and not failed.is_over:
        what = f"The last evening failed, at {failed.at:%Y-%m-%d %H:%M} UTC, and nothing was published since"
        yield Diagnosis("WARN", f"{what}: {failed.sentence}", failed.todo)


def doctor(*, dry_run: DryRun = False, json: AsJson = False) -> int:
    """Say what is wrong with the books, and what to do.

    Looks at the last evening, the warehouse, its write-ahead log, the published copy, the archive, packages, locks,
    space and permissions. Deletes nothing; a write-ahead log that can't be replayed is moved into quarantine, unless
    --dry-run is given. The exit code is 1 where something keeps daybook from working.

    \b
    Examples:
      daybook doctor
      daybook doctor --dry-run
    """
    from pipelines.settings import Settings
    from pipelines.warehouse.doctor import examine

    settings = Settings.from_env()
    with console.progress("looking") as on_progress:
        on_progress(Activity(f"looking at {settings.home}"))
        found = [*_failed_evening(settings), *examine(settings, dry_run=dry_run)]
    if json:
        console.show_json([asdict(each) for each in found])
    else:
        for each in found:
            console.say(f"{each.level:<4} {console.printable(each.what)}", _STYLES[each.level])
            if each.advice:
                console.say(f"     {console.printable(each.advice)}")
        if all(each.level in ("OK", "NOTE") for each in found):
            looked = any(each.level == "OK" for each in found)
            console.say(
                "Nothing is wrong." if looked else "Nothing wrong was found in what could be looked at.", "green"
            )
    return 1 if any(each.level == "FAIL" for each in found) else 0
