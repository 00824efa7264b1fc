"""A process that tests fork (tests/support/processes.py) is as one that Python starts, and commands end the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.care import NOBODY
from tests.support.command_line import DAYBOOK, environment
from tests.support.processes import Process, can_be_forked, run

#: Everything that a process has from whoever started it, or from how Python started.
SAYS = """
import daybook
import gc, json, locale, os, signal, sys, threading, time, warnings
streams = [sys.stdin, sys.stdout, sys.stderr]
print(json.dumps({
    "main": [__name__, sys.argv, sys.modules["__main__"].__dict__ is globals()],
    "folder": os.getcwd(), "umask": os.umask(0), "environment": dict(os.environ), "zone": time.tzname,
    "streams": [[each.fileno(), each.encoding, each.errors, each.mode] for each in streams],
    "buffers": [[each.line_buffering, each.write_through, str(type(each.buffer))] for each in streams],
    "same": [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__],
    "handles": [each for each in range(256) if os.path.exists(f"/proc/self/fd/{each}") and each != 3],
    "signals": [str(signal.getsignal(each)) for each in (signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD)],
    "blocked": [int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "threads": threading.active_count(), "collects": gc.isenabled(), "locale": locale.setlocale(locale.LC_ALL),
    "flags": str(sys.flags), "limit": sys.getrecursionlimit(), "group": os.getpgid(0) == os.getpgid(os.getppid()),
}))
"""


def test_a_forked_process_has_what_python_would_have_given_it(tmp_path: Path) -> None:
    env = environment(tmp_path, "http://127.0.0.1:1", TZ="Asia/Tokyo", ONE_MORE="ä")
    command = [sys.executable, "-c", SAYS, "a word", "ä"]
    fresh = subprocess.run(command, env=env, cwd=tmp_path, input=b"", capture_output=True, check=True)
    forked = run(command, env=env, cwd=tmp_path)
    assert forked.returncode == 0, forked.stderr
    said, wanted = json.loads(forked.stdout), json.loads(fresh.stdout)
    # what the tests' own process ignores by now, one that Python starts ignores too, and a forked one does not
    del wanted["signals"]
    assert said.pop("signals") == [str(signal.SIG_DFL), str(signal.SIG_IGN), str(signal.SIG_DFL)]
    assert said == wanted
    assert said["zone"] == ["JST", "JST"]


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit",
        "import sys; sys.exit(3)",
        "import sys; sys.exit('a sentence')",
        "import os; os._exit(4)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "raise KeyboardInterrupt",
        "import atexit; atexit.register(print, 'at the end'); print('first')",
        "import threading, time; threading.Timer(0.2, print, ['a thread is waited for']).start()",
        "import sys; print(sys.stdin.read()); print('told', file=sys.stderr)",
        "import sys; sys.stdin.buffer.read(1); sys.stdout.buffer.write(bytes(range(256)))",
    ],
)
def test_it_ends_as_it_would(code: str) -> None:
    fresh = subprocess.run([sys.executable, "-c", code], input=b"said\n", capture_output=True, check=False)
    forked = run([sys.executable, "-c", code], stdin=b"said\n")
    assert (forked.returncode, forked.stdout) == (fresh.returncode, fresh.stdout)
    assert forked.stderr.splitlines()[-1:] == fresh.stderr.splitlines()[-1:]


def test_it_can_be_waited_for_and_interrupted_and_killed_in_time() -> None:
    for number, ending in ((signal.SIGINT, -signal.SIGINT), (signal.SIGKILL, -signal.SIGKILL)):
        code = "import os, time; print('ready', os.getpid(), os.getsid(0), flush=True); time.sleep(60)"
        pipe = subprocess.PIPE
        process = Process([sys.executable, "-c", code], stdout=pipe, stderr=pipe, start_new_session=True)
        assert process.stdout is not None
        assert process.stdout.readline().decode().split() == ["ready", str(process.pid), str(process.pid)]
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        os.killpg(process.pid, number)
        process.communicate(timeout=30)
        assert process.returncode == ending
    with pytest.raises(subprocess.TimeoutExpired):
        run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.2)


def test_a_program_that_python_would_start_differently_is_not_forked(tmp_path: Path) -> None:
    assert can_be_forked(environment(tmp_path))
    assert not can_be_forked(environment(tmp_path, PYTHONIOENCODING="latin-1"))
    asked = run(
        [sys.executable, "-c", "import sys; print(sys.stdout.encoding)"],
        env=os.environ | {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONIOENCODING": "latin-1"},
    )
    assert asked.stdout.split() == [b"iso8859-1"]


COMMANDS = [
    ["--version"], ["build"], ["sql", "select * from pnl.account_daily"], ["status"], ["status", "--json"], ["sync"],
    ["report", "--format", "csv"], ["verify"], ["doctor"], ["lock", "--through", "2025-10-30", "--yes"], ["backup"],
    ["prune", "--archive-before", "2025-10-31", "--dry-run"], ["compact"], ["replay"], ["eod"], ["restore", "nothing"],
    ["positions", "list", "--account", "100"], ["instructions", "list", "--account", "100"], ["explore", "--port", "x"],
    ["dev", "--port", "x"], ["demo", "--days", "0"], ["sandbox", "--port", "x"], ["nonsense"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_says_and_does_the_same_forked_or_not(
    command: list[str], home_of_two_evenings: Path, tmp_path: Path
) -> None:
    said = []
    for how in ("forked", "alone"):
        home = tmp_path / how
        shutil.copytree(home_of_two_evenings, home)
        words: list[str | Path] = [DAYBOOK, *command]
        env = environment(home, NOBODY)
        ended = run(words, env=env) if how == "forked" else _alone(words, env)
        errors = [
            line for line in ended.stderr.splitlines() if line.startswith(b"daybook: ")
        ]  # progress is as it comes
        text = b"\n".join([ended.stdout, *errors]).decode().replace(str(home), "HOME")
        said.append((ended.returncode, re.sub(r"[0-9a-f]{8}\b|\d+(\.\d+)?", "#", text), sorted(_files(home))))
    assert said[0] == said[1]


def _alone(words: list[str | Path], env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, env=env, input=b"", capture_output=True, timeout=120, check=False)


def _files(home: Path) -> set[str]:
    """The files of a home, but for Dagster's own and for what numbers and instants in their names say."""
    files = (path.relative_to(home) for path in home.rglob("*"))
    return {re.sub(r"[0-9a-f-]{8,}|\d+", "#", str(path)) for path in files if path.parts[0] != "dagster"}
