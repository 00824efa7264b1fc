"""A query runs in a process of its own, which is ended when its time is over, whatever it is busy with.

DuckDB looks whether it was interrupted between two pieces of work, and one piece can take hours. The process is given
the query, and the folder of the books, over a socket; it writes the rows to the standard output that it inherits, and
answers over the socket how it ended. It has no key in its environment, and ends itself once the socket is closed: when
this process is gone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from dagster_project.isolation import isolate_children
from pipelines.errors import USAGE, ConfigurationError, DaybookError
from pipelines.warehouse.temporary_name import private_folder

#: What a process that asks the books may know of its surroundings: where programs and fonts of letters are, what the
#: terminal can show.
_ALLOWED = {
    "COLUMNS", "FORCE_COLOR", "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LINES", "NO_COLOR", "PATH", "PYTHONPATH",
    "PYTHONIOENCODING", "PYTHONUTF8", "TERM", "TZ",
}  # fmt: skip
#: What else it has to know of a lake: how PostgreSQL's library and S3 clients sign in.
_OF_A_LAKE = ("PG", "AWS_")
_ANSWER = 2**20  # bytes of an answer that are read; a sentence has fewer


@dataclass(frozen=True)
class Query:
    """A question: its text, the books to ask (the path of the published copy, or a lake's catalog and files, and its
    version where it is an earlier one), how the rows are written, and at most how many (0: all)."""

    text: str
    books: str | tuple[str, str]
    form: str
    most: int
    timeout: float
    to_file: bool = False
    version: int | None = None


def run_query(query: Query, target: IO[bytes] | None = None) -> bool:
    """Ask, and have the rows written to `target`, or else to standard output; whether there were more rows.

    Raises DaybookError with the sentence where it fails or takes too long, and BrokenPipeError where nobody reads on.
    """
    with private_folder() as own:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = _start(theirs.fileno(), own, target, is_lake=not isinstance(query.books, str))
            try:
                theirs.close()
                answer = _answer(ours, query)
            finally:
                process.kill()  # it has nothing more to say
                code = process.wait()
    return _understood(answer, code, query.timeout)


def _start(number: int, own: Path, target: IO[bytes] | None, *, is_lake: bool) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "daybook.cli.query_child", str(number)],
            env=_environment(os.environ, own, _OF_A_LAKE if is_lake else ()),
            pass_fds=[number],
            stdin=subprocess.DEVNULL,
            stdout=target,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise DaybookError(f"The query could not be started ({error.strerror}): end other programs.") from error


def _environment(outer: Mapping[str, str], own: Path, more: tuple[str, ...] = ()) -> dict[str, str]:
    inner = {name: value for name, value in outer.items() if name in _ALLOWED or name.startswith(("LC_", *more))}
    isolate_children(inner)
    return {**inner, "TMPDIR": str(own)}


def _answer(ours: socket.socket, query: Query) -> dict[str, Any] | None:
    """How it ended; None where it did not say. Raises DaybookError when the time is over."""
    deadline = time.monotonic() + query.timeout
    said = b""
    with suppress(ConnectionError):
        ours.sendall(json.dumps(asdict(query)).encode() + b"\n")
        while len(said) < _ANSWER:
            try:
                ours.settimeout(min(max(deadline - time.monotonic(), 0.001), 3600.0))
                part = ours.recv(65536)
            except TimeoutError:
                if time.monotonic() < deadline:
                    continue
                raise _too_long(query.timeout) from None
            if not part:
                break
            said += part
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        return None
    return answer


def _too_long(seconds: float) -> DaybookError:
    return DaybookError(f"The query took longer than {seconds:g} s: narrow it, or give it more with --timeout.")


def _understood(answer: dict[str, Any] | None, code: int, timeout: float) -> bool:
    if answer is None:
        if code == -signal.SIGALRM:
            raise _too_long(timeout)
        raise DaybookError(
            f"The query ended the process that ran it (with {code}): it is too large for the memory that is free, or "
            "DuckDB has a defect; ask for less at a time."
        )
    if answer.get("unread"):
        raise BrokenPipeError(32, "nobody reads the rows")
    if "defect" in answer:
        raise RuntimeError(answer["defect"])
    if "sentence" in answer:
        raise (ConfigurationError if answer["exit_code"] == USAGE else DaybookError)(answer["sentence"])
    return bool(answer["cut"])
