"""SQL as text. It needs no database."""

from __future__ import annotations

import re

_COMMENT_OR_TEXT = re.compile(r"--[^\n]*|('(?:[^']|'')*')")


def without_comments(sql: str) -> str:
    """SQL without its comments; two hyphens within a text begin none."""
    return _COMMENT_OR_TEXT.sub(lambda found: found[1] or "", sql)
