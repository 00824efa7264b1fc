"""Runs as tasks of Celery. Imported by Dagster alone, where dagster.yaml names it: Celery is an extra."""

import warnings
from collections import Counter

import dagster as dg
from celery.exceptions import DuplicateTaskNameWarning
from dagster_celery.launcher import CeleryRunLauncher, CheckRunHealthResult, WorkerStatus
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

# dagster-celery registers its task anew with each run
warnings.filterwarnings("ignore", category=DuplicateTaskNameWarning)

#: How long workers have to say what they are at, in seconds; and how often in turn nobody may say that he has a run. A
#: machine that is very busy answers late, and a run that goes on must not be started a second time.
_ANSWER_WITHIN, _MISSED = 5.0, 4


class WorkersLauncher(CeleryRunLauncher):  # type: ignore[misc]  # Celery is an extra, and has no types
    """Celery's launcher, which also notices a worker that is gone: to Celery's own a run of one that was killed is at
    work for ever, because nobody has said otherwise."""

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether a run that should be at work is, on any of the workers that answer."""
        found: CheckRunHealthResult = super().check_run_worker_health(run)
        if found.status is not WorkerStatus.RUNNING:
            return found
        active = self.celery.control.inspect(timeout=_ANSWER_WITHIN).active() or {}
        tasks = {task["id"] for of_worker in active.values() for task in of_worker}
        missed = self.__dict__.setdefault("missed", Counter())
        if run.tags[DAGSTER_CELERY_TASK_ID_TAG] in tasks:
            missed.pop(run.run_id, None)
            return found
        missed[run.run_id] += 1
        if missed[run.run_id] < _MISSED:
            return found
        return CheckRunHealthResult(WorkerStatus.FAILED, "The worker that had this run is gone.")
