"""Tables on terminals of 60 to 200 columns: whole at any width, as a table where they fit, else a line for a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.sandbox.server import Sandbox
from tests.support.care import NOBODY
from tests.support.command_line import daybook, environment
from tests.support.terminal import WIDTHS, on_terminal

OPTIONS = "20518"
SUBMIT = (
    *("instructions", "submit", "--account", OPTIONS, "--type", "EXERCISE", "--quantity", "1"),
    *("--instrument", "goog050319c00200000"),
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A stand-in broker whose account of options has positions and instructions."""
    with Sandbox(seed=1) as sandbox:
        sandbox.clock.set(datetime(2005, 2, 3, 18, tzinfo=UTC))
        yield sandbox.url


def listed(what: str, home: Path, url: str) -> list[dict[str, Any]]:
    ended = daybook(what, "list", "--account", OPTIONS, "--json", home=home, url=url)
    rows: list[dict[str, Any]] = orjson.loads(ended.out)
    assert rows
    return rows


def assert_whole(drawn: str, width: int, columns: Sequence[str], values: Sequence[str]) -> None:
    """Every name of a column and every value is there whole, and no line of the table is cut or broken."""
    assert "…" not in drawn
    lines = drawn.splitlines()
    rules = [len(line) for line in lines if line and set(line) == {"─"}]
    assert all(length <= width for length in rules)
    assert rules or any(line == "row 1" for line in lines)
    for text in (*columns, *values):
        assert any(text in line for line in lines), (width, text, drawn)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_held_what_would_be_sent_and_what_was_instructed_are_whole(
    tmp_path: Path, url: str, width: int
) -> None:
    home = tmp_path / "none"
    env = environment(home, url)
    held = listed("positions", home, url)
    ids, symbols = [row["instrument_id"] for row in held], [row["symbol"] for row in held]
    drawn = on_terminal(width, ["positions", "list", "--account", OPTIONS], env)
    closes = sorted({row["closing_price_date"] for row in held})
    assert_whole(drawn, width, ("market value", "unrealized", "last close"), [*ids, *symbols, *closes])
    assert f"the oldest official close among them is of {closes[0]}." in " ".join(drawn.split())
    assert ("─" in drawn) == (width > 121)
    drawn = on_terminal(width, ["positions", "close-all", "--account", OPTIONS], env)
    assert_whole(drawn, width, ("Would be closed", "market value", "order"), [*ids, *symbols, "Nothing was sent."])
    before = listed("instructions", home, url)
    drawn = on_terminal(width, SUBMIT, env)
    effect = ("EXERCISE", "GOOG  050319C00200000", "Nothing was sent.")
    assert_whole(drawn, width, ("Would be instructed", "strike cash", "underlying at", "a share"), effect)
    drawn = on_terminal(width, ["instructions", "list", "--account", OPTIONS], env)
    assert_whole(drawn, width, ("contracts", "status"), [row["id"] for row in before])
    assert listed("instructions", home, url) == before
    assert not home.exists()  # who only looks makes no home


def test_the_standing_of_the_books_is_whole_and_names_the_accounts(home_of_two_evenings: Path) -> None:
    env = environment(home_of_two_evenings, NOBODY)
    for width in WIDTHS:
        drawn = on_terminal(width, ["status"], env)
        assert_whole(drawn, width, ("account", "name", "state", "positions", "fills"), ("COMPLETE", "ACCOUNT-100"))
