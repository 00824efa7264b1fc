"""Which user of this machine is at the other end of a loopback connection, as the kernel knows it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from starlette.types import Scope

_CONNECTIONS = Path("/proc/net/tcp")
_ESTABLISHED = "01"


def peer_user(scope: Scope) -> str:
    """The user id of whoever opened the connection of a request; "" where the system doesn't say.

    Browsers send a cookie to every port of a host, so a program of another user, on another port, may be sent ours. It
    can repeat the cookie, and cannot be the user who got it.
    """
    client, server = scope.get("client"), scope.get("server")
    if not client or not server:
        return ""
    try:
        ends = [_as_the_kernel_prints_it(client), _as_the_kernel_prints_it(server)]
        lines = _CONNECTIONS.read_text().splitlines()[1:]
    except (OSError, ValueError):
        return ""
    for line in lines:
        fields = line.split()
        # one that was closed at its end has no owner any more, and is shown as root's
        if fields[1:4] == [*ends, _ESTABLISHED]:
            return fields[7]
    return ""


def _as_the_kernel_prints_it(address: tuple[str, int]) -> str:
    host, port = address
    word = int.from_bytes(socket.inet_pton(socket.AF_INET, host), sys.byteorder)
    return f"{word:08X}:{port:04X}"
