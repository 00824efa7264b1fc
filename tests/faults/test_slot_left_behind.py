"""F13: a run that was killed stands in nobody's way for longer than Dagster's longest run may take."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.instance import prepare_instance
from pipelines.warehouse.doctor import examine
from tests.support.command_line import environment
from tests.support.dagster_ui import daybook_dev
from tests.support.fault_books import close_day, friday, published, thursday
from tests.support.kill import kill

LONGEST = 30  # seconds; two hours as shipped


def run_statuses(home: Path) -> list[str]:
    """How every run of Dagster ended, oldest first."""
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        return [run.status.value for run in reversed(instance.get_runs())]


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_the_next_run_of_the_queue_waits_no_longer_than_a_run_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DAGSTER_HOME", "DAYBOOK_HOME", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "restored afterwards")
    with friday(thursday(tmp_path / "thursday"), tmp_path / "home") as (server, settings):
        config = prepare_instance(settings) / "dagster.yaml"
        shipped = config.read_text()
        shorter = shipped.replace("max_runtime_seconds: 7200", f"max_runtime_seconds: {LONGEST}")
        config.write_text(shorter.replace("poll_interval_seconds: 30", "poll_interval_seconds: 2"))
        assert config.read_text().count(f": {LONGEST}\n") == 1
        kill("after the load of positions", settings, "eod")
        assert run_statuses(settings.home) == ["STARTED"]  # nobody is left to say that it ended
        assert any("was killed" in each.what and "no other run can start" in each.what for each in examine(settings))
        with daybook_dev(environment(settings.home, server.url), tmp_path / "dev.log") as dev:
            asked = datetime.now(UTC)
            tags = {"dagster/partition": "2025-10-31", "dagster/max_runtime": "600"}
            run = dev.launch("end_of_day", [{"key": key, "value": value} for key, value in tags.items()])
            assert dev.end_of(run) == "SUCCESS"
            assert (datetime.now(UTC) - asked).total_seconds() < LONGEST + 120
        assert run_statuses(settings.home) == ["FAILURE", "SUCCESS"]
        books, _ = published(settings)
        close_day(settings)
        assert published(settings)[0] == books
