"""A standalone Spark cluster of a test's own, on loopback: a master and a worker, from pyspark's own jars."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

EXECUTOR = "CoarseGrainedExecutorBackend"


@contextmanager
def spark_cluster(folder: Path) -> Iterator[str]:
    """The address of the master of a cluster of two cores, which ends with the block."""
    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(_start(folder, "master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"))
        _wait_for(port)
        worker = ("--host", "127.0.0.1", "--webui-port", "0", "--cores", "2", "--memory", "1g")
        started.append(_start(folder, "worker.Worker", *worker, "--work-dir", str(folder / "work"), master))
        yield master
    finally:
        for each in reversed(started):
            each.terminate()
        for each in started:
            each.wait(30)


def _start(folder: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    home = Path(spec.origin).parent
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [home / "bin" / "spark-class", f"org.apache.spark.deploy.{name}", *arguments],
            env=environment,
            stdout=log,
            stderr=log,
        )


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the master did not start"
            time.sleep(0.2)
        else:
            return


def executors(folder: Path) -> list[int]:
    """The processes that compute for a cluster whose worker has its work in `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                place = (entry / "cwd").readlink()
            except OSError:
                continue
            if EXECUTOR in line and folder / "work" in place.parents:
                found.append(int(entry.name))
    return found


def servers() -> list[int]:
    """The masters and workers that this process has started."""
    names = (b"deploy.master.Master", b"deploy.worker.Worker")
    found = children(os.getpid(), "java")
    return [each for each in found if any(name in Path(f"/proc/{each}/cmdline").read_bytes() for name in names)]


def kill(processes: list[int]) -> None:
    """End processes as the kernel would."""
    for each in processes:
        os.kill(each, signal.SIGKILL)


def children(process: int, name: str) -> list[int]:
    """The processes of a name that a process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                said = (entry / "stat").read_text()
            except OSError:
                continue
            command, _, rest = said.partition("(")[2].rpartition(")")
            if command == name and int(rest.split()[1]) == process:
                found.append(int(entry.name))
    return found
