"""A command on a terminal, and a person who types there whenever it asks."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.command_line import DAYBOOK, Ended
from tests.support.processes import Process


@dataclass(frozen=True)
class Reply:
    """What happens while a person looks at a table, and what they then type."""

    text: str
    meanwhile: Callable[[], Any] = lambda: None


def converse(
    command: Sequence[str], env: Mapping[str, str], *replies: Reply, timeout: float = 120
) -> tuple[Ended, int]:
    """A command of daybook: how it ended, and how many questions it asked. It has `timeout` seconds after the last."""
    mine, theirs = pty.openpty()
    with Process([DAYBOOK, *command], env=env, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        assert process.stderr is not None
        heard, questions = b"", 0
        for reply in replies:
            said = b""
            while not said.endswith(b": ") and (more := os.read(process.stderr.fileno(), 4096)):
                said += more
            heard += said
            if not said.endswith(b": "):
                break
            questions += 1
            reply.meanwhile()
            os.write(mine, reply.text.encode())
        out, err = process.communicate(timeout=timeout)
        code = process.wait()
    os.close(mine)
    return Ended(code, out.decode(), (heard + err).decode()), questions
