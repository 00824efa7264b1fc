"""Trading: one request, confirmed by a person, sent once with the trading key, written down before and after, landed.

Nothing here is ever tried again: a second try could trade twice. The sync must not import this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from models.trading import Answer, Outcome
from pipelines.broker.read import ClockReading
from pipelines.broker.redaction import one_line
from pipelines.broker.transport import Reply
from pipelines.errors import FAILED, INCOMPLETE, ConfigurationError, DaybookError, LockedOut
from pipelines.ingest.run_context import new_run_id
from pipelines.progress import OnProgress, ignore_progress
from pipelines.settings import Settings
from pipelines.trading.changes import refuse_changed
from pipelines.trading.http import NotSent, TradingHttp, Unanswered
from pipelines.trading.journal import Journal, Received, Record, Resolution, new_record
from pipelines.trading.landing import identified, land_records
from pipelines.trading.proposals import Proposal
from pipelines.trading.requests import TradeRequest
from pipelines.warehouse.connect import refuse_other_broker
from pipelines.warehouse.session import warehouse_session

EXIT_CODES: dict[Outcome, int] = {"DONE": 0, "REJECTED": FAILED, "PARTIAL": INCOMPLETE, "UNKNOWN": INCOMPLETE}


#: Statuses that are about the key, in words that an account id follows.
_KEY_TROUBLE = {
    401: "the trading key is wrong, expired or revoked, so nothing was done in account",
    403: "this key may only read; CLEAR_STREET_TRADING_API_KEY needs one that may trade in account",
}


@dataclass
class Trade:
    """What became of a request. `notes` are sentences for whoever sent it; `landed`: whether it is in the books yet."""

    record: Record
    answer: Answer | None
    landed: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """DONE, PARTIAL, REJECTED, or UNKNOWN where no answer tells."""
        return self.answer.outcome if self.answer else "UNKNOWN"

    @property
    def exit_code(self) -> int:
        """0 done, 1 rejected by the broker, 3 partial or unknown."""
        return EXIT_CODES[self.outcome]

    @property
    def sentence(self) -> str:
        """What became of it, and where it wasn't simply done, why."""
        record, answer = self.record, self.answer
        if self.outcome == "UNKNOWN":
            once = "It was sent once, may have been carried out, and is not sent again."
            return f"OUTCOME UNKNOWN: {record.why}{self._where}. {once}"
        if answer is None or self.outcome == "DONE":
            return f"Done: {record.operation} of account {record.account_id}."
        said = _answer_summary(answer)
        if answer.status in _KEY_TROUBLE:
            said += f": {_KEY_TROUBLE[answer.status]} {record.account_id}"
        taken = "Only in part" if self.outcome == "PARTIAL" else "Rejected, nothing was done"
        return f"{taken}: {said}{self._where}."

    @property
    def _where(self) -> str:
        return f" (request {self.record.request_id})" if self.record.request_id else ""

    @property
    def instructions(self) -> list[dict[str, Any]]:
        """The answer's instructions under the ids that they have in the books."""
        return identified(self.record.run_id, self.answer.instructions) if self.answer else []

    def find_out(self) -> list[str]:
        """The commands that find out what an unknown outcome was."""
        account = self.record.account_id
        if self.record.operation.startswith("close"):
            return [f"daybook positions list --account {account}", "daybook sync"]
        return [f"daybook instructions list --account {account}", "daybook sync"]


def trade(
    settings: Settings,
    shown: Proposal,
    clock: ClockReading,
    *,
    run_id: str | None = None,
    caller: str = "command line",
    timeout: float = 60.0,
    wait: float = 10.0,
    on_progress: OnProgress = ignore_progress,
) -> Trade:
    """Send a request that somebody has confirmed: once, and only if what was shown is still so when it is read again,
    as the last thing before. What comes of it is in the journal, then landed, then returned.

    `run_id` is given where keys were made from it, `timeout` is how many seconds an answer may take, `wait` how many to
    wait for the books. Raises, with nothing sent: Changed, ConfigurationError, WrongWarehouse, LockedOut (another
    process is trading), NotSent, BrokerError (it can't be read again), DaybookError (the journal can't be written).
    """
    request = shown.request
    refuse_other_accounts(settings, request.account_id)
    key = settings.trading_key()
    settings.prepare_home()
    journal = Journal(settings)
    record = new_record(settings, request, clock, run_id or new_run_id(clock.now), caller, shown.preview.as_json())
    with journal.locked(wait=wait):
        journal.write(record, "PREPARED")
        with TradingHttp(settings.base_url, key, timeout=timeout, secrets=settings.keys) as http:
            with _nothing_sent(journal, record):
                _check_books(settings)
                refuse_changed(shown)
            done = _send(http, journal, record, request)
        _land(settings, done, wait, on_progress)
    return done


def refuse_other_accounts(settings: Settings, account_id: str) -> None:
    """Raises ConfigurationError for an account that DAYBOOK_ACCOUNTS leaves out."""
    if settings.accounts and account_id not in settings.accounts:
        raise ConfigurationError(f"DAYBOOK_ACCOUNTS leaves account {account_id} out, so daybook doesn't trade in it.")


def _check_books(settings: Settings) -> None:
    """The books must be this broker's. Where they are in use just now, that is found out when the answer is landed.
    Raises WrongWarehouse."""
    try:
        with warehouse_session(settings, wait=0) as con:
            refuse_other_broker(con, settings.broker_host)
    except LockedOut:
        return


@contextmanager
def _nothing_sent(journal: Journal, record: Record) -> Iterator[None]:
    """What is refused in the block is written down as never sent."""
    try:
        yield
    except DaybookError as why:
        _never_sent(journal, record, str(why))
        raise


def _send(http: TradingHttp, journal: Journal, record: Record, request: TradeRequest) -> Trade:
    """The one place where a request leaves. From SENT on the record says that it may have arrived."""
    journal.write(record, "SENT")
    try:
        reply = http.send(request.method, request.path, request.body)
    except NotSent as why:
        _never_sent(journal, record, str(why))
        raise
    except Unanswered as why:
        record.why = str(why)
        return _keep(journal, Trade(record, None))
    except BaseException as error:  # Ctrl-C too: whatever it is, the request may have arrived
        record.why = f"interrupted while waiting for the answer ({type(error).__name__})"
        journal.write(record, "UNKNOWN")
        if isinstance(error, KeyboardInterrupt):
            return Trade(record, None)
        raise
    return _answered(journal, record, reply)


def _answered(journal: Journal, record: Record, reply: Reply) -> Trade:
    record.answer = Received.of(reply)
    answer = record.parsed_answer()
    done = Trade(record, answer)
    if reply.repeated_key:
        done.notes.append("The broker's answer had an API key in it; [key] is kept in its place.")
    if answer and done.outcome == "UNKNOWN":
        record.why = f"{_answer_summary(answer)}, which doesn't tell what became of it"
    return _keep(journal, done)


def _keep(journal: Journal, done: Trade) -> Trade:
    """Write down what came. A disk that refuses now must not keep the answer from whoever waits for it."""
    try:
        journal.write(done.record, "UNKNOWN" if done.outcome == "UNKNOWN" else "ANSWERED")
    except DaybookError as error:
        done.notes.append(f"{error} Keep this output: the books don't have it.")
    return done


def _never_sent(journal: Journal, record: Record, why: str) -> None:
    record.why = why
    record.resolution = Resolution("NEVER_SENT", why, record.now)
    journal.write(record, "RESOLVED")


def _land(settings: Settings, done: Trade, wait: float, on_progress: OnProgress) -> None:
    """Into the books, or a note why not yet: the answer is shown all the same."""
    try:
        with warehouse_session(settings, wait=wait, on_progress=on_progress) as con:
            done.notes += land_records(con, settings, [done.record])
        done.landed = True
    except DaybookError as error:
        path = Journal(settings).path(done.record.run_id)
        done.notes.append(
            f"The answer is not in the books yet: {error} It is kept in {path}, and the next run lands it."
        )


def _answer_summary(answer: Answer) -> str:
    return f"the broker answered {answer.status}" + (f" ({one_line(answer.error.message)})" if answer.error else "")
