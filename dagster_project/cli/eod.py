"""`daybook eod`: the end_of_day job, in this process."""

from __future__ import annotations

from dagster_project.cli import console
from dagster_project.cli.options import AsJson


def eod(*, json: AsJson = False) -> int:
    """Close the trading day: sync, build, check, publish.

    Runs the end_of_day job that the schedule runs, in this process. Needs CLEAR_STREET_API_KEY. Running it again
    changes nothing, or adds a labelled restatement.

    \b
    Examples:
      daybook eod
      daybook eod --json
    """
    from dagster_project.eod import run_end_of_day
    from pipelines.settings import Settings

    settings = Settings.from_env()
    settings.reading_key()
    with console.progress("starting") as tell:
        result = run_end_of_day(settings, tell)
    raise NotImplementedError(result, json)
