"""Hostile answers: what a broker, or whoever stands in its place, may send in the place of a documented one."""

from __future__ import annotations

import re
from collections.abc import Callable

Spoil = Callable[[bytes], bytes]

DEEP = b"[" * 500 + b"]" * 500
MEGABYTE = b'"' + b"t" * 2**20 + b'"'
#: JSON texts in the place of a value, or beside it.
VALUES = [
    b"null", b"true", b"false", b"0", b"-0", b"1e999", b"-1e999", b"NaN", b"Infinity", b"1.5", b'""', b'"a"', b"{}",
    b"[]", b"[null]", b"[[]]", b'{"a":1}', b'{"a":1,"a":2}', b'"\\ud800"', b'"\\udc00\\ud800"', b'"a\\u0000b"',
    b'"\xff"', b'"\xed\xa0\x80"', b'"\\u202e\\u001b[2J"', b'{"\\ud800":1}', b'{"":{"":null}}', b"9" * 30, b"9" * 5000,
    b"1" + b"0" * 400, b"9223372036854775808", b"-9223372036854775809", b'"' + b"9" * 400 + b'"',
    b'"' + b"i" * 100_000 + b'"', DEEP, b'{"a":' * 150 + b"1" + b"}" * 150, b'{"a":' * 500 + b"1" + b"}" * 500,
    b"[" * 2000, b'"0001-01-01T00:00:00Z"', b'"0001-01-01T00:00:00+14:00"', b'"9999-12-31T23:59:59-14:00"',
    b'"0001-01-01"', b'"9999-12-31"', b'"2025-02-30"', b'"NaN"', b'"1e5"', b'"-0"', b'"../../x"', b'","', b'"."',
    b'"a,b"', b"'", b"undefined", b"null null", b"",
]  # fmt: skip
#: Pieces put between two pieces of an answer.
PIECES = [
    b"null", b"null,", b",", b":", b"}", b"]", b"{", b"[", b" ", b"\n", b"\xff", b"\xef\xbb\xbf", b"\x00", b"//x\n",
    b"/*x*/", b'"error":null,', b'"data":[],', b'"metadata":{},', b'"error":{"code":1},', b'"quantity":"1",',
    b'"unknown":1.50,', b'"next_page_token":"x",', b'"next_page_token":[],', b'"total_items":1e400,', b'{},', b"[],",
    b"null{}", b'"date":1,',
]  # fmt: skip
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def tokens(body: bytes) -> list[bytes]:
    """The pieces of a JSON text."""
    return _TOKEN.findall(body)


def swapped(body: bytes, at: int, value: bytes) -> bytes:
    """The answer with one of its values, whole, in exchange for another text."""
    parts = tokens(body)
    values = [n for n, part in enumerate(parts) if part not in b"}],:" and parts[n + 1 : n + 2] != [b":"]]
    if not values:
        return value
    start = values[at % len(values)]
    return b"".join([*parts[:start], value, *parts[_end(parts, start) :]])


def put(body: bytes, at: int, piece: bytes) -> bytes:
    """The answer with a piece between two of its own."""
    parts = tokens(body)
    where = at % (len(parts) + 1)
    return b"".join([*parts[:where], piece, *parts[where:]])


def _end(parts: list[bytes], start: int) -> int:
    depth = 0
    for n in range(start, len(parts)):
        depth += (parts[n] in (b"{", b"[")) - (parts[n] in (b"}", b"]"))
        if depth == 0:
            return n + 1
    return len(parts)


def field(value: bytes) -> Spoil:
    """An unknown field in the first row, or the object itself."""
    return lambda body: body.replace(b'{"data":[{', b'{"data":[{"unknown":' + value + b",", 1).replace(
        b'{"data":{', b'{"data":{"unknown":' + value + b",", 1
    )


def of(name: bytes, value: bytes) -> Spoil:
    """Another value of the first field of a name."""
    return lambda body: re.sub(
        rb'"' + name + rb'":("[^"]*"|[^,}]*)', lambda _: b'"' + name + b'":' + value, body, count=1
    )


#: Answers that no one can believe, whatever is asked: the read fails.
UNBELIEVABLE: dict[str, Spoil] = {
    "null": lambda _: b"null",
    "null and then the answer": lambda body: b"null" + body,
    "the answer twice": lambda body: body + body,
    "nothing": lambda _: b"",
    "a text": lambda _: b'"data"',
    "brackets without end": lambda _: b"[" * 200_000,
    "half of it": lambda body: body[: len(body) // 2],
    "bytes that are no text": lambda body: b"\xff\xfe" + body,
    "a token that is a list": lambda body: body.replace(b'"metadata":{', b'"metadata":{"next_page_token":[1],', 1),
    "a token of a megabyte": lambda body: body.replace(
        b'"metadata":{', b'"metadata":{"next_page_token":' + MEGABYTE + b",", 1
    ).replace(b',"next_page_token":null', b""),
    "a token of half a letter": lambda body: body.replace(
        b'"metadata":{', b'"metadata":{"next_page_token":"\\ud800",', 1
    ).replace(b',"next_page_token":null', b""),
    "a count that is endless": lambda body: body.replace(b'"metadata":{', b'"metadata":{"total_items":1e999,', 1),
    "an error hidden by null": lambda body: body[:-1] + b',"error":{"code":7,"message":"partial"},"error":null}',
    "an error with an endless code": lambda body: body.replace(b'"error":null', b'"error":{"code":1e999}', 1),
    "an error of half a letter": lambda body: body.replace(b'"error":null', b'"error":{"message":"\\ud800"}', 1),
    "an error that is nested deeply": lambda body: body.replace(
        b'"error":null', b'"error":{"details":' + DEEP + b"}", 1
    ),
    "data twice": lambda body: body[:-1] + b',"data":[]}',
    "metadata twice": lambda body: body[:-1] + b',"metadata":{}}',
}
#: What is only new, or no text: kept, with a finding.
KEPT: dict[str, Spoil] = {
    "a field nested 500 deep": field(DEEP),
    "a field nested 150 deep": field(b"[" * 150 + b"]" * 150),
    "a field of half a letter": field(b'"\\ud800"'),
    "a name of half a letter": field(b'{"\\udc00":1}'),
    "a field that is no UTF-8": field(b'"\xff\xfe"'),
    "a number of 30 digits": field(b"9" * 30),
    "a number of 5000 digits": field(b"9" * 5000),
    "a number beyond all": field(b"1e999"),
    "a field twice": field(b'1,"unknown":2'),
    "a key twice within a field": field(b'{"a":1,"a":2}'),
    "a nought": field(b'"a\\u0000b"'),
    "an unknown key twice beside the data": lambda body: body[:-1] + b',"note":1,"note":2}',
    "a request id of a megabyte": of(b"request_id", MEGABYTE),
    "a request id that is a list": of(b"request_id", b"[[1]]"),
    "a request id of half a letter": of(b"request_id", b'"\\ud800"'),
}  # fmt: skip
