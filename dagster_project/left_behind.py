"""Runs that were killed together with everything that would have noticed: a machine that went down, above all.

Dagster calls them running until `max_runtime_seconds`, and lets no other begin. Told that they failed, it tries each
once more (dagster.yaml), so that the evening is closed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from pipelines.errors import LockedOut
from pipelines.settings import Settings
from pipelines.warehouse.lock import run_lock

_GOING = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_SETTLED = 5.0  # seconds in which a run that has let go of the books is called ended, too


def end_runs_left_behind(settings: Settings, instance: dg.DagsterInstance) -> Iterator[list[str]]:
    """Try to end the runs that began before now; what there is to say, at each try. Over once it was done.

    As long as somebody has the books it is not known which runs are dead: one may have outlived what started it. So
    nobody has to have them twice, some seconds apart.
    """
    before = dg.RunsFilter(statuses=_GOING, created_before=datetime.now(UTC))
    seen_free = 0
    while seen_free < 2 and instance.get_run_records(before, limit=1):
        until = time.monotonic() + _SETTLED
        while time.monotonic() < until:
            yield []
        seen_free = seen_free + 1 if _nobody_has(settings) else 0
    for record in instance.get_run_records(before):
        instance.report_run_failed(record.dagster_run, "The run was killed together with the service that ran it.")
        yield [f"Run {record.dagster_run.run_id} was killed with a former service: it is marked as failed."]


def _nobody_has(settings: Settings) -> bool:
    try:
        with run_lock(settings.run_lock, wait=0):
            return True
    except LockedOut:
        return False
