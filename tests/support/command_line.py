"""The real `daybook` command in a process of its own (processes.py), with an environment of its own."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.settings import Settings
from tests.support.processes import run

DAYBOOK = Path(sys.executable).with_name("daybook")
KEY = "key-that-must-never-be-seen-4711"
EVENING = datetime(2025, 10, 31, 20, 20, tzinfo=UTC)  # 20 minutes after the close of a Friday
NEXT_EVENING = datetime(2025, 11, 3, 21, 20, tzinfo=UTC)  # the Monday after; the clocks have changed


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line on stderr. Fails where there are more, or a traceback, or the key."""
        assert KEY not in self.out + self.err
        assert "Traceback" not in self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


def environment(home: Path, url: str | None = None, **more: str) -> dict[str, str]:
    """An environment with nothing of ours from outside; the key is set where a broker is."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CLEAR_STREET", "DAYBOOK"))}
    broker = {"CLEAR_STREET_BASE_URL": url, "CLEAR_STREET_API_KEY": KEY} if url else {}
    return {**mine, "DAYBOOK_HOME": str(home), **broker, **more}


def on_lake(settings: Settings, *arguments: str, home: Path | None = None, timeout: float = 60, **more: str) -> Ended:
    """Run a command to its end on the lake of the settings, in their home or another."""
    return daybook(
        *arguments,
        home=home or settings.home,
        url=settings.base_url,
        timeout=timeout,
        DAYBOOK_LAKE=more.pop("lake", settings.lake or ""),
        DAYBOOK_LAKE_DATA=settings.lake_data or "",
        **more,
    )


def lake_variables(settings: Settings) -> dict[str, str]:
    """The variables of the lake that the settings name; none where they name none."""
    if settings.lake is None or settings.lake_data is None:
        return {}
    return {"DAYBOOK_LAKE": settings.lake, "DAYBOOK_LAKE_DATA": settings.lake_data}


def daybook(
    *arguments: str,
    home: Path,
    url: str | None = None,
    stdin: str | bytes = "",
    timeout: float = 60,
    **more: str,
) -> Ended:
    """Run a command to its end, `timeout` seconds at most."""
    said = stdin if isinstance(stdin, bytes) else stdin.encode()
    ended = run([DAYBOOK, *arguments], env=environment(home, url, **more), stdin=said, timeout=timeout)
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What a DuckDB file says, opened as anyone would."""
    with duckdb.connect(path, read_only=True) as con:
        return con.execute(query).fetchall()
