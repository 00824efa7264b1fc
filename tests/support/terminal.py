"""A command on a terminal of a given width: what it draws there, with the drawing itself taken out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Mapping, Sequence

from tests.support.command_line import DAYBOOK
from tests.support.processes import Process

WIDTHS = (60, 80, 100, 200)
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ASKS = re.compile(rb"type \S+: $")


def on_terminal(width: int, command: Sequence[str], env: Mapping[str, str], answer: str = "no") -> str:
    """What a person sees in a window of so many columns; `answer` is typed where the command asks."""
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    settings = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}
    with Process(
        [DAYBOOK, *command], env={**settings, "TERM": "xterm-256color"}, stdin=theirs, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        drawn = b""
        while more := _read(mine):
            drawn += more
            if _ASKS.search(drawn):
                os.write(mine, f"{answer}\n".encode())
    os.close(mine)
    return _ESCAPE.sub("", drawn.decode()).replace("\r\n", "\n")


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:  # the other end is closed
        return b""
