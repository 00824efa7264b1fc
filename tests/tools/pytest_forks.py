"""A process that has imported what tests need and nothing of ours, and forks for each run of tests that it is asked
for, a line of JSON each: what takes most of the time of a short run is read from the disk once."""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path

LIBRARIES = (
    *("pytest", "hypothesis", "duckdb", "pyarrow", "pyarrow.parquet", "pydantic", "httpx", "tenacity", "jinja2"),
    *("dlt", "dlt.destinations.impl.duckdb.sql_client", "typer", "rich.progress", "starlette.applications", "uvicorn"),
)


def main() -> None:
    """Serve until there are no more requests: the folder, the arguments of pytest, the seconds that it may take, and
    the file that what it prints goes to. The answer is how it ended; null where its time was over."""
    for name in LIBRARIES:
        importlib.import_module(name)
    importlib.import_module("duckdb").default_connection().close()  # it has a thread, that no fork would have
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_tests(asked["folder"], asked["arguments"], asked["printed"]))
        print(json.dumps(_ended(pid, asked["seconds"])), flush=True)


def _tests(folder: str, arguments: list[str], printed: str) -> int:
    os.setsid()
    with Path(printed).open("wb") as file, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    sys.path[0] = folder
    os.environ["PYTHONPATH"] = folder
    sys.dont_write_bytecode = True
    try:
        return int(importlib.import_module("pytest").main(arguments))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _ended(pid: int, seconds: float) -> int | None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.killpg(pid, signal.SIGKILL)  # it, and what it started
    os.waitpid(pid, 0)
    return None


if __name__ == "__main__":
    main()
