"""Dagster's instance: where it remembers runs, what it may do at once, and how its UI and daemon are started."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import dagster as dg

from pipelines.errors import ConfigurationError
from pipelines.files import read_file
from pipelines.settings import Settings

HOST = "127.0.0.1"  # Dagster's UI has no log-in: whoever reaches it can start runs
_GRACE = 30.0  # seconds in which a stopped UI and daemon may end by themselves

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

_WORKSPACE = """\
# Written by daybook at every start.
load_from:
  - python_module:
      module_name: dagster_project.definitions
      location_name: daybook
"""


def prepare_instance(settings: Settings) -> Path:
    """Makes Dagster's home within ours, and makes it the one of this process and its children; where it is.

    Raises ConfigurationError where the home can't be written.
    """
    settings.prepare_home()
    config = settings.dagster / "dagster.yaml"
    if not os.path.lexists(config):
        config.write_text(_INSTANCE, encoding="utf-8")
    _check(config)
    os.environ["DAGSTER_HOME"] = str(settings.dagster)
    os.environ["DAYBOOK_HOME"] = str(settings.home)  # absolute: a run starts in a folder of its own
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    return settings.dagster


def _check(config: Path) -> None:
    """Raises ConfigurationError for a dagster.yaml that Dagster could not read either."""
    try:
        text = read_file(config, 2**20).decode()
        if any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines()):  # else: as shipped
            dg.config_from_yaml_strings([text])
    except Exception as error:  # Dagster has several kinds, some of which are not public
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error.__cause__ or error).split())
        raise ConfigurationError(
            f"{config} can't be read ({reason}): correct it, or take it away, and daybook writes a new one."
        ) from error


def dev(settings: Settings, port: int = 3000) -> int:
    """Run Dagster's UI and daemon on loopback until they are stopped (Ctrl-C or SIGTERM); their exit code, then 0.

    Raises ConfigurationError where the home can't be written.
    """
    workspace = prepare_instance(settings) / "workspace.yaml"
    workspace.write_text(_WORKSPACE, encoding="utf-8")
    os.environ.setdefault("DAYBOOK_DAGSTER_URL", f"http://{HOST}:{port}")  # links in alerts lead there
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(workspace)]
    with _stopped_with_us([*command, "--host", HOST, "--port", str(port)]) as (process, stopped):
        code = process.wait()
    return 0 if stopped else code


@contextmanager
def _stopped_with_us(command: list[str]) -> Iterator[tuple["subprocess.Popen[bytes]", list[int]]]:
    """A process that is asked to end when we are, and killed with its children when it does not; the signals we got.

    It has a process group of its own: a Ctrl-C in the terminal would reach it twice, and a second one makes Dagster
    leave its children behind.
    """
    # What a script runs in its background is deaf to SIGINT, and a child would inherit that: it could not be ended.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, start_new_session=True)
    stopped: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopped.append(number)
        process.send_signal(signal.SIGINT)

    former: dict[int, Any] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield process, stopped
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
