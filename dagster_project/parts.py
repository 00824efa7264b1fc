"""The evening by workers: three jobs, for what has different partitions is never one, and the sensor between them.

A plan that went through asks for its sixteen parts; when all have ended, or at the deadline without those that have
not, the books are built of what is there, and again of each part that comes after that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.orchestration.derived import books
from assets.orchestration.freshness import fresh
from assets.orchestration.parts import DAY, PART, part, parts, planned, settled
from assets.orchestration.published import published
from assets.orchestration.raw import TRIGGER
from assets.orchestration.report import report
from dagster_project.sensors import alert_settings

#: Plans are looked after for so long: no day's positions can be read after that.
_LOOKED_AFTER = timedelta(hours=24)

plan_job = dg.define_asset_job(
    "plan",
    selection=dg.AssetSelection.assets(planned),
    description="Ask the broker which accounts there are, and land them as expected.",
    executor_def=dg.in_process_executor,
)
read_job = dg.define_asset_job(
    "read",
    selection=dg.AssetSelection.assets(part),
    description="Read one of a day's sixteen parts, by whichever worker is free.",
    executor_def=dg.in_process_executor,
)
books_job = dg.define_asset_job(
    "books",
    selection=dg.AssetSelection.assets(settled, books, published, report) - dg.AssetSelection.checks(fresh),
    description="Build the books of the parts that are there, check them, publish them, report.",
    executor_def=dg.in_process_executor,
)


@dataclass(frozen=True)
class Part:
    """How a part of a plan stands. `ended` says that nobody reads it, and nobody will unasked."""

    name: str
    landed: bool
    ended: bool


@dg.sensor(
    jobs=[read_job, books_job],
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Has the parts of each plan read, and then the books built: of those that are there at the deadline.",
)
def evening(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """What each day's last plan asks for now."""
    within = timedelta(minutes=alert_settings().parts_deadline)
    requests = list(requests_of(context.instance, datetime.now(UTC), within))
    return dg.SensorResult(requests) if requests else dg.SkipReason("Every plan has what can be had by now.")


def requests_of(instance: dg.DagsterInstance, now: datetime, within: timedelta) -> Iterator[dg.RunRequest]:
    """The runs that are due, each with a key of its own: none is asked for twice."""
    for last in _plans(instance, now):
        run = last.dagster_run
        day = run.tags["dagster/partition"]
        tags = {TRIGGER: run.tags.get(TRIGGER, "dagster")}
        asked = {each.name: each for each in parts_of_day(instance, day, last.create_timestamp)}
        for name in parts.get_partition_keys():
            if name not in asked:
                key = dg.MultiPartitionKey({DAY: day, PART: name})
                yield dg.RunRequest(f"{run.run_id} {name}", job_name=read_job.name, partition_key=key, tags=tags)
        landed = sum(each.landed for each in asked.values())
        all_ended = len(asked) == len(parts.get_partition_keys()) and all(each.ended for each in asked.values())
        if all_ended or now >= _ended_at(last) + within:
            once = f"{run.run_id} books of {landed} parts"
            yield dg.RunRequest(once, job_name=books_job.name, partition_key=day, tags=tags)


def parts_of_day(instance: dg.DagsterInstance, day: str, since: datetime) -> list[Part]:
    """How the parts of a day stand that were asked for since an instant, by whomever."""
    wanted = dg.RunsFilter(job_name=read_job.name, tags={f"dagster/partition/{DAY}": day}, created_after=since)
    runs: dict[str, list[dg.DagsterRun]] = {}
    for run in instance.get_runs(wanted):
        runs.setdefault(run.tags[f"dagster/partition/{PART}"], []).append(run)
    return [_part(name, of_part) for name, of_part in runs.items()]


def _part(name: str, runs: Sequence[dg.DagsterRun]) -> Part:
    landed = any(run.is_success for run in runs)
    return Part(name, landed, landed or all(run.is_finished and not _is_tried_again(run) for run in runs))


def _is_tried_again(run: dg.DagsterRun) -> bool:
    """Whether Dagster is about to start it anew; once it has, the new run tells."""
    return run.tags.get("dagster/will_retry") == "true" and "dagster/auto_retry_run_id" not in run.tags


def _plans(instance: dg.DagsterInstance, now: datetime) -> list[dg.RunRecord]:
    """The last plan of each day, of those that went through lately."""
    wanted = dg.RunsFilter(
        job_name=plan_job.name, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=now - _LOOKED_AFTER
    )
    last: dict[str, dg.RunRecord] = {}
    for record in instance.get_run_records(wanted):  # the newest first
        last.setdefault(record.dagster_run.tags["dagster/partition"], record)
    return list(last.values())


def _ended_at(record: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(record.end_time or record.create_timestamp.timestamp(), UTC)
