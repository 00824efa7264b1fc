"""Whatever a run does, it speaks to the broker alone, only reads there, and what it writes is for its user alone.

The run is a real one, in a process that writes down every address that it looks up or speaks to, below all libraries.
"""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.command_line import environment
from tests.support.fault_books import broker

#: An audit hook can't be taken off again, by anybody.
WATCHED = """
import os, sys
os.umask(0)  # the most careless of users
heard = open(sys.argv[1], "a", buffering=1)
def hook(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        print(event, args[1], file=heard)
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        print(event, (args[0], args[1] if len(args) > 1 else 0), file=heard)
sys.addaudithook(hook)
from daybook.cli.app import main
sys.exit(main(sys.argv[2:]))
"""


def watched(home: Path, url: str, user: Path, *command: str) -> list[str]:
    """Run a command as a user whose own folder is `user`; the lines that say whom it spoke to."""
    heard = user.with_name("heard.txt")
    heard.touch()
    said_before = heard.read_text().splitlines()
    own = {"HOME": str(user), "XDG_DATA_HOME": str(user / "share"), "XDG_CONFIG_HOME": str(user / "config")}
    # what switches telemetry off for the whole test environment must not be what keeps it off here
    loud = {"DAGSTER_DISABLE_TELEMETRY": "", "RUNTIME__DLTHUB_TELEMETRY": "true", "DO_NOT_TRACK": ""}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(heard), *command],
        env=environment(home, url) | own | loud, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return heard.read_text().splitlines()[len(said_before) :]


@pytest.mark.heavy
def test_a_run_speaks_to_the_broker_alone_reads_only_and_writes_for_its_user_alone(tmp_path: Path) -> None:
    home, user = tmp_path / "home", tmp_path / "user"
    user.mkdir()
    with broker() as server:
        heard = [line for command in ("eod", "status", "backup", "verify", "report") for line in
                 watched(home, server.url, user, command)]  # fmt: skip
    port = urlsplit(server.url).port
    assert any(line.startswith("socket.connect") and str(port) in line for line in heard)  # somebody listened
    assert [line for line in heard if "127.0.0.1" not in line or str(port) not in line] == []
    assert {request.method for request in server.requests} == {"GET"}
    wide = [path for path in (home, *home.rglob("*")) if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert [path for path in wide if not path.is_symlink()] == []
    assert len(list(home.rglob("*"))) > 50
    assert [path for path in user.rglob("*") if path.is_file()] == []  # no id, no token, no setting outside of the home
