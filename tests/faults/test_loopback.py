"""Nothing of daybook can be reached from another machine: what listens, listens on loopback."""

from __future__ import annotations

import os
import socket
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.sandbox.server import Sandbox
from tests.support.command_line import environment
from tests.support.dagster_ui import daybook_dev

LISTENING = "0A"
pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="this machine doesn't list its sockets")


def family_of(process: int) -> set[int]:
    """A process and all that it has started, by their ids."""
    parents: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(each.parent.name)] = int(each.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def listening(processes: set[int]) -> set[tuple[str, int]]:
    """The addresses and ports on which processes listen."""
    inodes, found = inodes_of(processes), set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                found.add(_address(fields[1]))
    return found


def inodes_of(processes: set[int]) -> set[str]:
    """What processes have open that is a socket, by number."""
    inodes = set()
    for process in processes:
        for handle in Path(f"/proc/{process}/fd").glob("*"):
            try:
                inodes.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    return inodes


def _address(text: str) -> tuple[str, int]:
    """As the kernel prints it: words in the machine's own order, the port in hexadecimal."""
    host, _, port = text.partition(":")
    words = b"".join(struct.pack("=I", int(host[at : at + 8], 16)) for at in range(0, len(host), 8))
    return socket.inet_ntop(socket.AF_INET if len(words) == 4 else socket.AF_INET6, words), int(port, 16)


def outside(found: set[tuple[str, int]]) -> set[tuple[str, int]]:
    return {(host, port) for host, port in found if not host.startswith("127.") and host != "::1"}


def test_the_search_finds_who_listens_to_everybody() -> None:
    with socket.create_server(("0.0.0.0", 0)) as everybody:  # noqa: S104  (what it must find)
        assert everybody.getsockname() in outside(listening({os.getpid()}))


def test_the_stand_in_broker_listens_on_loopback() -> None:
    before = listening({os.getpid()})
    with Sandbox(days=2):
        found = listening({os.getpid()}) - before
    assert found
    assert outside(found) == set()


def unix_sockets(processes: set[int]) -> set[Path]:
    """The named sockets on which processes listen."""
    handles = inodes_of(processes)
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return {Path(line[7]) for line in lines if len(line) == 8 and line[6] in handles and not line[7].startswith("@")}


_TRY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in sys.argv[1:]:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
    except PermissionError:
        continue
    sys.exit(f"{path} let another user in")
"""


@pytest.mark.heavy
def test_the_ui_is_the_only_port_and_the_code_server_a_socket_for_one_user(tmp_path: Path) -> None:
    with daybook_dev(environment(tmp_path / "home"), tmp_path / "dev.log") as dev:
        family = family_of(dev.process.pid)
        port = int(dev.url.rpartition(":")[2])
        assert listening(family) == {("127.0.0.1", port)}
        sockets = unix_sockets(family)
        assert len(sockets) == 2  # the code server, and the process in it that has our code
        for each in sockets:
            assert stat.S_IMODE(each.stat().st_mode) & 0o077 == 0
            assert stat.S_IMODE(each.parent.stat().st_mode) == 0o700
        if os.geteuid() == 0:
            subprocess.run([sys.executable, "-c", _TRY, *map(str, sockets)], check=True)
        other = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
        for address in other:
            with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
                socket.create_connection((address, port), timeout=2).close()
