"""How many of our modules a position passes on its way from the broker's page to pnl.position_daily, and that
docs/architecture.md lists exactly them.

A module is on the way where one of its functions has the position in hand: as the bytes of an answer, as a value, as a
row of an Arrow table, or as the statement that moves it from table to table; so has whoever gives such a value to a
function or gets one from it. It is also on the way where it has more to do the more pages of positions come, though it
holds none of them: it counts them, bounds them, or proves them whole. What runs once an evening whatever is held, such
as the calendar or the lock, is not. Counted is the way of a page as documented, measured by a profiler over a whole
sync and build.
"""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa
import pytest

import pipelines.warehouse.destination  # noqa: F401  (imports dlt, which is nothing to measure)
from tests.support.broker_server import Fault, position
from tests.support.desk import FRIDAY, desk

ROOT = Path(__file__).parents[2]
OURS = ("models", "pipelines", "assets", "dagster_project", "daybook")
MOST = 25
ROWS_A_PAGE = 5
SYMBOL = "WAYMARK7"
#: How a statement reads the tables of positions, how it begins, and the name of the landed one as dlt has it.
TABLES = re.compile(r"\b(?:from|join)\s+(?:raw\.positions|core\.position_\w+|pnl\.position_\w+)\b")
STATEMENT = re.compile(r"\s*(?:--|with\b|select\b|insert\b|copy\b|create\b)")
LANDED = '"raw"."positions"'
#: The broker of these evenings says of any number of instruments in one answer that nothing happened to them.
NO_EVENTS: dict[str, Any] = {"data": {"event_dates": []}, "error": None, "metadata": {"request_id": "r"}}


class Profile:
    """What ran of our code during an evening: calls by function, and the modules that had the position in hand."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.hands: dict[str, set[str]] = defaultdict(set)

    def __call__(self, frame: FrameType, event: str, result: object) -> None:
        if event not in ("call", "return") or (module := module_of(frame.f_code.co_filename)) is None:
            return
        function = frame.f_code.co_qualname
        if event == "call":
            self.calls[module, function] += 1
        elif function not in self.hands[module]:
            code, own = frame.f_code, frame.f_locals
            passed = [result, *(own.get(name) for name in code.co_varnames[: code.co_argcount] if name != "self")]
            if any(map(in_hand, passed)):
                self.hands[module].add(function)
                if frame.f_back is not None and (caller := module_of(frame.f_back.f_code.co_filename)):
                    self.hands[caller].add(frame.f_back.f_code.co_qualname)
            elif any(in_hand(value) for name, value in own.items() if name != "self"):
                self.hands[module].add(function)

    def evening(self, home: Path, positions: int) -> Profile:
        """Profile a sync and a build of an account that holds so many positions."""
        rows = [position(100, number, symbol=f"S{number}" if number else SYMBOL) for number in range(positions)]
        quiet = [Fault("events", times=None, status=200, body=NO_EVENTS)]
        books: dict[str, Any] = {"accounts": [100], "positions": {100: rows}, "instructions": {}, "faults": quiet}
        with desk(home, most_rows=ROWS_A_PAGE, **books) as d:
            threading.setprofile(self)
            sys.setprofile(self)
            try:
                d.evening(FRIDAY)
            finally:
                sys.setprofile(None)
                threading.setprofile(None)
            assert d.ask("select count(*) from pnl.position_daily") == [(positions,)]
        return self


@cache
def module_of(path: str) -> str | None:
    """The module of a file of ours that is measured."""
    if not path.startswith(f"{ROOT}/"):
        return None
    name = Path(path).relative_to(ROOT).as_posix()
    return name if name.split("/")[0] in OURS else None


def has_it(value: Any, depth: int = 3) -> bool:
    """Whether a value holds the position, itself or in a part of it."""
    if isinstance(value, bytes):
        return SYMBOL.encode() in value
    if isinstance(value, str):
        return SYMBOL in value
    if isinstance(value, pa.Table):
        return "symbol" in value.column_names and SYMBOL in value["symbol"].to_pylist()
    if isinstance(value, pa.Array):
        return pa.types.is_string(value.type) and SYMBOL in value.to_pylist()
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = list(value)
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, field.name, None) for field in fields(value)]
    else:
        return False
    return depth > 0 and any(has_it(part, depth - 1) for part in parts)


def in_hand(value: Any) -> bool:
    """Whether a value holds the position, or is a statement that reads or writes rows of positions."""
    if isinstance(value, str) and (LANDED in value or (STATEMENT.match(value) and TABLES.search(value))):
        return True
    return has_it(value)


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    Profile().evening(tmp_path_factory.mktemp("first"), 10)  # what a process does once is done after it
    few = Profile().evening(tmp_path_factory.mktemp("few"), 10)
    many = Profile().evening(tmp_path_factory.mktemp("many"), 40)
    # a call or two more is another moment of the same work: what is busier has something to do for each further page
    more = (40 - 10) // ROWS_A_PAGE
    busier = {module for (module, name), calls in many.calls.items() if calls >= few.calls[module, name] + more}
    return busier | {module for module, functions in few.hands.items() if functions}


def test_a_position_passes_few_modules_on_its_way(way: set[str]) -> None:
    assert {"pipelines/broker/transport.py", "pipelines/warehouse/destination.py"} < way
    assert len(way) <= MOST, sorted(way)


def test_the_architecture_page_lists_exactly_these_modules(way: set[str]) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed, folder = set(), Path()
    for row in (line for line in page.splitlines() if re.match(r"\| \d+ \|", line)):
        for name in re.findall(r"`([\w/]+\.(?:py|sql))`", row):
            folder = Path(name).parent if "/" in name else folder
            if name.endswith(".py"):
                listed.add((folder / Path(name).name).as_posix())
    assert sorted(listed - way) == []
    assert sorted(way - listed) == []
