"""Starts processes of Python as `subprocess` does, forked from one that has imported everything already (nursery.py).

A short command costs a fifth of a second so, not two. What is about how Python starts (its variables, its line in the
list of processes, whose code it imports) is started by `subprocess`.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

from tests.support.measured import as_if_it_counted, counts

ROOT = Path(__file__).parents[2]
#: What Python and its libraries read when they start, and a forked process has behind it.
AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "OMP_", "OPENBLAS_", "ARROW_")
_asking = threading.Lock()


class Process:
    """A process that was forked: what `subprocess.Popen` of its arguments would be, in bytes."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: IO[Any] | int | None = None,
        stdout: IO[Any] | int | None = None,
        stderr: IO[Any] | int | None = None,
        umask: int = -1,
        start_new_session: bool = False,
    ) -> None:
        self.args = [os.fspath(each) for each in arguments]
        self.returncode: int | None = None
        with ExitStack() as theirs:
            ours: list[IO[bytes] | None] = []
            handles: list[int] = []
            for number, wanted in enumerate((stdin, stdout, stderr)):
                handle, stream = _stream(number, wanted, handles, theirs)
                handles.append(handle)
                ours.append(stream)
            self.stdin, self.stdout, self.stderr = ours
            self._report, report = os.pipe()
            theirs.callback(os.close, report)
            asked = {
                "arguments": _of_python(self.args),
                "env": dict(os.environ if env is None else env),
                "cwd": str(cwd or Path.cwd()),
                "umask": _umask() if umask == -1 else umask,
                "session": start_new_session,
                "counted": counts(),
            }
            with _asking:
                nursery = _nursery(*(("dagster_project.definitions",) if "eod" in self.args[1:2] else ()))
                socket.send_fds(nursery, [json.dumps(asked).encode()], [*handles, report])
        self.pid = int.from_bytes(os.read(self._report, 8), "big")
        assert self.pid, "the process that forks has gone"

    def poll(self) -> int | None:
        """How it ended, or None as long as it goes on."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has. Raises TimeoutExpired after so many seconds."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            status = os.read(self._report, 8)
            assert status, "whoever waits for it has gone"
            self.returncode = os.waitstatus_to_exitcode(int.from_bytes(status, "big"))
            os.close(self._report)
        return self.returncode

    def communicate(self, said: bytes = b"", timeout: float | None = None) -> tuple[bytes, bytes]:
        """Say something to it and hear it to its end. Raises TimeoutExpired after so many seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        heard = {stream: b"" for stream in (self.stdout, self.stderr) if stream is not None}

        def hear(stream: IO[bytes]) -> None:
            with stream:
                heard[stream] = stream.read()

        def say(stream: IO[bytes]) -> None:
            with suppress(BrokenPipeError), stream:
                stream.write(said)

        threads = [threading.Thread(target=hear, args=[stream], daemon=True) for stream in heard]
        if self.stdin is not None:
            threads.append(threading.Thread(target=say, args=[self.stdin], daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
            if thread.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        self.wait(None if until is None else max(0.0, until - time.monotonic()))
        out, err = (heard[stream] if stream else b"" for stream in (self.stdout, self.stderr))
        return out, err

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


def run(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    timeout: float | None = 120,
) -> subprocess.CompletedProcess[bytes]:
    """Run to its end what `arguments` say, and kill it after so many seconds."""
    pipe = subprocess.PIPE
    if not can_be_forked(os.environ if env is None else env):
        return subprocess.run(
            arguments, env=env, cwd=cwd, input=stdin, capture_output=True, timeout=timeout, check=False
        )
    process = Process(arguments, env=env, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        out, err = process.communicate(stdin, timeout)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return subprocess.CompletedProcess(process.args, process.wait(), out, err)


def can_be_forked(env: Mapping[str, str]) -> bool:
    """Whether a process with this environment can be forked: whether Python would start no differently for it."""
    return hasattr(os, "fork") and _at_start(env) == _at_start(os.environ)


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(AT_START)}


def _of_python(arguments: list[str]) -> list[str]:
    """What Python itself is told: the arguments after its own name, or a script of ours with its arguments."""
    return arguments[1:] if arguments[0] == sys.executable else arguments


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _stream(
    number: int, wanted: IO[Any] | int | None, before: list[int], theirs: ExitStack
) -> tuple[int, IO[bytes] | None]:
    """The descriptor for a standard stream of a new process, and our end of it, where it is a pipe."""
    if wanted == subprocess.PIPE:
        reading, writing = os.pipe()
        handle, mine = (reading, writing) if number == 0 else (writing, reading)
        theirs.callback(os.close, handle)
        return handle, os.fdopen(mine, "wb" if number == 0 else "rb")
    if wanted == subprocess.DEVNULL:
        handle = os.open(os.devnull, os.O_RDWR)
        theirs.callback(os.close, handle)
        return handle, None
    if wanted == subprocess.STDOUT:
        return before[1], None
    if wanted is None:
        return number, None
    return (wanted if isinstance(wanted, int) else wanted.fileno()), None


@cache
def _nursery(*more: str) -> socket.socket:
    """The one that forks for this process. It ends with this process, or once nobody can ask it any more."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.support.nursery", str(theirs.fileno()), *more]
        process = subprocess.Popen(
            command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=as_if_it_counted()
        )
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours
