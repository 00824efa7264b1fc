"""The jobs: one closes the day, the other builds past days again. One process each: the books have one writer."""

import dagster as dg

from assets.orchestration.derived import books
from assets.orchestration.freshness import fresh
from assets.orchestration.published import published
from assets.orchestration.raw import raw
from assets.orchestration.report import report

_ASKED_BY_A_SENSOR = dg.AssetSelection.checks(fresh)  # of the last evening, which needn't be the day of a run

end_of_day = dg.define_asset_job(
    "end_of_day",
    selection=dg.AssetSelection.assets(raw, books, published, report) - _ASKED_BY_A_SENSOR,
    description="Close the trading day: read the broker, build the books, check them, publish them, report.",
    executor_def=dg.in_process_executor,
)

rebuild = dg.define_asset_job(
    "rebuild",
    selection=dg.AssetSelection.assets(books, published) - _ASKED_BY_A_SENSOR,
    description="Build past days again from what was landed, without the broker. What changes is a new version.",
    executor_def=dg.in_process_executor,
)
