"""`make lake-demo`: the demo's evenings in parts, by four workers into a lake, and the same books as in one file.

Starts PostgreSQL, a server of S3's kind, Redis, Dagster and four workers, each on a port of its own on loopback and
with its files in one temporary folder, and ends all of them.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from pydantic import SecretStr

from assets.catalog import CATALOG
from daybook.demo_script import INCIDENTS, runs_of
from pipelines.books.build import build
from pipelines.errors import NotPublished
from pipelines.ingest.snapshot import take_snapshot
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.session import warehouse_session
from tests.support.dagster_ui import Dev, daybook_dev, wait_for
from tests.support.lakes import create, new_database, s3_server
from tests.support.postgres import postgres
from tests.support.same_books import different
from tests.support.workers import redis_server, workers

LONGEST = 900  # seconds for an evening
_BUILT = "select count(*) from core.run where trading_date = $day"
_DAY = "select status, accounts_complete, accounts_expected from quality.day where trading_date = $day"


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay, show and compare; 0 where the books are the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=3, help="how many of the demo's trading days")
    parser.add_argument("--keep", action="store_true", help="leave everything running until Enter is pressed")
    asked = parser.parse_args(arguments)
    began = time.monotonic()
    with TemporaryDirectory(prefix="daybook-lake-demo-") as folder, ExitStack() as servers:
        root = Path(folder)
        sandbox = servers.enter_context(Sandbox(days=asked.days, incidents=INCIDENTS))
        settings, environ = _start(root, sandbox.url, servers)
        service = servers.enter_context(daybook_dev(environ, root / "serve.log", "serve"))
        servers.enter_context(workers(environ, root))
        print(f"Dagster, with every run of what follows: {service.link}", flush=True)
        for day in sandbox.days:
            for at in runs_of(sandbox, day):
                sandbox.clock.set(at)
                print(f"{day}: {evening(service, settings, day)}", flush=True)
        unlike = _compare(root / "file", settings, sandbox)
        print("\n".join(unlike) or f"Every table is that of one file, after {time.monotonic() - began:.0f} s.")
        if asked.keep:
            input("Everything still runs. Enter ends it. ")
    return 1 if unlike else 0


def _start(root: Path, broker: str, servers: ExitStack) -> tuple[Settings, dict[str, str]]:
    """The servers, a lake that is new; its settings, and the environment of those who work on it."""
    database = servers.enter_context(postgres(root / "pgpass"))
    os.environ["PGPASSFILE"] = str(root / "pgpass")
    bucket = servers.enter_context(s3_server())
    os.environ.update(bucket.environment)
    queue = servers.enter_context(redis_server(root))
    lake = new_database(database)
    named = {
        "CLEAR_STREET_BASE_URL": broker,
        "CLEAR_STREET_API_KEY": "sandbox",
        "DAYBOOK_HOME": str(root / "home"),
        "DAYBOOK_LAKE": lake,
        "DAYBOOK_LAKE_DATA": f"s3://{bucket.name}/{lake.rpartition('/')[2]}",
        "DAYBOOK_DAGSTER_STORAGE": new_database(database),
        "DAYBOOK_CELERY": queue,
    }
    settings = Settings.from_env(named)
    print(create(settings)[0])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DAYBOOK_", "CLEAR_STREET_"))}
    return settings, kept | named


def evening(service: Dev, settings: Settings, day: date, within: float = LONGEST) -> str:
    """Have a day planned, and wait until its parts are read and built; how it stands then."""
    before = asked_lake(settings, _BUILT, day)
    run = service.launch("plan", [{"key": "dagster/partition", "value": day.isoformat()}])
    assert service.end_of(run) == "SUCCESS", "the plan did not go through"

    def built() -> list[tuple[object, ...]] | None:
        return (asked_lake(settings, _DAY, day) or None) if asked_lake(settings, _BUILT, day) != before else None

    ((status, complete, expected),) = wait_for(built, within)
    return f"{status}, {complete} of {expected} accounts"


def asked_lake(settings: Settings, query: str, day: date) -> list[tuple[object, ...]]:
    """What the lake answers about a day; nothing where it was never built."""
    try:
        with open_published(settings.books) as con:
            return con.execute(query, {"day": day}).fetchall()
    except (NotPublished, duckdb.CatalogException):
        return []


def _compare(home: Path, settings: Settings, sandbox: Sandbox) -> list[str]:
    """Read the same evenings into one file; what is not the same in the lake."""
    alone = Settings(base_url=sandbox.url, api_key=SecretStr("sandbox"), home=home)
    with warehouse_session(alone) as con:
        for day in sandbox.days:
            for at in runs_of(sandbox, day):
                sandbox.clock.set(at)
                take_snapshot(con, alone)
                build(con, alone, CATALOG)
    return different(alone.warehouse, settings)


if __name__ == "__main__":
    raise SystemExit(main())
