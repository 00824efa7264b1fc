"""The definitions that Dagster loads: assets, checks, jobs, schedules and sensors. Nothing is decided here."""

import os
from collections.abc import Sequence

import dagster as dg

from assets.orchestration.derived import books
from assets.orchestration.freshness import fresh
from assets.orchestration.known_books import KnownBooks, known_books
from assets.orchestration.partitions import days_of
from assets.orchestration.published import published
from assets.orchestration.raw import raw
from assets.orchestration.report import report
from dagster_project.event_log import spare_the_disk
from dagster_project.jobs import end_of_day, rebuild
from dagster_project.log import console
from dagster_project.resources import BooksResource
from dagster_project.schedules import after_close, final, late_marks, recover, switched_off
from dagster_project.sensors import run_failure
from dagster_project.trading_jobs import trading_jobs
from dagster_project.watch import failed_checks, missing_day
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings

_ASSETS = (raw, books, published, report)


@dg.definitions
def defs() -> dg.Definitions:
    """Everything that Dagster knows of daybook. Read in every process of Dagster's that runs our code, whoever started
    it: from here on what it writes is for this user alone."""
    os.umask(0o077)
    spare_the_disk()
    settings, known = _known()
    days = days_of(known, is_live=settings is None or settings.is_loopback or not known.replayed)
    schedules = [after_close, final, late_marks, recover]
    if known.replayed or (settings is not None and settings.schedules == "off"):
        schedules = [switched_off(schedule) for schedule in schedules]
    if settings is not None and settings.celery:
        return _by_workers(days, schedules)
    return _definitions(days, _ASSETS, schedules)


def _definitions(
    days: dg.DailyPartitionsDefinition,
    assets: Sequence[dg.AssetsDefinition],
    schedules: Sequence[dg.ScheduleDefinition],
) -> dg.Definitions:
    return dg.Definitions(
        assets=[each.map_asset_specs(lambda spec: spec.replace_attributes(partitions_def=days)) for each in assets],
        asset_checks=[fresh],
        jobs=[end_of_day, rebuild, *_trading_jobs()],
        schedules=schedules,
        sensors=[run_failure, failed_checks, missing_day],
        resources={"books": BooksResource()},
        executor=dg.in_process_executor,
        loggers={"console": console},
    )


def _by_workers(days: dg.DailyPartitionsDefinition, schedules: Sequence[dg.ScheduleDefinition]) -> dg.Definitions:
    """With what reads an evening in parts: the schedules begin it, and the books wait for what is settled by it."""
    from assets.orchestration.parts import part, parts_of, planned, settled
    from dagster_project.parts import books_job, evening, plan_job, read_job

    waiting = books.map_asset_specs(lambda spec: spec.merge_attributes(deps=[settled.key]))
    own = [waiting if each is books else each for each in _ASSETS]
    of_parts = part.map_asset_specs(lambda spec: spec.replace_attributes(partitions_def=parts_of(days)))
    return dg.Definitions.merge(
        _definitions(days, [planned, settled, *own], [each.with_attributes(job=plan_job) for each in schedules]),
        dg.Definitions(assets=[of_parts], jobs=[plan_job, read_job, books_job], sensors=[evening]),
    )


def _known() -> tuple[Settings | None, KnownBooks]:
    """What is known before anything runs. Settings that can't be used take nothing away: each run says what is wrong,
    and alerts."""
    try:
        settings = Settings.from_env()
    except ConfigurationError:
        return None, KnownBooks(None, None, replayed=False)
    return settings, known_books(settings)


def _trading_jobs() -> list[dg.JobDefinition]:
    """The jobs that trade, where this process was told to have them; none by default, and none where it is in doubt.

    Settings that can't be used must not take the schedules away with them: each run says what is wrong, and alerts.
    """
    try:
        return trading_jobs if Settings.from_env().has_trading_jobs() else []
    except ConfigurationError as error:
        dg.get_dagster_logger().error("Without the jobs that trade: %s", error)
        return []
