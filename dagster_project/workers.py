"""A worker: a process of Celery's that takes one run after another from the queue, each in a fresh copy of itself."""

import os

from celery import Celery
from dagster_celery.config import DEFAULT_CONFIG
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

from dagster_project.instance import prepare_instance
from pipelines.settings import Settings

#: What runs print is in Dagster's log of each. A worker takes no run that it can't begin at once: it would be lost with
#: the worker, or rather, come back to the queue after a while.
_CONFIG = {
    "worker_redirect_stdouts_level": "INFO",
    "broker_connection_retry_on_startup": True,
    "worker_disable_prefetch": True,
    "broker_transport_options": {**DEFAULT_CONFIG["broker_transport_options"], "visibility_timeout": 60},
}


def work(settings: Settings, name: str, processes: int) -> int:
    """Take runs until SIGTERM, which lets those that are at work come to their end; the exit code of Celery's."""
    prepare_instance(settings)
    import dagster_project.definitions  # noqa: F401  (once, and not in each copy)

    options = ["--without-gossip", "--without-mingle", "--loglevel=WARNING", f"--hostname={name}@%h"]
    pool = [f"--concurrency={processes}", "--max-tasks-per-child=1", "--prefetch-multiplier=1", "-O", "fair"]
    app_of(os.environ["DAGSTER_CELERY_BROKER"]).worker_main(["--quiet", "worker", *options, *pool])
    return 0


def app_of(queue: str) -> Celery:
    """The application that takes Dagster's runs from a queue. Its address may hold a password."""
    app = make_app({"broker": queue, "backend": queue, "config_source": {**DEFAULT_CONFIG, **_CONFIG}})
    create_execute_job_task(app)
    create_resume_job_task(app)
    return app
