"""Alerts: messages to people who are not watching. Each is one sentence, the day it is about, and what to do.

They are written down here every time, and sent out (delivery.py) once per incident: what goes wrong at four in the
afternoon and again at eight is one thing to hear of. Nothing here ever stops the run that had something to say.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from models.printable import printable
from pipelines.alerts.delivery import Message, get, routes
from pipelines.alerts.incidents import Incidents
from pipelines.archive.files import refuse_special
from pipelines.settings import Settings

#: How large alerts.log becomes, in bytes, and how many former ones are kept.
FULL, FORMER_LOGS = 2**20, 4
logger = logging.getLogger("daybook.alerts")


@dataclass(frozen=True)
class Alert:
    """`sentence` says what happened, `todo` what to do about it; `run` is the id of the run that it is about, `link` is
    where to look at it. Alerts of one `kind` about one day are one incident."""

    sentence: str
    todo: str
    trading_date: date | None = None
    run: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    kind: str = "OTHER"
    link: str | None = None

    def __str__(self) -> str:
        day = f"{self.trading_date}: " if self.trading_date else ""
        return f"{day}{self.sentence} {self.todo}"

    @property
    def incident(self) -> str:
        """The incident that it belongs to: its day and its kind."""
        return f"{self.trading_date or self.at.date()} {self.kind}"


Channel = Callable[[Settings, Alert], None]


def to_log(_: Settings, alert: Alert) -> None:
    """An error in the process's own log."""
    logger.error("%s", printable(alert))


def to_file(settings: Settings, alert: Alert) -> None:
    """A line of JSON in DAYBOOK_HOME/alerts.log."""
    _write(settings, asdict(alert))


def to_people(settings: Settings, alert: Alert) -> None:
    """E-mail and webhook, as far as they are set up, unless the incident is known there. What can't be delivered is a
    line in alerts.log, and tried again with the next alert."""
    message = Message(alert.incident, alert.sentence, alert.todo, str(alert.trading_date or ""), alert.link)
    note_undelivered(settings, *Incidents(settings.home).tell(message, routes(settings)))


CHANNELS: tuple[Channel, ...] = (to_log, to_file, to_people)
#: For a command that ends with the sentence: its terminal shows it once.
ELSEWHERE: tuple[Channel, ...] = (to_file, to_people)


def send(settings: Settings, alert: Alert, channels: tuple[Channel, ...] | None = None) -> None:
    """Send an alert on the channels, by default on all. Never raises: what can't be delivered is logged."""
    for channel in channels or CHANNELS:
        try:
            channel(settings, alert)
        except Exception:
            logger.exception("the alert could not be delivered by %s", channel.__name__)


def open_incidents(settings: Settings) -> dict[str, Message]:
    """The incidents that have not ended, by their name; none where that can't be read."""
    try:
        return Incidents(settings.home).open()
    except (OSError, TypeError, KeyError, AttributeError):
        return {}


def resolve(settings: Settings, incident: Message, sentence: str) -> None:
    """Say that an incident has ended, in alerts.log and to those who were told of it. Never raises."""
    message = replace(incident, sentence=f"RESOLVED: {sentence}", todo="Nothing is left to do.", link=None)
    try:
        logger.info("%s", printable(message.headline))
        _write(settings, {"resolved": incident.incident, "sentence": sentence, "at": datetime.now(UTC)})
        note_undelivered(settings, *Incidents(settings.home).resolve(message, routes(settings)))
    except Exception:
        logger.exception("the end of an incident could not be told")


def run_link(settings: Settings, run_id: str) -> str | None:
    """The URL of a Dagster run by its id; None where DAYBOOK_DAGSTER_URL is not set."""
    return f"{settings.dagster_url}/runs/{run_id}" if settings.dagster_url else None


def ping(settings: Settings) -> None:
    """Ping the monitor outside (DAYBOOK_PING_URL) after a COMPLETE evening: it alerts when no ping comes.

    It is all that can be done about a machine that is off. Never raises: a ping that is lost is an alert elsewhere.
    """
    if settings.ping_url is None:
        return
    try:
        get(settings.ping_url.get_secret_value())
    except OSError as error:
        logger.error("the ping of a complete evening was not heard (%s)", type(error).__name__)


def note_undelivered(settings: Settings, *failures: str) -> None:
    """A line in alerts.log for each thing that people could not be told of. Raises OSError."""
    for failure in failures:
        logger.error("not delivered: %s", failure)
        _write(settings, {"undelivered": failure, "at": datetime.now(UTC)})


def _write(settings: Settings, line: dict[str, object]) -> None:
    log = settings.home / "alerts.log"
    refuse_special(log)  # a pipe would hold the run until somebody reads
    _turn_over(log)
    with log.open("a", encoding="utf-8") as written:
        written.write(json.dumps(line, default=str) + "\n")


def _turn_over(log: Path) -> None:
    """Begin a new log where this one is full; the last ones stay beside it, .1 being the newest."""
    if not log.exists() or log.stat().st_size < FULL:
        return
    for number in range(FORMER_LOGS - 1, 0, -1):
        with suppress(FileNotFoundError):
            log.with_name(f"{log.name}.{number}").replace(log.with_name(f"{log.name}.{number + 1}"))
    with suppress(FileNotFoundError):  # another process was faster
        log.replace(log.with_name(f"{log.name}.1"))
