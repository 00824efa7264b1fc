"""F29: a home that had books and has lost its warehouse is never started afresh in silence; a new home just begins."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from daybook.cli.app import main
from pipelines.errors import BooksMissing
from pipelines.ingest.replay import replay
from pipelines.ingest.retention import prune
from pipelines.settings import Settings
from pipelines.warehouse.backup import make_backup, restore
from pipelines.warehouse.connect import open_warehouse, remember_broker
from pipelines.warehouse.doctor import examine
from pipelines.warehouse.session import warehouse_session
from tests.support.care import NOBODY, days_in
from tests.support.fault_books import broker, close_day, published
from tests.support.kill import kill


@pytest.fixture(scope="module")
def template(home_of_two_evenings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of two evenings with a backup."""
    home = tmp_path_factory.mktemp("template") / "home"
    shutil.copytree(home_of_two_evenings, home)
    settings = Settings(base_url=NOBODY, home=home)
    with warehouse_session(settings) as con:
        make_backup(con, settings, with_archive=True)
    return home


@pytest.fixture
def settings(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of it, and the environment's."""
    shutil.copytree(template, tmp_path / "home")
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLEAR_STREET_BASE_URL", NOBODY)
    monkeypatch.delenv("CLEAR_STREET_API_KEY", raising=False)
    return Settings(base_url=NOBODY, home=tmp_path / "home")


def remove(settings: Settings) -> None:
    settings.warehouse.unlink()


def empty(settings: Settings) -> None:
    settings.warehouse.write_bytes(b"")


def begin_anew(settings: Settings) -> None:
    """What an earlier daybook made of it: a warehouse that knows its broker and nothing else."""
    settings.warehouse.unlink()
    with open_warehouse(settings.warehouse) as con:
        remember_broker(con, "loopback")


def leave_only(*names: str) -> Callable[[Settings], None]:
    def hurt(settings: Settings) -> None:
        for name in {"warehouse.duckdb", "daybook.duckdb", "archive", "backups"} - {*names}:
            path = settings.home / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return hurt


LOSSES = [
    remove,
    empty,
    begin_anew,
    leave_only("archive"),
    leave_only("daybook.duckdb"),
    leave_only("backups"),
]
NAMES = ["removed", "emptied", "begun anew", "archive left", "copy left", "backups left"]


@pytest.mark.parametrize("lose", LOSSES, ids=NAMES)
@pytest.mark.parametrize("command", ["sync", "build"])
def test_a_home_that_has_lost_its_books_refuses_to_begin_afresh_and_says_how_they_come_back(
    lose: Callable[[Settings], None], command: str, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    lose(settings)
    before = {path: path.stat().st_size for path in settings.home.rglob("*") if path.is_file()}
    assert main([command]) == 2
    (sentence,) = capfd.readouterr().err.splitlines()
    assert "does not start new books here" in sentence
    assert "daybook restore" in sentence or "daybook replay" in sentence
    after = {path: path.stat().st_size for path in settings.home.rglob("*") if path.is_file()}
    assert {path.name for path in before.keys() ^ after.keys()} <= {"run.lock"}
    assert before.items() - after.items() == set()


@pytest.mark.parametrize("lose", LOSSES[:4], ids=NAMES[:4])
def test_a_replay_brings_them_back(lose: Callable[[Settings], None], settings: Settings) -> None:
    days = days_in(settings.published)
    lose(settings)
    if lose is not begin_anew:
        settings.warehouse.with_name("warehouse.duckdb.wal").write_bytes(b"a log of the file that is gone")
    assert main(["replay"]) == 0
    assert days_in(settings.published) == days
    assert main(["build"]) == 0


def test_a_restore_brings_them_back_without_being_asked_twice(settings: Settings) -> None:
    days = days_in(settings.published)
    (folder,) = settings.backups.iterdir()
    settings.warehouse.unlink()
    restore(folder, settings, force=True)
    assert days_in(settings.published) == days
    with warehouse_session(settings, wait=0) as con:
        assert con.execute("select count(*) from raw.positions").fetchone() == (2,)


def test_status_and_doctor_say_that_they_are_lost(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    remove(settings)
    assert main(["status"]) == 0
    assert "is gone" in capfd.readouterr().out
    assert any(each.level == "FAIL" and "2 runs" in each.what for each in examine(settings))
    leave_only("daybook.duckdb")(Settings(base_url=NOBODY, home=half_removed(settings)))
    assert any(each.level == "FAIL" and "published copy" in each.what for each in examine(settings))
    with open_warehouse(settings.warehouse) as con:
        remember_broker(con, "loopback")
    assert any(each.level == "FAIL" and "has no run in it" in each.what for each in examine(settings))


def half_removed(settings: Settings) -> Path:
    settings.warehouse.touch()
    return settings.home


def test_pages_that_are_gone_are_told_by_the_doctor_unless_they_were_pruned(settings: Settings) -> None:
    from datetime import date

    with warehouse_session(settings) as con:
        assert len(prune(settings, con, date(2025, 10, 31)).runs) == 1
    assert not [each for each in examine(settings) if each.level in ("WARN", "FAIL")]
    settings.archive.rename(settings.home / "archive.elsewhere")
    (found,) = [each for each in examine(settings) if each.level in ("WARN", "FAIL")]
    assert "1 runs of the books are not in" in found.what
    with warehouse_session(settings) as con:  # the books are there: an evening goes on
        assert con.execute("select count(*) from raw.positions").fetchone() == (2,)


def test_a_new_home_begins_without_a_word(tmp_path: Path) -> None:
    with warehouse_session(Settings(base_url=NOBODY, home=tmp_path / "new")) as con:
        assert con.execute("select 1").fetchone() == (1,)
    with warehouse_session(Settings(base_url=NOBODY, home=tmp_path / "new")) as con:  # nor once it is there and empty
        make_backup(con, Settings(base_url=NOBODY, home=tmp_path / "new"))
    with warehouse_session(Settings(base_url=NOBODY, home=tmp_path / "new")):
        pass


@pytest.fixture
def friday(tmp_path: Path) -> Iterator[Settings]:
    with broker() as server:
        yield Settings(base_url=server.url, home=tmp_path / "home")


@pytest.mark.parametrize("point", ["after request 12", "after the archive's index", "before dlt extracts",
                                   "after dlt extracted", "after the load of positions"])  # fmt: skip
def test_a_first_run_that_was_killed_before_it_had_landed_anything_is_gone_on_with(
    point: str, friday: Settings
) -> None:
    for _ in range(2):
        kill(point, friday)
    assert not friday.published.exists()
    assert close_day(friday).is_complete
    assert len(published(friday)[1]) >= 1


def test_a_replay_that_was_cut_off_is_not_taken_for_whole_books(settings: Settings) -> None:
    days = days_in(settings.published)
    remove(settings)

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), warehouse_session(settings, rebuilding=True) as con:
        replay(con, settings, after=stop)
    with duckdb.connect(settings.warehouse, read_only=True) as con:
        assert con.execute("select count(*) from raw.extract_run").fetchone() == (1,)
    with pytest.raises(BooksMissing, match="was interrupted"), warehouse_session(settings):
        pytest.fail("half of the books were taken for all of them")
    assert any("was interrupted" in each.what for each in examine(settings))
    assert main(["replay", "--from", "2025-10-31"]) in (0, 3)
    with pytest.raises(BooksMissing, match="was interrupted"), warehouse_session(settings):
        pytest.fail("the first day is still missing")
    assert main(["replay"]) == 0
    assert days_in(settings.published) == days
    with warehouse_session(settings):
        pass
