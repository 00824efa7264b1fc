"""A home with two evenings in it, for the tests of what keeps books safe."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipelines.settings import Settings
from tests.support.desk import FRIDAY, THURSDAY, desk, shares

#: Where no broker is: nothing that these tests run may ask one.
NOBODY = "http://127.0.0.1:1"


def two_evenings(home: Path) -> Settings:
    """Thursday and Friday, synced, built and published into `home`."""
    from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish

    thursday = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")]}
    with desk(home, accounts=[100], positions=thursday, instructions={}) as d:
        d.evening(THURSDAY)
        d.broker.positions["100"] = [shares("100", "152.25", cost="14500.00", day="2025-10-31")]
        d.evening(FRIDAY)
        publish(d.con, d.settings.published, PUBLISHED_SCHEMAS)
        return d.settings.model_copy(update={"base_url": NOBODY})


def days_in(path: Path) -> list[tuple[object, ...]]:
    """The days and results that a DuckDB file of books tells of."""
    with duckdb.connect(path, read_only=True) as con:
        return con.execute("select trading_date, total_pnl from pnl.account_daily order by 1").fetchall()
