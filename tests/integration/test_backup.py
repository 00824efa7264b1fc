"""Backups: proven when they are made, refused when they are not what was made, and restored beside what was there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines.archive.read import archived_runs
from pipelines.errors import ConfigurationError, DaybookError, NotPublished
from pipelines.ingest.retention import growth, prune
from pipelines.settings import Settings
from pipelines.warehouse.backup import latest_backup, make_backup, read_backup, restore, verify_backup
from pipelines.warehouse.compact import compact
from pipelines.warehouse.contents import contents, differences
from pipelines.warehouse.rotation import rotate
from pipelines.warehouse.session import warehouse_session
from pipelines.warehouse.verify import verify_home
from tests.support.care import NOBODY, days_in
from tests.support.processes import run

ADJUSTMENTS = "trading_date,account_id,kind,instrument_id,to_instrument_id,quantity,cash,value,cost_basis,author,note\n"


@pytest.fixture(scope="module")
def first(home_of_two_evenings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of two evenings with adjustments, not to be changed."""
    home = tmp_path_factory.mktemp("first") / "home"
    shutil.copytree(home_of_two_evenings, home)
    (home / "adjustments.csv").write_text(ADJUSTMENTS)
    return home


@pytest.fixture
def settings(first: Path, tmp_path: Path) -> Settings:
    """A copy of that home, to be changed."""
    shutil.copytree(first, tmp_path / "home")
    return Settings(base_url=NOBODY, home=tmp_path / "home")


def backed_up(settings: Settings, *, with_archive: bool = False) -> Path:
    with warehouse_session(settings) as con:
        return make_backup(con, settings, with_archive=with_archive)


def test_a_backup_has_every_row_and_file_and_says_so(settings: Settings) -> None:
    folder = backed_up(settings, with_archive=True)
    backup = verify_backup(folder)
    assert backup.tables["raw.positions"] == 2
    assert backup.broker_host == "loopback"
    assert backup.archive is None
    assert {name.split("/")[0] for name in backup.files} == {"warehouse.duckdb", "adjustments.csv", "dlt", "archive"}
    assert days_in(folder / "warehouse.duckdb") == days_in(settings.warehouse)
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*")} == {0}
    assert latest_backup(settings.backups) == folder


def test_older_backups_of_the_same_home_go_and_no_other_does(settings: Settings, tmp_path: Path) -> None:
    place = tmp_path / "mounted"
    with warehouse_session(settings) as con:
        newest = make_backup(con, settings, to=place)
    assert verify_backup(newest).tables["raw.positions"] == 2
    before = "20200101T000000Z"
    for name in (before, "20210101T000000Z", "20220101T000000Z", "20200101T000000Z-before-3", "20200101T000001Z",
                 "20200101T000002Z", "20200101T000003Z", "mine"):  # fmt: skip
        shutil.copytree(newest, place / name)
    (place / "20200101T000001Z" / "home").write_text("/somebody/else")
    (place / "20200101T000002Z" / "home").unlink()  # an older daybook's
    (place / "20200101T000003Z" / "backup.json").write_text("{")
    kept = {path.name for path in place.iterdir()} - {before, "20210101T000000Z"}
    assert [path.name for path in rotate(newest, 2)] == ["20210101T000000Z", before]
    assert {path.name for path in place.iterdir()} == kept
    assert rotate(newest, 2) == []
    assert verify_backup(newest)


def test_a_backup_restored_to_a_new_home_is_the_same_books_and_they_go_on(settings: Settings, tmp_path: Path) -> None:
    folder = backed_up(settings, with_archive=True)
    new = settings.model_copy(update={"home": tmp_path / "new"})
    restore(folder, new)
    with duckdb.connect(settings.warehouse) as one, duckdb.connect(new.warehouse) as other:
        assert differences(contents(one), contents(other)) == []
    assert days_in(new.published) == days_in(settings.published)
    assert new.adjustments.read_text() == ADJUSTMENTS
    with warehouse_session(new) as con:
        assert verify_home(con, new).problems == []


def test_a_home_with_books_is_not_overwritten_and_by_force_is_moved_aside(settings: Settings) -> None:
    folder = backed_up(settings)
    with duckdb.connect(settings.warehouse) as con:
        con.execute("create table main.later as select 1 as x")
    before = settings.warehouse.read_bytes()
    with pytest.raises(ConfigurationError, match=r"has books already .*--force"):
        restore(folder, settings)
    assert settings.warehouse.read_bytes() == before
    _, aside = restore(folder, settings, force=True)
    assert aside is not None
    assert (aside / "warehouse.duckdb").read_bytes() == before
    with duckdb.connect(settings.warehouse, read_only=True) as con:
        assert con.execute("select * from duckdb_tables() where table_name = 'later'").fetchall() == []
    assert len(archived_runs(settings.archive)) == 2


@pytest.mark.parametrize("name", ["warehouse.duckdb", "adjustments.csv", "archive"])
def test_a_backup_with_one_changed_byte_is_named_and_never_restored(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    folder = backed_up(settings, with_archive=True)
    path = folder / name if name != "archive" else next(folder.rglob("pages.json.zst"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    new = settings.model_copy(update={"home": tmp_path / "new"})
    with pytest.raises(DaybookError, match=f"{path.name} is damaged"):
        restore(folder, new)
    assert not new.home.exists()


def test_a_backup_that_lost_a_file_is_named(settings: Settings) -> None:
    folder = backed_up(settings)
    (folder / "adjustments.csv").unlink()
    with pytest.raises(DaybookError, match=r"adjustments\.csv is gone"):
        verify_backup(folder)


def test_a_folder_that_is_no_backup_is_a_usage_error(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="is not a backup"):
        restore(settings.archive, settings)


def test_a_backup_that_names_files_outside_of_it_writes_none(settings: Settings, tmp_path: Path) -> None:
    folder = backed_up(settings)
    said = json.loads((folder / "backup.json").read_text())
    (folder.parent / "outside").write_text("x")
    said["files"]["../outside"] = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    (folder / "backup.json").write_text(json.dumps(said))
    new = settings.model_copy(update={"home": tmp_path / "new"})
    with pytest.raises(DaybookError, match="outside of the backup"):
        restore(folder, new)
    assert not (new.home / "outside").exists()


def test_a_backup_waits_for_the_run_that_is_writing(settings: Settings) -> None:
    done: list[Path] = []
    with warehouse_session(settings) as con:
        waiting = threading.Thread(target=lambda: done.append(backed_up(settings)))
        waiting.start()
        time.sleep(0.5)
        assert done == []
        con.execute("create table main.written_meanwhile as select 42 as x")
    waiting.join(60)
    assert read_backup(done[0]).tables["main.written_meanwhile"] == 1


@pytest.mark.kill
def test_a_backup_that_is_killed_leaves_no_backup_and_the_next_one_is_whole(settings: Settings) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from pipelines.warehouse.rotation import rotate
from pipelines.warehouse.session import warehouse_session
from pipelines.settings import Settings
from pipelines.warehouse import backup
proven = backup._proven_equal
def killed(*arguments):
    proven(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
backup._proven_equal = killed
settings = Settings(base_url="http://127.0.0.1:1", home=Path(sys.argv[1]))
with warehouse_session(settings) as con:
    backup.make_backup(con, settings)
"""
    ended = run([sys.executable, "-c", code, settings.home])
    assert ended.returncode == -signal.SIGKILL
    assert latest_backup(settings.backups) is None
    folder = backed_up(settings)
    verify_backup(folder)
    assert [path.name for path in settings.backups.iterdir()] == [folder.name]


def test_verify_finds_rows_that_went_missing_and_pages_that_changed(settings: Settings) -> None:
    with warehouse_session(settings) as con:
        found = verify_home(con, settings)
        assert (found.problems, found.notes, found.runs) == ([], [], 2)
        con.execute("delete from raw.positions where run_id = (select max(run_id) from raw.extract_run)")
        (missing,) = verify_home(con, settings).problems
    assert "landed 1 positions of account 100 and 0 are there" in missing
    path = archived_runs(settings.archive)[0].folder / "pages.json.zst"
    os.truncate(path, path.stat().st_size - 1)
    with warehouse_session(settings) as con:
        problems = verify_home(con, settings).problems
    assert any(f"{path} is damaged" in problem for problem in problems)


def test_compacting_gives_free_space_back_and_changes_nothing_else(settings: Settings) -> None:
    with duckdb.connect(settings.warehouse) as con:
        expected = contents(con)
        con.execute("create table main.big as select range as i, hash(range) as h from range(2000000)")
        con.execute("checkpoint")
        con.execute("drop table main.big")
        con.execute("checkpoint")
    before = settings.warehouse.stat().st_size
    looked = compact(settings, dry_run=True)
    assert not looked.done
    assert looked.after < looked.before - 8 * 2**20
    assert settings.warehouse.stat().st_size == before
    done = compact(settings)
    assert done.after == settings.warehouse.stat().st_size < before - 8 * 2**20
    with duckdb.connect(settings.warehouse) as con:
        assert differences(contents(con), expected) == []
    assert settings.warehouse.stat().st_mode & 0o077 == 0
    assert list(settings.home.glob("*compacting*")) == []


def test_there_is_nothing_to_compact_without_a_warehouse(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match="nothing to compact"):
        compact(Settings(base_url=NOBODY, home=tmp_path))


def test_pruning_deletes_only_landed_runs_of_older_days_and_only_when_told(settings: Settings) -> None:
    old, young = archived_runs(settings.archive)
    with warehouse_session(settings) as con:
        looked = prune(settings, con, date(2025, 10, 31), dry_run=True)
        assert looked.runs == [old.run_id]
        assert len(archived_runs(settings.archive)) == 2
        done = prune(settings, con, date(2025, 10, 31))
        assert (done.runs, done.kept) == ([old.run_id], [])
        assert done.bytes == looked.bytes > 0
        assert [run.run_id for run in archived_runs(settings.archive)] == [young.run_id]
        con.execute("delete from raw.extract_run where run_id = ?", [young.run_id])
        kept = prune(settings, con, date(2026, 1, 1))
    assert kept.runs == []
    assert "is not in the books" in kept.kept[0]
    assert len(archived_runs(settings.archive)) == 1


def test_growth_tells_what_an_evening_adds(settings: Settings) -> None:
    told = growth(settings)
    sizes = [sum(path.stat().st_size for path in run.folder.iterdir()) for run in archived_runs(settings.archive)]
    assert (told.archive, told.runs, told.archive_per_evening) == (sum(sizes), 2, sum(sizes) // 2)
    assert told.warehouse_per_evening is not None
    assert told.warehouse_per_evening > 0
