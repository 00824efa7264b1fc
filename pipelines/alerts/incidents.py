"""The incidents that were reported, in one file of the home: each is sent once, its end is sent once, and what could
not be sent is kept.

Runs, sensors and commands are separate processes; each holds the lock of the file while it sends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipelines.alerts.delivery import Message, Route
from pipelines.archive.files import read_file, write_whole

KEPT = timedelta(days=90)
WAIT = 60.0  # seconds for another process that is telling
_Known = dict[str, dict[str, Any]]


class Incidents:
    """The incidents of one home, by day and kind. Of each: the message, when it began, and what it waits for."""

    def __init__(self, home: Path) -> None:
        self._file = home / "incidents.json"

    def tell(self, message: Message, routes: Mapping[str, Route]) -> list[str]:
        """Tell people on every route, unless they know of the incident; then what waited for them from before.

        Returns a sentence for every route that failed, with what waits for it. Raises OSError where the home can't be
        written and filelock.Timeout where another process keeps telling.
        """
        with FileLock(self._file.with_suffix(".lock"), timeout=WAIT):
            known = self._load()
            if message.incident not in known:
                now = datetime.now(UTC).isoformat()
                known[message.incident] = _entry(message, now, list(routes))
                self._save(known)  # before telling: told twice is better than never, but not every time
            failures = [each for name, route in routes.items() for each in _tell_all(known, name, route)]
            self._save(known)
        return failures

    def open(self) -> dict[str, Message]:
        """The incidents that people were told of, or are to be, and that have not ended."""
        known = self._load()
        return {key: Message(**known[key]["message"]) for key in known if " until " not in key}

    def resolve(self, message: Message, routes: Mapping[str, Route]) -> list[str]:
        """Tell people that the incident `message.incident` has ended, on the routes on which they were told of it.

        It is closed then: should it come again, it is told again. Returns and raises as `tell` does.
        """
        with FileLock(self._file.with_suffix(".lock"), timeout=WAIT):
            known = self._load()
            if message.incident in known:
                now = datetime.now(UTC).isoformat()
                begun = known.pop(message.incident)
                known[f"{message.incident} until {now}"] = begun
                told = [name for name in routes if name in begun.get("routes", routes)]
                known[f"{message.incident} RESOLVED until {now}"] = _entry(message, now, told)
                self._save(known)
            failures = [each for name, route in routes.items() for each in _tell_all(known, name, route)]
            self._save(known)
        return failures

    def _load(self) -> _Known:
        try:
            known: _Known = json.loads(read_file(self._file))
        except FileNotFoundError:
            return {}
        except ValueError:  # not whole: somebody edited it; rather tell again than keep silent
            return {}
        oldest = (datetime.now(UTC) - KEPT).isoformat()
        return {key: incident for key, incident in known.items() if incident["at"] >= oldest}

    def _save(self, known: _Known) -> None:
        write_whole(self._file, json.dumps(known, indent=1).encode(), durable=False)


def _entry(message: Message, now: str, routes: list[str]) -> dict[str, Any]:
    return {"message": asdict(message), "at": now, "routes": routes, "waiting": list(routes)}


def _tell_all(known: _Known, name: str, route: Route) -> list[str]:
    """Send on one route all messages that wait for it, oldest first, up to the first failure."""
    waiting = [incident for incident in known.values() if name in incident["waiting"]]
    for number, incident in enumerate(waiting):
        try:
            route(Message(**incident["message"]))
        except Exception as error:
            left = len(waiting) - number
            others = f" and {left - 1} more" if left > 1 else ""
            return [f"{incident['message']['incident']}{others} by {name}: {_reason(error)}"]
        incident["waiting"].remove(name)
    return []


def _reason(error: Exception) -> str:
    """What kind of failure it was. Its text may quote an address that is a secret, so only known parts are told."""
    code = getattr(error, "code", None) or getattr(error, "smtp_code", None)
    reason = getattr(error, "reason", None)
    detail = code or (type(reason).__name__ if isinstance(reason, Exception) else None)
    return f"{type(error).__name__} ({detail})" if detail else type(error).__name__
