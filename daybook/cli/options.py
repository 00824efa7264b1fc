"""Options that several commands have, and what may be written in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from math import inf, nan
from typing import Annotated

import typer


def parse_day(text: str) -> date:
    """A date written as 2005-02-28; anything else is a usage error."""
    try:
        if len(text) != len("2005-02-28"):  # fromisoformat reads 20050228 and 2005-W09-1 too
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date: write it like 2005-02-28.") from None


def seconds(least: float) -> Callable[[str], float]:
    """A parser of seconds, `least` or more: never without end, and no text that is merely called a number (nan)."""

    def parse(text: str) -> float:
        try:
            given = float(text)
        except ValueError:
            given = nan
        if not least <= given < inf:
            raise typer.BadParameter(f"{text!r} is not a time: give seconds, {least:g} or more, such as 60.")
        return given

    return parse


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Wait = Annotated[
    float,
    typer.Option(metavar="SECONDS", parser=seconds(0), help="How long to wait for another run that has these books."),
]
FromDay = Annotated[
    date | None, typer.Option("--from", parser=parse_day, metavar="DATE", help="The first trading day.")
]
ToDay = Annotated[date | None, typer.Option("--to", parser=parse_day, metavar="DATE", help="The last trading day.")]
