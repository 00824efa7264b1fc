"""A Spark session in which the selects of the books mean what they mean in DuckDB."""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import BuildFailed, ConfigurationError, DaybookError, first_line
from pipelines.settings import Settings

#: Decimals keep their scale, days and instants are those of UTC, and DuckDB reads instants back as such.
_AS_DUCKDB = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
#: Nothing is shown, served or kept but the files of a table, which are for their owner alone.
_QUIET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.hadoop.fs.permissions.umask-mode": "077",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}
#: A planner that runs for a minute is not worth the compiler that makes code fastest.
_BRIEF = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
#: What Spark says of a job that was cancelled, before the reason that it was given (watch.py).
_GIVEN_UP = re.compile(r"\[SPARK_JOB_CANCELLED\] Job \d+ cancelled (?P<why>.+?)(?: SQLSTATE.*)?$", re.MULTILINE)
#: How long a master may take to answer before nothing is begun.
_SECONDS = 5.0


def check_spark(settings: Settings) -> None:
    """Raises ConfigurationError where Spark can't be started here, and DaybookError where its master doesn't answer."""
    if find_spec("pyspark") is None:
        raise ConfigurationError(
            "`--engine spark` needs Apache Spark, and pyspark is not installed: install daybook with the extra `spark`."
        )
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which(str(Path(home, "bin", "java"))) if home else shutil.which("java")):
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise ConfigurationError(f"`--engine spark` needs Java 17 or newer, and there is none {where}: install a JRE.")
    masters = settings.spark.removeprefix("spark://").split(",") if settings.spark.startswith("spark://") else []
    if masters and not any(_answers(each) for each in masters):
        raise DaybookError(
            f"No Spark master answers at {settings.spark} (DAYBOOK_SPARK), and nothing was begun: start it, or build "
            "without `--engine spark`."
        )


def _answers(master: str) -> bool:
    host, _, port = master.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except OSError:
        return False
    return True


def start_session(settings: Settings, folder: Path, *, is_small: bool = False) -> Any:
    """A session with DAYBOOK_SPARK's master; what Java says goes to a file of `folder`. `is_small`: it will be planning
    for most of its time. Raises BuildFailed."""
    from pyspark.logger import PySparkLogger
    from pyspark.sql import SparkSession

    # what they would print is raised, too
    logging.getLogger("py4j").setLevel(logging.CRITICAL + 1)
    PySparkLogger.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL + 1)
    builder = SparkSession.builder.master(settings.spark).appName("daybook")
    for name, value in {**_AS_DUCKDB, **_QUIET, **_addresses(settings.spark)}.items():
        builder = builder.config(name, value)
    builder = builder.config("spark.sql.warehouse.dir", str(folder / "catalog"))
    if is_small:
        builder = builder.config("spark.driver.extraJavaOptions", _BRIEF)
    with told_by_spark(), _output_to(folder / "spark.log"):
        return builder.getOrCreate()


def _addresses(master: str) -> dict[str, str]:
    """A session of this machine alone is open to nobody else."""
    host = master.removeprefix("spark://").rpartition(":")[0]
    if not master.startswith("local") and host not in ("127.0.0.1", "localhost", "[::1]"):
        return {}
    return {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@contextmanager
def told_by_spark() -> Iterator[None]:
    """What Spark, or the way to it, raises in the block becomes BuildFailed: nothing has changed."""
    try:
        yield
    except (DaybookError, duckdb.Error):
        raise
    except Exception as error:  # of pyspark, of Java, and of the socket between them
        if isinstance(error, OSError) or type(error).__name__ == "Py4JNetworkError":
            said = "Spark has ended, as a process does that is killed or has no memory left"
        else:
            said = f"Spark says: {_said(error)}"
        raise BuildFailed(f"The build failed and changed nothing: {said}") from error


def _said(error: Exception) -> str:
    """The first line of what is behind an error, rather than that something was called when it happened."""
    if given_up := _GIVEN_UP.search(str(error)):
        return given_up["why"].strip()
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    if causes:
        return causes[-1][:500]
    return (first_line(error) or type(error).__name__)[:500]


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """What is started in the block writes to a file, and not among what a command prints."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(1), os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        for number, former in enumerate(before, 1):
            os.dup2(former, number)
            os.close(former)
        os.close(log)
