"""Days that were closed without Dagster, shown in it: those of a stand-in's books, which `daybook demo` has replayed.

Done beside everything else once Dagster's pages are there, and not by the demo: Dagster takes some 10 ms for each table
of each day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import islice

import dagster as dg
import duckdb

from assets.orchestration.specs import book_specs, raw_specs
from pipelines.errors import DaybookError
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published

_DAYS = "select trading_date from quality.day where finished_at is not null order by trading_date desc"
_AT_ONCE = 10  # events between two looks at everything else
_METADATA = {"recorded": "from the published copy: the day was closed without Dagster"}


def record_days(settings: Settings, instance: dg.DagsterInstance) -> Iterator[None]:
    """Record the days of the published copy that Dagster does not know as materializations, the newest first; a few at
    each step. Raises nothing where the copy can't be read."""
    events = _unknown(settings, instance, _closed_days(settings))
    while some := list(islice(events, _AT_ONCE)):
        for event in some:
            instance.report_runless_asset_event(event)
        yield


def _closed_days(settings: Settings) -> list[date]:
    try:
        with open_published(settings.books) as con:
            return [day for (day,) in con.execute(_DAYS).fetchall()]
    except (DaybookError, duckdb.Error):
        return []


def _unknown(settings: Settings, instance: dg.DagsterInstance, days: list[date]) -> Iterator[dg.AssetMaterialization]:
    keys = [spec.key for spec in (*raw_specs(), *book_specs())] + [dg.AssetKey("published"), dg.AssetKey("report")]
    known = {key: instance.get_materialized_partitions(key) for key in keys} if days else {}
    for day in days:
        reported = any(settings.reports.glob(f"*{day}*.html"))
        for key in keys:
            if day.isoformat() not in known[key] and (reported or key.path != ["report"]):
                yield dg.AssetMaterialization(key, partition=day.isoformat(), metadata=_METADATA)
