"""Alerts: what somebody has to hear of who isn't looking. Each is one sentence, the day it is about, and what to do.

A channel is a function of settings and alert. They are tried one by one, and one that fails never stops the others, nor
the run that had something to say.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime

from pipelines.settings import Settings

logger = logging.getLogger("daybook.alerts")


@dataclass(frozen=True)
class Alert:
    """`sentence` says what happened, `todo` what to do about it; `run` is the id of the run that it is about."""

    sentence: str
    todo: str
    trading_date: date | None = None
    run: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __str__(self) -> str:
        day = f"{self.trading_date}: " if self.trading_date else ""
        return f"{day}{self.sentence} {self.todo}"


Channel = Callable[[Settings, Alert], None]


def to_log(_: Settings, alert: Alert) -> None:
    """An error in the process's own log."""
    logger.error("%s", alert)


def to_file(settings: Settings, alert: Alert) -> None:
    """A line of JSON in DAYBOOK_HOME/alerts.log."""
    with (settings.home / "alerts.log").open("a", encoding="utf-8") as log:
        log.write(json.dumps(asdict(alert), default=str) + "\n")


CHANNELS: tuple[Channel, ...] = (to_log, to_file)


def send(settings: Settings, alert: Alert) -> None:
    """Say it on every channel. Never raises: an alert that can't be delivered is an error in the log."""
    for channel in CHANNELS:
        try:
            channel(settings, alert)
        except Exception:
            logger.exception("the alert could not be delivered by %s", channel.__name__)
