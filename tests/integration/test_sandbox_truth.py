"""The sandbox knows what its accounts really made; the published books say the same, to the cent, every day."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.ingest.snapshot import take_snapshot
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from tests.support.threads import every_core

SEEDS = [1, 7]
Books = tuple[Sandbox, dict[str, list[dict[str, Any]]]]
pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed {seed}")
def books(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """A sandbox and what daybook made of 28 of its evenings, on every core."""
    home = tmp_path_factory.mktemp("home")
    with Sandbox(seed=request.param) as sandbox, every_core():
        settings = Settings(base_url=sandbox.url, home=home, api_key="any")
        with warehouse_session(settings) as con:
            for day in sandbox.days:
                sandbox.clock.set(sandbox.after_close(day))
                take_snapshot(con, settings)
                build(con, settings, CATALOG)
            tables = {}
            for name in (
                "pnl.position_daily",
                "pnl.account_daily",
                "quality.day",
                "quality.finding",
                "core.lifecycle_event",
            ):
                cursor = con.execute(f"select * from {name}")
                columns = [column[0] for column in cursor.description]
                tables[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        yield sandbox, tables


def test_every_day_is_complete_and_nothing_contradicts_itself(books: Books) -> None:
    sandbox, tables = books
    assert [
        row["trading_date"] for row in sorted(tables["quality.day"], key=lambda row: row["trading_date"])
    ] == sandbox.days
    assert {row["status"] for row in tables["quality.day"]} == {"COMPLETE"}
    assert tables["quality.finding"] == []


def test_every_account_made_what_it_made(books: Books) -> None:
    sandbox, tables = books
    found = {(row["account_id"], row["trading_date"]): row for row in tables["pnl.account_daily"]}
    assert len(found) == len(sandbox.truth.accounts) * len(sandbox.days)
    for (account, day), row in found.items():
        truth = sandbox.truth.day(account, day)
        if row["prev_trading_date"] is None:
            continue  # the first snapshot is an opening balance
        assert (row["realized_pnl"], row["unrealized_change"], row["total_pnl"]) == (
            truth.realized,
            truth.unrealized_change,
            truth.total,
        ), f"{account} on {day}"
        assert row["quality"] == "EXACT"
        assert row["fees_and_other"] == truth.dividends + truth.fees
        assert row["flow"] == truth.flow
        assert row["eod_equity"] == truth.equity
        assert row["income_estimate"] == truth.dividends


def test_every_position_made_what_it_made(books: Books) -> None:
    sandbox, tables = books
    found = {
        (row["account_id"], row["trading_date"], row["instrument_id"]): row for row in tables["pnl.position_daily"]
    }
    checked = 0
    for account in sandbox.truth.accounts:
        for day in sandbox.days[1:]:
            for instrument, truth in sandbox.truth.day(account, day).positions.items():
                row = found.pop((account, day, instrument), None)
                if row is None:
                    assert (truth.quantity, truth.total) == (0, 0), f"{truth.symbol} of {account} on {day} is missing"
                    continue
                assert (row["realized_pnl"], row["unrealized_change"], row["total_pnl"]) == (
                    truth.realized,
                    truth.unrealized_change,
                    truth.total,
                ), f"{truth.symbol} of {account} on {day}"
                checked += 1
    assert checked > 200
    assert {day for _, day, _ in found} == {sandbox.days[0]}, "rows that no truth knows"


def test_carried_and_traded_parts_add_up_wherever_both_are_known(books: Books) -> None:
    _, tables = books
    known = [row for row in tables["pnl.position_daily"] if None not in (row["position_pnl"], row["day_pnl"])]
    assert len(known) > 200
    assert all(row["position_pnl"] + row["day_pnl"] == row["total_pnl"] for row in known)


def test_the_story_is_found_again_from_positions_and_instructions(books: Books) -> None:
    _, tables = books
    kinds = [(row["kind"], row["confidence"]) for row in tables["core.lifecycle_event"]]
    assert ("EXERCISE", "INSTRUCTED") in kinds
    assert ("ASSIGNMENT", "INFERRED") in kinds
    assert ("EXPIRY", "INFERRED") in kinds
    split = next(row for row in tables["core.lifecycle_event"] if row["kind"] == "SPLIT")
    assert (split["symbol"], split["numerator"], split["denominator"]) == ("AAPL", Decimal(2), Decimal(1))
