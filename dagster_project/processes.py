"""Processes that are started together and end together, and the signals that end them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from pipelines.errors import DaybookError

Process = subprocess.Popen[bytes]
_GRACE = 30.0  # seconds in which what is stopped may end by itself


@dataclass(frozen=True)
class Program:
    """What is run as `python -m module`: under a name, with an environment, and with open files that it is handed."""

    name: str
    module: tuple[str, ...]
    environ: Mapping[str, str]
    handles: tuple[int, ...] = ()


class Processes:
    """Processes that end together: each is asked to when the block ends, and killed with its children if it doesn't.
    Where we are killed ourselves, they notice (tied.py).

    Each has a process group of its own: a Ctrl-C in the terminal would reach it twice, and a second one makes Dagster
    leave its children behind. They run in `folder`, and their temporary files are in `temporary`.
    """

    def __init__(self, folder: Path, temporary: Path) -> None:
        self._folder, self._temporary = folder, temporary
        self._running: dict[str, Process] = {}
        self._tie, self._ours = os.pipe()

    def start(self, program: Program) -> int:
        """Start a program, once more where it has ended, with nothing from the folder we are in: neither code nor
        settings; its process id."""
        # its children's code, and sockets
        environ = {**program.environ, "PYTHONSAFEPATH": "1", "TMPDIR": str(self._temporary)}
        command = [sys.executable, "-P", "-m", "dagster_project.tied", str(self._tie), *program.module]
        self._running[program.name] = subprocess.Popen(
            command,
            env=environ,
            cwd=self._folder,
            start_new_session=True,
            pass_fds=(*program.handles, self._tie),
        )
        return self._running[program.name].pid

    def ended(self, name: str) -> int | None:
        """The code with which a program that was started has ended by itself (negative: the signal); None while it
        runs."""
        return self._running[name].poll()

    def kill(self, name: str) -> None:
        """Kill one that was started, stopped or not; not its children, which may be runs: without it they end."""
        self._running[name].kill()

    def refuse_ended(self) -> None:
        """Raises DaybookError with the name of one that has ended by itself."""
        for name in self._running:
            if (code := self.ended(name)) is not None:
                raise DaybookError(f"Dagster's {name} ended by itself (code {code}), so the rest was ended.")

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the processes in reverse order: the others speak to the first one while they end."""
        first, rest = list(self._running.values())[:1], list(self._running.values())[1:]
        for several in (rest, first):
            for process in several:
                process.send_signal(signal.SIGINT)
            deadline = time.monotonic() + _GRACE
            for process in several:
                _wait_or_kill(process, deadline)
        os.close(self._tie)
        os.close(self._ours)


def _wait_or_kill(process: Process, deadline: float) -> None:
    try:
        process.wait(max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """The SIGINTs and SIGTERMs that come, in place of what they would do.

    What a script runs in its background is deaf to SIGINT, and a child would inherit that: with a handler it does not.
    """
    stopped: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopped.append(number)

    former: dict[int, Any] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
