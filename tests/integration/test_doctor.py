"""The doctor: every way in which a home can be hurt is told in a sentence, with what to do, and nothing is deleted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from dagster_project.instance import prepare_instance
from pipelines.settings import Settings
from pipelines.warehouse.backup import make_backup
from pipelines.warehouse.doctor import Diagnosis, examine
from pipelines.warehouse.lock import run_lock
from pipelines.warehouse.session import warehouse_session
from tests.support.care import NOBODY

ROOT = Path(__file__).parents[2]
#: Commits, and dies before any checkpoint: what was committed is in the write-ahead log alone.
DIE_AFTER_COMMIT = """
import duckdb, os, sys
con = duckdb.connect(sys.argv[1])
con.execute("create table main.committed as select range as i from range(100)")
con.execute("insert into main.committed select 7")
os._exit(9)
"""
HOLD_LOCK = """
import sys; from pathlib import Path; from pipelines.warehouse.lock import run_lock
with run_lock(Path(sys.argv[1]), command="daybook eod"):
    print("ready", flush=True); sys.stdin.readline()
"""


@pytest.fixture
def settings(home_of_two_evenings: Path, tmp_path: Path) -> Settings:
    """A copy of it, to be hurt."""
    shutil.copytree(home_of_two_evenings, tmp_path / "home")
    (tmp_path / "home").chmod(0o700)
    return Settings(base_url=NOBODY, home=tmp_path / "home")


def troubles(found: list[Diagnosis]) -> list[Diagnosis]:
    return [each for each in found if each.level in ("WARN", "FAIL")]


def trouble(settings: Settings, level: str) -> Diagnosis:
    """The one trouble that a home has, of that level; it says what to do."""
    (found,) = troubles(examine(settings))
    assert found.level == level
    assert found.advice
    return found


def leave_a_log(settings: Settings) -> Path:
    """A write-ahead log of commits that no checkpoint has followed."""
    subprocess.run([sys.executable, "-c", DIE_AFTER_COMMIT, settings.warehouse], check=False)
    wal = settings.warehouse.with_name("warehouse.duckdb.wal")
    assert wal.stat().st_size > 100
    return wal


def test_a_healthy_home_has_no_trouble(settings: Settings) -> None:
    found = examine(settings)
    assert troubles(found) == []
    assert any("rows can be read" in each.what for each in found)


def test_a_home_that_is_not_there_is_no_trouble_and_is_not_made(tmp_path: Path) -> None:
    (found,) = examine(Settings(base_url=NOBODY, home=tmp_path / "none"))
    assert found.level == "NOTE"
    assert not (tmp_path / "none").exists()


def test_a_log_that_can_be_replayed_is_left_alone(settings: Settings) -> None:
    leave_a_log(settings)
    assert troubles(examine(settings)) == []
    with duckdb.connect(settings.warehouse, read_only=True) as con:
        assert con.execute("select count(*) from main.committed").fetchone() == (101,)


def test_a_log_that_can_not_be_replayed_is_moved_to_quarantine_whole_and_the_warehouse_opens(
    settings: Settings,
) -> None:
    wal = leave_a_log(settings)
    hurt = bytearray(wal.read_bytes())
    hurt[len(hurt) // 2] ^= 0xFF
    wal.write_bytes(hurt)
    with pytest.raises(duckdb.Error, match="WAL"):
        duckdb.connect(settings.warehouse)
    (looked,) = troubles(examine(settings, dry_run=True))
    assert looked.level == "FAIL"
    assert wal.read_bytes() == hurt
    found = troubles(examine(settings))
    assert "can't be replayed" in found[0].what
    assert "daybook replay" in found[0].advice
    assert not wal.exists()
    (kept,) = (settings.home / "quarantine").rglob("*.wal")
    assert kept.read_bytes() == hurt
    with duckdb.connect(settings.warehouse, read_only=True) as con:
        assert con.execute("select count(*) from raw.positions").fetchone() == (2,)
    assert [path.name for path in settings.home.iterdir() if "alone" in path.name] == []


@pytest.mark.parametrize("hurt", ["emptied", "header", "cut", "noise"])
def test_a_corrupt_warehouse_is_explained_and_left_as_it_is(settings: Settings, hurt: str) -> None:
    path = settings.warehouse
    content = path.read_bytes()
    damaged = {
        "emptied": b"",
        "header": bytes(4096) + content[4096:],
        "cut": content[: len(content) // 2],
        "noise": content[:20480] + bytes(b ^ 0x5A for b in content[20480:]),
    }[hurt]
    path.write_bytes(damaged)
    found = trouble(settings, "FAIL")
    assert str(path) in found.what
    assert "daybook replay" in found.advice
    assert "There is no backup" in found.advice
    assert path.read_bytes() == damaged


def test_with_a_backup_the_doctor_names_it(settings: Settings) -> None:
    with warehouse_session(settings) as con:
        folder = make_backup(con, settings)
    settings.warehouse.write_bytes(b"x" * 100_000)
    assert f"daybook restore {folder} --force" in trouble(settings, "FAIL").advice


def test_a_warehouse_that_is_gone_while_its_archive_is_there_is_a_failure(settings: Settings) -> None:
    settings.warehouse.unlink()
    found = trouble(settings, "FAIL")
    assert "the archive has 2 runs" in found.what


def test_books_of_a_newer_daybook_are_told(settings: Settings) -> None:
    with duckdb.connect(settings.warehouse) as con:
        con.execute("update main.daybook_meta set value = '99' where key = 'schema_version'")
    assert "newer daybook" in trouble(settings, "FAIL").what


@pytest.mark.skipif(not os.environ.get("DAYBOOK_DUCKDB2_PYTHON"), reason="no DuckDB 2 on this machine")
def test_a_file_of_a_newer_duckdb_is_told_and_its_log_stays(settings: Settings) -> None:
    newer = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('create table t as select 1 as x')"
    settings.warehouse.unlink()
    subprocess.run([os.environ["DAYBOOK_DUCKDB2_PYTHON"], "-c", newer, settings.warehouse], check=True)
    assert "newer DuckDB" in trouble(settings, "FAIL").what


@pytest.mark.kill
def test_who_has_the_books_is_named_and_nothing_is_touched_meanwhile(settings: Settings) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, settings.run_lock],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        found = examine(settings)
        holder.send_signal(signal.SIGKILL)
    assert any(f"process {holder.pid} (daybook eod" in each.what for each in found)
    after = examine(settings)
    assert any(f"Process {holder.pid}" in each.what and "was killed" in each.what for each in after)
    assert troubles(after) == []
    assert not any("was killed" in each.what for each in examine(settings))


def test_a_program_that_has_the_warehouse_open_is_named(settings: Settings) -> None:
    hold = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('ready', flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, settings.warehouse], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        found = trouble(settings, "FAIL")
        holder.communicate("done\n")
    assert str(holder.pid) in found.what


def test_a_published_copy_that_is_missing_old_or_unreadable_is_told(settings: Settings) -> None:
    whole = settings.published.read_bytes()
    settings.published.unlink()
    assert "Nothing has been published" in trouble(settings, "WARN").what
    settings.published.write_bytes(whole[:5000])
    assert str(settings.published) in trouble(settings, "WARN").what
    settings.published.write_bytes(whole)
    settings.published.chmod(0o600)
    with duckdb.connect(settings.published) as con:
        con.execute("delete from raw.extract_run where run_id = (select max(run_id) from raw.extract_run)")
    assert "older than the warehouse" in trouble(settings, "WARN").what


def test_an_archived_run_that_is_not_in_the_books_is_told(settings: Settings) -> None:
    with duckdb.connect(settings.warehouse) as con:
        con.execute("delete from raw.extract_run where run_id = (select max(run_id) from raw.extract_run)")
    found = trouble(settings, "WARN")
    assert "1 archived runs are not in the books" in found.what
    assert "daybook replay" in found.advice


def test_packages_that_wait_and_things_in_quarantine_are_told(settings: Settings) -> None:
    (settings.dlt / "daybook" / "load" / "normalized" / "1700000000.5").mkdir(parents=True)
    (settings.home / "quarantine" / "20251031T000000").mkdir(parents=True)
    found = examine(settings)
    assert any("1 packages are read and not loaded yet" in each.what for each in found)
    assert any("quarantine" in each.what and each.level == "WARN" for each in found)


@pytest.fixture
def instance(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's own, in the home, with a slot for one run that writes."""
    for name in ("DAGSTER_HOME", "DAYBOOK_HOME", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "restored afterwards")
    prepare_instance(settings)
    with dg.DagsterInstance.get() as made:
        made.event_log_storage.set_concurrency_slots("warehouse", 1)
        yield made


@dg.job
def nothing() -> None:
    """A job of no steps."""


def test_a_slot_that_a_run_has_not_given_back_is_told_once_the_run_has_ended(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    assert instance.event_log_storage.claim_concurrency_slot("warehouse", run.run_id, "step").is_claimed
    assert not any("holds a slot" in each.what for each in examine(settings))
    instance.report_run_failed(run)
    found = trouble(settings, "WARN")
    assert run.run_id in found.what
    assert "still holds a slot" in found.what
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    assert troubles(examine(settings)) == []


def test_a_run_of_dagster_that_was_killed_and_counts_as_running_is_told(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    found = trouble(settings, "WARN")
    assert run.run_id in found.what
    assert "no process is using the books" in found.what
    with run_lock(settings.run_lock):  # somebody is at work: it may well be that run
        assert not any(run.run_id in each.what for each in examine(settings))


def test_files_that_others_may_read_are_told(settings: Settings) -> None:
    settings.warehouse.chmod(0o644)
    assert trouble(settings, "WARN").advice.startswith("chmod go= ")


def test_a_disk_without_room_for_an_evening_is_told(settings: Settings) -> None:
    with settings.warehouse.open("r+b") as file:  # a hole: it takes no space, and needs all of it when it is copied
        free = shutil.disk_usage(settings.home).free
        file.truncate(settings.warehouse.stat().st_size + free)
    found = next(each for each in examine(settings) if "MiB free" in each.what)
    assert found.level == "FAIL"


def test_what_the_doctor_says_fits_into_json(settings: Settings) -> None:
    assert json.dumps([vars(each) for each in examine(settings)])
