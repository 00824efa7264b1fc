"""A process that has imported what commands need, and forks a new one for each command that it is asked to start.

`python -m tests.support.nursery SOCKET [MODULE ...]` imports the command line, the rooms and the modules named, then
serves tests/support/processes.py. What it forks is a process of its own, with its own pid, environment, folder, umask
and standard streams, whose `__main__` is the command's: it can be killed and locked against as any other, and ends as
any other does. All that it doesn't do is read its libraries from the disk once more, which takes most of the time of
a short command. Nothing here has run anything before the fork: no connection, no pipeline, no settings.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.support.measured import save_what_was_counted, stop_counting

#: A request: at most so many bytes of JSON, and these descriptors.
MOST = 2**18
STREAMS = 3


def load(*more: str) -> None:
    """Import what commands import, without a thread of ours: a fork has only the one that asked for it."""
    import duckdb

    rooms = [importlib.import_module(name) for name in ("models", "pipelines")]
    names = [found.name for room in rooms for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
    for name in ("daybook.cli.app", "dlt.destinations.impl.duckdb.sql_client", "runpy", *names, *more):
        importlib.import_module(name)
    calendar = importlib.import_module("pipelines.calendar").TradingCalendar.load()
    calendar.sessions(calendar.first, calendar.last)  # read and reckoned once
    duckdb.default_connection().close()  # importing it opened one, with a thread that no fork would have
    save_what_was_counted()
    gc.collect()
    gc.freeze()  # what is there is never looked through again, which would copy it into every fork


def serve(requests: socket.socket) -> dict[str, Any]:
    """Fork for every request until there are no more. Returns in each new process, with what it is to run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests and for what they started
    while True:
        said, handles, _, _ = socket.recv_fds(requests, MOST, STREAMS + 1)
        _reap()
        if not said:
            os._exit(0)
        if os.fork() == 0:
            requests.close()
            return _keep(json.loads(said), handles)
        for handle in handles:
            os.close(handle)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _keep(request: dict[str, Any], handles: list[int]) -> dict[str, Any]:
    """Fork once more: the child goes on, this process tells the child's pid and how it ended."""
    *streams, report = handles
    pid = os.fork()
    if pid == 0:
        os.close(report)
        _become(request, streams)
        return request
    for handle in streams:
        os.close(handle)
    os.write(report, pid.to_bytes(8, "big"))
    _, status = os.waitpid(pid, 0)
    os.write(report, status.to_bytes(8, "big"))
    os._exit(0)


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Have this process be as one that was started so."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the tests may have been started by what ignores it
    if request["session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(request["env"])
    if not request["counted"]:
        stop_counting()
    time.tzset()
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    for number, handle in enumerate(streams):
        os.dup2(handle, number)
    for handle in streams:
        if handle >= STREAMS:
            os.close(handle)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _stream(number, getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _stream(number: int, like: io.TextIOWrapper) -> io.TextIOWrapper:
    """A standard stream as Python makes it at its start, buffered or not as the one that is there."""
    at_once = like.write_through
    raw = os.fdopen(number, "wb" if number else "rb", 0 if at_once and number else -1, closefd=False)
    text = io.TextIOWrapper(
        raw,
        like.encoding,
        like.errors,
        newline="\n" if number else None,
        line_buffering=not at_once and (number == STREAMS - 1 or raw.isatty()),
        write_through=at_once,
    )
    text.mode = "w" if number else "r"  # type: ignore[misc]
    return text


def run(arguments: list[str]) -> None:
    """What `python ARGUMENTS` does with a script, `-m MODULE` or `-c CODE`."""
    how, *rest = arguments
    if how == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif how == "-c":
        code, *words = rest
        sys.argv = ["-c", *words]
        _run_as_main(code, "<string>")
    else:
        sys.argv = arguments
        _run_as_main(Path(how).read_text(encoding="utf-8"), how)


def _run_as_main(code: str, name: str) -> None:
    sys.modules["__main__"] = main = ModuleType("__main__")
    exec(compile(code, name, "exec"), main.__dict__)  # noqa: S102


if __name__ == "__main__":
    load(*sys.argv[2:])
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    from dagster_project.isolation import leave_working_folder

    leave_working_folder()  # as the package daybook does when it is imported
    run(asked["arguments"])
