"""The hand-checked books as what each evening landed: read once over HTTP, built as often as somebody asks.

A thousand books are built from there in the time of a hundred that are read. They are kept in a file; whatever of the
code that lands them changes, they are read again.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
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
from tests.support.landing import forget, open_raw
from tests.support.scenarios import Replay

ROOT = Path(__file__).parents[2]
#: A book that takes longer hangs.
SECONDS = 600.0
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

    @property
    def name(self) -> str:
        """Its id and name in the scenarios."""
        return f"{self.scenario['id']}_{self.scenario['name']}"

    @property
    def size(self) -> int:
        """How much is told in it and expected of it."""
        return len(json.dumps(self.scenario))


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


class Bench:
    """A warehouse in memory in which recorded books are built, one after the other, by one catalogue: its tables take
    longer to make than to fill."""

    def __init__(self, catalog: Catalog, con: duckdb.DuckDBPyConnection, home: Path) -> None:
        self.catalog = catalog
        self.con = con
        self.home = home

    @classmethod
    @contextmanager
    def of(cls, catalog: Catalog) -> Iterator[Bench]:
        """One for the block."""
        with TemporaryDirectory() as home, open_raw() as con:
            yield cls(catalog, con, Path(home))

    def wrong_in(self, book: RecordedBook) -> str | None:
        """What is wrong with a book as it is built here, in a line; None where it comes out as was checked."""
        patience = Timer(SECONDS, self.con.interrupt)
        patience.start()
        try:
            self.build(book)
            check_book(self.con, book.scenario, field=book.field)
        except Exception as error:  # whatever it is, it was noticed
            return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        finally:
            patience.cancel()
        return None

    def build(self, book: RecordedBook) -> None:
        """Every evening of it, from nothing."""
        forget(self.con)
        settings = Settings(base_url="http://127.0.0.1:1", home=self.home, realized=book.realized)
        for evening in book.evenings:
            self._build(settings, evening)

    def _build(self, settings: Settings, evening: Evening) -> None:
        settings.adjustments.write_text(evening.adjustments)
        for name, rows in evening.rows.items():
            self.con.register("landed", rows)
            self.con.execute(f"insert into raw.{name} by name select * from landed")
            self.con.unregister("landed")
        build(self.con, settings, self.catalog, built_at=evening.known_at)
        if evening.lock:
            through, at = evening.lock
            lock_period(self.con, through, at=at)
            build(self.con, settings, self.catalog, built_at=evening.known_at)
