"""The plot of the demo: what goes wrong at the stand-in, when it is read, and which day may stay a gap."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from daybook.demo_script import COMPLETED_LATER, GAP, INCIDENTS, MISSED, is_as_meant, runs_of
from pipelines.sandbox.incidents import Incidents, WrongPrice
from pipelines.sandbox.server import Sandbox


def test_a_fill_is_listed_at_a_wrong_price_until_it_is_corrected() -> None:
    wrong = WrongPrice(20517, "IBM", date(2005, 2, 9), Decimal("1.80"), datetime(2005, 2, 11, 14, 30, tzinfo=UTC))
    incidents = Incidents(wrong_prices=(wrong,))
    fills = [fill for order in Sandbox().broker.book("20517").orders for fill in order.fills]
    before, after = wrong.until - timedelta(seconds=1), wrong.until
    off = {
        (fill.instrument.symbol, fill.at.date()): incidents.listed(20517, fill, before).price - fill.price
        for fill in fills
        if incidents.listed(20517, fill, before) != fill
    }
    assert off == {("IBM", date(2005, 2, 9)): Decimal("1.80")}
    assert [incidents.listed(20517, fill, after) for fill in fills] == fills
    assert [incidents.listed(20518, fill, before) for fill in fills] == fills


def test_a_day_of_the_demo_may_end_as_a_gap_only_where_it_is_meant_to() -> None:
    sandbox = Sandbox(incidents=INCIDENTS)
    assert [day for day in sandbox.days if is_as_meant(day, "INCOMPLETE")] == [GAP]
    assert all(is_as_meant(day, "COMPLETE") for day in sandbox.days)
    assert not any(is_as_meant(day, status) for day in sandbox.days for status in ("BROKEN", None))


def test_no_evening_of_the_demo_is_read_twice_but_one_and_one_is_read_the_morning_after() -> None:
    sandbox = Sandbox(incidents=INCIDENTS)
    instants = [at for day in sandbox.days for at in runs_of(sandbox, day)]
    assert instants == sorted(set(instants))
    assert [day for day in sandbox.days if len(runs_of(sandbox, day)) == 2] == [COMPLETED_LATER]
    assert [day for day in sandbox.days if runs_of(sandbox, day)[0].date() > day] == [MISSED]
