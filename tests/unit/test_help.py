"""What every command says of itself: what it does, and examples that can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from daybook.cli.app import app, main


def commands(group: Any, name: str = "daybook") -> Iterator[tuple[str, Any]]:
    """Every command that can be run, with its full name."""
    inside = getattr(group, "commands", None)
    if inside is None:
        yield name, group
        return
    for each, command in inside.items():
        yield from commands(command, f"{name} {each}")


COMMANDS = dict(commands(get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does_and_gives_examples_that_it_understands(name: str) -> None:
    command = COMMANDS[name]
    said = command.help or ""
    first = said.strip().splitlines()[0]
    assert first.endswith("."), first
    examples = re.findall(rf"^\s*(?:\w+=\S+ )*({name}\b.*)$", said.partition("Examples:")[2], re.MULTILINE)
    assert examples, said
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    for example in examples:
        words = shlex.split(example.partition(" < ")[0].partition(" | ")[0])
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, example


def test_the_list_of_commands_is_not_cut(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    for columns in ("60", "80"):
        monkeypatch.setenv("COLUMNS", columns)
        assert main(["--help"]) == 0
        listed = capfd.readouterr().out.partition("Commands:")[2]
        assert "..." not in listed
        assert "or the performance report of a period." in " ".join(listed.split())
        assert max(map(len, listed.splitlines())) <= int(columns)


def test_every_option_says_what_it_is_for() -> None:
    silent = [
        f"{name} {each.opts[0]}"
        for name, command in COMMANDS.items()
        for each in command.params
        if each.opts[0].startswith("-") and not getattr(each, "help", None)
    ]
    assert silent == []
