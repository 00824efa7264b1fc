"""The journal of trading: a file for each request, on disk before the request leaves and again after every turn.

A file in DAYBOOK_HOME/trading is named after its run and is never deleted. Its state says what is known, whatever
becomes of the process: PREPARED (nothing was sent), SENT (it may have arrived), ANSWERED, UNKNOWN (no answer that
tells), RESOLVED (found out later, or known never to have been sent).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from models.trading import Answer, Operation, read_answer
from pipelines.archive.files import fsync, read_file, write_whole
from pipelines.broker.read import ClockReading
from pipelines.broker.transport import Reply
from pipelines.errors import DaybookError, LockedOut
from pipelines.settings import Settings, code_version
from pipelines.trading.requests import TradeRequest
from pipelines.warehouse.lock import journal_lock
from pipelines.warehouse.restoring import JOURNAL as RESTORING
from pipelines.warehouse.restoring import finish_if_killed

State = Literal["PREPARED", "SENT", "ANSWERED", "UNKNOWN", "RESOLVED"]
RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


@dataclass
class Received:
    """An answer as it came: `body` is its text, or its base64 where it isn't UTF-8."""

    status: int
    body: str
    encoding: Literal["utf-8", "base64"]
    request_id: str | None

    @classmethod
    def of(cls, reply: Reply) -> Received:
        """The part of a reply that the journal keeps."""
        try:
            return cls(reply.status, reply.body.decode("utf-8"), "utf-8", reply.request_id)
        except UnicodeDecodeError:
            return cls(reply.status, base64.b64encode(reply.body).decode(), "base64", reply.request_id)

    @property
    def content(self) -> bytes:
        """The body, byte for byte."""
        return self.body.encode() if self.encoding == "utf-8" else base64.b64decode(self.body)


@dataclass
class Resolution:
    """What was found out later: `outcome` is FOUND, NOT_FOUND or NEVER_SENT, `at` the broker's time, `run_id` the sync
    whose lists told it, `found` the ids of the orders or instructions in them."""

    outcome: Literal["FOUND", "NOT_FOUND", "NEVER_SENT"]
    message: str
    at: datetime
    run_id: str | None = None
    found: list[str] = field(default_factory=list)


@dataclass
class Record:
    """One request and all that is known of it. Instants are the broker's time; `skew_us` is its clock less ours.

    `instrument` is the UUID of what is closed, or in earlier records the name that was sent, and `symbol` what it is
    called. `history` has every state with its instant. `preview` is what the person was shown; `caller` who asked.
    """

    run_id: str
    state: State
    operation: Operation
    account_id: str
    method: str
    path: str
    body: str
    keys: list[str]
    instrument: str | None
    instruction_id: str | None
    caller: str
    broker_host: str
    is_loopback: bool
    code_version: str
    began_at: datetime
    clock_source: Literal["API", "DATE_HEADER", "SYSTEM"]
    skew_us: int
    preview: list[dict[str, Any]] = field(default_factory=list)
    history: list[tuple[State, datetime]] = field(default_factory=list)
    symbol: str | None = None
    answer: Received | None = None
    why: str | None = None
    resolution: Resolution | None = None

    @property
    def now(self) -> datetime:
        """The broker's time, as well as it is known."""
        return datetime.now(UTC) + timedelta(microseconds=self.skew_us)

    @property
    def request_id(self) -> str | None:
        """The broker's name for the request, where its answer told: in the body, else in a header."""
        answer = self.parsed_answer()
        return (answer.request_id if answer else None) or (self.answer.request_id if self.answer else None)

    def at(self, state: State) -> datetime | None:
        """When it came to a state; None where it never did."""
        return next((moment for each, moment in self.history if each == state), None)

    def enter(self, state: State) -> None:
        """Change to a state, and note when."""
        self.state = state
        self.history.append((state, self.now))

    def parsed_answer(self) -> Answer | None:
        """The answer, read with today's models; None where none came."""
        if self.answer is None:
            return None
        return read_answer(self.operation, self.account_id, self.answer.status, self.answer.content, self.keys)


_RECORD = TypeAdapter(Record)


class Journal:
    """The journal of one home. Nothing is made in it before the first `write`."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.home / "trading"

    @contextmanager
    def locked(self, *, wait: float = 0.0) -> Iterator[None]:
        """Hold the journal for the block. Raises LockedOut where another process still has it after `wait` seconds: of
        two that trade at a time, each would act on a preview that the other has made stale. And while a restore is
        about to move it."""
        finish_if_killed(self.folder.parent)
        self._refuse_restore()
        self._make()
        with journal_lock(self.folder, wait=wait):
            self._refuse_restore()
            yield

    def run_ids(self) -> list[str]:
        """The run id of every record, in the order of their time."""
        return sorted(path.stem for path in self.folder.glob("*.json") if RUN_ID.fullmatch(path.stem))

    def path(self, run_id: str) -> Path:
        """The path of a record."""
        return self.folder / f"{run_id}.json"

    def write(self, record: Record, state: State) -> None:
        """Take a record to a state, on disk whole or not at all. Raises DaybookError where the disk refuses."""
        self._make()
        record.enter(state)
        path = self.path(record.run_id)
        try:
            write_whole(path, _RECORD.dump_json(record, indent=2), durable=True)
        except OSError as error:
            raise DaybookError(f"The journal can't be written: {path} ({error.strerror}).") from error

    def read(self, run_id: str) -> Record:
        """A record. Raises DaybookError for a file that can't be read."""
        try:
            return _RECORD.validate_json(read_file(self.path(run_id)))
        except (OSError, ValidationError) as error:
            raise DaybookError(f"The record {self.path(run_id)} of a request to trade can't be read.") from error

    def _refuse_restore(self) -> None:
        if (self.folder.parent / RESTORING).exists():
            raise LockedOut("A restore of these books is going on: try again when it is done.")

    def _make(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fsync(self.folder.parent)


def new_record(
    settings: Settings, request: TradeRequest, clock: ClockReading, run_id: str, caller: str, preview: Sequence[Any]
) -> Record:
    """A record of a request that was confirmed and not yet sent."""
    return Record(
        run_id=run_id,
        state="PREPARED",
        operation=request.operation,
        account_id=request.account_id,
        method=request.method,
        path=request.path,
        body=request.body.decode(),
        keys=request.keys,
        instrument=request.instrument,
        symbol=request.symbol,
        instruction_id=request.instruction_id,
        caller=caller,
        broker_host=settings.broker_host,
        is_loopback=settings.is_loopback,
        code_version=code_version(),
        began_at=clock.now,
        clock_source=clock.source,
        skew_us=clock.skew // timedelta(microseconds=1),
        preview=list(preview),
    )
