"""`daybook doctor`: what is wrong with the books, what it means, and what to do."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from daybook.cli import console
from daybook.cli.options import AsJson
from pipelines.progress import Activity

DryRun = Annotated[bool, typer.Option("--dry-run", help="Move nothing.")]
_STYLES = {"OK": "green", "NOTE": "", "WARN": "yellow", "FAIL": "bold red"}


def doctor(*, dry_run: DryRun = False, json: AsJson = False) -> int:
    """Say what is wrong with the books, and what to do.

    Looks at the warehouse, its write-ahead log, the published copy, the archive, packages, locks, space and
    permissions. Deletes nothing; a write-ahead log that can't be replayed is moved into quarantine, unless --dry-run
    is given. The exit code is 1 where something keeps daybook from working.

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
        found = examine(settings, dry_run=dry_run)
    if json:
        console.show_json([asdict(each) for each in found])
    else:
        for each in found:
            console.say(f"{each.level:<4} {console.printable(each.what)}", _STYLES[each.level])
            if each.advice:
                console.say(f"     {console.printable(each.advice)}")
        if all(each.level in ("OK", "NOTE") for each in found):
            console.say("Nothing is wrong.", "green")
    return 1 if any(each.level == "FAIL" for each in found) else 0
