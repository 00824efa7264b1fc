"""How Dagster's programs are, as `daybook serve` writes it down and `daybook status` reads it. Imports no Dagster."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.archive.files import read_file, write_whole
from pipelines.settings import Settings

#: After so long without a word, whoever writes it is not at work any more.
STALE = timedelta(seconds=60)
RUNNING, STARTING, DEAF, ENDED = "RUNNING", "STARTING", "NOT ANSWERING", "RESTARTING"
_MOST_BYTES = 2**16


@dataclass
class ProgramHealth:
    """One program: its `state` (RUNNING, STARTING, NOT ANSWERING, RESTARTING), process id, how often it had to be
    started again, and what is to be said about it."""

    name: str
    state: str = STARTING
    pid: int | None = None
    restarts: int = 0
    about: str = ""


@dataclass
class ServiceHealth:
    """The service of one home: the command, its process, where its pages are, since when, and when it last said so."""

    command: str
    pid: int
    url: str
    since: str
    at: str
    programs: list[ProgramHealth] = field(default_factory=list)

    def problems(self, now: datetime) -> list[str]:
        """What is wrong, in sentences; none where all is well."""
        if not _is_there(self.pid):
            return [f"`daybook {self.command}` was killed: process {self.pid} is gone. Start it again."]
        if self.command == "dev":
            return []  # it ends with the first of its programs
        if now - datetime.fromisoformat(self.at) > STALE:
            return [f"`daybook {self.command}` (process {self.pid}) has not been heard of since {self.at}: restart it."]
        if not self.programs:
            return [f"`daybook {self.command}` (process {self.pid}) is starting."]
        wrong = [each for each in self.programs if each.state != RUNNING]
        return [f"Dagster's {each.name}: {each.state}{f', {each.about}' if each.about else ''}." for each in wrong]


def write_health(settings: Settings, health: ServiceHealth) -> None:
    """Say how things are, whole or not at all. Raises OSError."""
    health.at = datetime.now(UTC).isoformat(timespec="seconds")
    write_whole(_file(settings), json.dumps(asdict(health), indent=1).encode(), durable=False)


def remove_health(settings: Settings) -> None:
    """An orderly end leaves nothing to say."""
    _file(settings).unlink(missing_ok=True)


def read_service(settings: Settings) -> ServiceHealth | None:
    """How the service of a home is; None where none runs, or none that this user may know of."""
    try:
        said = json.loads(read_file(_file(settings), _MOST_BYTES))
        programs = [ProgramHealth(**each) for each in said.pop("programs")]
        return ServiceHealth(**said, programs=programs)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _file(settings: Settings) -> Path:
    return settings.dagster / "service.json"


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # asks, and sends nothing
    except PermissionError:
        return True
    except OSError:
        return False
    return True
