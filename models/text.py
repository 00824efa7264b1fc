"""What no table, file or terminal can hold as text, made into text that all of them can.

JSON has escapes for half of a surrogate pair (`\\ud800`), and a server may send bytes that are not UTF-8. Neither is
text to Arrow, DuckDB or a file: such characters are kept as their own escapes, spelt out. What is nested deeper than a
JSON library follows is kept as its own JSON text.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from models.exact import Repeated, dumps_exact
from models.problem import Problem

#: How deep a reply may be nested, itself included. The one-pass decode follows about as far.
DEEPEST = 200
ESCAPED = "characters that are no text; they are kept as escapes"
NESTED = f"values nested more than {DEEPEST} deep; they are kept as JSON text"
#: How much of a name, or of a value, is shown to people.
SHOWN = 100

Path = tuple[str, ...]


def escaped(text: str) -> str:
    """The text with every character that UTF-8 has no bytes for spelt as its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def storable(reply: Any) -> tuple[Any, list[Problem]]:
    """A decoded reply as it can be stored, and a problem for each field in which something had to be changed."""
    try:
        orjson.dumps(reply)  # refuses the same, and is quick
    except TypeError:
        changes: Counter[tuple[str, str]] = Counter()
        kept = _kept(reply, (), changes, 1)
        return kept, [_problem(field, what, count) for (field, what), count in changes.items()]
    return reply, []


def _kept(value: Any, path: Path, changes: Counter[tuple[str, str]], depth: int) -> Any:
    if isinstance(value, str):
        return _text(value, path, changes)
    if not isinstance(value, dict | list):
        return value
    if depth > DEEPEST:
        changes[_name(path), NESTED] += 1
        return dumps_exact(value)
    if isinstance(value, list):
        return [_kept(item, path, changes, depth + 1) for item in value]
    sent = value.pairs if isinstance(value, Repeated) else value.items()
    pairs = []
    for key, item in sent:
        name = _text(key, path, changes)
        pairs.append((name, _kept(item, (*path, name) if len(path) < 2 else path, changes, depth + 1)))
    return Repeated(pairs) if isinstance(value, Repeated) else dict(pairs)


def _text(text: str, path: Path, changes: Counter[tuple[str, str]]) -> str:
    held = escaped(text)
    if held == text:
        return text  # itself: it may be a `Number`
    changes[_name(path), ESCAPED] += 1
    return held


def _name(path: Path) -> str:
    """The field of a row, or where in the envelope."""
    return (path[1] if path[:1] == ("data",) and len(path) > 1 else ".".join(path))[:SHOWN] or "the reply"


def _problem(field: str, what: str, count: int) -> Problem:
    message = f"{field} has {what} ({count} of them)"
    return Problem("not_storable", "WARN", field, None, str(count), message)
