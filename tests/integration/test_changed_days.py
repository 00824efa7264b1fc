"""Which days a build looks at again: those of which a new run tells something else, and no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.books.changes import changed_days
from pipelines.books.inputs import load_inputs
from tests.support.evenings import (
    FRIDAY,
    MONDAY,
    OPTION,
    STOCK,
    THURSDAY,
    WEDNESDAY,
    answer,
    build_day_by_day,
    evening,
    fill,
    held,
    segment,
)
from tests.support.facts import Book, Contract, Evening, Event, Instruction
from tests.support.landing import land, settings_of

CALL = Contract(OPTION, "XYZ251219C00040000", STOCK, "CALL", Decimal(40), date(2025, 12, 19), Decimal(100))
DIVIDEND = Event(STOCK, THURSDAY, amount=Decimal("0.35"))
BOUGHT = fill("f1", "10", "49", THURSDAY)


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def _instruction(created_at: datetime, updated_at: datetime, status: str = "ACCEPTED") -> Instruction:
    return Instruction("i1", OPTION, "EXERCISE", Decimal(1), status, Decimal(1), created_at, updated_at)


def _told(day: date, *, asked: Any = None, **changes: Any) -> Evening:
    """An evening on which account 100 holds shares and an option."""
    option = {"instrument_id": OPTION, "symbol": CALL.symbol, "instrument_type": "OPTION", "unit": "100"}
    positions = [held("100", "50", "4000", day), held("1", "11", "1000", day, **option)]
    return evening(day, answer(positions, **changes), **(asked or {}))


def _looked_at(con: duckdb.DuckDBPyConnection, home: Path, *evenings: Evening) -> list[date]:
    """The days that a build takes up when the last of these evenings has come to the books of those before it."""
    *before, new = evenings
    build_day_by_day(con, home, *before)
    land(con, new)
    return _changed(con, home)


def _changed(con: duckdb.DuckDBPyConnection, home: Path) -> list[date]:
    load_inputs(con, settings_of(Book(()), home))
    return changed_days(con, CATALOG)


def test_what_is_told_again_as_it_was_is_looked_at_no_more(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    instruction = _instruction(_at(WEDNESDAY, 15), _at(WEDNESDAY, 16))
    same: dict[str, Any] = {
        "fills": [BOUGHT],
        "instructions": (instruction,),
        "history": (segment(WEDNESDAY, "1", "2"),),
        "asked": {"contracts": (CALL,), "events": (DIVIDEND,), "closed": {"200": date(2025, 10, 1)}},
    }
    evenings = [_told(day, **same) for day in (THURSDAY, FRIDAY, MONDAY)]
    assert _looked_at(con, tmp_path, *evenings) == [MONDAY]


@pytest.mark.parametrize("before", [None, (segment(THURSDAY, "1", "2"),)])
def test_a_day_of_the_brokers_history_that_is_told_first_or_corrected(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, before: Any
) -> None:
    corrected = (segment(THURSDAY, "1", "3"),)
    days = [_told(WEDNESDAY), _told(THURSDAY, history=before), _told(FRIDAY, history=before)]
    assert _looked_at(con, tmp_path, *days, _told(MONDAY, history=corrected)) == [THURSDAY, MONDAY]


@pytest.mark.parametrize("before", [(), (replace(CALL, multiplier=Decimal(150)),)])
def test_every_day_on_which_an_option_was_held_whose_contract_is_told_first_or_otherwise(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, before: Any
) -> None:
    days = [_told(day, asked={"contracts": before}) for day in (THURSDAY, FRIDAY)]
    new = _told(MONDAY, asked={"contracts": (CALL,)})
    assert _looked_at(con, tmp_path, *days, new) == [THURSDAY, FRIDAY, MONDAY]


def test_the_days_from_an_event_on_that_is_told_first_of_what_is_held(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    days = [_told(day) for day in (WEDNESDAY, THURSDAY, FRIDAY)]
    of_nobody = replace(DIVIDEND, instrument_id=CALL.id.replace("5", "9"))
    new = _told(MONDAY, asked={"events": (DIVIDEND, of_nobody)})
    assert _looked_at(con, tmp_path, *days, new) == [THURSDAY, FRIDAY, MONDAY]


def test_the_days_of_an_event_that_is_listed_no_longer(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    days = [_told(day, asked={"events": (DIVIDEND,)}) for day in (WEDNESDAY, THURSDAY, FRIDAY)]
    assert _looked_at(con, tmp_path, *days, _told(MONDAY)) == [THURSDAY, FRIDAY, MONDAY]


@pytest.mark.parametrize(
    ("before", "now"),
    [((), (BOUGHT,)), ((BOUGHT,), ()), ((BOUGHT,), (replace(BOUGHT, price=Decimal(48)),))],
)
def test_the_day_of_a_fill_that_comes_late_is_withdrawn_or_corrected(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, before: Any, now: Any
) -> None:
    days = [_told(WEDNESDAY), _told(THURSDAY, fills=before), _told(FRIDAY, fills=before)]
    assert _looked_at(con, tmp_path, *days, _told(MONDAY, fills=now)) == [THURSDAY, MONDAY]


@pytest.mark.parametrize(
    ("at", "days"),
    [
        (datetime(2025, 10, 31, 0, tzinfo=UTC), [THURSDAY]),  # 20:00 in New York, when Thursday ends
        (datetime(2025, 10, 31, 8, tzinfo=UTC), [THURSDAY, FRIDAY]),  # 04:00, up to which Thursday's late snapshot is
        (datetime(2025, 10, 31, 8, 1, tzinfo=UTC), [FRIDAY]),
    ],
)
def test_a_fill_of_the_night_counts_on_the_day_before_it_too(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, at: datetime, days: list[date]
) -> None:
    known = [_told(day) for day in (WEDNESDAY, THURSDAY, FRIDAY)]
    assert _looked_at(con, tmp_path, *known, _told(MONDAY, fills=[replace(BOUGHT, at=at)])) == [*days, MONDAY]


def test_days_whose_fills_are_read_at_last_the_first_of_the_books_too(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    known = [_told(day, fills=None) for day in (WEDNESDAY, THURSDAY)]
    assert _looked_at(con, tmp_path, *known, _told(FRIDAY)) == [WEDNESDAY, THURSDAY, FRIDAY]


def test_an_instruction_speaks_for_the_days_since_it_was_made_however_late_it_was_accepted_or_seen(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    known = [_told(day, instructions=None) for day in (WEDNESDAY, THURSDAY, FRIDAY)]
    new = _told(MONDAY, instructions=(_instruction(_at(THURSDAY, 15), _at(MONDAY, 15)),))
    assert _looked_at(con, tmp_path, *known, new) == [THURSDAY, FRIDAY, MONDAY]


def test_an_instruction_that_is_cancelled_is_looked_for_on_the_days_that_it_spoke_for(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    accepted = _instruction(_at(WEDNESDAY, 22), _at(WEDNESDAY, 22))
    known = [_told(WEDNESDAY), *(_told(day, instructions=(accepted,)) for day in (THURSDAY, FRIDAY))]
    cancelled = replace(accepted, status="CANCELLED", updated_at=_at(MONDAY, 15))
    new = _told(MONDAY, instructions=(cancelled,))
    assert _looked_at(con, tmp_path, *known, new) == [WEDNESDAY, THURSDAY, FRIDAY, MONDAY]


def test_an_account_whose_closing_is_told_otherwise_is_looked_for_since_the_earlier_of_the_two(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    known = [_told(day, asked={"closed": {"200": THURSDAY}}) for day in (WEDNESDAY, THURSDAY, FRIDAY)]
    new = _told(MONDAY, asked={"closed": {"200": date(2025, 12, 1)}})
    assert _looked_at(con, tmp_path, *known, new) == [WEDNESDAY, THURSDAY, FRIDAY, MONDAY]


@pytest.mark.parametrize("load", ["update raw._dlt_loads set status = 1", "delete from raw._dlt_loads"])
def test_a_run_that_was_not_committed_is_not_seen(con: duckdb.DuckDBPyConnection, tmp_path: Path, load: str) -> None:
    build_day_by_day(con, tmp_path, _told(THURSDAY), _told(FRIDAY))
    run_id = land(con, _told(MONDAY))
    con.execute(f"{load} where load_id = ?", [run_id])
    assert _changed(con, tmp_path) == []


@pytest.mark.parametrize(
    ("status", "sessions"),
    [
        ('{"day_type": "HOLIDAY"}', None),
        (
            '{"day_type": "EARLY_CLOSE"}',
            '{"regular": {"open": "2025-10-31T09:30:00-04:00", "close": "2025-10-31T13:00:00-04:00"}}',
        ),
    ],
)
def test_a_day_whose_session_the_broker_tells_otherwise_or_not_at_all(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, status: str, sessions: str | None
) -> None:
    build_day_by_day(con, tmp_path, _told(THURSDAY), _told(FRIDAY))
    run_id = land(con, _told(MONDAY))
    con.execute(
        """
        insert into raw.market_hours by name
        select $1 as run_id, 'us_equities' as market, $2 as date, $3 as status, $4 as today_sessions
        """,
        [run_id, FRIDAY, status, sessions],
    )
    assert _changed(con, tmp_path) == [FRIDAY, MONDAY]
