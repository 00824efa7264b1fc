"""What a read gives back: rows in batches, and everything that a person or a manifest may want to know about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal

from typing_extensions import TypeVar

from models.reading import Rejected
from models.shapes import Shape

if TYPE_CHECKING:
    import pyarrow as pa

#: How many errors of many reads are told in full.
ERRORS_TOLD = 3

Rows = list[dict[str, Any]]
#: What is kept of a page: its rows, unless the client is told to make something else of them.
Batch = TypeVar("Batch", default=Rows)
#: What becomes of a page's validated rows; its results are `Read.batches`.
Keep = Callable[[Shape, Rows], Batch]
#: The same for a page that was read as columns: those of its raw table, but for the run's id.
KeepColumns = Callable[["pa.Table"], Batch]


@dataclass(frozen=True)
class Finding:
    """Something noticed. A FAIL makes its read incomplete; WARN and INFO don't. Values are exact texts."""

    check_name: str
    severity: str
    message: str
    instrument_id: str | None = None
    value: str | None = None
    expected: str | None = None


@dataclass(frozen=True)
class ReceivedReply:
    """A reply exactly as it came, before anything was made of it. `read` and `page` count from 1.

    `path` and `params` are what was asked, `began_at` the broker's time when the read began. A request that was given
    up is told of too, with its `error` in words and no body; `status` is None where no answer came. `repeated_key`: the
    answer had a key in it, and has `[key]` in its place.
    """

    endpoint: str
    account_id: str
    read: int
    page: int
    status: int | None
    body: bytes
    request_id: str | None
    received_at: datetime
    path: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    began_at: datetime | None = None
    error: str | None = None
    repeated_key: bool = False


#: Told of every reply, failed ones too, and of every request that was given up. What it raises ends the read.
OnReply = Callable[[ReceivedReply], None]


ClockSource = Literal["API", "DATE_HEADER", "SYSTEM"]


@dataclass(frozen=True)
class ClockReading:
    """What time it is. `skew` is the broker's clock less this machine's; `doubt` says in a sentence why the time that
    the broker told is not it."""

    now: datetime
    source: ClockSource
    skew: timedelta
    doubt: str | None = None


@dataclass
class Read(Generic[Batch]):
    """The outcome of reading one endpoint, of one account where it has one.

    `complete` is a proof, not a hope: False whenever rows may be missing, double, foreign or unreadable, and then
    `error` says in a sentence what, where and under which request. Batches of an incomplete read are evidence only.
    `rows` counts the rows in `batches`; `pages` the pages of the pass they came from, out of `reads` passes.
    `fields_seen` holds `fields` (names), `unknown_fields` (name to rows) and `unknown_enums` ("field=value" to rows).
    """

    endpoint: str
    account_id: str = ""
    batches: list[Batch] = field(default_factory=list)
    rows: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    pages: int = 0
    reads: int = 0
    total_items: int | None = None
    http_status: int | None = None
    request_ids: list[str] = field(default_factory=list)
    captured_at: datetime | None = None
    complete: bool = False
    error: str | None = None
    fields_seen: dict[str, Any] = field(default_factory=dict)


def merge(endpoint: str, reads: Sequence[Read[Batch]]) -> Read[Batch]:
    """One read out of several of the same endpoint; complete when all of them are, also when there are none."""
    errors = [read.error for read in reads if read.error]
    totals = [read.total_items for read in reads if read.total_items is not None]
    merged: Read[Batch] = Read(endpoint, complete=all(read.complete for read in reads), error=_some_of(errors))
    merged.total_items = sum(totals) if totals and len(totals) == len(reads) else None
    merged.captured_at = min((read.captured_at for read in reads if read.captured_at), default=None)
    merged.http_status = next((read.http_status for read in reads if not read.complete), None)
    for read in reads:
        merged.batches += read.batches
        merged.rejected += read.rejected
        merged.findings += read.findings
        merged.request_ids += read.request_ids
        merged.rows += read.rows
        merged.pages += read.pages
        merged.reads = max(merged.reads, read.reads)
        merged.http_status = merged.http_status or read.http_status
    merged.fields_seen = _merged_fields([read.fields_seen for read in reads])
    return merged


def _some_of(errors: Sequence[str]) -> str | None:
    more = f"; and {len(errors) - ERRORS_TOLD} more" if len(errors) > ERRORS_TOLD else ""
    return "; ".join(errors[:ERRORS_TOLD]) + more or None


def _merged_fields(seen: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if not seen:
        return {}
    merged: dict[str, Any] = {"fields": sorted({name for one in seen for name in one.get("fields", ())})}
    for kind in ("unknown_fields", "unknown_enums"):
        counts: Counter[str] = Counter()
        for one in seen:
            counts.update(one.get(kind, {}))
        merged[kind] = dict(counts)
    return merged
