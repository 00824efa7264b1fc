"""Shapes that a key can have in an answer, and a search for a key that undoes them by other means than daybook's."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote_to_bytes

Escape = Callable[[str], str]


def each(shape: Callable[[str], str]) -> Escape:
    return lambda key: "".join(map(shape, key))


def _every_other(key: str) -> str:
    return "".join(letter if number % 2 else f"\\u{ord(letter):04x}" for number, letter in enumerate(key))


#: Each makes of a key what can stand in a JSON text.
ESCAPES: dict[str, Escape] = {
    "plain": lambda key: key,
    "bearer": lambda key: f"Bearer {key}",
    "JSON": each(lambda letter: f"\\u{ord(letter):04x}"),
    "JSON in capitals": each(lambda letter: f"\\u{ord(letter):04X}"),
    "JSON, every other": _every_other,
    "JSON, one letter": lambda key: f"{key[:5]}\\u{ord(key[5]):04x}{key[6:]}",
    "JSON in JSON": each(lambda letter: f"\\\\u{ord(letter):04x}"),
    "JSON in JSON in JSON": each(lambda letter: f"\\\\\\\\u{ord(letter):04x}"),
    "slashes": lambda key: key.replace("/", "\\/"),
    "JavaScript": each(lambda letter: f"\\\\x{ord(letter):02x}"),
    "octal": each(lambda letter: f"\\\\{ord(letter):03o}"),
    "JSON in JSON by its letters": each(lambda letter: f"\\\\\\u0075{ord(letter):04x}"),
    "Python": each(lambda letter: f"\\\\U{ord(letter):08x}"),
    "percent of JavaScript": each(lambda letter: f"%u{ord(letter):04X}"),
    "percent": each(lambda letter: f"%{ord(letter):02X}"),
    "percent in lower case": each(lambda letter: f"%{ord(letter):02x}"),
    "percent twice": each(lambda letter: f"%25{ord(letter):02X}"),
    "percent in JSON": each(lambda letter: f"\\u0025{ord(letter):02X}"),
    "HTML": each(lambda letter: f"&#{ord(letter)};"),
    "HTML in hex": each(lambda letter: f"&#x{ord(letter):X};"),
    "HTML in percent": each(lambda letter: f"%26%23{ord(letter)}%3B"),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of bearer": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "base64 for addresses": lambda key: base64.urlsafe_b64encode(f"u:{key}".encode()).decode(),
    "hex": lambda key: key.encode().hex(),
    "capitals": str.upper,
}  # fmt: skip


def _one(found: re.Match[bytes]) -> bytes:
    number = int(found[3], 8) if found[3] else int(found[1] or found[2] or found[4], 16)
    return bytes([number]) if number < 128 else found[0]


def _runs_as_one(content: bytes) -> bytes:
    """Escapes undone, however many backslashes they begin with."""
    return re.sub(
        rb"(?:\\+|%)u([0-9a-fA-F]{4})|\\+U([0-9a-fA-F]{8})|\\+([01][0-7]{2})|\\+x([0-7][0-9a-fA-F])", _one, content
    )


def _as_json(content: bytes) -> bytes:
    """Escapes undone once, as JSON has them."""
    return re.sub(
        rb'\\(?:u00([0-7][0-9a-fA-F])|(["\\/]))',
        lambda each: bytes.fromhex(each[1].decode()) if each[1] else each[2],
        content,
    )


def shapes_of(content: bytes) -> Iterable[bytes]:
    """The content, and what it comes to when its escapes are undone, a few times over."""
    for undo in (_runs_as_one, _as_json):
        shape = content
        for _ in range(5):
            yield shape
            former, shape = shape, unquote_to_bytes(undo(shape).replace(b"\\/", b"/"))
            shape = html.unescape(shape.decode("latin-1")).encode("latin-1", "replace")
            if shape == former:
                break


def has_key(content: bytes, keys: Iterable[str]) -> bool:
    """Whether one of the keys is in the content, in any shape."""
    wanted = [form for key in keys for form in _forms(key.encode())]
    return any(form in shape.lower() for shape in shapes_of(content) for form in wanted)


def _forms(key: bytes) -> list[bytes]:
    inner = [base64.b64encode(b"x" * ahead + key)[4:-4] for ahead in range(3)]
    urls = [form.replace(b"+", b"-").replace(b"/", b"_") for form in inner]
    return [form.lower() for form in [key, key.hex().encode(), *inner, *urls]]
