"""The demo: a stand-in broker in this process, and its days through the whole pipeline, one evening after another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pydantic import SecretStr

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.books.days import COMPLETE, statuses
from pipelines.ingest.snapshot import take_snapshot
from pipelines.progress import Activity, OnProgress
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.trading.settle import settle
from pipelines.warehouse.published import publish_if_behind
from pipelines.warehouse.session import warehouse_session

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class DemoDay:
    """One day of the demo. `replayed` is False where it was in the books, complete, already; times are in seconds."""

    date: date
    replayed: bool
    status: str
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


def run_demo(
    settings: Settings, days: int, *, wait: float, on_progress: OnProgress, on_day: Callable[[DemoDay], None]
) -> Demo:
    """Replay `days` trading days into DAYBOOK_HOME/demo, those that are COMPLETE there already left alone.

    Nothing of the real environment but the home is used: neither its key nor its accounts. Raises ConfigurationError
    for more days than there are prices for, LockedOut where another run has the demo's books.
    """
    started = time.perf_counter()
    with Sandbox(days=days) as sandbox:
        mine = _settings(settings, sandbox)
        with warehouse_session(mine, wait=wait, on_progress=on_progress) as con:
            done = []
            known = statuses(con)
            for day in sandbox.days:
                done.append(_replay(con, mine, sandbox, day, known.get(day), on_progress))
                on_day(done[-1])
            on_progress(Activity("publishing"))
            published = publish_if_behind(con, mine)
    return Demo(mine, done, published, time.perf_counter() - started)


def _settings(settings: Settings, sandbox: Sandbox) -> Settings:
    changes = {"base_url": sandbox.url, "api_key": SecretStr("sandbox"), "trading_api_key": None, "accounts": ()}
    return settings.demo().model_copy(update=changes)


def _replay(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    sandbox: Sandbox,
    day: date,
    status: str | None,
    on_progress: OnProgress,
) -> DemoDay:
    if status == COMPLETE:
        return DemoDay(day, replayed=False, status=status)
    sandbox.clock.set(sandbox.after_close(day))
    began = time.perf_counter()
    take_snapshot(con, settings, trigger="demo", partition=day, on_progress=on_progress)
    settle(con, settings)
    read = time.perf_counter()
    build(con, settings, CATALOG)
    built = time.perf_counter()
    return DemoDay(day, replayed=True, status=statuses(con)[day], read_seconds=read - began, build_seconds=built - read)
