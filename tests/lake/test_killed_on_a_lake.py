"""A sync and a build on a lake that are killed with SIGKILL lose nothing, and show nothing by halves: whoever comes
next, here or on a host that never had a page of it, makes the evening what it would have been."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer
from tests.support.command_line import DAYBOOK, environment, lake_variables
from tests.support.fault_books import Books, close_day, published
from tests.support.kill import kill
from tests.support.lakes import killed_after, snapshots
from tests.support.processes import Process

OnFriday = tuple[BrokerServer, Settings]
#: Before any of it, between its statements, and before its commit.
POINTS = (
    "before the tables are made", "after the tables are made", "after days replaced 1", "after days replaced 4",
    "after days replaced 9", "before versions are added", "after versions are added", "after the second versions",
    "after the last select, uncommitted", "before the commit",
)  # fmt: skip


@pytest.mark.heavy
@pytest.mark.kill
def test_a_sync_killed_at_any_of_its_commits_is_made_good_here_and_elsewhere(
    on_friday: OnFriday, undisturbed: tuple[Books, list[Books]], tmp_path: Path
) -> None:
    _, settings = on_friday
    commits = 1
    while _killed_sync(settings if commits % 3 else _elsewhere(settings, tmp_path, commits), commits):
        commits += 1
    assert commits > 10  # each table is a commit of its own
    close_day(settings)
    assert published(settings)[0] == undisturbed[0]
    with warehouse_session(settings) as con:
        unfinished = con.execute(
            """
            select count(*) from core.run where run_id not in (
                select run_id from raw.extract_run
                inner join raw._dlt_loads as load on _dlt_load_id = load_id and load.status = 0
            )
            """
        )
        assert unfinished.fetchone() == (0,)
        twice = con.execute("select count(*) - count(distinct load_id) from raw._dlt_loads").fetchone()
        assert twice == (0,)


def _elsewhere(settings: Settings, folder: Path, number: int) -> Settings:
    return settings.model_copy(update={"home": folder / f"elsewhere-{number}"})


def _killed_sync(settings: Settings, commits: int) -> bool:
    env = environment(settings.home, settings.base_url, **lake_variables(settings))
    devnull = subprocess.DEVNULL
    with Process([DAYBOOK, "sync"], env=env, stdin=devnull, stdout=devnull, stderr=devnull) as process:
        return killed_after(process, settings, commits)


@pytest.mark.heavy
@pytest.mark.kill
def test_a_build_killed_anywhere_changes_nothing_and_the_next_is_whole(
    on_friday: OnFriday, undisturbed: tuple[Books, list[Books]]
) -> None:
    _, settings = on_friday
    kill("after the sync", settings, "sync")
    landed = snapshots(settings)
    for point in POINTS:
        kill(point, settings, "build")
        assert snapshots(settings) == landed, point
    kill("after the build", settings, "build")  # its commit is its publication
    assert published(settings) == undisturbed
