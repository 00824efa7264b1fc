"""Where it meets: assets, checks, jobs, schedules and sensors, put together for Dagster. Nothing is decided here."""

import os

import dagster as dg

from assets.books import books
from assets.freshness import fresh
from assets.published import published
from assets.raw.assets import raw
from assets.report.assets import report
from dagster_project.jobs import end_of_day, rebuild
from dagster_project.log import console
from dagster_project.resources import Books
from dagster_project.schedules import after_close, final, late_marks
from dagster_project.sensors import run_failure
from dagster_project.trading_jobs import trading_jobs
from dagster_project.watch import failed_checks, missing_day


@dg.definitions
def defs() -> dg.Definitions:
    """Everything that Dagster knows of daybook. Read in every process of Dagster's that runs our code, whoever started
    it: from here on what it writes is for this user alone."""
    os.umask(0o077)
    return dg.Definitions(
        assets=[raw, books, published, report],
        asset_checks=[fresh],
        jobs=[end_of_day, rebuild, *trading_jobs],
        schedules=[after_close, final, late_marks],
        sensors=[run_failure, failed_checks, missing_day],
        resources={"books": Books()},
        executor=dg.in_process_executor,
        loggers={"console": console},
    )
