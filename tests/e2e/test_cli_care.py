"""replay, backup, restore, verify, doctor, compact and prune as people type them: what they say, and how they end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.archive.read import archived_runs
from tests.support.care import days_in
from tests.support.command_line import ask, daybook

COMMANDS = ("replay", "backup", "restore", "verify", "doctor", "compact", "prune")


@pytest.fixture
def home(home_of_two_evenings: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(home_of_two_evenings, tmp_path / "home")
    (tmp_path / "home").chmod(0o700)
    return tmp_path / "home"


def test_books_that_are_lost_come_back_from_the_archive_without_a_key(home: Path, tmp_path: Path) -> None:
    ended = daybook("replay", "--archive", str(home / "archive"), home=tmp_path / "new")
    assert ended.code == 0
    assert "daybook: " not in ended.err
    assert "2025-10-30 POST_CLOSE: COMPLETE, 1/1 accounts complete, landed" in ended.out
    assert days_in(tmp_path / "new" / "daybook.duckdb") == days_in(home / "daybook.duckdb")
    again = daybook("replay", "--from", "2025-10-31", home=home)
    assert again.code == 0
    assert "2025-10-31 POST_CLOSE: COMPLETE, 1/1 accounts complete, replaced" in again.out
    assert "2025-10-30" not in again.out


def test_a_damaged_page_is_named_and_the_exit_code_says_partial(home: Path) -> None:
    path = archived_runs(home / "archive")[0].folder / "pages.json.zst"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    ended = daybook("replay", home=home)
    assert ended.code == 3
    assert f"{path} is damaged" in ended.out
    assert "Traceback" not in ended.err
    verified = daybook("verify", home=home)
    assert verified.code == 1
    assert f"{path} is damaged" in verified.out


def test_a_backup_is_made_verified_and_restored(home: Path, tmp_path: Path) -> None:
    place = str(tmp_path / "mounted")
    made = daybook("backup", "--with-archive", "--to", place, "--keep", "1", "--json", home=home)
    assert (made.code, json.loads(made.out)["deleted"]) == (0, [])
    assert Path(json.loads(made.out)["folder"]).parent == Path(place)
    folder = json.loads(made.out)["folder"]
    assert daybook("verify", folder, home=home).code == 0
    refused = daybook("restore", folder, home=home)
    assert refused.code == 2
    assert "has books already" in refused.sentence
    assert "All is as it was written." in daybook("verify", home=home).out
    restored = daybook("restore", folder, home=tmp_path / "new")
    assert restored.code == 0
    assert days_in(tmp_path / "new" / "daybook.duckdb") == days_in(home / "daybook.duckdb")
    assert daybook("verify", home=tmp_path / "new").code == 0
    assert "Nothing is wrong." in daybook("doctor", home=tmp_path / "new").out
    shutil.rmtree(tmp_path / "new" / "archive")
    lost = daybook("verify", home=tmp_path / "new")  # as the doctor says, and not as it was written
    assert lost.code == 1
    assert "2 runs are in the books and not in the archive" in lost.out
    assert "as it was written" not in lost.out
    assert "WARN 2 runs of the books are not in" in daybook("doctor", home=tmp_path / "new").out
    shutil.rmtree(Path(folder) / "dlt")
    gone = daybook("verify", folder, home=home)
    assert gone.code == 1
    assert "is gone" in gone.sentence


def test_the_doctor_ends_with_1_where_daybook_can_not_work(home: Path) -> None:
    well = daybook("doctor", "--json", home=home)
    assert well.code == 0
    assert {each["level"] for each in json.loads(well.out)} == {"OK", "NOTE"}
    (home / "warehouse.duckdb").write_bytes(b"not a database")
    ill = daybook("doctor", home=home)
    assert ill.code == 1
    assert "FAIL" in ill.out
    assert "daybook replay" in ill.out
    (home / "warehouse.duckdb").rename(home / "aside.duckdb")
    assert daybook("replay", home=home).code == 0
    assert daybook("doctor", home=home).code == 0


def test_compact_and_prune_only_look_when_told_so_and_prune_does_not_delete_unasked(home: Path) -> None:
    looked = daybook("compact", "--dry-run", "--json", home=home)
    assert looked.code == 0
    assert json.loads(looked.out)["done"] is False
    assert daybook("compact", home=home).code == 0
    assert ask(home / "warehouse.duckdb", "select count(*) from raw.positions") == [(2,)]
    dry = daybook("prune", "--archive-before", "2025-10-31", "--dry-run", home=home)
    assert (dry.code, len(archived_runs(home / "archive"))) == (0, 2)
    assert "Would delete the archive of 1 runs" in dry.out
    unasked = daybook("prune", "--archive-before", "2025-10-31", home=home)
    assert unasked.code == 2
    assert "give --yes" in unasked.sentence
    assert len(archived_runs(home / "archive")) == 2
    done = daybook("prune", "--archive-before", "2025-10-31", "--yes", home=home)
    assert (done.code, len(archived_runs(home / "archive"))) == (0, 1)
    pruned = daybook("verify", home=home)
    assert pruned.code == 0
    assert "1 runs of the books were pruned from the archive" in pruned.out


def test_status_tells_sizes_and_growth(home: Path) -> None:
    said = daybook("status", home=home)
    assert said.code == 0
    assert "Archive: " in said.out
    assert "Growth per evening: warehouse " in said.out
    assert json.loads(daybook("status", "--json", home=home).out)["growth"]["runs"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["replay"], 1, "has no run that could be landed"),
        (["replay", "--archive", "nowhere"], 2, "nowhere is not a folder"),
        (["replay", "--archive", "s3://"], 2, "s3:// is not a place for files"),
        (["replay", "--from", "tomorrow"], 2, "'tomorrow' is not a date"),
        (["backup"], 2, "is not there"),
        (["verify"], 2, "is not there"),
        (["verify", "nowhere"], 2, "is not a backup"),
        (["restore"], 2, "BACKUP"),
        (["restore", "nowhere"], 2, "is not a backup"),
        (["compact"], 1, "nothing to compact"),
        (["prune"], 2, "--archive-before"),
        (["prune", "--archive-before", "2025-1-1"], 2, "'2025-1-1' is not a date"),
        (["prune", "--archive-before", "2025-01-01"], 1, "There is no warehouse"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    ended = daybook(*arguments, home=tmp_path / "none")
    assert ended.code == code
    assert said in ended.sentence


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_gives_examples(tmp_path: Path, command: str) -> None:
    ended = daybook(command, "--help", home=tmp_path / "none")
    assert ended.code == 0
    assert f"daybook {command}" in ended.out
    assert "Examples:" in ended.out
    assert not (tmp_path / "none").exists()
