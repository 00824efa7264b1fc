"""Dagster's storage on PostgreSQL by one setting: an evening is remembered there, and no password is in the home."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from dagster_project.end_of_day import run_end_of_day
from dagster_project.instance import open_instance, prepare_instance
from pipelines.errors import ConfigurationError, DaybookError
from pipelines.settings import Settings
from tests.support.command_line import daybook, environment
from tests.support.dagster_ui import daybook_dev, wait_for
from tests.support.desk import FRIDAY
from tests.support.fault_books import broker
from tests.support.postgres import PASSWORD, needs_postgres, postgres


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "DAYBOOK_HOME", "DAGSTER_STORAGE_URL", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")


@needs_postgres
@pytest.mark.heavy
def test_an_evening_is_remembered_in_postgresql_and_the_password_is_in_its_own_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    with postgres(tmp_path / "pgpass") as server, broker(FRIDAY) as at:
        environ = {"DAYBOOK_HOME": str(home), "CLEAR_STREET_BASE_URL": at.url, "DAYBOOK_DAGSTER_STORAGE": server.url}
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / "nowhere"))
        settings = Settings.from_env(environ)
        prepare_instance(settings)
        with pytest.raises(DaybookError, match=r"can't reach its storage .*no password.*PGPASSFILE") as refused:
            open_instance()
        assert PASSWORD not in str(refused.value)
        assert refused.value.exit_code == 1  # a database comes back: whoever restarts the service shall
        monkeypatch.setenv("PGPASSFILE", str(server.passfile))
        monkeypatch.setenv("CLEAR_STREET_BASE_URL", at.url)
        assert run_end_of_day(settings).status == "COMPLETE"
        with dg.DagsterInstance.get() as instance:
            (run,) = instance.get_runs()
            assert (run.job_name, run.status.value) == ("end_of_day", "SUCCESS")
            assert instance.get_materialized_partitions(dg.AssetKey("published")) == {"2025-10-31"}
        stored = {"DAYBOOK_DAGSTER_STORAGE": server.url, "PGPASSFILE": str(server.passfile)}
        with daybook_dev(environment(home, at.url) | stored, tmp_path / "log", "serve") as service:
            # its parts tell of themselves in the database, too
            wait_for(lambda: daybook("serve", "--check", home=home).code == 0 or None, 120)
            assert (service.last_run(), service.end_of(run.run_id)) == (run.run_id, "SUCCESS")
            assert service.stop() == 0
    assert not (home / "dagster" / "history").exists()
    files = [path for path in home.rglob("*") if path.is_file()]
    assert [path.name for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_the_storage_is_a_part_of_dagsters_file_that_comes_and_goes_and_the_rest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Settings(home=tmp_path)
    config = prepare_instance(plain) / "dagster.yaml"
    config.write_text(config.read_text() + "# mine\n")
    before = config.read_text()
    storage = plain.model_copy(update={"dagster_storage": "postgresql://daybook@127.0.0.1/dagster"})
    for _ in range(2):
        prepare_instance(storage)
        assert config.read_text().startswith(before)
        assert config.read_text().count("storage:") == 1
    prepare_instance(plain)
    assert config.read_text() == before
    config.write_text("storage:\n  sqlite:\n    base_dir: /tmp\n")
    with pytest.raises(ConfigurationError, match="has a storage of its own"):
        prepare_instance(storage)
    monkeypatch.setattr("dagster_project.instance.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'daybook\[postgres\]'"):
        prepare_instance(storage)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://daybook:secret@127.0.0.1/dagster", "has a password in it"),
        ("postgresql://daybook@127.0.0.1/dagster?password=secret", "has a password in it"),
        ("postgresql://daybook@db.example.com/dagster", "sslmode=verify-full"),
        ("postgresql://daybook@db.example.com/dagster?sslmode=prefer", "sslmode=verify-full"),
        ("mysql://daybook@127.0.0.1/dagster", "is not the address of a database"),
        ("postgresql://127.0.0.1", "is not the address of a database"),
        ("postgresql://127.0.0.1:port/x", "is not the address of a database"),
    ],
)
def test_an_address_that_can_not_be_used_is_one_sentence_that_quotes_nothing(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"DAYBOOK_DAGSTER_STORAGE .*{words}") as refused:
        Settings.from_env({"DAYBOOK_DAGSTER_STORAGE": url})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["postgresql://daybook@[::1]/d", "postgresql://u@db.example.com/d?sslmode=verify-full"])
def test_an_address_that_is_safe_is_kept(url: str) -> None:
    assert Settings.from_env({"DAYBOOK_DAGSTER_STORAGE": url}).dagster_storage == url
