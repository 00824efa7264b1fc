"""Text from outside, made safe to show on a terminal."""

from __future__ import annotations

from typing import Any


def printable(text: Any) -> str:
    """Text that can't move the cursor or recolour a terminal, on one line: what a broker or a file says is data.

    Controls, directions of writing, invisible letters and halves of pairs are written out, as \\x1b or \\u202e.
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def printable_lines(text: str) -> str:
    """The same for text of several lines: line ends stay."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    """A JSON document with the same meaning and no such letter: between its texts it has none but line ends."""
    return "".join(letter if letter.isprintable() or letter == "\n" else _as_json(letter) for letter in text)


def _as_json(letter: str) -> str:
    code = ord(letter)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def shortened(text: str, most: int = 60) -> str:
    """The text, or its beginning and an ellipsis: at most `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
