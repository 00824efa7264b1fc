"""Keeping keys out of everything that is kept, printed or logged, whatever shape a broker gives them.

Covered, in any case of letters and nested up to `_LAYERS` deep: the key as it is; with any of its characters as a JSON
escape (`\\u0041`, `\\/`, `\\"`), `\\x41`, `\\101`, `%41`, `%u0041`, `&#65;`, `&#x41;` or an HTML name; in UTF-16 and
UTF-32; in base64, wherever it stands in what is encoded; in hex. Not covered: a part of a key, a key that is broken
over lines or fields, and what is encoded in other ways.
"""

from __future__ import annotations

import base64
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from html.entities import html5

#: A key is never shorter; what is may be any word, and stays in what is archived.
SHORTEST_SECRET = 16
MARK = "[key]"
_LAYERS = 5
#: More than this is nothing but an attempt to keep us busy: the answer is not searched, and not kept either.
_MOST_ESCAPES = 1_000_000
#: Lower case, as what is searched; a run of backslashes counts as one, because JSON may stand in JSON. Each branch
#: begins with a letter of its own: that is what makes the search quick.
_ESCAPE = re.compile(
    rb"\\\\*+(?:u(?:0000)?00([0-7][0-9a-f])|u\{0*([0-7]?[0-9a-f])\}|x([0-7][0-9a-f])|([01][0-7][0-7]))?"
    rb"|%(?:25)*(?:u00)?([2-7][0-9a-f])|&(?:#x0*([2-7][0-9a-f])|#0*([0-9]{2,3})|([a-z]{2,8})(?=;));?"
)
_ZEROS = re.compile(rb"\0++")  # of UTF-16: a layer of their own, for what they part may be an escape
_NAMED = {
    name[:-1].lower().encode(): text.encode() for name, text in html5.items() if name[-1] == ";" and "!" <= text <= "~"
}
_BACKSLASH = ord("\\")
#: No escape is without one of these.
_SIGNS = (b"\\", b"%", b"&", b"\0")


class Redaction:
    """Writes `[key]` in the place of every key; safe to share between threads.

    Keys shorter than SHORTEST_SECRET are those of toys: they are taken out of messages alone, and only where they stand
    by themselves. With the key `any`, "many pages" stays what it is.
    """

    def __init__(self, keys: Iterable[str | None] = ()) -> None:
        known = sorted({key for key in keys if key}, key=len, reverse=True)
        self._short = [_alone(key) for key in known if len(key) < SHORTEST_SECRET]
        plain = {form for key in known if len(key) >= SHORTEST_SECRET for form in _forms(key.encode())}
        self._plain = sorted(form.lower() for form in plain)
        self._unescaped = sorted({_unescaped(form) for form in self._plain})

    def text(self, text: str) -> str:
        """A message without the keys."""
        for key in self._short:
            text = key.sub(MARK, text)
        if not self._plain:
            return text
        return self.body(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def body(self, body: bytes) -> bytes:
        """An answer without the keys: the same object where none was in it. A JSON text stays one."""
        if not self._plain:
            return body
        lower = body.lower()
        if not self._has_key(lower):
            return body
        if _has_too_many_escapes(lower):
            return MARK.encode()
        cleaned, last = bytearray(), 0
        for start, end in _joined(self._places(lower)):
            cleaned += body[last : _before_escape(body, start)] + MARK.encode()
            last = _after_escape(body, end)
        cleaned += body[last:]
        return MARK.encode() if self._has_key(cleaned.lower()) else bytes(cleaned)

    def _has_key(self, lower: bytes | bytearray) -> bool:
        """Whether there is a key, or whether that can't be told."""
        if any(form in lower for form in self._plain):
            return True
        if not any(sign in lower for sign in _SIGNS):
            return False
        if _has_too_many_escapes(lower):
            return True
        for _ in range(_LAYERS):
            before, lower = lower, _unescaped(lower)
            if any(form in lower for form in self._unescaped):
                return True
            if len(lower) == len(before):
                return False
        return False

    def _places(self, lower: bytes) -> Iterator[tuple[int, int]]:
        """Where keys begin and end, in every layer of escapes."""
        layers: list[_Layer] = []
        yield from _found(self._plain, lower)
        for _ in range(_LAYERS):
            layers.append(_Layer(lower))
            for start, end in _found(self._unescaped, layers[-1].text):
                for layer in reversed(layers):
                    start, end = layer.start(start), layer.end(end)
                yield start, end
            if len(layers[-1].text) == len(lower):
                return
            lower = layers[-1].text


class _Layer:
    """A text without its outermost escapes, and where each of its characters came from.

    `_at` and `_from` are places here and there: the beginning, then two for each escape, its start and its end.
    """

    def __init__(self, escaped: bytes) -> None:
        text, last = bytearray(), 0
        self._at, self._from = array("Q", [0]), array("Q", [0])
        zeros = 0 in escaped
        for found in (_ZEROS if zeros else _ESCAPE).finditer(escaped):
            text += escaped[last : found.start()]
            self._point(len(text), found.start())
            text += b"" if zeros else _meaning(found[0])
            self._point(len(text), found.end())
            last = found.end()
        self.text = bytes(text + escaped[last:])

    def _point(self, at: int, origin: int) -> None:
        self._at.append(at)
        self._from.append(origin)

    def start(self, place: int) -> int:
        """Where the character at a place began."""
        point = bisect_right(self._at, place) - 1
        return self._from[point] if point % 2 else self._from[point] + place - self._at[point]

    def end(self, place: int) -> int:
        """Where the character before a place ended."""
        point = bisect_right(self._at, place - 1) - 1
        return self._from[point + 1] if point % 2 else self._from[point] + place - self._at[point]


def _alone(key: str) -> re.Pattern[str]:
    """A key with no letter, digit or _ beside it that would make it a part of a word."""
    before, after = (r"(?<!\w)" if key[0].isalnum() else ""), (r"(?!\w)" if key[-1].isalnum() else "")
    return re.compile(f"{before}{re.escape(key)}{after}")


def _forms(key: bytes) -> Iterator[bytes]:
    yield key
    yield key.hex().encode()
    for ahead, lost in ((0, 0), (1, 2), (2, 3)):  # bytes before the key, and letters that they have a part in
        whole = base64.b64encode(bytes(ahead) + key)[lost : (ahead + len(key)) * 8 // 6]
        yield from (whole, whole.translate(bytes.maketrans(b"+/", b"-_")))


def _unescaped(lower: bytes | bytearray) -> bytes:
    return _ZEROS.sub(b"", lower) if 0 in lower else _ESCAPE.sub(_meaning_of, lower)


def _meaning_of(found: re.Match[bytes]) -> bytes:
    return _meaning(found[0])


@lru_cache(maxsize=4096)
def _meaning(escape: bytes) -> bytes:
    """The character that an escape stands for, and a backslash that may make an escape of it in its turn; nothing for
    zeros, and for a backslash alone."""
    found = _ESCAPE.fullmatch(escape)
    json, braced, x, octal, percent, hexed, decimal, name = found.groups() if found else (None,) * 8
    if name:
        return _NAMED.get(name, escape).lower()
    code = json or braced or x or percent or hexed
    number = int(code, 16) if code else int(octal, 8) if octal else int(decimal) if decimal else 0
    if number > 127:
        return escape
    again = escape.startswith(b"\\\\") and number in b"\\uxUX"
    return (b"\\" if again else b"") + (bytes([number]).lower() if number else b"")


def _has_too_many_escapes(text: bytes | bytearray) -> bool:
    return sum(map(text.count, _SIGNS)) > _MOST_ESCAPES


def _found(forms: Iterable[bytes], text: bytes) -> Iterator[tuple[int, int]]:
    for form in forms:
        place = text.find(form)
        while place >= 0:
            yield place, place + len(form)
            place = text.find(form, place + 1)


def _joined(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The places in their order, those that overlap as one."""
    ordered = sorted(places)
    start, end = ordered[0]
    for begins, ends in ordered[1:]:
        if begins >= end:
            yield start, end
            start = begins
        end = max(end, ends)
    yield start, end


def _before_escape(body: bytes, start: int) -> int:
    """The start, or a backslash earlier where that makes an escape of what begins there: `\\n` with a key of n..."""
    before = start
    while before and body[before - 1] == _BACKSLASH:
        before -= 1
    return start - (start - before) % 2


def _after_escape(body: bytes, end: int) -> int:
    """The end, or a backslash later where that belongs to the one before it: a key that ends in one is sent with two,
    and the second alone would make an escape of what follows."""
    before = end
    while before and body[before - 1] == _BACKSLASH:
        before -= 1
    return end + (end - before) % 2 * (body[end : end + 1] == b"\\")


def one_line(text: str, longest: int = 300) -> str:
    """A text from the broker on one line, without control characters, cut to a bounded length."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:longest]
