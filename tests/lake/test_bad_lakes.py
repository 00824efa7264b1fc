"""Settings and lakes that can't be used: one sentence that says what to do, the right exit code, nothing half done."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from pipelines.errors import ConfigurationError, WrongWarehouse
from pipelines.settings import Settings
from pipelines.warehouse.connect import SCHEMA_VERSION, refuse_other_broker, remember
from pipelines.warehouse.migrations import Step, migrate
from pipelines.warehouse.session import warehouse_session
from tests.lake.conftest import NewLake
from tests.support.command_line import daybook, on_lake
from tests.support.lakes import Bucket, copy_of, snapshots
from tests.support.postgres import Postgres

psycopg = pytest.importorskip("psycopg", reason="the extra lake is not installed")

COMMANDS = (("sync",), ("build",), ("sql", "select 1"), ("report",), ("lake", "create"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_catalog_that_is_not_there_is_told_of(command: tuple[str, ...], tmp_path: Path) -> None:
    said = daybook(
        *command, home=tmp_path / "home", url="http://127.0.0.1:1",
        DAYBOOK_LAKE="postgresql://daybook@127.0.0.1:1/books", DAYBOOK_LAKE_DATA=str(tmp_path / "data"),
    )  # fmt: skip
    assert (said.code, "can't be reached (Connection refused): start PostgreSQL" in said.sentence) == (1, True)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", COMMANDS[:-1], ids=" ".join)
def test_a_database_without_a_lake_says_how_one_is_made(
    command: tuple[str, ...], lake: NewLake, tmp_path: Path
) -> None:
    settings = lake(tmp_path / "home", made=False)
    said = on_lake(settings, *command)
    assert (said.code, "make it once with `daybook lake create`" in said.sentence) == (1, True)


def test_a_lake_is_made_once_and_not_in_the_place_of_another(lake: NewLake, tmp_path: Path) -> None:
    settings = lake(tmp_path / "home")
    again = on_lake(settings, "lake", "create")
    assert (again.code, "was there already" in again.out) == (0, True)
    (Path(str(settings.lake_data)) / "tables").mkdir(exist_ok=True)
    (Path(str(settings.lake_data)) / "tables" / "some.parquet").touch()
    other = lake(tmp_path / "home", made=False)
    refused = on_lake(other, "lake", "create")
    assert (refused.code, "has the files of another lake already" in refused.sentence) == (2, True)
    elsewhere = settings.model_copy(update={"lake_data": f"{settings.lake_data}-elsewhere"})
    mistaken = on_lake(elsewhere, "sql", "select 1")
    assert (mistaken.code, "has its files in another place than DAYBOOK_LAKE_DATA" in mistaken.sentence) == (2, True)


def test_a_bucket_that_is_not_there_or_may_not_be_written_is_told_of(
    lake: NewLake, bucket: Bucket, tmp_path: Path
) -> None:
    settings = lake(tmp_path / "home", bucket=bucket, made=False)
    nowhere = settings.model_copy(update={"lake_data": "s3://no-such-bucket/books"})
    refused = on_lake(nowhere, "lake", "create")
    assert (refused.code, "can't be written" in refused.sentence) == (2, True)
    with psycopg.connect(str(settings.lake)) as con:  # nothing was made of it
        assert con.execute("select to_regclass('ducklake_snapshot')").fetchone() == (None,)


def test_a_role_that_writes_is_not_made_a_readers(lake: NewLake, tmp_path: Path) -> None:
    settings = lake(tmp_path / "home")
    refused = on_lake(settings, "lake", "create", "--reader", "daybook")
    assert (refused.code, "may write to the lake already" in refused.sentence) == (2, True)


def test_a_lake_of_another_broker_or_of_a_newer_daybook_is_left_alone(
    postgres: Postgres, lake_of_thursday: Settings, tmp_path: Path
) -> None:
    settings = copy_of(postgres, lake_of_thursday, tmp_path / "home", "https://broker.example.com")
    before = snapshots(settings)
    with warehouse_session(settings) as con:
        with pytest.raises(WrongWarehouse, match=r"set DAYBOOK_LAKE to another lake for broker\.example\.com"):
            refuse_other_broker(con, settings.broker_host)
        assert snapshots(settings) == before
        remember(con, "schema_version", str(SCHEMA_VERSION + 1))
    newer = on_lake(settings, "build")
    assert (newer.code, "written by a newer daybook" in newer.sentence) == (2, True)


def test_a_step_that_widens_is_taken_on_a_lake_in_one_commit_and_without_a_backup(
    postgres: Postgres, lake_of_thursday: Settings, tmp_path: Path
) -> None:
    settings = copy_of(postgres, lake_of_thursday, tmp_path / "home", "http://127.0.0.1:1")
    step = Step(
        SCHEMA_VERSION + 1,
        "days covered get room",
        (
            "alter table pnl.account_daily_version alter days_covered type hugeint",
            "alter table raw.extract_run add column desk varchar",
        ),
    )
    with warehouse_session(settings) as con:
        rows = con.execute("from pnl.account_daily order by all").fetchall()
        before = snapshots(settings)
        assert migrate(con, settings, steps=(step,)) is None
        assert con.execute("from pnl.account_daily order by all").fetchall() == rows
        assert con.execute("select distinct desk from raw.extract_run").fetchall() == [(None,)]
        assert snapshots(settings) > before
    assert not list(settings.backups.iterdir())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("backup",), "pg_dump copies its catalog"),
        (("compact",), "daybook lake maintain"),
        (("restore", "{backup}"), "restore it with DAYBOOK_LAKE unset"),
    ],
)
def test_what_a_lake_has_no_need_of_says_what_to_use_instead(
    command: tuple[str, ...], words: str, lake_of_thursday: Settings, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    said = on_lake(lake_of_thursday, *(each.format(backup=tmp_path) for each in command), home=home)
    assert (said.code, words in said.sentence) == (2, True)
    assert not list(home.rglob("*.duckdb"))


def test_the_doctor_and_verify_read_a_lake(lake_of_thursday: Settings, tmp_path: Path) -> None:
    well = on_lake(lake_of_thursday, "doctor")
    assert (well.code, "opens, and has 1 runs" in well.out) == (0, True), well
    verified = on_lake(lake_of_thursday, "verify", timeout=300)
    assert (verified.code, "All is as it was written." in verified.out) == (0, True), verified
    nowhere = lake_of_thursday.model_copy(update={"lake": "postgresql://daybook@127.0.0.1:1/no"})
    ill = on_lake(nowhere, "doctor")
    assert (ill.code, "FAIL" in ill.out) == (1, True)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"DAYBOOK_LAKE": "postgresql://127.0.0.1/books"}, "DAYBOOK_LAKE_DATA is not set"),
        ({"DAYBOOK_LAKE_DATA": "/srv/books"}, "DAYBOOK_LAKE_DATA is set without DAYBOOK_LAKE"),
    ],
)
def test_half_a_lake_is_none(variables: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Settings.from_env(variables)


def test_a_catalog_whose_certificate_has_expired_is_not_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    issued = authority.issue_cert("127.0.0.1", not_before=yesterday - timedelta(days=1), not_after=yesterday)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with tls_catalog(issued) as port:
        address = f"postgresql://daybook@127.0.0.1:{port}/books?sslmode=verify-full&sslrootcert={tmp_path / 'ca.pem'}"
        settings = Settings.model_validate(
            {"home": tmp_path / "home", "base_url": "http://127.0.0.1:1", "lake": address, "lake_data": str(tmp_path)}
        )
        for command in (("build",), ("sql", "select 1")):  # psycopg's word, and DuckDB's
            refused = on_lake(settings, *command)
            assert (refused.code, "can't be trusted (" in refused.sentence) == (1, True), refused


@contextmanager
def tls_catalog(certificate: trustme.LeafCert) -> Iterator[int]:
    """What of PostgreSQL comes before a certificate is shown: it agrees to speak TLS, and does. Its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                with near, suppress(OSError):
                    near.recv(8)  # SSLRequest
                    near.sendall(b"S")
                    context.wrap_socket(near, server_side=True).close()

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
