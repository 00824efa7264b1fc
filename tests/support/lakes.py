"""Lakes of a test's own: a server of S3's kind, a new lake, and the same evenings in a file and in it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import duckdb

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.ingest.replay import replay
from pipelines.ingest.snapshot import Snapshot
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from tests.support.example_books import FORBIDDEN, RESTATED, replay_evenings, say
from tests.support.postgres import Postgres
from tests.support.processes import Process

WEEK = 5  # sessions from FORBIDDEN on
STORE_SECRET = "store-secret-that-must-never-be-seen-4711"
#: Settings of S3 clients: every process of a test has them, be the lake in a bucket or in a folder.
STORE = {"AWS_ACCESS_KEY_ID": "daybook", "AWS_SECRET_ACCESS_KEY": STORE_SECRET, "AWS_REGION": "us-east-1"}
#: What has to be installed for a lake; one that isn't is named by the tests that are skipped for it.
NEEDED = ("psycopg", "duckdb_extension_ducklake", "duckdb_extension_httpfs", "duckdb_extension_postgres_scanner")
_numbers = count(1)


def missing() -> list[str]:
    """The packages of the extra `lake`, and of its tests, that are not installed."""
    return [name for name in (*NEEDED, "moto") if find_spec(name) is None]


@dataclass
class Bucket:
    """A server of S3's kind in a process of its own, the bucket on it, and the variables that lead there."""

    process: subprocess.Popen[bytes]
    url: str
    name: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a client finds it."""
        return {**STORE, "AWS_ENDPOINT_URL": self.url}


@contextmanager
def s3_server(name: str = "books") -> Iterator[Bucket]:
    """A server of S3's kind (moto's) with one bucket, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bucket = Bucket(process, f"http://127.0.0.1:{port}", name)
    try:
        _make_bucket(bucket)
        yield bucket
    finally:
        process.kill()
        process.wait()


def _make_bucket(bucket: Bucket) -> None:
    deadline = time.monotonic() + 60
    while True:
        with suppress(OSError):
            request = urllib.request.Request(f"{bucket.url}/{bucket.name}", method="PUT")  # noqa: S310
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
            return
        assert bucket.process.poll() is None, "the S3 server ended"
        assert time.monotonic() < deadline, "the S3 server did not start to listen"
        time.sleep(0.1)


def new_database(postgres: Postgres) -> str:
    """A new database of a server; its address."""
    import psycopg

    name = f"lake{os.getpid()}x{next(_numbers)}"
    with psycopg.connect(postgres.url, autocommit=True) as con:
        con.execute(f"create database {name}")
    return f"{postgres.url.rpartition('/')[0]}/{name}"


def create(settings: Settings, reader: str | None = None) -> list[str]:
    """Make the lake of the settings; what was said."""
    from pipelines.warehouse.lake.create import create_lake

    return list(create_lake(settings, reader))


def week(home: Path) -> None:
    """A home with the example books' last days of February: an account that could not be read, a split, a lock, and
    what people said of it before and after. Built after two of the evenings, and at the end."""
    replay_evenings(home, FORBIDDEN, WEEK, build_on)


def build_on(day: date) -> bool:
    """The evenings after which the week is built: more take longer, and tell no more."""
    return day in (FORBIDDEN, RESTATED)


def week_again(settings: Settings, archive: Path) -> None:
    """The week of an archive, landed and built again: the same books, whatever kind of warehouse has them."""
    with warehouse_session(settings, rebuilding=True) as con:

        def after(snapshot: Snapshot) -> None:
            if build_on(snapshot.trading_date):
                build(con, settings, CATALOG)

        done = replay(con, settings, archive=archive, after=after)
        assert not done.damaged, done.damaged
        say(con, settings)


def clone_database(postgres: Postgres, catalog: str) -> str:
    """A copy of a database that nobody is connected to; its address."""
    import psycopg

    name = f"lake{os.getpid()}x{next(_numbers)}"
    with psycopg.connect(postgres.url, autocommit=True) as con:
        con.execute(f"create database {name} template {catalog.rpartition('/')[2]}")
    return f"{postgres.url.rpartition('/')[0]}/{name}"


def copy_of(postgres: Postgres, settings: Settings, home: Path, url: str) -> Settings:
    """A lake of its own with the books of another one, which nobody has open: its catalog copied, its files shared,
    for no file of a lake is written twice. Seen from a home that is not made yet, with the broker at `url`."""
    catalog = clone_database(postgres, str(settings.lake))
    return settings.model_copy(update={"home": home, "lake": catalog, "base_url": url})


def snapshots(settings: Settings) -> int:
    """The number of the last commit to a lake."""
    import psycopg

    with psycopg.connect(str(settings.lake)) as con:
        return int(con.execute("select max(snapshot_id) from ducklake_snapshot").fetchone()[0])


def killed_after(process: Process, settings: Settings, commits: int) -> bool:
    """Kill a process with SIGKILL as soon as it has committed so often; whether it had not ended by itself before."""
    import psycopg

    with psycopg.connect(str(settings.lake), autocommit=True) as con:
        query = "select max(snapshot_id) from ducklake_snapshot"
        last = con.execute(query).fetchone()[0] + commits
        while process.poll() is None:
            if con.execute(query).fetchone()[0] >= last:
                process.kill()
                return process.wait() == -signal.SIGKILL
            time.sleep(0.002)
    return False


def table_names(con: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    """The tables and views of raw, core, pnl and quality, without what dlt notes of itself."""
    rows = con.execute(
        """
        select schema_name || '.' || table_name from duckdb_tables() where database_name = $1
            and schema_name in ('raw', 'core', 'pnl', 'quality') and table_name not like '\\_dlt\\_%' escape '\\'
        union all
        select schema_name || '.' || view_name from duckdb_views() where database_name = $1
            and schema_name in ('raw', 'core', 'pnl', 'quality')
        order by all
        """,
        [database],
    ).fetchall()
    return [name for (name,) in rows]


def exported(con: duckdb.DuckDBPyConnection, database: str, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Every table and view of a database as a Parquet file of `folder`; the types of their columns."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    types: dict[str, list[tuple[str, str]]] = {}
    for name in table_names(con, database):
        types[name] = [(row[0], row[1]) for row in con.execute(f"describe {name}").fetchall()]
        kept = ", ".join(_kept(name, column, kind) for column, kind in types[name] if column != "_dlt_load_id")
        con.execute(f"copy (select {kept} from {name}) to '{folder / name}.parquet'")
    return types


def _kept(table: str, column: str, kind: str) -> str:
    """A column as it is compared: statistics of returns are sums of floating-point numbers, whose last digit is that of
    the order in which they were added."""
    is_sum = table == "pnl.performance" and kind == "DECIMAL(18,10)"
    return f'round("{column}", 8) as "{column}"' if is_sum else f'"{column}"'
