"""What alerts.log remembers: for `daybook status` and `daybook doctor`, whoever sent the alerts."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.archive.files import refuse_special
from pipelines.settings import Settings

_TAIL = 2**18  # bytes of the log that are looked at: hundreds of alerts


@dataclass(frozen=True)
class FailedRun:
    """The last evening that ended with a failure. `is_over`: books were published after it."""

    at: datetime
    trading_date: str | None
    sentence: str
    todo: str
    is_over: bool


def last_failure(settings: Settings) -> FailedRun | None:
    """The last run that failed, by this machine's clock; None where none did, or none that can be told of."""
    try:
        alerts = [each for each in map(_read, _last_lines(settings)) if each.get("kind") == "RUN_FAILED"]
        last = alerts[-1]
        at = datetime.fromisoformat(last["at"])
        return FailedRun(at, last["trading_date"], str(last["sentence"]), str(last["todo"]), _published(settings) > at)
    except (OSError, IndexError, KeyError, ValueError, TypeError):
        return None


def _last_lines(settings: Settings) -> list[bytes]:
    path = settings.home / "alerts.log"
    refuse_special(path)
    with path.open("rb") as log:
        start = max(log.seek(0, os.SEEK_END) - _TAIL, 0)
        log.seek(start)
        lines = log.read().splitlines()
    return lines[1:] if start else lines


def _read(line: bytes) -> dict[str, Any]:
    """An alert; nothing where a line is not one, for people may edit the file."""
    try:
        alert = json.loads(line)
    except ValueError:
        return {}
    return alert if isinstance(alert, dict) else {}


def _published(settings: Settings) -> datetime:
    """When the books were published last; before anything else where they never were."""
    try:
        return datetime.fromtimestamp(settings.published_note.stat().st_mtime, UTC)
    except OSError:
        return datetime.min.replace(tzinfo=UTC)
