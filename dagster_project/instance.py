"""Dagster's instance: where it remembers runs, and what it may do at once."""

import os
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

import dagster as dg

from dagster_project.isolation import isolate_children
from pipelines.archive.files import read_file, write_whole
from pipelines.errors import ConfigurationError, DaybookError, first_line
from pipelines.settings import Settings

HOST = "127.0.0.1"  # whoever has the token of Dagster's UI can start runs: other machines come through a proxy

_INSTANCE = """\
# Written by daybook where there is none, and never touched again: change what you like.
telemetry:
  enabled: false
nux:
  enabled: false

# A run that was killed is seen, and its place in the queue freed.
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  max_runtime_seconds: 7200
  poll_interval_seconds: 30
  free_slots_after_run_end_seconds: 60

# A crashed run is tried once more; one that failed with a reason is not: the day's next schedule is its second try.
run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false

# One run at a time, and of those that write the warehouse one too. Only the queue counts them (granularity: run): a
# command line that was killed can't leave a slot behind, and what it does is kept apart by the run lock.
concurrency:
  runs:
    max_concurrent_runs: 1
  pools:
    granularity: run
    default_limit: 1

retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days: {skipped: 7, failure: 30, success: -1}
"""

#: With workers: their queue, many runs at once, and of each part one. A run waits there as long as the others take.
_WORKERS = (
    _INSTANCE.replace("start_timeout_seconds: 180", "start_timeout_seconds: 7200")
    .replace("poll_interval_seconds: 30", "poll_interval_seconds: 10")
    .partition("# One run at a time")[0]
    .replace(
        "telemetry:",
        """\
run_launcher:
  module: dagster_project.launcher
  class: WorkersLauncher
  config:
    broker:
      env: DAGSTER_CELERY_BROKER
    backend:
      env: DAGSTER_CELERY_BROKER

telemetry:""",
        1,
    )
    + """\
# Workers take as many runs as there are of them; of each part one at a time, and of those that write books one too.
concurrency:
  runs:
    max_concurrent_runs: 64
    tag_concurrency_limits:
      - key: dagster/partition/part
        value:
          applyLimitPerUniqueValue: true
        limit: 1
  pools:
    granularity: run
    default_limit: 1
"""
    + _INSTANCE[_INSTANCE.index("\nretention:") :]
)

_STORAGE = """\
# From here on daybook writes what DAYBOOK_DAGSTER_STORAGE says: leave it as it is.
storage:
  postgres:
    postgres_url:
      env: DAGSTER_STORAGE_URL
"""
#: With the driver in it, which SQLAlchemy would choose otherwise than Dagster.
_DRIVER = ("postgresql://", "postgresql+psycopg2://")


def prepare_instance(settings: Settings) -> Path:
    """Makes Dagster's home within ours, and makes it the one of this process and its children; where it is.

    Raises ConfigurationError where the home can't be written.
    """
    settings.prepare_home()
    config = settings.dagster / "dagster.yaml"
    if not os.path.lexists(config):
        write_whole(config, _INSTANCE.encode(), durable=False)
    _check(config)
    _set_workers(config, settings)
    _set_storage(config, settings.dagster_storage)
    os.environ["DAGSTER_HOME"] = str(settings.dagster)
    if settings.dagster_storage:
        os.environ["DAGSTER_STORAGE_URL"] = settings.dagster_storage.replace(*_DRIVER, 1)
    os.environ["DAYBOOK_HOME"] = str(settings.home)  # absolute: a run starts in a folder of its own
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    isolate_children(os.environ)  # Dagster starts Pythons of its own
    return settings.dagster


def require_celery() -> None:
    """Raises ConfigurationError where what workers need is not installed."""
    if find_spec("dagster_celery") is None:
        raise ConfigurationError(
            "DAYBOOK_CELERY is set, and what workers need is not installed: install daybook with its extra `workers`."
        )


def queue_address(settings: Settings) -> str:
    """The queue of workers with its password, which goes into the environment of our own processes alone."""
    parts = urlsplit(settings.celery or "")
    if settings.celery_password is None:
        return parts.geturl()
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(
        netloc=f"{user}:{quote(settings.celery_password.get_secret_value(), safe='')}@{host}"
    ).geturl()


def _set_workers(config: Path, settings: Settings) -> None:
    """Have runs go to workers, or to this machine again. Only a file that daybook wrote is written again; raises
    ConfigurationError for another one that doesn't say what the settings want."""
    if settings.celery:
        require_celery()
        os.environ["DAGSTER_CELERY_BROKER"] = queue_address(settings)
    text = read_file(config, 2**20).decode()
    kept, mark, rest = text.partition(_STORAGE.splitlines()[0])
    wanted = _WORKERS if settings.celery else _INSTANCE
    if kept in (_INSTANCE, _WORKERS):
        if kept != wanted:
            write_whole(config, (wanted + mark + rest).encode(), durable=False)
    elif settings.celery and "dagster_project.launcher" not in kept:
        raise ConfigurationError(
            f"{config} was changed, and says nothing of workers: take it away, and daybook writes a new one for "
            "DAYBOOK_CELERY."
        )


def _set_storage(config: Path, url: str | None) -> None:
    """Have Dagster keep what it knows in a PostgreSQL database, or in its own files again. The rest of the file stays.

    Raises ConfigurationError where the file says something of its own, or the driver is not installed.
    """
    text = read_file(config, 2**20).decode()
    kept = text.partition(_STORAGE.splitlines()[0])[0]
    if url and find_spec("dagster_postgres") is None:
        raise ConfigurationError(
            "DAYBOOK_DAGSTER_STORAGE is set, and what speaks to PostgreSQL is not installed: `make postgres`, or "
            "`pip install 'daybook[postgres]'`."
        )
    if url and any(line.startswith("storage:") for line in kept.splitlines()):
        raise ConfigurationError(
            f"{config} has a storage of its own: take it out, or leave DAYBOOK_DAGSTER_STORAGE unset."
        )
    wanted = kept + (_STORAGE if url else "")
    if wanted != text:
        write_whole(config, wanted.encode(), durable=False)


def open_instance() -> dg.DagsterInstance:
    """Dagster's instance of the home that was prepared. Raises ConfigurationError where its dagster.yaml says what
    Dagster can't do, DaybookError where its database can't be reached."""
    try:
        return dg.DagsterInstance.get()
    except Exception as error:  # of several kinds, some of which are not public
        where = Path(os.environ["DAGSTER_HOME"]) / "dagster.yaml"
        if os.environ.get("DAGSTER_STORAGE_URL"):
            reason = first_line(error.__cause__ if isinstance(error.__cause__, Exception) else error).rstrip(".")
            raise DaybookError(
                f"Dagster can't reach its storage ({reason}): see DAYBOOK_DAGSTER_STORAGE and the file that PGPASSFILE "
                "names."
            ) from error
        raise ConfigurationError(
            f"Dagster can't work with {where} ({first_line(error)}): correct it, or take it away, and daybook writes a "
            "new one. `daybook sync` and `daybook build` close the day meanwhile."
        ) from error


def _check(config: Path) -> None:
    """Raises ConfigurationError for a dagster.yaml that Dagster could not read either."""
    try:
        text = read_file(config, 2**20).decode()
        if any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines()):  # else: as shipped
            dg.config_from_yaml_strings([text])
    except Exception as error:  # Dagster's own errors of a wrong type have no public name
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error.__cause__ or error).split())
        raise ConfigurationError(
            f"{config} can't be read ({reason}): correct it, or take it away, and daybook writes a new one."
        ) from error
