"""An evening in sixteen parts: what a plan lands, what its parts add, and what a part that never comes leaves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.errors import ConfigurationError
from pipelines.ingest import parts
from pipelines.ingest.parts import NotPlanned, part_of
from pipelines.ingest.replay import replay
from pipelines.ingest.snapshot import take_part, take_plan
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer, Fault, position

FRIDAY, MONDAY = date(2025, 10, 31), date(2025, 11, 3)
CLOSED = {FRIDAY: datetime(2025, 10, 31, 20, 20, tzinfo=UTC), MONDAY: datetime(2025, 11, 3, 21, 20, tzinfo=UTC)}
GAIN = {FRIDAY: 550, MONDAY: 650}
ACCOUNTS = ("100001", "100002", "100003", "100004")
PARTS = sorted({part_of(account) for account in ACCOUNTS})


def book(day: date, account: str) -> list[dict[str, Any]]:
    """A position that is worth 100 more on Monday."""
    close = str((14500 + GAIN[day]) / 100)
    marks = {"closing_price": close, "instrument_price": close, "market_value": str(14500 + GAIN[day])}
    day_of_close = {"closing_price_date": day.isoformat(), "unrealized_pnl": str(GAIN[day])}
    return [position(account, 1, **marks, **day_of_close)]


class Desk:
    """A broker of four accounts, and a warehouse that is filled part after part."""

    def __init__(self, home: Path) -> None:
        self.server = BrokerServer(
            accounts=list(ACCOUNTS),
            positions={},
            instructions={},
            executions={},
            events={"instruments": {"event_dates": []}},
        )
        self.settings = Settings(base_url=self.server.url, home=home)

    def evening(self, day: date) -> None:
        self.server.now = CLOSED[day]
        self.server.books["positions"] = {account: book(day, account) for account in ACCOUNTS}
        self.server.requests.clear()

    def built(self, con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
        """How the last day stands, once what was landed is built: status, accounts expected and complete."""
        build(con, self.settings, CATALOG)
        return con.execute(_LAST_DAY).fetchall()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    with desk.server:
        yield desk


_LAST_DAY = "select status, accounts_expected, accounts_complete from quality.day order by trading_date desc limit 1"
FIRM = "select total_pnl from pnl.firm_daily order by trading_date desc limit 1"
GAPS = "select account_id, reason from quality.gap order by all"
VERSIONS = "select account_id, count(*) from pnl.position_daily_version group by all order by all"


def test_every_account_belongs_to_one_of_sixteen_parts_for_ever() -> None:
    told = {"100001": 5, "100002": 15, "100003": 9, "19816": 3}
    assert {account: part_of(account) for account in told} == told
    assert {part_of(str(number)) for number in range(1000)} == set(range(parts.PARTS))


def test_a_part_that_never_comes_leaves_gaps_and_one_that_comes_later_fills_them(desk: Desk) -> None:
    late = part_of("100004")
    with warehouse_session(desk.settings) as con:
        desk.evening(FRIDAY)
        plan = take_plan(con, desk.settings)
        assert desk.built(con) == [("INCOMPLETE", 4, 0)]
        for part in PARTS:
            take_part(con, desk.settings, part)
        assert desk.built(con) == [("COMPLETE", 4, 4)]

        desk.evening(MONDAY)
        plan = take_plan(con, desk.settings)
        assert (plan.accounts_expected, plan.accounts_complete, plan.problems) == (4, 0, [])
        for part in PARTS:
            if part != late:
                read = take_part(con, desk.settings, part)
                assert read is not None
                assert read.is_complete
        assert desk.built(con) == [("INCOMPLETE", 4, 3)]
        assert con.execute(GAPS).fetchall() == [("100004", "NO_SNAPSHOT")]
        assert con.execute(FIRM).fetchall() == [(None,)]
        before = con.execute(VERSIONS).fetchall()

        take_part(con, desk.settings, late)
        assert desk.built(con) == [("COMPLETE", 4, 4)]
        assert con.execute(GAPS).fetchall() == []
        assert con.execute(FIRM).fetchall() == [(Decimal(400),)]
        assert dict(con.execute(VERSIONS).fetchall()) == {**dict(before), "100004": 2}
        assert con.execute("select kind, name from quality.drift").fetchall() == []

        # a plan of later that evening whose parts never come takes nothing away
        take_plan(con, desk.settings)
        assert desk.built(con) == [("COMPLETE", 4, 4)]


def test_a_part_is_read_once_and_asks_for_nothing_that_is_not_its_own(desk: Desk) -> None:
    desk.evening(FRIDAY)
    part = part_of("100001")
    with warehouse_session(desk.settings) as con:
        take_plan(con, desk.settings)
        desk.server.requests.clear()
        desk.server.faults = [Fault("positions", account_id="100001", status=403)]
        broken = take_part(con, desk.settings, part)
        assert broken is not None
        assert not broken.is_complete
        whole = take_part(con, desk.settings, part)  # what was not whole is read again
        assert whole is not None
        assert whole.is_complete
        asked = {request.path for request in desk.server.requests}
        assert not any("/accounts/" in path and "/accounts/100001/" not in path for path in asked)
        assert not asked & {"/v1/accounts", "/v1/calendars/market-hours"}  # the plan's
        desk.server.requests.clear()
        assert take_part(con, desk.settings, part) is None
        assert [request.path for request in desk.server.requests] == ["/v1/clock"]
        empty = next(number for number in range(parts.PARTS) if number not in PARTS)
        assert take_part(con, desk.settings, empty) is None
        runs = con.execute("select run_id from raw.extract_run order by run_id").fetchall()
        assert len(runs) == 3
        assert len({run_id.split("-")[1] for (run_id,) in runs}) == 1  # they are told by the plan's token


def test_a_part_without_a_plan_of_its_day_is_refused(desk: Desk) -> None:
    with warehouse_session(desk.settings) as con:
        desk.evening(FRIDAY)
        with pytest.raises(NotPlanned, match="no plan of 2025-10-31"):
            take_part(con, desk.settings, 0)
        take_plan(con, desk.settings)
        desk.evening(MONDAY)
        with pytest.raises(NotPlanned, match="no plan of 2025-11-03"):
            take_part(con, desk.settings, PARTS[0])
        with pytest.raises(ConfigurationError, match="There is no part 16"):
            take_part(con, desk.settings, 16)
        with pytest.raises(ConfigurationError, match="positions have no as-of"):
            take_part(con, desk.settings, PARTS[0], partition=FRIDAY)


def test_a_plan_and_its_parts_are_replayed_from_the_archive(desk: Desk, tmp_path: Path) -> None:
    rows = "select * exclude (_dlt_load_id) from raw.{} order by all"
    tables = ("extract_manifest", "positions", "accounts", "extract_run")
    with warehouse_session(desk.settings) as con:
        desk.evening(FRIDAY)
        take_plan(con, desk.settings)
        for part in PARTS[:2]:
            take_part(con, desk.settings, part)
        read = {table: con.execute(rows.format(table)).fetchall() for table in tables}
    elsewhere = desk.settings.model_copy(update={"home": tmp_path / "elsewhere"})
    with warehouse_session(elsewhere) as con:
        assert replay(con, elsewhere, archive=desk.settings.archive).damaged == []
        assert {table: con.execute(rows.format(table)).fetchall() for table in tables} == read
