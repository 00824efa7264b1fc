"""What parts of an evening are read by: a queue (Redis) and workers (`daybook worker`)."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


def free_port() -> int:
    """A port of loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis of its own on loopback, which keeps nothing on disk, until the block ends; its address."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until_it_listens(process, port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(30)


def until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    """Returns when a server answers; fails where it ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start to listen")


@contextmanager
def workers(environ: Mapping[str, str], logs: Path, number: int = 4) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers in processes of their own, each with a log; ended with the block, whatever they are at."""
    with ExitStack() as ending:
        yield [ending.enter_context(_worker(environ, logs, f"w{one}")) for one in range(number)]


@contextmanager
def _worker(environ: Mapping[str, str], logs: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    with (logs / f"{name}.log").open("wb") as log:
        command: list[str | Path] = [Path(sys.executable).with_name("daybook"), "worker", "--name", name]
        process = subprocess.Popen(
            command, env=dict(environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
