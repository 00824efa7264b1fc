"""The definitions that Dagster loads: assets, checks, jobs, schedules and sensors. Nothing is decided here."""

import os

import dagster as dg

from assets.orchestration.derived import books
from assets.orchestration.freshness import fresh
from assets.orchestration.published import published
from assets.orchestration.raw import raw
from assets.orchestration.report import report
from dagster_project.event_log import spare_the_disk
from dagster_project.jobs import end_of_day, rebuild
from dagster_project.log import console
from dagster_project.resources import BooksResource
from dagster_project.schedules import after_close, final, late_marks, recover
from dagster_project.sensors import run_failure
from dagster_project.trading_jobs import trading_jobs
from dagster_project.watch import failed_checks, missing_day
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings


@dg.definitions
def defs() -> dg.Definitions:
    """Everything that Dagster knows of daybook. Read in every process of Dagster's that runs our code, whoever started
    it: from here on what it writes is for this user alone."""
    os.umask(0o077)
    spare_the_disk()
    return dg.Definitions(
        assets=[raw, books, published, report],
        asset_checks=[fresh],
        jobs=[end_of_day, rebuild, *_trading_jobs()],
        schedules=[after_close, final, late_marks, recover],
        sensors=[run_failure, failed_checks, missing_day],
        resources={"books": BooksResource()},
        executor=dg.in_process_executor,
        loggers={"console": console},
    )


def _trading_jobs() -> list[dg.JobDefinition]:
    """The jobs that trade, where this process was told to have them; none by default, and none where it is in doubt.

    Settings that can't be used must not take the schedules away with them: each run says what is wrong, and alerts.
    """
    try:
        return trading_jobs if Settings.from_env().has_trading_jobs() else []
    except ConfigurationError as error:
        dg.get_dagster_logger().error("Without the jobs that trade: %s", error)
        return []
