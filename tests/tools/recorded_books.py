"""The hand-checked books as what each evening landed: read once over HTTP, built as often as somebody asks.

A thousand books are built from there in the time of a hundred that are read. They are kept in a file; whatever of the
code that lands them changes, they are read again.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.archive.files import write_whole
from pipelines.books.build import build
from pipelines.books.catalog import Catalog
from pipelines.books.locks import lock_period
from pipelines.ingest.landing import TABLES
from pipelines.settings import Settings
from tests.integration.test_scenarios import FIELD, PAIRS, check_book
from tests.support.scenarios import Replay

ROOT = Path(__file__).parents[2]
#: What decides what is landed.
_LANDING = (
    *("models/*.py", "pipelines/broker/*.py", "pipelines/ingest/*.py"),
    *("tests/support/scenarios.py", "tests/support/broker_server.py"),
)


@dataclass(frozen=True)
class Evening:
    """What one evening landed, what people had said by then, and the period closed after it."""

    rows: dict[str, pa.Table]
    adjustments: str
    known_at: datetime
    lock: tuple[date, datetime] | None


@dataclass(frozen=True)
class RecordedBook:
    """A hand-checked book, and what it landed."""

    scenario: dict[str, Any]
    field: bool
    realized: Any
    evenings: tuple[Evening, ...]
    day_by_day: bool = True

    @property
    def kind(self) -> str:
        """How it is built."""
        return "checked by hand, day by day" if self.day_by_day else "checked by hand, in one go"

    @property
    def name(self) -> str:
        """Its id and name in the scenarios."""
        return f"{self.scenario['id']}_{self.scenario['name']}" + ("" if self.day_by_day else ", in one go")

    @property
    def size(self) -> int:
        """How much is told in it and expected of it."""
        return len(json.dumps(self.scenario))

    def build(self, con: duckdb.DuckDBPyConnection, home: Path, catalog: Catalog) -> None:
        """Land every evening of it in a warehouse without a row, and build each for itself or all in one go."""
        settings = Settings(base_url="http://127.0.0.1:1", home=home, realized=self.realized)
        for evening in self.evenings:
            settings.adjustments.write_text(evening.adjustments)
            for name, rows in evening.rows.items():
                con.register("landed", rows)
                con.execute(f"insert into raw.{name} by name select * from landed")
                con.unregister("landed")
            if not self.day_by_day and evening is not self.evenings[-1]:
                continue
            build(con, settings, catalog, built_at=evening.known_at)
            if evening.lock:
                through, at = evening.lock
                lock_period(con, through, at=at)
                build(con, settings, catalog, built_at=evening.known_at)

    def check(self, con: duckdb.DuckDBPyConnection) -> None:
        """Whether its tables say what was checked by hand."""
        check_book(con, self.scenario, field=self.field)


def recorded_books(folder: Path) -> list[RecordedBook]:
    """Every hand-checked book, each from a file of `folder` where it is there."""
    landing = _fingerprint()
    return [_recorded(folder, landing, scenario, field=scenario in FIELD) for scenario in (*PAIRS, *FIELD)]


def _fingerprint() -> bytes:
    """What decides what is landed, as a hash."""
    files = [path for pattern in _LANDING for path in ROOT.glob(pattern)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).digest()


def _recorded(folder: Path, landing: bytes, scenario: dict[str, Any], *, field: bool) -> RecordedBook:
    told = hashlib.sha256(landing + json.dumps(scenario, sort_keys=True).encode()).hexdigest()[:16]
    kept = folder / f"{scenario['id']}-{told}.pickle"
    if kept.exists():
        book: RecordedBook = pickle.loads(kept.read_bytes())  # noqa: S301  (we wrote it)
        return book
    folder.mkdir(parents=True, exist_ok=True)
    book = _record(scenario, field=field)
    write_whole(kept, pickle.dumps(book), durable=False)
    return book


def _record(scenario: dict[str, Any], *, field: bool) -> RecordedBook:
    with TemporaryDirectory() as folder, duckdb.connect(Path(folder) / "warehouse.duckdb") as con:
        replay = Replay(scenario, Path(folder))
        con.execute("set timezone = 'UTC'")
        seen: Counter[str] = Counter()
        evenings = []
        with replay.broker:
            for day, _ in zip(scenario["days"], replay.run(con), strict=True):
                evenings.append(_evening(day, _new_rows(con, seen), replay.settings().adjustments.read_text()))
        return RecordedBook(scenario, field, replay.settings().realized, tuple(evenings))


def _evening(day: dict[str, Any], rows: dict[str, pa.Table], adjustments: str) -> Evening:
    known_at = datetime.fromisoformat(day.get("known_at", day["snapshot_at"]))
    locked_at = datetime.fromisoformat(day["lock_at"]) if "lock_at" in day else known_at
    lock = (date.fromisoformat(day["lock_through"]), locked_at) if "lock_through" in day else None
    return Evening(rows, adjustments, known_at, lock)


def _new_rows(con: duckdb.DuckDBPyConnection, seen: Counter[str]) -> dict[str, pa.Table]:
    """What came into raw.* since it was last looked at; of dlt's own tables only the one that a build reads."""
    found = {}
    for name in (*TABLES, "_dlt_loads"):
        rows = con.execute(f"select * from raw.{name} order by rowid offset {seen[name]}").to_arrow_table()
        seen[name] += rows.num_rows
        if rows.num_rows:
            found[name] = rows
    return found
