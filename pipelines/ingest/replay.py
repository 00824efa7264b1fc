"""Replay: the archive landed again, by the code that read it the first time, with today's models.

Nothing is asked of any broker. Replies come in the order in which they came, with the run's own clock and
context, so what is landed is what was landed, unless the models have learnt something since.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import duckdb
import pyarrow as pa

from models.reading import NotUnderstood
from models.shapes import OPTION_CONTRACTS
from pipelines.archive.places import runs_at, runs_of, send
from pipelines.archive.read import ArchivedReply, ArchivedRun, Bodies, StoredRun
from pipelines.broker.budget import UNBOUNDED
from pipelines.broker.client import BrokerClient
from pipelines.broker.columns import as_they_are, to_batch
from pipelines.broker.http import Again, GaveUp, Replies, Reply
from pipelines.broker.ids import can_be_asked
from pipelines.broker.read import Read
from pipelines.broker.redaction import Redaction
from pipelines.errors import DaybookError, StoreAway, Unauthorized, WrongWarehouse
from pipelines.ingest.landing import TABLES, extract, load
from pipelines.ingest.reading import EndpointRead, read_trading_day
from pipelines.ingest.run_context import ending_from, run_context_from
from pipelines.ingest.snapshot import Run, Snapshot, snapshot_of, tables_of
from pipelines.ingest.warehouse_state import landed_runs
from pipelines.progress import Activity, OnProgress, ignore_progress
from pipelines.settings import Settings
from pipelines.warehouse.connect import forget, remember, remember_broker, remembered
from pipelines.warehouse.dlt_pipeline import finish_pending, open_pipeline
from pipelines.warehouse.missing_books import REPLAYING

if TYPE_CHECKING:
    from dlt import Pipeline

T = TypeVar("T")


@dataclass
class Replayed:
    """What a replay did. `replaced` are the ids of runs that were in the warehouse before; `damaged` says in sentences
    which runs were not landed and why; `unfinished` are the runs that never came to the end of their reading."""

    landed: list[Snapshot] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)
    damaged: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)


def replay(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    *,
    archive: str | Path | None = None,
    from_date: date | None = None,
    after: Callable[[Snapshot], None] = lambda _: None,
    on_progress: OnProgress = ignore_progress,
) -> Replayed:
    """Land every archived run of the trading days from `from_date` on. The caller holds the run lock.

    `archive` is another than the home's own: a folder, or `s3://bucket/prefix`. A run that is in the warehouse already
    is replaced by what it is now; `after` is told of each that was not, once it is there, so that it can be built as if
    its evening had just passed. Raises WrongWarehouse where the archive is another broker's, StoreAway where it can't
    be read any more, DaybookError where nothing can be landed.
    """
    alert = finish_pending(con, settings)
    pipeline = open_pipeline(con, settings.dlt)
    replayed = Replayed(alerts=[alert] if alert else [])
    there = landed_runs(con)
    with _to_its_end(con, replayed, from_date, had_books=bool(there)):
        for run in runs_at(str(archive), settings) if archive else runs_of(settings):
            if snapshot := _replay(con, settings, pipeline, run, from_date, replayed, on_progress):
                replayed.landed.append(snapshot)
                if run.run_id in there:
                    replayed.replaced.add(run.run_id)
                else:
                    after(snapshot)
    return replayed


@contextmanager
def _to_its_end(
    con: duckdb.DuckDBPyConnection, replayed: Replayed, from_date: date | None, *, had_books: bool
) -> Iterator[None]:
    """Has the warehouse remember that a replay goes on: one that is killed leaves books that look whole.

    It is forgotten at the end of a replay that began as early, and where one failed before it changed any book."""
    since = from_date.isoformat() if from_date else ""
    former = remembered(con, REPLAYING)
    if former is None:
        remember(con, REPLAYING, since)
    try:
        yield
    except (DaybookError, OSError, duckdb.Error) as error:
        if former is None and not replayed.landed and (had_books or isinstance(error, WrongWarehouse)):
            with suppress(duckdb.Error):
                forget(con, REPLAYING)
        raise
    if former is None or since <= former:
        forget(con, REPLAYING)


def _replay(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    pipeline: Pipeline,
    run: StoredRun,
    from_date: date | None,
    replayed: Replayed,
    on_progress: OnProgress,
) -> Snapshot | None:
    """One run landed again; None where it is of an earlier day, or is not landed, and why is in `replayed`."""
    try:
        if not run.is_sealed:
            replayed.unfinished.append(run.run_id)
            return None
        if from_date and run.trading_date < from_date:
            return None
        on_progress(Activity(f"{run.trading_date}: run {run.run_id}"))
        with run.at_hand() as archived:
            return _land(con, settings, pipeline, archived)
    except (WrongWarehouse, StoreAway):
        raise
    except DaybookError as error:
        if pipeline.has_pending_data:  # what dlt could not load would stand in the way of every later run
            raise
        replayed.damaged.append(f"Run {run.run_id} was not landed: {error}")
        return None


def _land(con: duckdb.DuckDBPyConnection, settings: Settings, pipeline: Pipeline, archived: ArchivedRun) -> Snapshot:
    archived.prove()
    send(settings, archived)
    run = Run(run_context_from(archived.began), ending_from(archived.ended), archived.files())
    began = run.began
    remember_broker(con, began.broker_host)
    with archived.bodies() as bodies:
        recorded = Recorded(archived.records, bodies, Redaction(settings.keys), began.lists)
        with ReplayClient(recorded) as client:
            evening = read_trading_day(client, began, began.known)
    evening = replace(evening, reads=[recorded.with_window(asked) for asked in evening.reads])
    snapshot = snapshot_of(run, evening, [])
    extract(pipeline, tables_of(run, evening))
    del evening  # as when it was read the first time
    _forget_others(con, began.run_id, load(pipeline))
    return snapshot


def _forget_others(con: duckdb.DuckDBPyConnection, run_id: str, load_id: str) -> None:
    """Rows of the run that an earlier landing left and this one has no more: landing replaces by key, row by row."""
    con.execute("begin")
    for name in TABLES:
        con.execute(f"delete from raw.{name} where run_id = ? and _dlt_load_id <> ?", [run_id, load_id])  # noqa: S608
    con.execute("commit")


class ReplayClient(BrokerClient[pa.Table]):
    """The reading client, answered by a recording."""

    def __init__(self, recorded: Recorded) -> None:
        super().__init__("", None, keep=to_batch, keep_columns=as_they_are, replies=recorded, budgets=UNBOUNDED)
        self._recorded = recorded

    def option_contracts(self, ids: Sequence[str]) -> Read[pa.Table]:
        """The contracts that the run asked for: those were the ones that it did not know."""
        asked = self._recorded.contracts_asked()
        then = [each for each in ids if each in asked or not can_be_asked(each)]
        return super().option_contracts(then) if then else Read(OPTION_CONTRACTS.name)


class Recorded(Replies):
    """A run's replies in the order in which they came: a queue of requests for each path."""

    def __init__(self, records: Iterable[ArchivedReply], bodies: Bodies, redaction: Redaction, lists: int = 1) -> None:
        super().__init__(redaction)
        self._lists = lists
        self._bodies = bodies
        self._records = list(records)
        self._queues: dict[str, deque[list[ArchivedReply]]] = defaultdict(deque)
        for path, of_path in groupby(sorted(self._records, key=_path), key=_path):
            self._queues[path].extend(list(group) for _, group in groupby(of_path, key=_request))
        self._paths = {path: queue[-1][0].entry["began_at"] for path, queue in self._queues.items()}
        self._asked: dict[tuple[str, str], Mapping[str, str]] = {}
        for record in self._records:
            self._asked.setdefault((record.entry["endpoint"], record.entry["account_id"]), record.entry["params"])

    def close(self) -> None:
        """Nothing to release: the archive's file is the caller's."""

    def answers(self, path: str) -> bool:
        """Whether the run asked for it: an older daybook did not know every endpoint."""
        return path in self._paths

    def lists(self) -> list[Replies]:
        """One for each list of accounts that was asked for."""
        return [self] * self._lists

    def clock(self, path: str) -> Callable[[], datetime]:
        """Tells when the pass began then whose first page is the next one."""

        def now() -> datetime:
            first_pages = (group[0].entry["began_at"] for group in self._queues[path] if _token(group[0]) is None)
            return datetime.fromisoformat(next(first_pages, self._paths[path]))

        return now

    def contracts_asked(self) -> set[str]:
        """The option contracts that the run asked for."""
        asked = (record.entry for record in self._records if record.entry["endpoint"] == OPTION_CONTRACTS.name)
        return {each for entry in asked for each in entry["params"]["contract_ids"].split(",")}

    def with_window(self, asked: EndpointRead) -> EndpointRead:
        """A read with the window that it was asked with, whatever today's code would ask for."""
        params = self._asked.get((asked.read.endpoint, asked.read.account_id), {})
        if asked.window_from is None or "from" not in params:
            return asked
        since, until = (datetime.fromisoformat(params[name]) for name in ("from", "to"))
        return replace(asked, window_from=since, window_to=until)

    def fetch(
        self, path: str, params: Mapping[str, str], understand: Callable[[Reply], T], heard: Callable[[Reply], None]
    ) -> T:
        """See `Replies.fetch`. Raises GaveUp also where the archive has no (more) answer."""
        reply, why = None, "the archive has no answer to this"
        records = self._next(path, params.get("page_token"))
        for record in records:
            if record.entry["error"] is not None:
                raise self._given_up(record, reply)
            reply = self._reply(record)
            heard(reply)
            try:
                self._judge(reply)
                return understand(reply)
            except (Again, NotUnderstood) as passing:
                why = f"{passing}; the archive has no later answer"
            except Unauthorized:  # of several keys it failed the reads of one, and what was made of it comes next
                if record is records[-1]:
                    raise
        raise GaveUp(why, reply=reply)

    def _next(self, path: str, token: str | None) -> list[ArchivedReply]:
        """The replies to the next request. A first page begins a new pass: what is left of the last is skipped."""
        queue = self._queues[path]
        while queue and token is None and _token(queue[0][0]) is not None:
            queue.popleft()
        return queue.popleft() if queue and _token(queue[0][0]) == token else []

    def _reply(self, record: ArchivedReply) -> Reply:
        entry, body = record.entry, self._bodies.read(record)
        cleaned = self._redaction.body(body)  # an older daybook let pass what this one would not
        repeated = cleaned is not body or entry.get("repeated_key", False)
        return Reply(entry["status"], cleaned, self._named(record), None, None, 0.0, repeated)

    def _given_up(self, record: ArchivedReply, reply: Reply | None) -> GaveUp:
        words = self._redaction.text(record.entry["error"])
        error = GaveUp(words, reply=reply if record.entry["status"] is not None else None)
        error.request_id = self._named(record)  # the words have it already
        return error

    def _named(self, record: ArchivedReply) -> str | None:
        request_id = record.entry["request_id"]
        return None if request_id is None else self._redaction.text(request_id)


def _path(record: ArchivedReply) -> str:
    return str(record.entry["path"])


def _request(record: ArchivedReply) -> tuple[object, ...]:
    entry = record.entry
    return entry["read"], entry["page"], sorted(entry["params"].items())


def _token(record: ArchivedReply) -> str | None:
    token: str | None = record.entry["params"].get("page_token")
    return token
