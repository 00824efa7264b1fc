"""The sensor of failed runs: one alert for each. What goes wrong without a failed run is in watch.py."""

from datetime import date

import dagster as dg

from pipelines.alerts.alert import Alert, run_link, send
from pipelines.errors import ConfigurationError, todo_after, with_full_stop
from pipelines.settings import Settings


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends an alert for a run that failed: one sentence, the day, and what to do.",
)
def run_failure(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """One alert for each run that ends in failure; a run that Dagster tries again is not at its end."""
    run = context.dagster_run
    if run.tags.get("dagster/will_retry") == "true":
        return dg.SkipReason(f"Run {run.run_id} is tried again.")
    day = run.tags.get("dagster/partition")
    settings = alert_settings()
    kind, sentence = reason(context)
    send(
        settings,
        Alert(
            with_full_stop(f"The run {run.job_name} failed: {sentence}"),
            todo_after(kind),
            date.fromisoformat(day) if day else None,
            run.run_id,
            kind="RUN_FAILED",
            link=run_link(settings, run.run_id),
        ),
    )
    return None


def alert_settings() -> Settings:
    """The settings of the environment; defaults where those can't be used, because the alert must go out anyway."""
    try:
        return Settings.from_env()
    except ConfigurationError:
        return Settings()


def reason(context: dg.RunFailureSensorContext) -> tuple[str, str]:
    """The name of the error's class and its sentence: of the innermost cause of the step that failed, else what Dagster
    says of the run, under no name."""
    failures = context.get_step_failure_events()
    error = failures[0].step_failure_data.error if failures else context.failure_event.job_failure_data.error
    if error is None:
        return "", context.failure_event.message or "no reason was given"
    while error.cause is not None:
        error = error.cause
    kind, _, sentence = error.message.strip().partition(": ")
    said = sentence if kind.isidentifier() or "." in kind else error.message
    return error.cls_name or "", " ".join(said.split())
