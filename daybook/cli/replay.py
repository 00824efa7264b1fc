"""`daybook replay`: the archive landed again, with today's models. Asks no broker."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assets.catalog import CATALOG
from daybook.cli import console
from daybook.cli.options import AsJson, FromDay, Wait
from pipelines.errors import INCOMPLETE, ConfigurationError, NotPublished
from pipelines.progress import Activity, OnProgress

if TYPE_CHECKING:
    import duckdb

    from pipelines.ingest.replay import Replayed
    from pipelines.settings import Settings


Archive = Annotated[
    str | None,
    typer.Option("--archive", metavar="PLACE", help="Another archive than the home's own: a folder, or s3://..."),
]


def replay(*, start: FromDay = None, archive: Archive = None, wait: Wait = 60.0, json: AsJson = False) -> int:
    """Land the archive again, with today's models, and build what follows from it.

    Into an empty warehouse it gives the books back; in one that has them it replaces each run by what is made of it
    now. Needs no network and no key. A run whose files are damaged is named and not landed (exit code 3). Periods that
    were closed (`daybook lock`) are in the warehouse alone: a backup keeps them, the archive doesn't.

    \b
    Examples:
      daybook replay
      daybook replay --from 2025-11-03
      DAYBOOK_HOME=/tmp/proof daybook replay --archive ~/.daybook/archive
      DAYBOOK_HOME=/tmp/proof daybook replay --archive s3://books/archive
    """
    from pipelines.books.days import exit_code, statuses
    from pipelines.books.resolved import resolve_ended
    from pipelines.settings import Settings
    from pipelines.warehouse.published import publish_books
    from pipelines.warehouse.session import warehouse_session

    settings = Settings.from_env()
    place = _archive(settings, archive)
    with (
        console.progress("replaying") as on_progress,
        warehouse_session(settings, wait=wait, on_progress=console.show_event, rebuilding=True) as con,
    ):
        done = _replay(con, settings, archive, start, on_progress)
        if not done.landed and not done.damaged:
            since = f" from {start} on" if start else ""
            raise NotPublished(f"{place} has no run{since} that could be landed.")
        if done.landed:
            on_progress(Activity("publishing"))
            publish_books(con, settings)
            resolve_ended(con, settings)
        known = statuses(con)
    _report(done, as_json=json)
    days = {snapshot.trading_date for snapshot in done.landed}
    return INCOMPLETE if done.damaged else exit_code(state for day, state in known.items() if day in days)


def _archive(settings: Settings, given: str | None) -> str:
    """The archive to land, for people, looked at before a home is made for it. Raises ConfigurationError, and
    NotPublished where it has no run."""
    from pipelines.addresses import S3, lake_data_problem
    from pipelines.archive.places import place_of, runs_at, runs_of
    from pipelines.home import refuse_file_as_home
    from pipelines.warehouse.restoring import finish_if_killed

    if given is not None and not given.startswith(S3) and not Path(given).is_dir():
        raise ConfigurationError(f"--archive {given} is not a folder.")
    if given is not None and given.startswith(S3) and (problem := lake_data_problem(given)):
        raise ConfigurationError(f"--archive {given} {problem}.")
    refuse_file_as_home(settings.home)
    finish_if_killed(settings.home)
    if not (runs_at(given, settings) if given else runs_of(settings)):
        raise NotPublished(f"{given or place_of(settings)} has no run that could be landed.")
    return given or place_of(settings)


def _replay(
    con: duckdb.DuckDBPyConnection, settings: Settings, archive: str | None, start: FromDay, on_progress: OnProgress
) -> Replayed:
    from pipelines.books.build import build
    from pipelines.ingest.replay import replay as replay_runs

    def after(_: object) -> None:
        build(con, settings, CATALOG)

    done = replay_runs(con, settings, archive=archive, from_date=start, after=after, on_progress=on_progress)
    days = sorted(snapshot.trading_date for snapshot in done.landed if snapshot.run_id in done.replaced)
    if days:
        on_progress(Activity("building"))
        build(con, settings, CATALOG, from_date=days[0], to_date=days[-1])
    return done


def _report(done: Replayed, *, as_json: bool) -> None:
    for alert in done.alerts:
        console.notice(f"ALERT: {alert}")
    if as_json:
        console.show_json(asdict(done) | {"replaced": sorted(done.replaced)})
        return
    for snapshot in done.landed:
        state = "COMPLETE" if snapshot.is_complete else "INCOMPLETE"
        how = "replaced" if snapshot.run_id in done.replaced else "landed"
        console.say(
            f"{snapshot.trading_date} {snapshot.grade}: {state}, "
            f"{snapshot.accounts_complete}/{snapshot.accounts_expected} accounts complete, "
            f"{how} (run {snapshot.run_id})"
        )
    for run_id in done.unfinished:
        console.say(f"Run {run_id} was not landed: it was interrupted while it was reading.")
    for sentence in done.damaged:
        console.say(console.printable(sentence), "red")
