"""Reading one endpoint whole: passes through its pages, fresh starts when it moved, and second looks until two agree.

Counting rows can't show that a book changed between two pages: one position closed and another opened leave every
count as it was, one row lost and one ghost. So a listing of more than one page is read again until nothing moved.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

from models.duplicates import may_repeat
from models.envelope import ApiError, Metadata, error_of, metadata_of
from models.reading import Page, Problem, read_page
from models.shapes import POSITIONS, Shape
from models.text import escaped
from pipelines.broker.budget import Budget
from pipelines.broker.http import GaveUp, Refused, Replies, Reply
from pipelines.broker.page_table import PageTable, read_rest, read_table
from pipelines.broker.proof import Broken, Guards, Holding, Moved, Pass, holdings_of
from pipelines.broker.read import Batch, Finding, Keep, KeepColumns, OnReply, Read, ReceivedReply
from pipelines.errors import DaybookError

T = TypeVar("T")
logger = logging.getLogger("daybook.reading")

FRESH_STARTS = 2
REREADS = 3
#: How much of a reason is told; findings have all of it.
LONGEST_REASON = 500
#: What an expired page token is answered with.
EXPIRED = frozenset({400, 410})


@dataclass(frozen=True)
class ListingRequest:
    """What to read. `what` names it for people; `stable`: read it again until two reads agree, if it has pages."""

    shape: Shape
    path: str
    what: str
    params: Mapping[str, str] = field(default_factory=dict)
    account_id: str = ""
    stable: bool = False


@dataclass(frozen=True, slots=True)
class _Glance:
    """A page of a second look: undecoded, but for what is compared."""

    reply: Reply
    metadata: Metadata
    error: ApiError | None
    holdings: dict[str, Holding]
    rows: int
    failure: Problem | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """A page of a full look."""

    reply: Reply
    page: Page | PageTable

    @property
    def metadata(self) -> Metadata:
        return self.page.metadata

    @property
    def rows(self) -> int:
        if isinstance(self.page, PageTable):
            return len(self.page.table)
        return len(self.page.rows) + len(self.page.rejected)


class Listing(Generic[Batch]):
    """One endpoint being read. `now` is the broker's time, as well as it is known; `passes` are those of other listings
    of the same path, whose pages an archive tells apart by their number."""

    def __init__(
        self,
        http: Replies,
        request: ListingRequest,
        keep: Keep[Batch],
        archive: OnReply | None,
        now: Callable[[], datetime],
        keep_columns: KeepColumns[Batch] | None = None,
        budget: Budget | None = None,
        passes: int = 0,
    ) -> None:
        self._http = http
        self._budget = budget or Budget()
        self._request = request
        self._keep = keep
        self._keep_columns = keep_columns if request.shape is POSITIONS else None
        self._archive = archive
        self._now = now
        self._passes = passes
        self._fresh_starts = 0
        self._notes: list[Finding] = []
        self._status: int | None = None
        self._taken = self._new_pass()
        self._guards = Guards()
        self._not_archived: Exception | None = None

    def read(self) -> Read[Batch]:
        """The outcome. Raises Unauthorized and every other DaybookError that is not about one reply, and what `archive`
        raises; every other failure is in the Read, those of our own code too."""
        request_id = None
        try:
            self._unmoved(self._full_pass)
            if self._request.stable and self._guards.pages > 1 and not _failed(self._taken.findings):
                self._until_two_agree()
        except Broken as why:
            self._fail(why.check_name, str(why))
        except (Refused, GaveUp) as why:
            self._status = why.reply.status if why.reply else None
            self._fail("fetch_failed", str(why))
            request_id = why.request_id
        except DaybookError:
            raise
        except Exception as error:  # whatever an answer does to the code that reads it, it is one account's failed read
            if error is self._not_archived:
                raise
            self._note("could_not_be_read", "FAIL", f"could not be read: {type(error).__name__}", _where(error))
            logger.debug("%s could not be read", self._request.what, exc_info=True)
        return self._outcome(request_id)

    def _full_pass(self) -> None:
        """Read every page and take it in, page by page, so that only one is in memory at a time."""
        self._taken, self._guards = self._new_pass(), Guards()
        for look in self._pages(self._guards, self._look):
            self._take(self._taken, look.page, look.reply)
        self._taken.finish(self._guards.total_items)

    def _until_two_agree(self) -> None:
        for _ in range(REREADS):
            if self._unmoved(self._second_pass) or _failed(self._taken.findings):
                return
            self._note("read_again", "INFO", "positions changed between two reads, so they were read again")
        raise Broken("not_stable", f"positions kept changing: {self._passes} reads, and no two in a row agree")

    def _second_pass(self) -> bool:
        """Whether a further read has the same holdings as the one taken. If not, it takes that one's place."""
        guards, taken = Guards(), self._new_pass()
        glances = list(self._pages(guards, self._glance))
        if any(glance.error is not None or glance.reply.status != 200 for glance in glances):
            raise Broken("broker_error", "the broker answered in part when the positions were read again")
        if {name: held for glance in glances for name, held in glance.holdings.items()} == self._taken.holdings:
            if failure := next((glance.failure for glance in glances if glance.failure), None):
                raise Broken(failure.check_name, f"when the positions were read again, {failure.message}")
            return True
        for glance in glances:
            self._take(taken, read_page(self._request.shape, glance.reply.body), glance.reply)
        taken.finish(guards.total_items)
        # averages that were rounded, and numbers that weren't text, only differ before they are validated
        agreed = taken.holdings == self._taken.holdings
        self._taken, self._guards = taken, guards
        return agreed

    def _unmoved(self, attempt: Callable[[], T]) -> T:
        """The result of a pass that nothing moved under; a few fresh starts are allowed."""
        while True:
            self._passes += 1
            try:
                return attempt()
            except Moved as why:
                if self._fresh_starts == FRESH_STARTS:
                    raise Broken(why.check_name, f"{why}, and again after {FRESH_STARTS} fresh starts") from None
                self._fresh_starts += 1
                self._note("read_restarted", "INFO", f"read again from the first page: {why}")

    def _pages(self, guards: Guards, understand: Callable[[Reply], Any]) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self._fetch(guards.pages + 1, token, understand)
            token = guards.next_token(page.metadata, page.rows)
            yield page
            if token is None:
                return

    def _fetch(self, number: int, token: str | None, understand: Callable[[Reply], T]) -> T:
        # filters and order are repeated with every token, as the broker demands
        params = self._request.params if token is None else {**self._request.params, "page_token": token}
        try:
            self._budget.check()
            return self._http.fetch(
                self._request.path, params, understand, lambda reply: self._hear(reply, number, params)
            )
        except GaveUp as why:
            self._hear(why.reply, number, params, why)
            raise
        except Refused as why:
            if token is not None and why.reply.status in EXPIRED:
                raise Moved("token_expired", f"the token of page {number} was refused: {why}") from None
            raise

    def _hear(self, reply: Reply | None, page: int, params: Mapping[str, str], gave_up: GaveUp | None = None) -> None:
        if reply is not None and gave_up is None:
            self._budget.take(len(reply.body))
            if reply.repeated_key and not any(note.check_name == "key_repeated" for note in self._notes):
                self._note("key_repeated", "WARN", "an answer had an API key in it; [key] is kept in its place")
        if self._archive is None:
            return
        received = ReceivedReply(
            endpoint=self._request.shape.name,
            account_id=self._request.account_id,
            read=self._passes,
            page=page,
            status=reply.status if reply else None,
            body=b"" if gave_up or reply is None else reply.body,
            request_id=gave_up.request_id if gave_up else reply.request_id if reply else None,
            received_at=datetime.now(UTC),
            path=self._request.path,
            params=params,
            began_at=self._began_at,
            error=str(gave_up) if gave_up else None,
            repeated_key=reply is not None and reply.repeated_key,
        )
        try:
            self._archive(received)
        except Exception as error:
            self._not_archived = error  # ends the run: what isn't archived is never made anything of
            raise

    def _look(self, reply: Reply) -> _Look:
        table = None
        if self._keep_columns is not None and reply.status == 200:
            table = read_table(self._request.account_id, reply.body)
        if table is not None and self._taken.has_none_of(table):
            return _Look(reply, table)
        return _Look(reply, read_page(self._request.shape, reply.body))

    def _glance(self, reply: Reply) -> _Glance:
        """The cheapest decode that can be compared: none at all of rows that came before, byte by byte. Where the
        cheap ones fail, the page is decoded in full."""
        rest = read_rest(reply.body) if self._taken.held and reply.status == 200 else None
        if rest is not None and (held := self._taken.held.get(rest[1])) is not None:
            return _Glance(reply, rest[0], None, held, len(held))
        try:
            whole = orjson.loads(reply.body)
            metadata, error = metadata_of(whole.get("metadata")), error_of(whole.get("error"))
            if not may_repeat(reply.body, whole, whole["data"]):
                return _Glance(reply, metadata, error, holdings_of(whole["data"]), len(whole["data"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        page = read_page(self._request.shape, reply.body)
        return _Glance(reply, page.metadata, page.error, holdings_of(page.rows), len(page.rows), page.failure)

    def _take(self, taken: Pass[Batch], page: Page | PageTable, reply: Reply) -> None:
        self._status = reply.status
        if isinstance(page, PageTable):
            taken.take_columns(page)
            return
        if page.error is not None:
            taken.fail("broker_error", f"the broker answered in part: {self._http.clean_error(page.error)}")
        elif reply.status != 200:
            taken.fail("broker_error", f"the broker answered {reply.status}, which is not the whole answer")
        taken.take(page, last=page.metadata.next_page_token is None)

    def _new_pass(self) -> Pass[Batch]:
        self._began_at = self._now()
        return Pass(
            self._request.shape, self._request.account_id, self._keep, self._began_at, keep_columns=self._keep_columns
        )

    def _note(self, check_name: str, severity: str, message: str, value: str | None = None) -> None:
        self._notes.append(Finding(check_name, severity, message, value=value))

    def _fail(self, check_name: str, message: str) -> None:
        self._note(check_name, "FAIL", message)

    def _outcome(self, request_id: str | None) -> Read[Batch]:
        taken = self._taken
        findings = [*taken.findings, *self._notes]
        failures = list(dict.fromkeys(finding.message for finding in findings if finding.severity == "FAIL"))
        known_id = request_id or (taken.request_ids[-1] if taken.request_ids else None)
        return Read(
            endpoint=self._request.shape.name,
            account_id=self._request.account_id,
            batches=taken.batches,
            rows=taken.rows,
            rejected=taken.rejected,
            findings=findings,
            pages=taken.pages,
            reads=self._passes,
            total_items=self._guards.total_items,
            http_status=self._status,
            request_ids=taken.request_ids,
            captured_at=taken.began_at,
            complete=not failures,
            error=_sentence(self._request.what, failures, known_id) if failures else None,
            fields_seen={
                "fields": sorted(taken.observed.fields),
                "unknown_fields": dict(taken.observed.unknown_fields),
                "unknown_enums": {f"{name}={value}": n for (name, value), n in taken.observed.unknown_enums.items()},
            },
        )


def _failed(findings: list[Finding]) -> bool:
    return any(finding.severity == "FAIL" for finding in findings)


def _where(error: Exception) -> str:
    """An error of our own code: its type, text and place, for the log."""
    frames = [f"{Path(each.filename).name}:{each.lineno}" for each in traceback.extract_tb(error.__traceback__)[-3:]]
    return escaped(f"{type(error).__name__}: {str(error)[:200]} ({' > '.join(frames)})")


def _sentence(what: str, failures: list[str], request_id: str | None) -> str:
    told = "; ".join(failure[:LONGEST_REASON] for failure in failures[:3]) + (
        f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
    )
    where = f" (request {request_id})" if request_id and f"(request {request_id})" not in told else ""
    return f"{what}: {told}{where}"
