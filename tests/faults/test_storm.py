"""F4: a broker that says 429 to everything costs a bounded time, never its limit, and no half of a day."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipelines.errors import NoAccountList
from pipelines.settings import Settings
from tests.support.broker_server import Fault
from tests.support.fault_books import BIG, broker, close_day, friday, published

BUDGET = 2.0


@pytest.mark.parametrize("wait", ["0", "1", "3600", "Fri, 31 Dec 2027 23:59:59 GMT", "soon", "-5", "9" * 40, "\u0661"])
def test_whatever_it_asks_to_wait_a_page_costs_no_more_than_its_budget(wait: str) -> None:
    from pipelines.broker.client import BrokerClient

    headers = {"Retry-After": wait} if wait.isascii() else {}
    with broker(
        faults=[Fault("positions", times=None, status=429, headers=headers, body={"error": {"code": 429}})]
    ) as server:
        began = time.monotonic()
        with BrokerClient(server.url, None, budget=BUDGET) as client:
            found = client.positions(str(BIG))
        assert time.monotonic() - began < BUDGET + 1.0
        assert 1 <= len(server.asked("/positions")) <= 5
    assert not found.complete
    assert "429" in (found.error or "")


def test_a_storm_over_one_account_is_a_gap_of_that_account_until_it_is_over(
    home_of_thursday: Path, tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (server, settings):
        server.faults = [Fault("positions", str(BIG), times=None, status=429, headers={"Retry-After": "3600"})]
        snapshot = close_day(settings)
        assert (snapshot.accounts_complete, snapshot.accounts_expected) == (2, 3)
        books, _ = published(settings)
        assert [row[2] for row in books["quality.gap"]] == ["FETCH_FAILED"]
        server.faults = []
        assert close_day(settings).is_complete
        books, _ = published(settings)
        assert books["quality.gap"] == []
        assert [row[1] for row in books["quality.day"]] == ["COMPLETE", "COMPLETE"]


def test_a_storm_over_everything_promotes_nothing(home_of_thursday: Path, tmp_path: Path) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (server, settings):
        before = published(settings)
        endpoints = ("accounts", "positions", "instructions", "clock", "market-hours")
        server.faults = [Fault(each, times=None, status=429, headers={"Retry-After": "3600"}) for each in endpoints]
        with pytest.raises(NoAccountList, match="429"):
            close_day(settings)
        assert published(settings) == before
        assert not server.asked("/positions")
        server.faults = []
        assert close_day(Settings(base_url=server.url, home=settings.home)).is_complete
