"""Sensors of what goes wrong without a failed run: checks that did not pass, and evenings that were not closed."""

from datetime import UTC, date, datetime

import dagster as dg
import duckdb

from assets.orchestration.freshness import MISSING, expected_day_status, fresh, known_calendar, last_evening
from dagster_project.sensors import alert_settings
from pipelines.alerts.alert import Alert, run_link, send
from pipelines.errors import DaybookError, first_line

#: Checks that say the same of a day are one incident, and so is what a run has said of it already.
_KINDS = {"complete": "INCOMPLETE", "no_gaps": "INCOMPLETE", "invariants_hold": "BROKEN"}
_TODO = "Read quality.finding and quality.gap of the day (`daybook status`); the day is published, and marked."
_CLOSE_IT = (
    "Run `daybook eod` now: the positions of a day can be read until 04:00 New York. After that, until the next close, "
    "it recovers the day from the next session's snapshot, as far as fills prove it."
)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends an alert for a run that went through while a check of severity ERROR did not pass.",
)
def failed_checks(context: dg.RunStatusSensorContext) -> None:
    """One alert for each incident that the run's checks report. Warnings are shown beside the asset, without alert."""
    run, settings = context.dagster_run, alert_settings()
    day = run.tags.get("dagster/partition")
    for check in _failed(context.instance, run.run_id):
        send(
            settings,
            Alert(
                f"The check {check.check_name} did not pass: {check.description or 'it says no more'}.",
                _TODO,
                date.fromisoformat(day) if day else None,
                run.run_id,
                kind=_KINDS.get(check.check_name, f"CHECK {check.check_name}"),
                link=run_link(settings, run.run_id),
            ),
        )


def _failed(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    found = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    events = [record.event_log_entry.dagster_event for record in found]
    checks = [event.asset_check_evaluation_data for event in events if event is not None]
    return [check for check in checks if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR]


@dg.sensor(
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks whether the last evening is in the published books; an alert where it is missing or not whole.",
)
def missing_day(context: dg.SensorEvaluationContext) -> dg.SkipReason | dg.SensorResult:
    """The check `fresh` of the last evening, whenever the day or its standing is another than before."""
    settings = alert_settings()
    try:
        day = last_evening(known_calendar(), datetime.now(UTC))
        standing = expected_day_status(settings.books, day)
    except (DaybookError, duckdb.Error) as error:
        return dg.SkipReason(first_line(error))
    if standing is None:
        return dg.SkipReason(f"No end of day is due for {day} in these books.")
    cursor = f"{day} {standing}"
    if context.cursor == cursor:
        return dg.SkipReason(f"{day} is {standing}, as before.")
    if standing == MISSING:
        send(settings, Alert("No run has closed the day.", _CLOSE_IT, day, kind="MISSING_DAY"))
    elif standing != "COMPLETE":
        send(settings, Alert(f"The day is {standing} and its evening has passed.", _TODO, day, kind=standing))
    return dg.SensorResult(asset_events=[_evaluation(day, standing)], cursor=cursor)


def _evaluation(day: date, standing: str) -> dg.AssetCheckEvaluation:
    key = fresh.check_key
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=standing == "COMPLETE",
        description=f"{day} is {standing}",
        metadata={"partition": day.isoformat()},
    )
