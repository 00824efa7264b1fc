"""`daybook eod`: the end_of_day job, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from daybook.cli import console
from daybook.cli.options import AsJson, Wait
from pipelines.progress import PerformanceWritten, ProgressEvent, ReportWritten

if TYPE_CHECKING:
    from pipelines.settings import Settings

_LAST_DAY = """
    select trading_date, status, finality, accounts_complete, accounts_expected, grade, accounts_recovered
    from quality.day
    order by trading_date desc limit 1
"""


def eod(*, wait: Wait = 60.0, json: AsJson = False) -> int:
    """Close the trading day: sync, build, check, publish, report.

    Runs the end_of_day job that the schedule runs, in this process. Needs CLEAR_STREET_API_KEY. Running it again
    changes nothing, or adds a labelled restatement. Before the close it recovers the session before, where nobody read
    its end: quantities less what was traded since, at its official closes.

    \b
    Examples:
      daybook eod
      daybook eod --json
    """
    from pipelines.settings import Settings

    settings = Settings.from_env()
    settings.reading_key()  # said before the second that it takes to import what follows
    from dagster_project.end_of_day import run_end_of_day

    reports: list[Path] = []
    performance: list[Path] = []
    with console.progress("closing the day") as show_event:

        def on_progress(event: ProgressEvent) -> None:
            if isinstance(event, ReportWritten):
                reports.append(event.path)
            if isinstance(event, PerformanceWritten):
                performance.append(event.path)
            show_event(event)

        closed = run_end_of_day(settings, on_progress, wait=wait)
    if json:
        standing = {"is_complete": closed.exit_code == 0, "summary": str(closed), "last_day": _last_day(settings)}
        console.show_json(standing | {"report": reports[-1] if reports else None, "performance": performance})
    else:
        console.say(str(closed))
        for path in reports:
            console.say(f"The report is {console.printable(path)}")
        for path in performance:
            console.say(f"A performance report is {console.printable(path)}")
    return closed.exit_code


def _last_day(settings: Settings) -> dict[str, Any] | None:
    from pipelines.warehouse.connect import open_published
    from pipelines.warehouse.tables import rows_of

    with open_published(settings.books) as con:
        return next(iter(rows_of(con, _LAST_DAY)), None)
