"""The evening by workers: which runs the sensor asks for, when, and each of them once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.definitions import defs
from dagster_project.instance import prepare_instance, queue_address
from dagster_project.parts import requests_of
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings

DAY = "2025-10-31"
WITHIN = timedelta(minutes=60)
ALL = [f"{part:02}" for part in range(16)]
SUCCESS, FAILURE, STARTED = (dg.DagsterRunStatus[name] for name in ("SUCCESS", "FAILURE", "STARTED"))
CELERY = {
    "DAYBOOK_LAKE": "postgresql://daybook@127.0.0.1:1/daybook",
    "DAYBOOK_LAKE_DATA": "/nowhere/lake",
    "DAYBOOK_DAGSTER_STORAGE": "postgresql://daybook@127.0.0.1:1/dagster",
    "DAYBOOK_CELERY": "redis://127.0.0.1:6379/0",
}


class Evening:
    """Dagster's memory of an evening, and what the sensor asks for when it looks."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance

    def ran(self, job: str, status: dg.DagsterRunStatus, **tags: str) -> str:
        named = {key.replace("__", "/"): value for key, value in tags.items()}
        return self.instance.add_run(dg.DagsterRun(job_name=job, status=status, tags=named)).run_id

    def plan(self) -> str:
        return self.ran("plan", SUCCESS, dagster__partition=DAY, daybook__trigger="final")

    def part(self, name: str, status: dg.DagsterRunStatus, **tags: str) -> str:
        return self.ran("read", status, dagster__partition__day=DAY, dagster__partition__part=name, **tags)

    def asked(self, after: timedelta = timedelta()) -> list[str]:
        """The job of each run that is asked for, and its key without the plan's id."""
        found = requests_of(self.instance, datetime.now(UTC) + after, WITHIN)
        return [f"{each.job_name} {str(each.run_key).partition(' ')[2]}" for each in found]


@pytest.fixture
def evening() -> Iterator[Evening]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Evening(instance)


def test_a_plan_asks_for_its_sixteen_parts_and_for_no_books_before_they_have_ended(evening: Evening) -> None:
    assert evening.asked() == []
    evening.plan()
    (first, *_) = requests_of(evening.instance, datetime.now(UTC), WITHIN)
    assert (first.partition_key, first.tags["daybook/trigger"]) == (f"{DAY}|00", "final")
    assert evening.asked() == [f"read {part}" for part in ALL]
    for part in ALL[1:]:
        evening.part(part, SUCCESS)
    assert evening.asked() == ["read 00"]
    evening.part("00", STARTED)
    assert evening.asked() == []


def test_books_are_built_when_all_have_ended_and_once_for_what_is_there(evening: Evening) -> None:
    evening.plan()
    for part in ALL[1:]:
        evening.part(part, SUCCESS)
    crashed = evening.part("00", FAILURE, dagster__will_retry="true")
    assert evening.asked() == []  # Dagster is about to try it again
    evening.instance.add_run_tags(crashed, {"dagster/auto_retry_run_id": "another"})
    evening.part("00", FAILURE)
    assert evening.asked() == ["books books of 15 parts"]
    evening.part("00", SUCCESS)  # somebody has it read all the same
    assert evening.asked() == ["books books of 16 parts"]


def test_at_the_deadline_books_are_built_without_the_parts_that_have_not_come(evening: Evening) -> None:
    evening.plan()
    for part in ALL[:14]:
        evening.part(part, SUCCESS)
    for part in ALL[14:]:
        evening.part(part, STARTED)
    assert evening.asked(timedelta(minutes=59)) == []
    assert evening.asked(timedelta(minutes=61)) == ["books books of 14 parts"]


def test_the_last_plan_of_a_day_counts_and_one_of_yesterday_is_let_go(evening: Evening) -> None:
    evening.plan()
    for part in ALL:
        evening.part(part, SUCCESS)
    last = evening.plan()
    asked = list(requests_of(evening.instance, datetime.now(UTC), WITHIN))
    assert [str(each.run_key) for each in asked] == [f"{last} {part}" for part in ALL]
    assert evening.asked(timedelta(hours=25)) == []


def test_with_workers_there_are_three_more_jobs_and_the_schedules_begin_with_the_plan(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path))
    alone = {job.name for job in defs().resolve_all_job_defs()}
    assert {"plan", "read", "books"} & alone == set()
    for name, value in CELERY.items():
        monkeypatch.setenv(name, value)
    found = defs()
    assert {job.name for job in found.resolve_all_job_defs()} == alone | {"plan", "read", "books"}
    assert {schedule.job_name for schedule in found.get_repository_def().schedule_defs} == {"plan"}


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (
            {"DAYBOOK_CELERY": "redis://:secret@127.0.0.1/0"},
            "has a password in it; put it into DAYBOOK_CELERY_PASSWORD",
        ),
        ({"DAYBOOK_CELERY": "redis://queue.example.com/0"}, "would be spoken to unencrypted"),
        ({"DAYBOOK_CELERY": "amqp://127.0.0.1"}, "is not the address of a Redis server"),
        ({"DAYBOOK_LAKE": "", "DAYBOOK_LAKE_DATA": ""}, "is set without DAYBOOK_LAKE: workers on several hosts"),
        ({"DAYBOOK_REQUESTS_PER_SECOND": "0"}, "DAYBOOK_REQUESTS_PER_SECOND must be greater than 0"),
    ],
)
def test_settings_of_workers_that_can_not_be_used_are_one_sentence(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        Settings.from_env(CELERY | environ)
    assert "secret" not in str(refused.value)


def test_the_queues_password_is_in_its_address_only_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_env(CELERY | {"DAYBOOK_CELERY_PASSWORD": "p/ss"})
    assert queue_address(settings) == "redis://:p%2Fss@127.0.0.1:6379/0"
    assert "p/ss" not in repr(settings)


def test_dagsters_file_names_the_launcher_only_with_workers_and_one_that_somebody_changed_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DAGSTER_HOME", "DAYBOOK_HOME", "DAGSTER_STORAGE_URL", "DAGSTER_CELERY_BROKER", "PYTHONSAFEPATH"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("dagster_project.instance.find_spec", lambda _: object())
    alone, by_workers = Settings(home=tmp_path), Settings.from_env({**CELERY, "DAYBOOK_HOME": str(tmp_path)})
    config = prepare_instance(alone) / "dagster.yaml"
    shipped = config.read_text()
    prepare_instance(by_workers)
    assert "WorkersLauncher" in config.read_text()
    assert "applyLimitPerUniqueValue" in config.read_text()
    prepare_instance(alone)
    assert config.read_text() == shipped
    config.write_text(shipped + "# mine\n")
    with pytest.raises(ConfigurationError, match="was changed, and says nothing of workers"):
        prepare_instance(by_workers)
    monkeypatch.setattr("dagster_project.instance.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="install daybook with its extra `workers`"):
        prepare_instance(by_workers)
