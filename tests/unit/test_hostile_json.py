"""What a reply may hide: keys that come twice, text that is none, endless nesting, ids that no address has."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.exact import dumps_exact, loads_exact
from models.reading import NotUnderstood, read_error, read_page
from models.shapes import BALANCES, EVENTS_BY_DATE, EXECUTIONS, POSITIONS
from models.text import DEEPEST, escaped, storable
from pipelines.broker.clock import choose_clock
from pipelines.broker.ids import LONGEST_LIST, can_be_asked, in_batches
from tests.support.broker_server import position

SPACES = st.text(" \t\r\n", max_size=2)
NAMES = st.sampled_from(["quantity", "symbol", "note", "no\\u0074e", 'a\\":b', "x "])
VALUES = st.sampled_from(['"1"', '"\\":"', "null", '{"a":1}', '{"a":1,"a":2}', "[1]", '": "', "1.50"])


@st.composite
def replies(draw: st.DrawFn) -> str:
    """A reply of one position that has some fields more, with white space wherever it may be."""
    members = [f'"{name}":{json.dumps(value)}' for name, value in position(1, 1).items()]
    members += [f'"{draw(NAMES)}"{draw(SPACES)}:{draw(SPACES)}{draw(VALUES)}' for _ in range(draw(st.integers(0, 3)))]
    top = ['"data":[{' + ",".join(members) + "}]"]
    top += [f'"{name}"{draw(SPACES)}:null' for name in draw(st.lists(st.sampled_from(["error", "note"]), max_size=2))]
    return "{" + f"{draw(SPACES)},{draw(SPACES)}".join(top) + "}"


def is_valid(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def repeats(text: str) -> set[str]:
    """The keys that some object of a JSON text has twice."""
    found: set[str] = set()

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        found.update(name for name in names if names.count(name) > 1)
        return dict(pairs)

    json.loads(text, object_pairs_hook=look)
    return found


@settings(deadline=None)
@given(replies().filter(is_valid))
def test_every_key_that_comes_twice_is_a_finding_and_no_other_is(text: str) -> None:
    page = read_page(POSITIONS, text.encode())
    told = {problem.value for problem in page.problems if problem.check_name == "duplicate_key"}
    assert told <= repeats(text)  # what is within a value that another stands for is not looked into
    assert bool(told) == bool(repeats(text))
    assert not page.rows or not told & {"quantity", "symbol", "error"} or page.failure
    assert len(page.rows) + len(page.rejected) == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error":{"message":"no"},"error":null}', "no"),
        (b'{"error":null,"error":{"message":"no"}}', "no"),
        (b'{"data":[],"error":{"message":"no"},"error":null}', "no"),
    ],
)
def test_an_error_is_never_hidden_by_another(body: bytes, error: str) -> None:
    found, page = read_error(body), read_page(POSITIONS, body)
    assert found is not None
    assert page.error is not None
    assert (found.message, page.error.message, bool(page.failure)) == (error, error, True)


def test_data_that_came_twice_is_kept_as_it_came_and_no_row_of_it_is_believed() -> None:
    page = read_page(POSITIONS, b'{"data":[{"a":1.10}],"data":[]}')
    assert (page.rows, [each.text for each in page.rejected]) == ([], ['[{"a":1.10}]', "[]"])


@pytest.mark.parametrize(
    ("shape", "body", "fails"),
    [
        (EVENTS_BY_DATE, b'{"data":{"event_dates":[],"event_dates":[]}}', True),
        (EVENTS_BY_DATE, b'{"data":{"event_dates":[],"note":1,"note":2}}', False),
        (BALANCES, b'{"data":{"account_id":1,"equity":"1","equity":"2"}}', True),
        (BALANCES, b'{"data":{"account_id":1,"sod":{"equity":"1","equity":"2"}}}', False),
        (EXECUTIONS, b'{"data":[],"metadata":{"next_page_token":"a","next_page_token":null}}', True),
        (EXECUTIONS, b'{"data":[],"metadata":{"request_id":"a","request_id":"b"}}', False),
    ],
)
def test_a_key_twice_fails_what_it_decides_and_nothing_else(shape: Any, body: bytes, fails: bool) -> None:
    page = read_page(shape, body)
    assert [problem.check_name for problem in page.problems] == ["duplicate_key"]
    assert bool(page.failure) == fails
    assert (len(page.rows), len(page.rejected)) in [(0, 0), (not fails, fails)]


@settings(deadline=None)
@given(st.text(st.characters(codec=None, categories=["L", "Cs", "Cc"])))
def test_any_text_can_be_stored_and_text_stays_as_it_is(text: str) -> None:
    kept = escaped(text)
    kept.encode()
    assert (kept == text) == (not any("\ud800" <= letter <= "\udfff" for letter in text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None, categories=["L", "Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@settings(deadline=None)
@given(JSON, st.integers(0, 700))
def test_whatever_was_decoded_can_be_written_again(value: Any, deep: int) -> None:
    kept, problems = storable({"data": loads_exact(b"[" * deep + json.dumps(value).encode() + b"]" * deep)})
    orjson.dumps(kept)
    assert loads_exact(dumps_exact(kept).encode()) == kept
    assert deep <= DEEPEST + 60 or problems


def test_nesting_that_nothing_follows_is_said_to_be_that() -> None:
    with pytest.raises(NotUnderstood, match="nested too deeply"):
        read_page(POSITIONS, b'{"data":' + b"[" * 5000)


@settings(deadline=None)
@given(st.lists(st.text(max_size=300) | st.sampled_from(["a,b", "", "..", "i" * 100_000, "\u20ac" * 60]), max_size=40))
def test_every_id_is_asked_about_once_in_addresses_that_servers_take(ids: list[str]) -> None:
    batches = list(in_batches(ids, 7))
    assert [each for batch in batches for each in batch] == [each for each in ids if can_be_asked(each)]
    assert all(len(batch) <= 7 and len(quote(",".join(batch), safe="")) <= LONGEST_LIST for batch in batches)


HERE = datetime(2025, 10, 31, 20, 30, tzinfo=UTC)
YEAR, SECOND = timedelta(days=365), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("told", "dated", "is_replayed", "source"),
    [
        (HERE, HERE, False, "API"),
        (HERE - YEAR, HERE, False, "DATE_HEADER"),
        (HERE - YEAR, HERE, True, "API"),  # a broker on this machine replays days long gone
        (HERE - YEAR, HERE - YEAR, False, "API"),  # this machine's clock may be the wrong one
        (HERE - YEAR, None, False, "API"),
        (HERE + timedelta(days=1), HERE, False, "API"),
        (HERE + timedelta(days=1) + SECOND, HERE, False, "DATE_HEADER"),
        (datetime.min.replace(tzinfo=UTC), None, True, "SYSTEM"),
        (datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), True, "SYSTEM"),
        (None, HERE, False, "DATE_HEADER"),
        (None, None, False, "SYSTEM"),
    ],
)
def test_a_clock_is_believed_unless_both_others_say_another_day_or_there_is_no_such_day(
    told: datetime | None, dated: datetime | None, is_replayed: bool, source: str
) -> None:
    reading = choose_clock(told, dated, HERE, is_replayed=is_replayed)
    assert reading.source == source
    assert bool(reading.doubt) == (told is not None and source != "API")
    assert reading.skew == reading.now - HERE
