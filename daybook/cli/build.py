"""`daybook build`: what was landed becomes P&L and checks, and the copy that people open. No network."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from assets.catalog import CATALOG
from daybook.cli import console
from daybook.cli.options import AsJson, FromDay, ToDay, Wait
from pipelines.errors import ConfigurationError
from pipelines.progress import Activity

if TYPE_CHECKING:
    import duckdb

    from pipelines.books.build import Built
    from pipelines.books.engine import Engine
    from pipelines.settings import Settings

_NOTHING_LANDED = "Nothing has been landed yet, so there is nothing to build: run `daybook sync` first."

By = Annotated[
    Literal["duckdb", "spark"],
    typer.Option("--engine", help="Who computes: DuckDB, or Apache Spark where DAYBOOK_SPARK says."),
]


def build(
    *, start: FromDay = None, end: ToDay = None, engine: By = "duckdb", wait: Wait = 60.0, json: AsJson = False
) -> int:
    """Build the P&L of what has changed, and publish it.

    Looks at the days whose inputs changed since the last build, and at those from --from to --to where given. Needs no
    network and no key. Building a day again changes nothing, or adds a labelled restatement.

    \b
    Examples:
      daybook build
      daybook build --from 2025-11-03 --to 2025-11-07
      daybook build --from 2020-01-02 --engine spark
    """
    from pipelines.books.build import build as build_books
    from pipelines.books.days import built_days, exit_code, statuses
    from pipelines.books.resolved import resolve_ended
    from pipelines.settings import Settings
    from pipelines.warehouse.missing_books import require_warehouse
    from pipelines.warehouse.published import publish_if_behind
    from pipelines.warehouse.session import warehouse_session

    _check(start, end)
    settings = Settings.from_env()
    if not settings.run_lock.exists():  # else it is a home, and a first run may be at work in it just now
        require_warehouse(settings, _NOTHING_LANDED)
    with (
        console.progress("building") as on_progress,
        _engine(engine, settings) as chosen,
        warehouse_session(settings, wait=wait, on_progress=console.show_event) as con,
    ):
        first, last = _landed(con, start, end)
        built = build_books(con, settings, CATALOG, from_date=first, to_date=last, engine=chosen)
        on_progress(Activity("publishing"))
        published = publish_if_behind(con, settings)
        resolve_ended(con, settings)
        known = statuses(con)
    states = {day: known[day] for day in built_days(built, known)}
    _report(built, states, published=published, as_json=json)
    return exit_code(states.values() or list(known.values())[-1:])


def _engine(name: str, settings: Settings) -> AbstractContextManager[Engine | None]:
    """Who computes. Raises ConfigurationError and DaybookError where it can't, before anything is begun."""
    if name == "duckdb":
        return nullcontext()
    from pipelines.spark.engine import spark_engine

    return spark_engine(settings)


def _check(start: date | None, end: date | None) -> None:
    """Raises ConfigurationError for days that no books can have."""
    from pipelines.calendar import TradingCalendar

    if start is None and end is None:
        return
    if start is not None and end is not None and start > end:
        raise ConfigurationError(f"--from {start} is after --to {end}: give the earlier day first.")
    calendar = TradingCalendar.load()
    for given in (start, end):
        if given is not None:
            calendar.is_session(given)  # raises where the calendar does not reach
    if start is not None and end is not None and not calendar.sessions(start, end):
        days = f"{start} ({start:%A}) is not" if start == end else f"None of the days from {start} to {end} is"
        raise ConfigurationError(f"{days} a trading day: the market was closed.")


def _landed(con: duckdb.DuckDBPyConnection, start: date | None, end: date | None) -> tuple[date | None, date | None]:
    """The days asked for, within those that were landed: a range without an end goes to the last of them."""
    from pipelines.errors import NotPublished
    from pipelines.warehouse.tables import exists

    there = exists(con, "raw.extract_run")
    row = con.execute("select min(trading_date), max(trading_date) from raw.extract_run") if there else None
    first, last = row.fetchone() or (None, None) if row else (None, None)
    if first is None or last is None:
        raise NotPublished(_NOTHING_LANDED)
    if start is None and end is None:
        return None, None
    wanted = max(start or first, first), min(end or last, last)
    if wanted[0] > wanted[1]:
        raise ConfigurationError(f"Nothing was landed in those days: the books hold {first} to {last}.")
    return wanted


def _report(built: Built, states: dict[date, str], *, published: bool, as_json: bool) -> None:
    if as_json:
        console.show_json(
            {
                "days": [{"trading_date": day.isoformat(), "status": state} for day, state in states.items()],
                "versions": built.versions,
                "changed": built.changed,
                "published": published,
            }
        )
        return
    if not built.changed:
        console.say("Nothing has changed in the books." + (" The published copy is new." if published else ""))
    for day, state in states.items():
        console.say(f"{day} {state}")
    for name, count in built.versions.items():
        if count:
            console.say(f"{name}: {count} rows are new or restated")
