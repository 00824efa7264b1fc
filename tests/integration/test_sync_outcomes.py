"""What each fault of a broker comes to in the published tables: two evenings, the second with the fault."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.books.days import exit_code, statuses
from pipelines.errors import NoAccountList, Unauthorized
from pipelines.ingest.snapshot import Snapshot, take_snapshot
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.published import publish_if_behind
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer, Fault, position

FRIDAY, MONDAY = date(2025, 10, 31), date(2025, 11, 3)
CLOSED = {FRIDAY: datetime(2025, 10, 31, 20, 20, tzinfo=UTC), MONDAY: datetime(2025, 11, 3, 21, 20, tzinfo=UTC)}
BIG, SMALL, FLAT = "100001", "100002", "100003"
GAIN = {FRIDAY: Decimal("550"), MONDAY: Decimal("650")}  # unrealized P&L of each position on each day


def book(day: date, account: str, size: int) -> list[dict[str, Any]]:
    """`size` positions that are each worth 100 more on Monday."""
    marks = {
        "closing_price_date": day.isoformat(),
        "unrealized_pnl": str(GAIN[day]),
        "market_value": str(14500 + GAIN[day]),
        "closing_price": str((14500 + GAIN[day]) / 100),
        "instrument_price": str((14500 + GAIN[day]) / 100),
    }
    return [position(account, number, **marks) for number in range(size)]


class Desk:
    """A broker with three accounts, of two pages, of one and of none, and the books that daybook makes of it."""

    def __init__(self, home: Path, size: int) -> None:
        self.home = home
        self.sizes = {BIG: size, SMALL: 2, FLAT: 0}
        self.server = BrokerServer(
            accounts=list(self.sizes),
            positions={},
            instructions={},
            executions={},
            events={"instruments": {"event_dates": []}},
            key="right",
        )
        self.key = "right"

    def close(self, day: date, *faults: Fault) -> tuple[Snapshot, int]:
        """One evening from sync to published copy, and the exit code that a command would end with."""
        settings = Settings(base_url=self.server.url, home=self.home, api_key=self.key)
        self.server.now = CLOSED[day]
        self.server.books["positions"] = {account: book(day, account, size) for account, size in self.sizes.items()}
        self.server.faults = list(faults)
        with warehouse_session(settings) as con:
            snapshot = take_snapshot(con, settings)
            build(con, settings, CATALOG)
            publish_if_behind(con, settings)
            return snapshot, exit_code([statuses(con)[day]])

    def ask(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """What the published copy says."""
        settings = Settings(base_url=self.server.url, home=self.home)
        with open_published(settings.published) as con:
            return con.execute(query, values or None).fetchall()

    def total(self, account: str, day: date = MONDAY) -> Decimal | None:
        """An account's P&L of the day; fails where it has no row."""
        query = "select total_pnl from pnl.account_daily where account_id = $account and trading_date = $day"
        ((total,),) = self.ask(query, account=account, day=day)
        return None if total is None else Decimal(total)

    def gaps(self) -> list[tuple[Any, ...]]:
        """Account, day and reason of every hole."""
        return self.ask("select account_id, trading_date, reason from quality.gap order by all")

    def day(self, day: date = MONDAY) -> tuple[Any, ...]:
        """Status, accounts expected and complete of a day."""
        query = "select status, accounts_expected, accounts_complete from quality.day where trading_date = $day"
        (row,) = self.ask(query, day=day)
        return row

    def firm(self, day: date = MONDAY) -> Decimal | None:
        """The firm's P&L of a day."""
        total: Decimal | None
        ((total,),) = self.ask("select total_pnl from pnl.firm_daily where trading_date = $day", day=day)
        return total

    def reads(self, account: str) -> int:
        """How often the account's positions were read on the last evening."""
        query = """
            select reads from raw.extract_manifest
            where account_id = $account and endpoint = 'positions' order by run_id desc limit 1
        """
        return int(self.ask(query, account=account)[0][0])

    def findings(self, account: str) -> set[str]:
        """The names of Monday's findings of an account."""
        query = "select check_name from quality.finding where account_id = $account and trading_date = $day"
        return {name for (name,) in self.ask(query, account=account, day=MONDAY)}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The desk after a Friday that was closed without trouble."""
    made = Desk(tmp_path, size=1200)
    with made.server:
        _, code = made.close(FRIDAY)
        assert code == 0
        yield made


def torn(server: BrokerServer) -> None:
    """Sell the first position and buy another after the last: every count stays the same, and page 2 skips a row."""
    rows = server.positions[BIG]
    server.positions[BIG] = [*rows[1:], position(BIG, 1_000_000 + len(server.requests))]


def edit_rows(change: Callable[[list[dict[str, Any]]], None]) -> Callable[[dict[str, Any]], None]:
    """An edit of an answer's rows."""
    return lambda whole: change(whole["data"])


def assert_only(desk: Desk, account: str, reason: str) -> None:
    """Monday stands for every account but one, which is a gap; the firm's P&L is unknown, not a part of it."""
    assert desk.gaps() == [(account, MONDAY, reason)]
    assert desk.day() == ("INCOMPLETE", 3, 2)
    assert desk.firm() is None
    others = {BIG: Decimal(120_000), SMALL: Decimal(200), FLAT: Decimal(0)}
    assert {each: desk.total(each) for each in others if each != account} == {
        each: total for each, total in others.items() if each != account
    }
    there = "select count(*) from pnl.account_daily where account_id = $account and trading_date = $day"
    assert desk.ask(there, account=account, day=MONDAY) == [(0,)]


def test_an_evening_without_trouble_is_complete_to_the_cent(desk: Desk) -> None:
    snapshot, code = desk.close(MONDAY)
    assert (code, snapshot.is_complete, snapshot.problems) == (0, True, [])
    assert desk.day() == ("COMPLETE", 3, 3)
    assert (desk.total(BIG), desk.total(SMALL), desk.total(FLAT)) == (120_000, 200, 0)
    assert desk.firm() == 120_200
    assert desk.gaps() == []


def test_a_read_torn_once_is_read_until_two_agree(desk: Desk) -> None:
    snapshot, code = desk.close(MONDAY, Fault("positions", BIG, page=1, then=torn))
    assert (code, snapshot.is_complete) == (0, True)
    assert desk.reads(BIG) == 3
    query = "select symbol from core.position_eod where account_id = $a and trading_date = $d"
    symbols = desk.ask(query, a=BIG, d=MONDAY)
    assert sorted(symbol for (symbol,) in symbols) == sorted(row["symbol"] for row in desk.server.positions[BIG])


def test_a_book_that_never_holds_still_is_a_gap_and_not_a_guess(desk: Desk) -> None:
    snapshot, code = desk.close(MONDAY, Fault("positions", BIG, page=1, then=torn, times=None))
    assert (code, snapshot.is_complete) == (3, False)
    assert BIG in snapshot.problems[0]
    assert_only(desk, BIG, "INCOMPLETE_SNAPSHOT")


def test_a_page_that_is_lost_is_a_gap(desk: Desk) -> None:
    def lose(whole: dict[str, Any]) -> None:
        whole["metadata"]["next_page_token"] = None

    snapshot, code = desk.close(MONDAY, Fault("positions", BIG, page=1, edit=lose, times=None))
    assert code == 3
    assert "request-" in snapshot.problems[0]
    assert_only(desk, BIG, "INCOMPLETE_SNAPSHOT")


def test_a_row_sent_twice_alike_counts_once_with_a_finding(desk: Desk) -> None:
    twice = edit_rows(lambda rows: rows.append(dict(rows[0])))
    _, code = desk.close(MONDAY, Fault("positions", SMALL, edit=twice, times=None))
    assert code == 0
    assert desk.total(SMALL) == 200
    assert any("duplicate" in name for name in desk.findings(SMALL))


def test_a_row_sent_twice_differently_is_read_again(desk: Desk) -> None:
    differing = edit_rows(lambda rows: rows.append({**rows[0], "quantity": "99"}))
    _, code = desk.close(MONDAY, Fault("positions", SMALL, edit=differing))
    assert code == 0
    assert desk.total(SMALL) == 200
    assert len(desk.server.asked(f"{SMALL}/positions")) >= 3  # Friday's, and Monday's two


def test_a_row_sent_twice_differently_every_time_is_a_gap(desk: Desk) -> None:
    differing = edit_rows(lambda rows: rows.append({**rows[0], "quantity": "99"}))
    _, code = desk.close(MONDAY, Fault("positions", SMALL, edit=differing, times=None))
    assert code == 3
    assert_only(desk, SMALL, "INCOMPLETE_SNAPSHOT")


def test_a_row_of_another_account_fails_the_account_and_lands_nowhere(desk: Desk) -> None:
    foreign = edit_rows(lambda rows: rows[0].update(account_id=777777))
    _, code = desk.close(MONDAY, Fault("positions", SMALL, edit=foreign, times=None))
    assert code == 3
    assert_only(desk, SMALL, "INCOMPLETE_SNAPSHOT")
    assert desk.ask("select count(*) from core.position_eod where account_id = '777777'") == [(0,)]


def test_a_row_that_cannot_be_understood_is_quarantined_and_its_account_a_gap(desk: Desk) -> None:
    nonsense = edit_rows(lambda rows: rows[0].update(quantity="abc"))
    _, code = desk.close(MONDAY, Fault("positions", SMALL, edit=nonsense, times=None))
    assert code == 3
    assert_only(desk, SMALL, "INCOMPLETE_SNAPSHOT")
    ((account, text),) = desk.ask("select account_id, row_text from raw.quarantine")
    assert account == SMALL
    assert '"abc"' in text


def test_403_on_one_account_isolates_it(desk: Desk) -> None:
    desk.server.forbidden = {(SMALL, "positions")}
    snapshot, code = desk.close(MONDAY)
    assert code == 3
    assert len(snapshot.problems) == 1
    assert SMALL in snapshot.problems[0]
    assert "403" in snapshot.problems[0]
    assert_only(desk, SMALL, "FETCH_FAILED")


def test_the_day_after_a_gap_covers_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, size=1)
    with desk.server:
        desk.server.forbidden = {(SMALL, "positions")}
        assert desk.close(FRIDAY)[1] == 3
        desk.server.forbidden = set()
        assert desk.close(MONDAY)[1] == 0
        assert desk.ask("select account_id, covered_by_date from quality.gap") == [(SMALL, MONDAY)]


def test_instructions_that_fail_leave_the_pnl_and_make_the_day_incomplete(desk: Desk) -> None:
    desk.server.forbidden = {(SMALL, "instructions")}
    _, code = desk.close(MONDAY)
    assert code == 3
    assert desk.day() == ("INCOMPLETE", 3, 2)
    assert desk.total(SMALL) == 200
    assert desk.gaps() == []
    assert desk.firm() is None


def test_evidence_that_may_not_be_read_changes_neither_day_nor_exit_code(desk: Desk) -> None:
    desk.server.forbidden = {(account, endpoint) for account in desk.sizes for endpoint in ("executions", "orders")}
    snapshot, code = desk.close(MONDAY)
    assert (code, snapshot.is_complete, snapshot.problems) == (0, True, [])
    assert desk.day() == ("COMPLETE", 3, 3)


def test_401_stops_at_the_first_request_and_the_former_books_stand(desk: Desk) -> None:
    asked = len(desk.server.requests)
    desk.key = "wrong"
    with pytest.raises(Unauthorized, match="401"):
        desk.close(MONDAY)
    assert len(desk.server.requests) == asked + 1
    assert desk.ask("select max(trading_date) from quality.day") == [(FRIDAY,)]
    assert Unauthorized.exit_code == 1


def test_an_account_list_that_repeats_its_token_promotes_nothing(desk: Desk) -> None:
    def same_token(whole: dict[str, Any]) -> None:
        # the mock servers of the real specification answer so: a token that leads to the same page again
        whole["metadata"].update(next_page_token=first_page, page_number=1, total_items=25, total_pages=9)

    first_page = base64.urlsafe_b64encode(orjson.dumps([0, 1000, 0, {}])).decode()

    with pytest.raises(NoAccountList, match="token") as raised:
        desk.close(MONDAY, Fault("accounts", edit=same_token, times=None))
    assert raised.value.exit_code == 1
    assert desk.ask("select max(trading_date), count(*) from raw.extract_run") == [(FRIDAY, 1)]


@pytest.mark.parametrize("size", [0, 1, 1000, 1001, pytest.param(25_000, marks=pytest.mark.heavy)])
def test_an_account_of_any_size_is_whole(tmp_path: Path, size: int) -> None:
    desk = Desk(tmp_path, size)
    with desk.server:
        for day in (FRIDAY, MONDAY):
            _, code = desk.close(day)
            assert code == 0
        counted = desk.ask(
            "select position_count from core.account_eod where account_id = $a and trading_date = $d", a=BIG, d=MONDAY
        )
        assert counted == [(size,)]
        assert desk.total(BIG) == size * 100
        assert desk.reads(BIG) == (1 if size <= 1000 else 2)


def test_running_the_same_evening_again_adds_no_version(desk: Desk) -> None:
    desk.close(MONDAY)
    counted = "select count(*) from pnl.position_daily_version"
    before = desk.ask(counted)
    desk.close(MONDAY)
    assert desk.ask(counted) == before


def test_a_published_copy_left_behind_by_a_killed_run_is_made_good(desk: Desk) -> None:
    settings = Settings(base_url=desk.server.url, home=desk.home, api_key="right")
    former = settings.published.read_bytes()
    desk.close(MONDAY)
    settings.published.write_bytes(former)  # as if the run had died between build and publish
    with warehouse_session(settings) as con:
        assert publish_if_behind(con, settings)
        assert not publish_if_behind(con, settings)
    assert desk.day() == ("COMPLETE", 3, 3)
