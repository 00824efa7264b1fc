"""Against servers nobody here wrote: two mock servers of the broker's real specification.

Both answer every page, the account list's too, with the same next token: whoever follows it never ends.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.command_line import ask, daybook

SPECIFICATION = Path(__file__).parents[3] / "shared" / "openapi" / "clear-street-v0.7.0.json"
STEADY = (
    "--package=@stdy/cli@0.22.1",
    "--",
    "steady",
    "--host",
    "127.0.0.1",
    "-p",
    "{port}",
    "--validator-query-array-format=comma",
    "--validator-form-array-format=comma",
    "--validator-query-object-format=brackets",
    "--validator-form-object-format=brackets",
)
PRISM = ("--package=@stoplight/prism-cli@5.16.0", "--", "prism", "mock", "--host", "127.0.0.1", "--port", "{port}")
START = 150.0  # seconds: the first start downloads the server


@contextmanager
def mock_server(command: tuple[str, ...], log: Path) -> Iterator[str]:
    """The URL of a mock server that runs for the block, in a process group of its own that is ended with it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    arguments = ["npm", "exec", "--yes", *(each.format(port=port) for each in command), str(SPECIFICATION)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_for(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        # npm may be gone while what it started is not: the group outlives its leader
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns once something listens on the port; skips where the server can't be had."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.skip(f"the mock server could not be started: {log.read_text(errors='replace')[-300:]}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.skip(f"the mock server did not listen within {START:g} s: {log.read_text(errors='replace')[-300:]}")


@pytest.mark.npm
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed, which starts the mock servers")
@pytest.mark.skipif(not SPECIFICATION.exists(), reason="../shared/openapi is absent, which has the specification")
@pytest.mark.parametrize("command", [STEADY, PRISM], ids=["steady", "prism"])
def test_a_broker_that_repeats_its_page_token_is_told_and_nothing_is_promoted(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    with mock_server(command, tmp_path / "server.log") as url:
        began = time.monotonic()
        ended = daybook("sync", home=tmp_path / "home", url=url)
        assert time.monotonic() - began < 60
        assert ended.code == 1
        assert "page token" in ended.sentence
        assert "account" in ended.sentence
        assert re.search(r"\(request \S+\)", ended.sentence)
        assert ended.out == ""
        assert daybook("build", home=tmp_path / "home").code == 1
    raw = ask(
        tmp_path / "home" / "warehouse.duckdb", "select table_name from duckdb_tables() where schema_name = 'raw'"
    )
    assert raw == []
    assert not (tmp_path / "home" / "daybook.duckdb").exists()
