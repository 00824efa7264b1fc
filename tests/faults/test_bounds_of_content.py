"""What a broker sends takes a bounded memory: encodings, sizes and heads that no page has fail its account alone."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.broker.content import MOST_BYTES, Content, Unusable
from tests.support.bounded import BODY, OK, answer, read, within
from tests.support.broker_server import position
from tests.support.raw_server import RawServer, flooding, saying


@pytest.mark.parametrize(
    "named_",
    [b"zstd", b"zstd, zstd", b"br", b"deflate", b"gzip, gzip", b"gzip,identity", b"x", b"",
     b"gzip\r\nContent-Encoding: gzip"],
)  # fmt: skip
def test_an_encoding_that_was_not_asked_for_is_refused_at_once(named_: bytes) -> None:
    bomb = bytes.fromhex("28b52ffd") * 14
    with RawServer(answer(bomb, b"Content-Encoding: " + named_)) as server:
        found = read(server.url, 5.0)
    assert server.connections == 1
    assert b"Accept-Encoding: gzip, identity\r\n" in server.received[0]
    assert (found.complete, found.http_status) == (False, 200)
    assert "which was not asked for" in str(found.error)


@pytest.mark.parametrize("body", [gzip.compress(BODY), gzip.compress(BODY[:50]) + gzip.compress(BODY[50:])])
def test_gzip_is_read_in_one_member_or_in_several(body: bytes) -> None:
    with RawServer(answer(body, b"Content-Encoding: GZIP")) as server:
        found = read(server.url, 5.0)
    assert (found.complete, found.rows) == (True, 1), found.error


@pytest.mark.parametrize(
    "body",
    [gzip.compress(BODY)[:-9], gzip.compress(BODY) + b"more", b"no gzip at all", gzip.compress(BODY)[:-8] + bytes(8)],
    ids=["cut", "with something behind it", "none", "with a wrong sum"],
)
def test_damaged_gzip_is_asked_for_again(body: bytes) -> None:
    bodies = iter([body, gzip.compress(BODY)])
    with RawServer(lambda connection: answer(next(bodies), b"Content-Encoding: gzip")(connection)) as server:
        found = read(server.url, 5.0)
    assert (found.complete, server.connections) == (True, 2), found.error


@pytest.mark.parametrize("encoding", [b"identity", b"gzip"])
def test_an_answer_that_is_larger_than_any_page_is_refused_at_once(encoding: bytes) -> None:
    body = bytes(MOST_BYTES + 1)
    talk = answer(gzip.compress(body) if encoding == b"gzip" else body, b"Content-Encoding: " + encoding)
    with RawServer(talk) as server:
        found = read(server.url, 30.0)
    assert server.connections == 1
    assert "longer than 32 MiB" in str(found.error)


def test_a_bomb_takes_no_more_memory_than_an_answer_may() -> None:
    most, bomb = 2**20, gzip.compress(bytes(512 * 2**20), compresslevel=9)
    tracemalloc.start()
    try:
        content = Content(["gzip"], most)
        with pytest.raises(Unusable):
            content.take(bomb)
        assert tracemalloc.get_traced_memory()[1] < 8 * most
    finally:
        tracemalloc.stop()


@given(parts=st.lists(st.binary(max_size=3000), max_size=4), most=st.integers(1, 5000), cut=st.integers(1, 500))
def test_what_is_decoded_is_what_was_encoded_or_refused(parts: list[bytes], most: int, cut: int) -> None:
    sent, whole = b"".join(map(gzip.compress, parts)), b"".join(parts)
    content = Content(["gzip"], most)
    try:
        for start in range(0, len(sent), cut):
            content.take(sent[start : start + cut])
        assert content.whole() == whole
        assert len(whole) <= most
    except Unusable:
        assert len(whole) > most


HEADS = {
    "a head without end": flooding(OK, b"X-Many: headers\r\n"),
    "a header of a megabyte": saying(OK, b"X-Long: ", b"x" * 2**20, b"\r\n\r\n"),
    "a length of 5,000 digits": saying(OK, b"Content-Length: ", b"9" * 5000, b"\r\n\r\n"),
    "a negative length": saying(OK, b"Content-Length: -1\r\n\r\n"),
    "two lengths": saying(OK, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "a chunk of 2**80": saying(OK, b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 20 + b"\r\nx"),
    "a chunk of no number": saying(OK, b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx"),
    "a transfer that is gzip": saying(OK, b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "another protocol": saying(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "switching protocols": saying(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "a status of four digits": saying(b"HTTP/1.1 2000 OK\r\n\r\n"),
    "HTTP/0.9": saying(BODY),
    "HTTP/3": saying(b"HTTP/3 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "zeros": saying(bytes(10_000)),
    "an hour that no clock has": saying(OK, b"Date: Fri, 31 Dec 9999 23:59:59 -2359\r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.parametrize("what", HEADS)
def test_a_head_that_is_none_is_a_failed_read(what: str) -> None:
    with RawServer(HEADS[what]) as server, within():
        found = read(server.url)
        assert server.connections <= 5
    assert not found.complete
    assert "\n" not in str(found.error)


@settings(max_examples=150, deadline=None)
@given(head=st.binary(max_size=200), body=st.binary(max_size=100), begins_well=st.booleans())
def test_no_bytes_of_a_server_end_more_than_their_read(head: bytes, body: bytes, begins_well: bool) -> None:
    talk = saying(OK if begins_well else b"", head, b"\r\n\r\n", body)
    with RawServer(talk) as server, within():
        found = read(server.url, 0.1)
    assert not found.complete


@pytest.mark.parametrize(("token", "why"), [("x" * 2**20, "letters long"), ("\ud800", "no text")])
def test_a_page_token_that_no_address_can_hold_fails_its_account(token: str, why: str) -> None:
    body = json.dumps({"data": [position(7, 1)], "metadata": {"next_page_token": token}}).encode()
    with RawServer(answer(body)) as server:
        found = read(server.url, 5.0)
    assert server.connections == 1
    assert not found.complete
