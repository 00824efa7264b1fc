"""F5 to F10: a broker that fails or lies about one account for an evening costs that account's day, and nothing else.

A fault that passes within the evening leaves the books of an undisturbed one. One that stays leaves a gap, the other
accounts' figures and all of Thursday; and once it is over, the next run makes the day whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import NoAccountList, Unauthorized
from pipelines.settings import Settings
from tests.support.broker_server import BrokerServer, Fault
from tests.support.fault_books import BIG, PER_RUN, SMALL, Books, close_day, friday, published

Row = dict[str, Any]
#: Tables that keep what went wrong, also once it is over.
KEEPS = {*PER_RUN, "quality.drift"}


def rows(change: Callable[[Row], Any]) -> Callable[[Row], None]:
    """An answer whose first row is changed."""

    def edit(whole: Row) -> None:
        whole["data"] = [dict(row) for row in whole["data"]]  # the book stays as it is
        change(whole["data"][0])

    return edit


def said(**metadata: Any) -> Callable[[Row], None]:
    """An answer that says otherwise of itself."""
    return lambda whole: whole["metadata"].update(metadata)


def _twice(whole: Row) -> None:
    whole["data"] += [{**whole["data"][0], "quantity": "999"}]


def _loop(whole: Row) -> None:
    whole["metadata"]["next_page_token"] = "MA=="


def _empty(whole: Row) -> None:
    whole.update(data=[], metadata={**whole["metadata"], "next_page_token": "MTA="})


#: What one request may meet; every one is met by the first account's listing of positions.
PASSING = {
    "500": Fault("positions", str(BIG), status=500, body={"error": {"code": 500}}),
    "503": Fault("positions", str(BIG), page=2, status=503, body=b""),
    "reset": Fault("positions", str(BIG), page=2, reset=True),
    "a body that is cut short": Fault("positions", str(BIG), short=True),
    "half of the JSON": Fault("positions", str(BIG), status=200, body=b'{"metadata": {}, "data": [{"account_'),
    "a page for people": Fault("positions", str(BIG), status=200, body=b"<html><title>Maintenance</title>"),
    "bytes that are no text": Fault("positions", str(BIG), status=200, body=b"\xff\xfe\x00"),
    "an expired token": Fault("positions", str(BIG), page=2, status=410, body={"error": {"code": 410}}),
    "a row twice, and different": Fault("positions", str(BIG), page=2, edit=_twice),
}
#: What no second request makes good, and what doesn't pass.
STAYING = {
    "500": PASSING["500"],
    "reset": PASSING["reset"],
    "429": Fault("positions", str(BIG), status=429, headers={"Retry-After": "3600"}),
    "403": Fault("positions", str(BIG), status=403),
    "404": Fault("positions", str(BIG), status=404),
    "207": Fault("positions", str(BIG), status=207),
    "a token that repeats": Fault("positions", str(BIG), page=2, edit=_loop),
    "an empty page with a token": Fault("positions", str(BIG), page=2, edit=_empty),
    "a page that is lost": Fault("positions", str(BIG), edit=said(next_page_token=None)),
    "a count that is wrong": Fault("positions", str(BIG), edit=said(total_items=24)),
    "a row of another account": Fault("positions", str(BIG), edit=rows(lambda row: row.update(account_id=SMALL))),
    "a quantity of 40 digits": Fault("positions", str(BIG), edit=rows(lambda row: row.update(quantity=f"1.{7**40}"))),
    "a quantity that is no number": Fault("positions", str(BIG), edit=rows(lambda row: row.update(quantity="NaN"))),
    "a row without its instrument": Fault("positions", str(BIG), edit=rows(lambda row: row.pop("instrument_id"))),
}  # fmt: skip
#: What is kept and counted, and costs nobody a day.
HARMLESS = {
    "a field that is new": rows(lambda row: row.update(settlement_note={"days": [1, 2]})),
    "a member that is new": rows(lambda row: row.update(instrument_type="TOKENIZED_STOCK")),
    "a number in the place of text": rows(lambda row: row.update(quantity=100)),
    "a null where a field is optional": rows(lambda row: row.update(avg_price=None)),
}


@pytest.fixture(scope="module")
def calm(home_of_thursday: Path, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """The books after an undisturbed Friday."""
    with friday(home_of_thursday, tmp_path_factory.mktemp("friday") / "home") as (_, settings):
        close_day(settings)
        return published(settings)[0]


def assert_whole(settings: Settings, calm: Books) -> None:
    now, _ = published(settings)
    assert [name for name in calm if name not in KEEPS and now[name] != calm[name]] == []


def of(books: Books, account: int) -> list[tuple[Any, ...]]:
    """An account's positions and results."""
    named = [*books["pnl.position_daily"], *books["pnl.account_daily"]]
    return [row for row in named if row[0] == str(account)]


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_within_the_evening_leaves_no_trace_in_the_books(
    fault: Fault, home_of_thursday: Path, calm: Books, tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (server, settings):
        server.faults = [replace(fault)]
        assert close_day(settings).is_complete
        assert len(server.asked("/positions")) > 4
        assert_whole(settings, calm)


@pytest.mark.parametrize("fault", STAYING.values(), ids=STAYING)
def test_what_stays_costs_one_account_one_day_until_it_is_over(
    fault: Fault, home_of_thursday: Path, calm: Books, tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (server, settings):
        before, _ = published(settings)
        server.faults = [replace(fault, times=None)]
        snapshot = close_day(settings)
        assert (snapshot.accounts_complete, snapshot.accounts_expected) == (2, 3)
        now, _ = published(settings)
        assert [row[1] for row in now["quality.day"]] == ["COMPLETE", "INCOMPLETE"]
        assert [str(BIG) in row for row in now["quality.gap"]] == [True]
        assert of(now, SMALL) == of(calm, SMALL)
        assert of(now, BIG) == of(before, BIG)  # Thursday's, and nothing by halves of Friday
        server.faults = []
        assert close_day(settings).is_complete
        assert_whole(settings, calm)


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS)
def test_what_is_only_new_is_kept_and_counted(
    edit: Callable[[Row], None], home_of_thursday: Path, tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (server, settings):
        server.faults = [Fault("positions", str(SMALL), times=None, edit=edit)]
        assert close_day(settings).is_complete
        books, _ = published(settings)
        assert [row[1] for row in books["quality.day"]] == ["COMPLETE", "COMPLETE"]
        assert books["quality.gap"] == []


def test_an_account_that_vanished_is_a_gap_and_the_others_stand(
    home_of_thursday: Path, calm: Books, tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (server, settings):
        listed = list(server.accounts)
        server.accounts = [each for each in listed if str(BIG) not in str(each)]
        assert not close_day(settings).is_complete
        now, _ = published(settings)
        assert [str(BIG) in row for row in now["quality.gap"]] == [True]
        assert of(now, SMALL) == of(calm, SMALL)
        server.accounts = listed
        assert close_day(settings).is_complete
        assert_whole(settings, calm)


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorized), (403, NoAccountList)])
def test_where_there_is_no_account_list_nothing_is_landed_and_the_former_books_stand(
    status: int, error: type[Exception], home_of_thursday: Path, calm: Books, tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (server, settings):
        before = published(settings)
        server.faults = [Fault(each, times=None, status=status) for each in ("clock", "accounts", "positions")]
        with pytest.raises(error):
            close_day(settings)
        assert published(settings) == before
        assert _asked_once(server) or status != 401
        server.faults = []
        assert close_day(settings).is_complete
        assert_whole(settings, calm)


def _asked_once(server: BrokerServer) -> bool:
    """Whether the wrong key was shown no more often than it took to be told."""
    return len(server.requests) <= 2
