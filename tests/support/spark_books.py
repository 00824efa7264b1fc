"""Many random books in one warehouse, with ids that are made apart: one build has everything that they have to say."""

from __future__ import annotations

import csv
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.support import books as random_books
from tests.support.facts import Book, Evening
from tests.support.landing import _line, land

#: Beside the example books' week: what they have too, Good Friday, the end of winter time.
_STARTS = (date(2005, 2, 18), date(2005, 2, 28), date(2005, 3, 23))
#: What the loads of `land` end with.
LANDED = "-00000000"
_INSTRUMENTS = ("instrument_id", "underlying_instrument_id", "to_instrument_id")


def drawn(number: int) -> list[Book]:
    """So many random books, the same every time."""
    found: list[Book] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random_books, "STARTS", _STARTS)

        @settings(
            max_examples=number,
            derandomize=True,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(book=random_books.books(4))
        def draw(book: Book) -> None:
            found.append(book)

        draw()
    return [_apart(number, book) for number, book in enumerate(found)]


def land_together(con: duckdb.DuckDBPyConnection, adjustments: Path, found: list[Book]) -> None:
    """Land the evenings of books in the raw tables of a warehouse, and add their lines to an adjustments.csv."""
    together: dict[Any, list[Evening]] = {}
    for each in found:
        for evening in each.evenings:
            together.setdefault(evening.at, []).append(evening)
    for at in sorted(together):
        land(con, _one(at, together[at]))
    with adjustments.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(_line(said) for book in found for said in book.adjustments)


def _one(at: Any, evenings: list[Evening]) -> Evening:
    """Evenings of the same instant as one run: what is asked once is asked once."""
    return Evening(
        at=at,
        answers={account: answer for each in evenings for account, answer in each.answers.items()},
        contracts=tuple(contract for each in evenings for contract in each.contracts),
        events=tuple(dict.fromkeys(event for each in evenings for event in each.events)),
        closed={account: day for each in evenings for account, day in each.closed.items()},
    )


def _apart(number: int, said: Any, name: str = "") -> Any:
    """A book with accounts, instruments and fills that no other one has."""
    if is_dataclass(said) and not isinstance(said, type):
        return type(said)(**{each.name: _apart(number, getattr(said, each.name), each.name) for each in fields(said)})
    if name in ("answers", "closed"):
        return {f"9{number:03}{account}": _apart(number, value) for account, value in said.items()}
    if isinstance(said, tuple):
        return tuple(_apart(number, each) for each in said)
    if name == "account_id":
        return f"9{number:03}{said}"
    if isinstance(said, str) and (name in _INSTRUMENTS or name == "id"):
        apart = said.replace("b0000000-", f"b{number:07}-", 1)
        return apart if apart != said or name != "id" else f"{number:03}-{said}"
    return said
