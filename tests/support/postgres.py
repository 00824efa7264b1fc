"""A real PostgreSQL server of a test's own, on loopback, with passwords; not as root, which it refuses."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

PASSWORD = "postgres-password-that-must-never-be-seen-4711"
_NOBODY = 65534
_USER: dict[str, Any] = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _binaries() -> Path | None:
    """The folder of PostgreSQL's programs, which distributions do not put on the PATH."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((each for each in places if (each / "postgres").exists() and (each / "initdb").exists()), None)


def has_postgres() -> bool:
    """Whether its programs are installed."""
    return _binaries() is not None


needs_postgres = pytest.mark.skipif(not has_postgres(), reason="PostgreSQL is not installed")


@dataclass(frozen=True)
class Postgres:
    """A server: the address of its database, without a password, the file that has it, and the folder of its data."""

    url: str
    passfile: Path
    data: Path

    def restart(self, mode: str = "immediate") -> None:
        """End it at once, as a crash does, and start it again."""
        self.control("restart", "-m", mode)

    def control(self, *arguments: str) -> None:
        """pg_ctl with this server's data. What it starts ends with the block of the fixture."""
        binaries = _binaries()
        assert binaries is not None
        log = str(self.data.parent / "log")
        command = [str(binaries / "pg_ctl"), "-D", str(self.data), "-w", "-l", log, *arguments]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/", **_USER)


@contextmanager
def postgres(passfile: Path) -> Iterator[Postgres]:
    """A server that runs until the block ends."""
    binaries = _binaries()
    assert binaries is not None
    with TemporaryDirectory(prefix="daybook-postgres-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        data, secret = Path(folder) / "data", Path(folder) / "secret"
        secret.write_text(PASSWORD)
        if _USER:
            for each in (Path(folder), secret):
                os.chown(each, _NOBODY, _NOBODY)
        initdb: list[str | Path] = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "daybook",
            "-A",
            "scram-sha-256",
            "--pwfile",
            secret,
            "-N",
        ]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **_USER)
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", f"port={port}"]
        options = [word for each in settings for word in ("-c", each)]
        probe.close()
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen([binaries / "postgres", "-D", data, *options], stderr=log, cwd=folder, **_USER)
        try:
            _until_it_answers(binaries, server, port)
            passfile.write_text(f"127.0.0.1:{port}:*:daybook:{PASSWORD}\n")
            passfile.chmod(0o600)
            server_of = Postgres(f"postgresql://daybook@127.0.0.1:{port}/postgres", passfile, data)
            yield server_of
        finally:
            if server.poll() is not None and (data / "postmaster.pid").exists():  # a test has restarted it
                server_of.control("stop", "-m", "immediate")
            server.send_signal(signal.SIGINT)  # whoever is still connected is not waited for
            server.wait(30)


def _until_it_answers(binaries: Path, server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "PostgreSQL ended"
        asked: list[str | Path] = [binaries / "pg_isready", "--quiet", "--host", "127.0.0.1", "--port", str(port)]
        if subprocess.run(asked, check=False).returncode == 0:  # one that is starting up listens already
            return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL did not answer")
