"""Text of anybody's, made safe to show."""

from __future__ import annotations

from typing import Any


def printable(text: Any) -> str:
    """Text that can't move the cursor or recolour a terminal, on one line: what a broker or a file says is data.

    Controls, directions of writing, invisible letters and halves of pairs are written out, as \\x1b or \\u202e.
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def printable_lines(text: str) -> str:
    """The same for text of ours that has several lines."""
    return "\n".join(map(printable, text.split("\n")))
