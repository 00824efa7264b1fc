"""One process at a time writes the books of a lake, on whatever host; one that has lost its lock changes nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import CATALOG
from pipelines.books import build as building
from pipelines.errors import BuildFailed
from pipelines.ingest.snapshot import take_snapshot
from pipelines.settings import Lake, Settings
from pipelines.warehouse.lake.advisory import lake_lock, read_holder
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer
from tests.support.command_line import on_lake
from tests.support.fault_books import Books, close_day, published
from tests.support.lakes import snapshots

psycopg = pytest.importorskip("psycopg", reason="the extra lake is not installed")

OnFriday = tuple[BrokerServer, Settings]
_HOLD = """
import sys, time
from pipelines.settings import Lake
from pipelines.warehouse.lake.advisory import lake_lock
with lake_lock(Lake(sys.argv[1], sys.argv[2])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_run_is_told_host_pid_and_command_and_the_lock_of_a_killed_one_is_free_at_once(
    on_friday: OnFriday, tmp_path: Path
) -> None:
    _, settings = on_friday
    lake = Lake(str(settings.lake), str(settings.lake_data))
    command = [sys.executable, "-c", _HOLD, lake.catalog, lake.data]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            elsewhere = tmp_path / "elsewhere"
            refused = on_lake(settings, "build", "--wait", "0.2", home=elsewhere)
            assert refused.code == 2
            assert f"process {holder.pid} of host {socket.gethostname()} (-c" in refused.err
            assert "waited 0.2 s for it" in refused.err
            status = on_lake(settings, "status", home=elsewhere)
            assert f"process {holder.pid} of host {socket.gethostname()}" in status.out
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.wait()
    began = time.monotonic()
    with lake_lock(lake, wait=5):
        assert time.monotonic() - began < 5
        assert (read_holder(lake) or {})["pid"] == str(os.getpid())
    assert read_holder(lake) is None


def test_a_build_that_lost_its_lock_to_another_conflicts_changes_nothing_and_says_so(
    on_friday: OnFriday, undisturbed: tuple[Books, list[Books]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, settings = on_friday
    other = settings.model_copy(update={"home": tmp_path / "other"})
    real, met = building._build_alone, list[int]()

    def meanwhile(*args: Any) -> None:
        real(*args)
        if not met:
            met.append(snapshots(settings))
            with psycopg.connect(str(settings.lake), autocommit=True) as con:  # as when a host is cut off
                con.execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
            close_day(other)  # which takes the books, and commits first
            met.append(snapshots(settings))

    monkeypatch.setattr(building, "_build_alone", meanwhile)
    with warehouse_session(settings) as con:
        take_snapshot(con, settings)
    with pytest.raises(BuildFailed, match=r"The build failed and changed nothing: .*[Cc]onflict"):
        _build(settings)
    assert met[1] > met[0]
    assert snapshots(settings) == met[1]
    assert published(settings)[0] == undisturbed[0]


def _build(settings: Settings) -> None:
    with warehouse_session(settings) as con:
        building.build(con, settings, CATALOG)
