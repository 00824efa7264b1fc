"""Ours beside the broker's: returns, flows, breaks, and the broker's own published example with what is wrong in it."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.calendar import TradingCalendar
from tests.support.broker_server import Fault
from tests.support.desk import FRIDAY, MONDAY, THURSDAY, Desk, desk, shares
from tests.support.scenarios import scenarios

SPEC = Path(__file__).parents[3] / "shared" / "openapi" / "clear-street-v0.7.0.json"


def _history(day: str, **figures: str) -> dict[str, Any]:
    return {"account_id": 100, "date": day, **figures}


def _with_metadata(**changes: Any) -> Any:
    return lambda whole: whole["metadata"].update(changes)


def _check(d: Desk, name: str, day: str = "2025-10-31") -> tuple[Any, Any]:
    ((difference, status),) = d.ask(
        "select difference, status from quality.reconciliation where check_name = ? and trading_date = ?", name, day
    )
    return difference, status


def test_a_deposit_is_a_flow_and_does_not_inflate_the_return(tmp_path: Path) -> None:
    segment = _history(
        "2025-10-31", sod_equity="100000.00", eod_equity="110850.25", realized_pnl="1200.50",
        unrealized_pnl="-350.25", net_pnl="850.25",
    )  # fmt: skip
    with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}, history={100: [segment]}) as d:
        d.evening(FRIDAY)
        assert d.ask("select flow, daily_return, daily_return_on_sod, fees_and_other from pnl.account_daily") == [
            (Decimal("10000.00"), Decimal("0.0077295455"), Decimal("0.0085025"), Decimal(0))
        ]


def test_fees_are_net_less_gross(tmp_path: Path) -> None:
    segment = _history(
        "2025-10-31", sod_equity="100000.00", eod_equity="100093.75", realized_pnl="60.00", unrealized_pnl="35.00",
        net_pnl="93.75",
    )  # fmt: skip
    with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}, history={100: [segment]}) as d:
        d.evening(FRIDAY)
        assert d.ask("select fees_and_other, flow from pnl.account_daily") == [(Decimal("-1.25"), Decimal(0))]


def test_returns_are_linked_and_the_drawdown_is_on_the_index(tmp_path: Path) -> None:
    days = {"2025-10-29": "1.00", "2025-10-30": "-2.00", "2025-10-31": "0.50"}
    segments = [
        _history(
            day,
            sod_equity="100",
            eod_equity=str(100 + Decimal(net)),
            realized_pnl="0",
            unrealized_pnl=net,
            net_pnl=net,
        )
        for day, net in days.items()
    ]
    with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}, history={100: segments}) as d:
        for day in days:
            d.evening(f"{day}T20:30:00+00:00")
        assert d.ask("select twr_itd, drawdown from pnl.period order by trading_date") == [
            (Decimal("0.01"), Decimal(0)),
            (Decimal("-0.0102"), Decimal("-0.02")),
            (Decimal("-0.005251"), Decimal("-0.0151")),
        ]


@pytest.mark.parametrize(
    ("broker", "difference", "status"),
    [("93.75", "1.25", "BREAK"), ("95.01", "-0.01", "OK"), (None, None, "NOT_CHECKED")],
)
def test_a_difference_from_the_brokers_total_is_a_break_beyond_its_tolerance(
    tmp_path: Path, broker: str | None, difference: str | None, status: str
) -> None:
    held = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")]}
    balances = {100: {"account_id": 100, "currency": "USD", "daily_pnl": broker}}
    with desk(tmp_path, accounts=[100], positions=held, instructions={}, balances=balances) as d:
        d.evening(THURSDAY)
        d.broker.positions["100"] = [shares("100", "151.45", cost="14500.00", day="2025-10-31")]
        d.evening(FRIDAY)
        expected = None if difference is None else Decimal(difference)
        assert _check(d, "total_vs_balances") == (expected, status)


def test_a_break_ages_with_every_trading_day(tmp_path: Path) -> None:
    held = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")]}
    balances = {100: {"account_id": 100, "currency": "USD", "daily_pnl": "1.00"}}
    with desk(tmp_path, accounts=[100], positions=held, instructions={}, balances=balances) as d:
        for evening in (THURSDAY, FRIDAY, MONDAY):
            d.evening(evening)
        ages = d.ask(
            """
            select trading_date, age_days from quality.reconciliation
            where check_name = 'total_vs_balances' and status = 'BREAK' order by trading_date
            """
        )
        told = d.ask(
            "select message from quality.reconciliation where status = 'BREAK' and trading_date = '2025-10-31'"
        )
        assert "`daybook backfill --fills --from 2025-10-31`" in told[0][0]
        assert [age for _, age in ages] == [1, 0]


@pytest.mark.skipif(not SPEC.exists(), reason="../shared/openapi is absent")
class TestPublishedExample:
    """The broker's documentation contradicts itself; every contradiction is found, and none is 'mended'."""

    @staticmethod
    def _example(path: str) -> Any:
        spec = json.loads(SPEC.read_text())
        content = spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        return next(iter(content["examples"].values()))["value"] if "examples" in content else content["example"]

    def test_its_positions_land_with_the_findings_that_they_deserve(self, tmp_path: Path) -> None:
        rows = self._example("/v1/accounts/{account_id}/positions")["data"]
        assert [row["symbol"] for row in rows] == ["AAPL", "TSLA", "AAPL250117C00190000"]
        account = str(rows[0]["account_id"])
        with desk(tmp_path, accounts=[account], positions={account: rows}, instructions={}) as d:
            d.evening(FRIDAY)
            assert d.ask(
                "select symbol, value_basis, market_value, value_recalc from core.position_eod order by all"
            ) == [
                ("AAPL", "CLOSE", Decimal(15050), Decimal(15050)),
                ("AAPL250117C00190000", "CLOSE", Decimal(2700), Decimal(2720)),
                ("TSLA", "CLOSE", Decimal(-9000), Decimal(-8925)),
            ]
            found = d.ask(
                """
                select coalesce(position_eod.symbol, 'account'), check_name, value, expected
                from quality.finding
                left join core.position_eod using (instrument_id, trading_date, account_id)
                where check_name <> 'fetch_failed' order by all
                """
            )
            names = {(symbol, check) for symbol, check, _, _ in found}
            assert names == {
                ("TSLA", "value_minus_cost_vs_unrealized"),
                ("TSLA", "available_exceeds_quantity"),
                ("TSLA", "stale_price"),
                ("TSLA", "daily_fields_half"),
                ("AAPL250117C00190000", "available_exceeds_quantity"),
                ("AAPL250117C00190000", "stale_price"),
                ("AAPL250117C00190000", "option_symbol_expired"),
                ("AAPL250117C00190000", "option_symbol_not_padded"),
                ("AAPL250117C00190000", "daily_fields_half"),
                ("AAPL", "daily_fields_half"),
                ("account", "mixed_closing_dates"),
            }
            gap = next(row for row in found if row[1] == "value_minus_cost_vs_unrealized")
            assert Decimal(gap[2]) - Decimal(gap[3]) == Decimal(-75)

    def test_its_paging_promises_more_rows_than_it_brings_so_it_is_not_whole(self, tmp_path: Path) -> None:
        example = self._example("/v1/accounts/{account_id}/positions")
        account = str(example["data"][0]["account_id"])
        promised = Fault("positions", times=None, edit=_with_metadata(total_items=example["metadata"]["total_items"]))
        books: dict[str, Any] = {"positions": {account: example["data"]}, "instructions": {}}
        with desk(tmp_path, accounts=[account], faults=[promised], **books) as d:
            snapshot = d.sync(FRIDAY)
            assert not snapshot.is_complete
            assert "3 different rows came where the broker counts 25" in snapshot.problems[0]

    def test_its_portfolio_history_adds_up_but_for_its_day_and_position_parts(self, tmp_path: Path) -> None:
        (segment,) = self._example("/v1/accounts/{account_id}/portfolio-history")["data"]["segments"][:1]
        at = f"{segment['date']}T20:30:00+00:00"
        with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}, history={100: [segment]}) as d:
            d.evening(at)
            assert _check(d, "realized_plus_unrealized_vs_net", segment["date"]) == (0, "OK")
            assert _check(d, "eod_minus_sod_vs_net", segment["date"]) == (0, "OK")
            assert _check(d, "day_plus_position_vs_net", segment["date"]) == (Decimal("-350.25"), "WARN")


@pytest.mark.skipif(not scenarios(), reason="../shared/scenarios is absent")
def test_the_calendar_scenario_agrees_with_the_calendar() -> None:

    calendar = TradingCalendar.load()
    for expected in scenarios()["S57"]["expected_calendar"]:
        found = calendar.assign(datetime.fromisoformat(expected["at"]))
        assert (str(found.trading_date), found.grade, found.eod_eligible) == (
            expected["trading_date"],
            expected["grade"],
            expected["eod_eligible"],
        )
