"""Keys are found in whatever shape they come, and nothing else is touched."""

from __future__ import annotations

import re

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.broker.redaction import MARK, Redaction
from tests.support.escapes import ESCAPES, has_key

KEY = "sk-4711/QXNrTm90+GhlS2V5=never-to.be_seen"
OTHER = "tk-0815/VHJhZGluZ0tleQ-never-to-be-seen"
BOTH = Redaction([KEY, OTHER])

#: Of what keys are made; a quote and a backslash too, because a setting may have them.
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=40)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
#: The number of a letter of a key, which has two digits, and a third one or a semicolon of the key after it.
UNENDED = re.compile("&#x[0-9a-f]{2}[0-9a-fA-F;]")


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("around", ["", "\\n", "\\\\", '\\"', "%", "&", "x", "\\u0041"])
def test_a_key_in_any_shape_is_taken_out_and_the_json_stays_json(name: str, around: str) -> None:
    body = '{"a": "%s%s%s", "b": 1}' % (around, ESCAPES[name](KEY), around)  # noqa: UP031
    orjson.loads(body)
    cleaned = BOTH.body(body.encode())
    assert not has_key(cleaned, [KEY])
    said = orjson.loads(cleaned)
    assert MARK in said["a"]
    assert said["b"] == 1


@given(
    key=keys,
    shapes=st.lists(st.sampled_from(["{0}", "\\u{1:04x}", "\\u{1:04X}", "%{1:02x}", "&#{1};", "&#x{1:x}"]), min_size=1),
    before=texts,
    after=texts,
)
def test_each_letter_may_have_a_shape_of_its_own(key: str, shapes: list[str], before: str, after: str) -> None:
    def shaped(number: int, letter: str) -> str:
        shape = shapes[number % len(shapes)]
        plain = orjson.dumps(letter).decode()[1:-1] if shape == "{0}" else letter
        return shape.format(plain, ord(letter))

    inner = "".join(shaped(number, letter) for number, letter in enumerate(key))
    # without its semicolon a number goes on with the digit after it, and takes a semicolon: that is no key
    assume(not UNENDED.search(inner))
    body = b'{"a":' + orjson.dumps(before)[:-1] + inner.encode() + orjson.dumps(after)[1:] + b"}"
    said = orjson.loads(Redaction([key]).body(body))["a"]
    assert MARK in said
    assert key not in said


@pytest.mark.parametrize("after", ["", '"', "\\", '\\"', "x", "\n"])
@pytest.mark.parametrize("key", ["000000000000000\\", "00000000000000\\\\", "000000000000000\\0"])
def test_a_key_with_backslashes_at_its_end_leaves_the_json_one(key: str, after: str) -> None:
    said = orjson.loads(Redaction([key]).body(orjson.dumps({"a": key + after, "b": 1})))
    assert MARK in said["a"]
    assert key not in said["a"]
    assert said["b"] == 1


@given(st.recursive(st.none() | st.integers(-(2**53), 2**53) | st.text(), lambda inner: st.lists(inner)), texts)
def test_an_answer_without_a_key_is_not_touched(value: object, text: str) -> None:
    for body in (orjson.dumps([value, text]), str(value).encode("utf-8", "surrogatepass")):
        assert BOTH.body(body) is body


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_a_key_in_another_encoding_is_taken_out(encoding: str) -> None:
    cleaned = BOTH.body(f'{{"a": "{KEY}"}}'.encode(encoding))
    assert b"[key]" in cleaned
    assert not re.search(rb"4\0*7\0*1\0*1", cleaned)


def test_both_keys_are_taken_out_of_a_message_and_the_rest_of_it_stays() -> None:
    said = f"no session for {KEY}, {OTHER.upper()} or {KEY[:-1]}\ud800"
    assert BOTH.text(said) == f"no session for [key], [key] or {KEY[:-1]}\ud800"


def test_a_short_key_is_a_toys_and_taken_out_of_messages_alone() -> None:
    toy = Redaction(["sandbox", None, ""])
    assert toy.text("the sandbox says no") == "the [key] says no"
    assert toy.text("sandboxes, sandbox_1: sandbox.") == "sandboxes, sandbox_1: [key]."  # no part of a word
    assert Redaction(["any", "a"]).text("many pages of an account") == "many pages of an account"
    assert toy.body(b'{"symbol": "sandbox"}') == b'{"symbol": "sandbox"}'


@pytest.mark.parametrize("filling", [b"%41", b"\\", b"&#65;", b"%25", b"\0"])
def test_what_has_more_escapes_than_any_answer_is_not_kept(filling: bytes) -> None:
    assert BOTH.body(filling.ljust(9, b"_") * 1_100_000) == b"[key]"


def test_an_answer_that_is_nothing_but_keys_is_cleaned_in_a_time_that_grows_with_its_length() -> None:
    many = 300_000  # 13 MB: hours, where each key costs a look at all that is before it
    assert Redaction([KEY]).body(KEY.encode() * many) == b"[key]" * many
    assert Redaction([KEY]).body((b"\\\\" + KEY.encode()) * 1000) == b"\\\\[key]" * 1000
