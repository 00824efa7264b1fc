"""F1, F28: a restore that is killed at any of its steps, or refused one by the disk, leaves the former books or the
restored ones, never a part of both; readers have a whole copy all the while; and the next command says what it did."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from daybook.cli.app import main
from pipelines.errors import DaybookError, LockedOut
from pipelines.settings import Settings
from pipelines.trading.journal import Journal
from pipelines.warehouse import restoring
from pipelines.warehouse.backup import make_backup, restore
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.lock import run_lock
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish
from pipelines.warehouse.restoring import finish_if_killed
from pipelines.warehouse.session import warehouse_session
from tests.support.care import NOBODY
from tests.support.processes import run

FORMER, RESTORED = "former", "restored"
FINISHED, UNTOUCHED = "that was killed is finished now", "killed before it had changed anything"
#: Each step of a restore over full books, and whether the journal was there by then.
MOVES = 11
STEPS = [
    *(("before copy 1", False), ("after copy 1", False), ("before publish 1", False), ("after publish 1", False)),
    *(("after draft 1", False), ("before journal 1", False), ("after journal 1", True)),
    *((f"after move {number}", True) for number in range(1, MOVES + 1)),
    *((f"after sync {number}", True) for number in (1, 2, 3)),
    *(("before link 1", True), ("after link 1", True), ("before end 1", True), ("after remove 1", True)),
]


@pytest.fixture(scope="module")
def template(home_of_two_evenings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a backup of everything, and after it changes of everything: books that a restore replaces."""
    home = tmp_path_factory.mktemp("template") / "home"
    shutil.copytree(home_of_two_evenings, home)
    settings = Settings(base_url=NOBODY, home=home)
    mark(settings, RESTORED)
    with warehouse_session(settings) as con:
        make_backup(con, settings, with_archive=True)
        mark(settings, FORMER)
        con.execute("create table pnl.later as select 1 as x")
        publish(con, settings.published, PUBLISHED_SCHEMAS)
    return home


def mark(settings: Settings, state: str) -> None:
    """Has everything beside the warehouse tell which state it is of."""
    settings.adjustments.write_text(f"trading_date,account_id,kind,instrument_id\n# {state}\n")
    for folder in ("trading", "dlt", "archive/2025-09"):
        (settings.home / folder).mkdir(exist_ok=True)
        for left in (settings.home / folder).glob("*.mark"):
            left.unlink()
        (settings.home / folder / f"{state}.mark").touch()


@pytest.fixture
def settings(template: Path, tmp_path: Path) -> Settings:
    """A copy of it."""
    shutil.copytree(template, tmp_path / "home", symlinks=True)
    return Settings(base_url=NOBODY, home=tmp_path / "home")


def backup_of(settings: Settings) -> Path:
    (folder,) = settings.backups.iterdir()
    return folder


def state_of_file(path: Path) -> str:
    with duckdb.connect(path, read_only=True) as con:
        assert con.execute("select count(*) from raw.positions").fetchone() == (2,)
        later = con.execute("select 1 from duckdb_tables() where table_name = 'later'").fetchone()
    return FORMER if later else RESTORED


def states(home: Path) -> set[str]:
    """Which states the parts of a home are of: one, or books that are torn."""
    found = {state_of_file(home / "warehouse.duckdb"), state_of_file(home / "daybook.duckdb")}
    found |= {word for word in (FORMER, RESTORED) if word in (home / "adjustments.csv").read_text()}
    for folder in ("trading", "dlt", "archive/2025-09"):
        found |= {path.stem for path in (home / folder).glob("*.mark")}
    return found


def killed(settings: Settings, step: str, what: str | None = None) -> None:
    """A restore, or with "-" whoever finishes one, killed at a step."""
    ended = run([sys.executable, "-m", "tests.support.restorer", step, what or backup_of(settings), settings.home])
    assert ended.returncode == -signal.SIGKILL, f"{step} was never reached: {ended.stdout!r}{ended.stderr!r}"


def assert_whole(settings: Settings, state: str) -> None:
    """The books are of one state; nothing of a restore is left; and of the other state nothing is lost."""
    assert states(settings.home) == {state}
    assert not restoring.unfinished(settings.home)
    if state == RESTORED:
        (aside,) = (settings.home / "replaced").iterdir()
        assert states(aside) == {FORMER}
    with warehouse_session(settings, wait=0) as con:
        assert con.execute("select count(*) from raw.positions").fetchone() == (2,)


@pytest.mark.parametrize(("step", "decided"), STEPS, ids=[step for step, _ in STEPS])
def test_a_restore_killed_there_is_finished_or_undone_by_the_next_command_and_readers_never_miss_a_copy(
    step: str, decided: bool, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    killed(settings, step)
    assert state_of_file(settings.published) in (FORMER, RESTORED)
    finish_if_killed(settings.home)
    if (settings.home / "replaced").exists() or decided:
        assert_whole(settings, RESTORED)
    else:
        assert_whole(settings, FORMER)
    expected = [FINISHED if decided else UNTOUCHED] if step != "before copy 1" else []  # nothing was begun
    assert [word for word in (FINISHED, UNTOUCHED) if word in caplog.text] == expected
    finish_if_killed(settings.home)
    assert len(caplog.messages) == len(expected)


def test_every_step_of_a_restore_has_its_kill_point(settings: Settings) -> None:
    ended = run([sys.executable, "-m", "tests.support.restorer", "count", backup_of(settings), settings.home])
    assert ended.returncode == 0, ended.stderr
    called = dict(pair.split("=") for pair in ended.stdout.decode().split())
    assert called.pop("move") == str(MOVES)
    assert called.pop("sync") == "3"
    assert set(called.values()) == {"1"}
    assert set(called) | {"move", "sync"} == {step.split()[1] for step, _ in STEPS}


@pytest.mark.parametrize("steps", [("after move 3", "after move 2", "after sync 1"), ("after move 5", "before end 1")])
def test_whoever_finishes_a_killed_restore_may_be_killed_too(steps: tuple[str, ...], settings: Settings) -> None:
    first, *later = steps
    killed(settings, first)
    for step in later:
        killed(settings, step, "-")
        assert state_of_file(settings.published) in (FORMER, RESTORED)
    finish_if_killed(settings.home)
    assert_whole(settings, RESTORED)


COMMANDS = [
    ["sync"], ["build"], ["sql", "select 1"], ["status"], ["report", "--format", "csv"], ["backup"], ["verify"],
    ["replay"], ["compact"], ["prune", "--archive-before", "2024-01-01", "--dry-run"], ["doctor"],
    ["lock", "--through", "2025-10-30", "--yes"], ["restore"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_every_command_finishes_it_first_and_says_so(
    command: list[str], template: Path, half: Path, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(half, home, symlinks=True)
    monkeypatch.setenv("DAYBOOK_HOME", str(home))
    monkeypatch.setenv("CLEAR_STREET_BASE_URL", NOBODY)
    (folder,) = (home / "backups").iterdir()
    main([*command, str(folder), "--force"] if command == ["restore"] else command)
    said = "".join(capfd.readouterr())
    assert FINISHED in " ".join(said.split())
    assert not restoring.unfinished(home)
    assert RESTORED in states(home)
    assert FORMER not in states(home)


@pytest.fixture(scope="module")
def half(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a restore was killed when half of the former books were aside."""
    home = tmp_path_factory.mktemp("half") / "home"
    shutil.copytree(template, home, symlinks=True)
    killed(Settings(base_url=NOBODY, home=home), "after move 3")
    assert not (home / "warehouse.duckdb").exists()
    return home


def test_a_doctor_that_may_move_nothing_tells_of_it(half: Path, tmp_path: Path) -> None:
    from pipelines.warehouse.doctor import examine

    home = tmp_path / "home"
    shutil.copytree(half, home, symlinks=True)
    found = examine(Settings(base_url=NOBODY, home=home), dry_run=True)
    assert any(each.level == "FAIL" and "restore was killed" in each.what for each in found)
    assert restoring.unfinished(home)


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, when: Callable[[int], bool]) -> Iterator[None]:
    """A disk that refuses some moves, by their number."""
    real, calls = restoring._move, [0]

    def move(source: Path, target: Path) -> None:
        calls[0] += 1
        if when(calls[0]):
            raise OSError(18, "Invalid cross-device link", str(source))
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "_move", move)
        yield


@pytest.mark.parametrize("nth", range(1, MOVES + 1))
def test_a_move_that_the_disk_refuses_undoes_the_ones_before_it(
    nth: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with failing(monkeypatch, lambda call: call == nth), pytest.raises(DaybookError, match="those of before"):
        restore(backup_of(settings), settings, force=True)
    assert_whole(settings, FORMER)
    assert list((settings.home / "replaced").iterdir()) == []


@pytest.mark.parametrize(("nth", "then"), [(6, 7), (6, 9), (11, 13), (11, 17)])
def test_an_undoing_that_is_cut_off_is_gone_on_with_by_the_next_command(
    nth: int, then: int, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refused = pytest.raises(DaybookError, match=r"can't be finished|can't be undone")
    with failing(monkeypatch, lambda call: call == nth or call >= then), refused:
        restore(backup_of(settings), settings, force=True)
    assert state_of_file(settings.published) in (FORMER, RESTORED)
    finish_if_killed(settings.home)
    assert "is undone: the books are those of before" in caplog.messages[0]
    assert_whole(settings, FORMER)


def test_what_came_into_the_way_meanwhile_is_kept_too(settings: Settings) -> None:
    killed(settings, "after move 4")
    settings.adjustments.write_text("written by a person who saw that it was gone\n")
    finish_if_killed(settings.home)
    assert RESTORED in settings.adjustments.read_text()
    (aside,) = (settings.home / "replaced").iterdir()
    kept = [path.read_text() for path in aside.glob("adjustments.csv*")]
    assert any("by a person" in text for text in kept)
    assert any(FORMER in text for text in kept)


def test_a_restore_that_is_going_on_is_left_alone_and_readers_read_on(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    (settings.home / restoring.DRAFT).mkdir()
    with run_lock(settings.run_lock):
        finish_if_killed(settings.home)
        with open_published(settings.published) as con:
            assert con.execute("select x from pnl.later").fetchall() == [(1,)]
    assert caplog.messages == []
    assert (settings.home / restoring.DRAFT).is_dir()


def test_nobody_trades_into_a_journal_that_is_about_to_be_moved(settings: Settings) -> None:
    with Journal(settings).locked(), pytest.raises(LockedOut, match="trading from these books"):
        restore(backup_of(settings), settings, force=True, wait=0)
    assert_whole(settings, FORMER)
    with run_lock(settings.run_lock):
        (settings.home / restoring.JOURNAL).write_text("{}")
        with pytest.raises(LockedOut, match="restore of these books is going on"), Journal(settings).locked():
            pytest.fail("traded")


def test_a_journal_that_names_other_files_moves_none_and_the_copy_can_still_be_read(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    planned = {"backup": "b", "aside": "../../elsewhere", "moved": ["backups"], "placed": [], "published": True}
    (settings.home / restoring.JOURNAL).write_text(json.dumps(planned))
    with pytest.raises(DaybookError, match=r"restoring\.json"), warehouse_session(settings, wait=0):
        pytest.fail("opened")
    finish_if_killed(settings.home)
    assert "restoring.json" in caplog.messages[0]
    assert backup_of(settings).is_dir()
    with open_published(settings.published) as con:
        assert con.execute("select x from pnl.later").fetchall() == [(1,)]


def test_a_draft_that_is_a_link_is_taken_away_and_what_it_leads_to_is_not(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").touch()
    (settings.home / restoring.DRAFT).symlink_to(tmp_path / "elsewhere")
    restore(backup_of(settings), settings, force=True)
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["mine"]
    assert_whole(settings, RESTORED)
