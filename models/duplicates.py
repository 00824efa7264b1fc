"""Keys that an object of a reply has more than once: JSON libraries keep the last one, and say nothing.

Where it matters which one counts, the reply (or the row) can't be believed. Elsewhere it is worth a word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from models.exact import Repeated
from models.problem import Problem
from models.text import SHOWN

#: What a reply consists of, and what says where it stands in its listing.
ENVELOPE = frozenset({"data", "metadata", "error"})
PAGING = frozenset({"next_page_token", "page_number", "total_items", "total_pages"})
#: What groups rows within the data: it decides which rows there are.
GROUPING = frozenset(
    {"segments", "event_dates", "events", "type", "ex_date", "splits", "dividends", "earnings", "ipos"}
    | {f"{name}_event_data" for name in ("stock_split", "dividend", "earnings", "ipo")}
)
_SPACE = b" \t\r\n"


def may_repeat(body: bytes, whole: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a key may have come twice in a body that was decoded to this: False only where none did.

    Every key is followed by a quote and a colon, white space aside, so a body has no fewer of those than keys.
    """
    data, metadata = whole["data"], whole.get("metadata")
    kept = len(whole) + len(metadata or ()) + sum(map(len, rows))
    if isinstance(data, dict) and not (rows and data is rows[0]):
        kept += len(data)
    return body.translate(None, _SPACE).count(b'":') != kept


def all_of(whole: Mapping[str, Any], name: str) -> list[Any]:
    """Every value that an object has under a name, in the order in which they came."""
    if isinstance(whole, Repeated):
        return [value for key, value in whole.pairs if key == name]
    return [whole[name]] if name in whole else []


def in_reply(whole: Mapping[str, Any], rows: Sequence[Any], documented: frozenset[str]) -> list[Problem]:
    """The keys that came twice in a reply, but for those of its rows, which are judged one by one."""
    own = {id(row) for row in rows}
    problems = _of_object(whole, ENVELOPE, "the reply")
    for part in all_of(whole, "metadata"):
        problems += _of_object(part, PAGING, "its metadata")
    for each in _repeated(all_of(whole, "data"), own):
        problems += _of_object(each, documented | GROUPING, "its data")
    for each in _repeated(all_of(whole, "error")):
        problems += _of_object(each, frozenset(), "its error")
    return problems


def in_row(row: Mapping[str, Any], documented: frozenset[str]) -> list[Problem]:
    """The keys that came twice in a row: a documented one makes it a row that can't be believed."""
    problems = _of_object(row, documented, "a row")
    for each in _repeated([value for value in row.values() if isinstance(value, dict | list)]):
        problems += _of_object(each, frozenset(), "a value of a row")
    return problems


def _of_object(sent: Any, decisive: frozenset[str], where: str) -> list[Problem]:
    keys = sent.repeated_keys if isinstance(sent, Repeated) else ()
    return [_problem("FAIL" if key in decisive else "WARN", key, where) for key in keys]


def _repeated(value: Any, apart: Collection[int] = ()) -> Iterator[Repeated]:
    """Every such object in a value, but in those that are `apart`."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if id(item) in apart:
            continue
        if isinstance(item, Repeated):
            yield item
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _problem(severity: str, key: str, where: str) -> Problem:
    shown = key[:SHOWN]
    consequence = "so it can't be believed" if severity == "FAIL" else "the last one is kept"
    message = f"{where} has the key {shown} more than once: {consequence}"
    return Problem("duplicate_key", severity, key, None, shown, message)
