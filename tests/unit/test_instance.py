"""Dagster's instance: made once in our home, one run at a time, and a slot that can't be left behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.instance import HOST, prepare_instance
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DAGSTER_HOME", "DAYBOOK_HOME", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "restored afterwards")
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_the_instance_lives_in_our_home_and_is_private(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "books")
    assert prepare_instance(settings) == settings.dagster
    assert os.environ["DAGSTER_HOME"] == str(settings.dagster)
    assert os.environ["DAYBOOK_HOME"] == str(settings.home)
    with dg.DagsterInstance.get() as instance:
        assert Path(instance.root_directory) == settings.dagster
    for path in settings.dagster.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_runs_queue_one_by_one_and_a_killed_one_frees_its_slot(tmp_path: Path) -> None:
    prepare_instance(Settings(home=tmp_path))
    with dg.DagsterInstance.get() as instance:
        said = instance.get_settings("concurrency")
        assert said["runs"] == {"max_concurrent_runs": 1}
        assert said["pools"] == {"granularity": "run", "default_limit": 1}
        monitoring = instance.get_settings("run_monitoring")
        assert monitoring["enabled"]
        assert monitoring["free_slots_after_run_end_seconds"] == 60
        assert monitoring["max_runtime_seconds"] == 7200
        assert instance.get_settings("run_retries") == {
            "enabled": True,
            "max_retries": 1,
            "retry_on_asset_or_op_failure": False,
        }
        assert instance.get_settings("telemetry") == {"enabled": False}


def test_what_a_person_changed_in_it_stays(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    config = prepare_instance(settings) / "dagster.yaml"
    config.write_text("telemetry:\n  enabled: false\nrun_retries:\n  enabled: false\n")
    prepare_instance(settings)
    assert "run_retries:\n  enabled: false" in config.read_text()


def test_a_home_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="can't be written"):
        prepare_instance(Settings(home=tmp_path / "file"))


def test_nobody_but_this_machine_reaches_the_ui() -> None:
    assert HOST == "127.0.0.1"
