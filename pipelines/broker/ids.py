"""Which ids can be asked about: an id is the broker's text, and goes into the address of a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

#: How long an id may be, as it stands in an address. A UUID has 36 letters.
LONGEST_ID = 500
#: How long the ids of one request may be together, so that its address stays one that servers take.
LONGEST_LIST = 8_000


def can_be_asked(instrument_id: str) -> bool:
    """Whether an address can name the instrument: one that is endless, or divides a list or a path, it can't."""
    return _length(instrument_id) <= LONGEST_ID and "," not in instrument_id and instrument_id not in ("", ".", "..")


def in_batches(ids: Iterable[str], most: int) -> Iterator[list[str]]:
    """The ids that can be asked about, in their order, as many to a request as its address may name."""
    batch: list[str] = []
    length = 0
    for each in filter(can_be_asked, ids):
        own = _length(each) + len("%2C")
        if batch and (len(batch) == most or length + own > LONGEST_LIST):
            yield batch
            batch, length = [], 0
        batch.append(each)
        length += own
    if batch:
        yield batch


def _length(text: str) -> int:
    return len(quote(text, safe=""))
