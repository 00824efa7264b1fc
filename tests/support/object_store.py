"""A real S3 server of a test's own: moto's, on loopback, with a bucket in it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

SERVER = Path(sys.executable).parent / "moto_server"
BUCKET = "books"

needs_moto = pytest.mark.skipif(not SERVER.exists(), reason="moto is not installed: `make test-lake` runs this")


@dataclass
class ObjectStore:
    """A server with an empty bucket: `url` is the bucket's, `environ` what its clients need."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """The bucket."""
        return f"s3://{BUCKET}"

    @property
    def environ(self) -> dict[str, str]:
        """The settings of its clients."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "an-access-key",
            "AWS_SECRET_ACCESS_KEY": "a-secret-that-must-never-be-seen-4712",
            "AWS_REGION": "us-east-1",
        }

    def stop(self) -> None:
        """From here on it answers nobody, and its connections stay."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """As before."""
        os.kill(self.process.pid, signal.SIGCONT)


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A server that runs until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command: list[str | Path] = [SERVER, "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_it_listens(process, port)
        with urlopen(Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")):
            yield ObjectStore(port, process)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(30)


def _until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "moto ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("moto did not start to listen")
