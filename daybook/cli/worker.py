"""`daybook worker`: reads parts of evenings, one run of Dagster's after another."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.errors import ConfigurationError


def worker(
    *,
    name: Annotated[str, typer.Option(help="What the worker is called, on its own host.")] = "worker",
    processes: Annotated[int, typer.Option(min=1, max=16, help="How many runs it takes at once.")] = 1,
) -> int:
    """Take runs from the queue: plans, parts and books of evenings.

    Needs DAYBOOK_CELERY, DAYBOOK_LAKE and DAYBOOK_DAGSTER_STORAGE, and the keys of the broker. `daybook serve` runs
    once, on one host; workers run on as many as are wanted. SIGTERM lets the run at work come to its end.

    \b
    Examples:
      daybook worker
      daybook worker --name second --processes 2
    """
    from pipelines.settings import Settings

    settings = Settings.from_env()
    if settings.celery is None:
        raise ConfigurationError("DAYBOOK_CELERY is not set: it names the queue that workers take runs from.")
    settings.reading_key()
    from dagster_project.instance import require_celery

    require_celery()
    from dagster_project.workers import work

    return work(settings, name, processes)
