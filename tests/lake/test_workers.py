"""An evening by real workers, Dagster on PostgreSQL and Celery on Redis; one is killed in the middle of its part."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from pipelines.ingest.parts import part_of
from pipelines.settings import Lake, Settings
from pipelines.warehouse.connect import open_published
from tests.lake.conftest import NewLake
from tests.support.broker_server import BrokerServer, Fault, position
from tests.support.dagster_ui import daybook_dev, wait_for
from tests.support.lakes import new_database
from tests.support.postgres import Postgres
from tests.support.workers import needs_redis, redis_server, workers
from tests.tools.lake_demo import evening

DAY = date(2025, 10, 31)
KILLED, OTHER = "100001", "100002"
_RUNS = """
    select
        count(*) filter (where run_id like '%-' || $part || '-%'),
        count(*),
        (select count(*) from raw.positions where account_id = $account)
    from core.run
"""


def kill_whoever_reads(settings: Settings, part: int) -> None:
    """Kill the worker that holds a part, with all of its processes."""
    from pipelines.warehouse.lake.advisory import read_holder

    lake = settings.books
    assert isinstance(lake, Lake)
    holder = read_holder(lake, 100 + part)
    assert holder, "nobody reads the part"
    os.killpg(os.getpgid(int(holder["pid"])), signal.SIGKILL)


@needs_redis
@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_a_killed_worker_costs_its_part_a_second_start_and_the_part_lands_once(
    lake: NewLake, postgres: Postgres, tmp_path: Path
) -> None:
    reading = threading.Event()
    server = BrokerServer(
        accounts=[KILLED, OTHER],
        positions={each: [position(each, number) for number in range(20)] for each in (KILLED, OTHER)},
        instructions={},
        faults=[Fault("positions", account_id=KILLED, then=lambda _: reading.set(), drip=1.0)],
        now=datetime(2025, 10, 31, 20, 20, tzinfo=UTC),
    )
    with server, redis_server(tmp_path) as queue:
        settings = lake(tmp_path / "home", url=server.url)
        environ = {
            **os.environ,
            "CLEAR_STREET_BASE_URL": server.url,
            "DAYBOOK_HOME": str(settings.home),
            "DAYBOOK_LAKE": str(settings.lake),
            "DAYBOOK_LAKE_DATA": str(settings.lake_data),
            "DAYBOOK_DAGSTER_STORAGE": new_database(postgres),
            "DAYBOOK_CELERY": queue,
        }
        with daybook_dev(environ, tmp_path / "serve.log", "serve") as service, workers(environ, tmp_path, 3) as group:

            def kill() -> None:
                if reading.wait(300):
                    kill_whoever_reads(settings, part_of(KILLED))

            killing = threading.Thread(target=kill)
            killing.start()
            assert evening(service, settings, DAY, 600) == "COMPLETE, 2 of 2 accounts"
            killing.join()
            assert [each.poll() for each in group].count(-signal.SIGKILL) == 1
            assert wait_for(lambda: service.ask(_OF_PART)["runsOrError"]["results"], 30)
    with open_published(settings.books) as con:
        found = con.execute(_RUNS, {"part": f"{part_of(KILLED):02}", "account": KILLED}).fetchone()
    assert found == (1, 3, 20)  # a plan, and a part of each account


@needs_redis
@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")  # Celery's, of its own client of Redis
def test_a_worker_is_called_gone_only_when_nobody_has_said_four_times_that_he_has_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster_celery.launcher import WorkerStatus
    from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

    from dagster_project.launcher import WorkersLauncher

    monkeypatch.setattr("dagster_project.launcher._ANSWER_WITHIN", 0.1)
    with redis_server(tmp_path) as queue:
        launcher = WorkersLauncher("dagster", broker=queue, backend=queue)
        run = dg.DagsterRun(job_name="read", tags={DAGSTER_CELERY_TASK_ID_TAG: "of-a-worker-that-was-killed"})
        launcher.celery.backend.store_result("of-a-worker-that-was-killed", None, "STARTED")
        said = [launcher.check_run_worker_health(run).status for _ in range(4)]
        launcher.celery.close()
    assert said == [*[WorkerStatus.RUNNING] * 3, WorkerStatus.FAILED]


_OF_PART = '{ runsOrError(filter: {pipelineName: "read", statuses: [FAILURE]}) { ... on Runs { results { runId } } } }'
