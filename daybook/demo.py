"""The demo: a stand-in broker in this process, and its days through the whole pipeline, one evening after another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import duckdb
from pydantic import SecretStr

from assets.catalog import CATALOG
from daybook.demo_script import INCIDENTS, is_as_meant, runs_of
from pipelines.books.build import build
from pipelines.books.days import statuses
from pipelines.errors import INCOMPLETE
from pipelines.ingest.snapshot import take_snapshot
from pipelines.progress import Activity, OnProgress
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.trading.settle import settle
from pipelines.warehouse.published import publish_if_behind
from pipelines.warehouse.session import warehouse_session


@dataclass(frozen=True)
class DemoDay:
    """One day of the demo. `replayed` is False where it was in the books already; times are in seconds."""

    date: date
    replayed: bool
    status: str | None
    read_seconds: float = 0.0
    build_seconds: float = 0.0


@dataclass(frozen=True)
class Demo:
    """What the demo did, and where its books are."""

    settings: Settings
    days: list[DemoDay]
    published: bool
    seconds: float

    @property
    def replayed(self) -> list[DemoDay]:
        """The days that were not in the books before."""
        return [day for day in self.days if day.replayed]

    @property
    def exit_code(self) -> int:
        """0 where every day is as the demo means it to be, one gap among them; else 3."""
        return 0 if all(is_as_meant(day.date, day.status) for day in self.days) else INCOMPLETE


def run_demo(
    settings: Settings, days: int, *, wait: float, on_progress: OnProgress, on_day: Callable[[DemoDay], None]
) -> Demo:
    """Replay `days` trading days into DAYBOOK_HOME/demo; what was read there already is left alone.

    Nothing of the real environment but the home is used: neither its key nor its accounts. Raises ConfigurationError
    for more days than there are prices for, LockedOut where another run has the demo's books.
    """
    started = time.perf_counter()
    with Sandbox(days=days, incidents=INCIDENTS) as sandbox:
        mine = _settings(settings, sandbox)
        with warehouse_session(mine, wait=wait, on_progress=on_progress) as con:
            done = []
            known = _runs_built(con)
            for day in sandbox.days:
                missing = [at for at in runs_of(sandbox, day) if at not in known]
                done.append(_replay(con, mine, sandbox, day, missing, on_progress))
                on_day(done[-1])
            on_progress(Activity("publishing"))
            published = publish_if_behind(con, mine)
    return Demo(mine, done, published, time.perf_counter() - started)


def _settings(settings: Settings, sandbox: Sandbox) -> Settings:
    changes = {"base_url": sandbox.url, "api_key": SecretStr("sandbox"), "trading_api_key": None, "accounts": ()}
    changes |= {"desk_keys": (), "requests_per_second": None}
    return settings.demo().model_copy(update=changes)


def _runs_built(con: duckdb.DuckDBPyConnection) -> set[datetime]:
    """When the runs began that are in the books; none before the first build."""
    try:
        return {at for (at,) in con.execute("select started_at from core.run").fetchall()}
    except duckdb.CatalogException:
        return set()


def _replay(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    sandbox: Sandbox,
    day: date,
    runs: list[datetime],
    on_progress: OnProgress,
) -> DemoDay:
    """A day read and built at the instants of its `runs`; left alone where there is none."""
    reading = building = 0.0
    for at in runs:
        sandbox.clock.set(at)
        began = time.perf_counter()
        take_snapshot(con, settings, trigger="demo", on_progress=on_progress)
        settle(con, settings)
        read = time.perf_counter()
        build(con, settings, CATALOG)
        reading, building = reading + read - began, building + time.perf_counter() - read
    return DemoDay(day, bool(runs), statuses(con).get(day), reading, building)
