"""`daybook eod`: the end_of_day job, in this process and on the same instance that the schedules use."""

from dataclasses import dataclass
from datetime import date
from functools import partial

import dagster as dg
import duckdb

from assets.orchestration.open_books import OpenBooks
from assets.orchestration.partitions import trading_days
from assets.orchestration.raw import TRIGGER
from assets.orchestration.recovery import MissedEvening, evening_before
from dagster_project.definitions import defs
from dagster_project.instance import open_instance, prepare_instance
from pipelines.alerts.alert import ELSEWHERE, Alert, send
from pipelines.broker.client import BrokerClient, ClockReading
from pipelines.calendar import TradingCalendar
from pipelines.errors import INCOMPLETE, ConfigurationError, DaybookError, todo_after, with_full_stop
from pipelines.ingest.warehouse_state import read_warehouse_state
from pipelines.progress import OnProgress, ignore_progress
from pipelines.settings import Settings
from pipelines.warehouse.published import check_published
from pipelines.warehouse.session import warehouse_session

_STANDING = "select status, accounts_complete, accounts_expected from quality.day where trading_date = ?"
#: A person reads our sentences; Dagster's log of the run is in its UI.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
#: What Dagster's UI lists the runs of a job by; a run that is executed in this process has it from nobody else.
_OF_OUR_JOBS, _LOCATION = ".dagster/repository", "__repository__@daybook"


@dataclass(frozen=True)
class DayStatus:
    """How a trading day stands when its run is over. `status` is that of quality.day (COMPLETE, INCOMPLETE or BROKEN),
    None where the market has not closed yet; accounts are counted. `missed` says that it is the session before, whose
    evening was missed, and what the run has made of that."""

    day: date
    status: str | None
    accounts_complete: int = 0
    accounts_expected: int = 0
    missed: MissedEvening | None = None

    @property
    def exit_code(self) -> int:
        """0 where the day is COMPLETE, 3 where it is not, or not over yet."""
        return 0 if self.status == "COMPLETE" else INCOMPLETE

    def __str__(self) -> str:
        if self.status is None:
            return f"{self.day} has not closed yet: what was read is kept, but it is not the end of the day."
        standing = f"{self.day} is {self.status}: {self.accounts_complete} of {self.accounts_expected} accounts whole."
        return standing if self.missed is None else f"{_recovery(self.missed, self.accounts_expected)} {standing}"


def _recovery(missed: MissedEvening, expected: int) -> str:
    """What became of an evening that was missed, in a sentence."""
    if not missed.recovered:
        return (
            f"{missed.unknown} of {expected} accounts were not read after the close of {missed.day}, and that day "
            "could not be recovered: quality.finding says why (not_recovered)."
        )
    rest = f"; {missed.unknown} could not be recovered (not_recovered in quality.finding)" if missed.unknown else ""
    return (
        f"{missed.recovered} of {expected} accounts were not read after the close of {missed.day}: RECOVERED from a "
        f"snapshot of the session after it, less what was traded since that close{rest}."
    )


def run_end_of_day(settings: Settings, on_progress: OnProgress = ignore_progress, *, wait: float = 60.0) -> DayStatus:
    """Close the trading day of the broker's clock: run the end_of_day job of that day, and say how the day stands.

    Before the close, the job recovers the session before it where nobody read that one's end.

    Waits up to `wait` seconds for another run. Raises DaybookError (ConfigurationError, LockedOut, Unauthorized, ...)
    with one sentence where it fails; once it has the books, a failure is also an alert.
    """
    settings.reading_key()
    with warehouse_session(settings, wait=wait, on_progress=on_progress) as con:
        day = None
        try:
            clock = _clock(settings)
            day = _trading_day(con, clock)
            _execute(OpenBooks(settings, lambda: con, on_progress, partial(send, settings), clock), day)
            check_published(con, settings)  # once more: the report takes a while, and this is what people are told
        except Exception as error:
            sentence = with_full_stop(f"daybook eod failed: {error}")
            todo = todo_after(type(error).__name__)
            send(settings, Alert(sentence, todo, day, kind="RUN_FAILED"), ELSEWHERE)  # the command says it itself
            raise
        return _status(con, settings, day)


def _clock(settings: Settings) -> ClockReading:
    with BrokerClient.of(settings) as client:
        return client.clock()


def _trading_day(con: duckdb.DuckDBPyConnection, clock: ClockReading) -> date:
    """The day that the broker's clock is in, asked before the run because the run is named after it."""
    day = TradingCalendar.load(read_warehouse_state(con).overrides).assign(clock.now).trading_date
    if not trading_days.has_partition_key(day.isoformat()):
        raise ConfigurationError(
            f"{day} is a trading day to the broker, but not by this machine's clock or daybook's own calendar: set the "
            "clock or update daybook. `daybook sync` and `daybook build` close the day meanwhile."
        )
    return day


def _execute(books: OpenBooks, day: date) -> None:
    """Run the job for a day. Raises DaybookError with the sentence of what failed; a defect leaves as it is."""
    prepare_instance(books.settings)
    job = defs().resolve_job_def("end_of_day")
    with open_instance() as instance:
        try:
            job.execute_in_process(
                instance=instance,
                partition_key=day.isoformat(),
                resources={"books": books},
                run_config=_QUIET,
                tags={TRIGGER: "eod", _OF_OUR_JOBS: _LOCATION},
            )
        except dg.Failure as failure:
            raise _cause_of(failure) from failure


def _cause_of(failure: dg.Failure) -> DaybookError:
    """The error behind a step's failure, with its own exit code; else the sentence that the step failed with."""
    cause = failure.__cause__
    return cause if isinstance(cause, DaybookError) else DaybookError(failure.description or "The run failed.")


def _status(con: duckdb.DuckDBPyConnection, settings: Settings, day: date) -> DayStatus:
    """How the day stands in the books; where it has not closed yet and the evening before it was missed, how that one
    stands. A BROKEN one is alerted; an INCOMPLETE one was, by the run itself."""
    row = con.execute(_STANDING, [day]).fetchone()
    missed = evening_before(con, day) if row is None else None
    if missed is not None:
        day = missed.day
        row = con.execute(_STANDING, [day]).fetchone()
    if row is None:
        return DayStatus(day, None)
    status, complete, expected = row
    closed = DayStatus(day, status, complete, expected, missed)
    if closed.status == "BROKEN":
        todo = "Read quality.finding of the day; it is published, and marked."
        send(settings, Alert("The day is BROKEN: an invariant of the books does not hold.", todo, day, kind="BROKEN"))
    return closed
