"""docs/architecture.md: every module and file that it names is there, and no room is left out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:models|pipelines|assets|dagster_project|daybook)/[\w/.]+\.(?:py|sql|toml))`", PAGE)
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_files_that_are_named_without_their_folder_are_in_that_of_the_one_before() -> None:
    for row in (line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)):
        folder = None
        for name in re.findall(r"`([\w/]+\.(?:py|sql))`", row):
            folder = (ROOT / name).parent if "/" in name else folder
            assert folder is not None
            assert (folder / Path(name).name).is_file(), name


def test_every_room_is_in_the_picture() -> None:
    picture = PAGE.split("```")[1]
    rooms = [path.parent.name for path in (ROOT / "pipelines").glob("*/__init__.py")]
    assert len(rooms) == 10
    assert [room for room in rooms if f"{room}/" not in picture] == []


def test_what_lies_directly_in_pipelines_is_the_ground_that_every_room_stands_on() -> None:
    names = {path.stem for path in (ROOT / "pipelines").glob("*.py")} - {"__init__"}
    assert names == {"addresses", "calendar", "desk_keys", "errors", "home", "progress", "settings"}
