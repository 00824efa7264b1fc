"""The oracle is worth asking: it finds every P&L of ../shared/scenarios that was worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.support.facts import (
    AccountAnswer,
    Adjustment,
    Book,
    Contract,
    Evening,
    Event,
    Instruction,
    Position,
    Segment,
    SignedFill,
)
from tests.support.oracle import Result, consult
from tests.support.scenarios import REALIZED, SAID_BY_PEOPLE, scenarios

MEASURES = {
    "realized": "realized_pnl",
    "unrealized_change": "unrealized_change",
    "total": "total_pnl",
    "position_pnl": "position_pnl",
    "day_pnl": "day_pnl",
    "dividend_accrued": "income_estimate",
}
#: The price of a position that vanished is not among what a broker answers.
UNKNOWABLE = {("S15", "position_pnl"), ("S15", "day_pnl")}
WITH_DAYS = [each for each in scenarios().values() if each.get("days")]


@pytest.mark.skipif(not scenarios(), reason="../shared/scenarios is absent")
@pytest.mark.parametrize("scenario", WITH_DAYS, ids=lambda each: f"{each['id']}_{each['name']}")
def test_the_oracle_finds_what_was_worked_out_by_hand(scenario: dict[str, Any]) -> None:
    result = consult(_book(scenario))
    for expected in scenario.get("expected", ()):
        _check_row(scenario["id"], result, expected)
    for absent in scenario.get("expected_absent", ()):
        assert _key(absent) not in result.rows, absent["why"]
    for expected in scenario.get("expected_account", ()):
        found = result.accounts[str(expected["account_id"]), _day(expected["date"])]
        assert found.total_pnl == _number(expected["total"])
    gaps = {(str(gap["account_id"]), _day(gap["date"])): gap["reason"] for gap in scenario.get("expected_gaps", ())}
    assert result.gaps == gaps


def _check_row(name: str, result: Result, expected: Mapping[str, Any]) -> None:
    row = result.rows[_key(expected)]
    assert row.status == expected["status"]
    for measure, attribute in MEASURES.items():
        if measure in expected and (name, measure) not in UNKNOWABLE:
            assert getattr(row, attribute) == _number(expected[measure]), measure


def _key(expected: Mapping[str, Any]) -> tuple[str, str, date]:
    return str(expected["account_id"]), expected["instrument_id"], _day(expected["date"])


def _book(scenario: Mapping[str, Any]) -> Book:
    mode = scenario.get("mode", "")
    lines = (each for each in scenario.get("lifecycle", ()) if each["kind"] in SAID_BY_PEOPLE)
    return Book(tuple(_evenings(scenario)), tuple(map(_adjustment, lines)), REALIZED.get(mode, "auto"))


def _evenings(scenario: Mapping[str, Any]) -> Iterator[Evening]:
    contracts = tuple(map(_contract, scenario.get("contracts", ())))
    events = tuple(map(_event, scenario.get("events", ())))
    history: dict[tuple[int, str], Any] = {}
    for day in scenario["days"]:
        history |= {(each["account_id"], each["date"]): each for each in day.get("portfolio_history", ())}
        answers = {str(account): _answer(scenario, day, account, history) for account in scenario["accounts"]}
        yield Evening(datetime.fromisoformat(day["snapshot_at"]), answers, contracts, events)


def _answer(
    scenario: Mapping[str, Any], day: Mapping[str, Any], account: int, history: Mapping[Any, Any]
) -> AccountAnswer:
    at = datetime.fromisoformat(day["snapshot_at"])
    positions = {row["instrument_id"]: _position(row) for row in _of(account, day["positions"])}
    segments = [_segment(each) for (owner, _), each in history.items() if owner == account]
    balances = [each["daily_pnl"] for each in _of(account, day.get("balances", ())) if "daily_pnl" in each]
    fills = [_fill(row) for each in scenario["days"] for row in _of(account, each.get("executions", ()))]
    return AccountAnswer(
        positions=None if account in day.get("failed_accounts", ()) else tuple(positions.values()),
        fills_since=datetime(2020, 1, 1, tzinfo=UTC),
        whole=day.get("total_items", len(positions)) == len(positions),
        fills=tuple(fill for fill in fills if fill.at <= at) if scenario.get("mode") == "executions" else None,
        instructions=tuple(_instruction(row, at) for row in _of(account, scenario.get("instructions", ()))),
        history=tuple(segments) or None,
        daily_pnl=_number(balances[0]) if balances else None,
    )


def _of(account: int, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["account_id"] == account]


def _position(row: Mapping[str, Any]) -> Position:
    numbers = ("cost_basis", "avg_price", "unrealized_pnl", "closing_price", "instrument_price")
    daily = ("daily_realized_pnl", "daily_unrealized_pnl")
    return Position(
        instrument_id=row["instrument_id"],
        symbol=row["symbol"],
        instrument_type=row["instrument_type"],
        quantity=Decimal(row["quantity"]),
        market_value=Decimal(row["market_value"]),
        closing_price_date=_day(row["closing_price_date"]) if row.get("closing_price_date") else None,
        underlying_instrument_id=row.get("underlying_instrument_id"),
        **{name: _number(row.get(name)) for name in (*numbers, *daily)},
    )


def _fill(row: Mapping[str, Any]) -> SignedFill:
    signed = Decimal(row["quantity"]) * (1 if row["side"] == "BUY" else -1)
    at = datetime.fromisoformat(row["transaction_time"])
    return SignedFill(row["id"], row["instrument_id"], signed, _number(row["price"]), at)


def _contract(row: Mapping[str, Any]) -> Contract:
    numbers = (Decimal(row["strike_price"]), _day(row["expiry"]), Decimal(row["multiplier"]))
    return Contract(row["id"], row["symbol"], row["underlying_instrument_id"], row["contract_type"], *numbers)


def _event(row: Mapping[str, Any]) -> Event:
    ratio = Decimal(row["numerator"]) / Decimal(row["denominator"]) if row["type"] == "SPLIT" else None
    day = _day(row.get("ex_date") or row["date"])
    return Event(row["instrument_id"], day, ratio=ratio, amount=_number(row.get("dividend_amount")))


def _instruction(row: Mapping[str, Any], at: datetime) -> Instruction:
    updated = datetime.fromisoformat(row["updated_at"])
    is_known = updated <= at
    return Instruction(
        id=row["id"],
        instrument_id=row["instrument_id"],
        instruction_type=row["instruction_type"],
        quantity=Decimal(row["quantity"]),
        status=row["status"] if is_known else "SENT",
        accepted_quantity=_number(row["accepted_quantity"]) if is_known else None,
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=updated,
    )


def _adjustment(row: Mapping[str, Any]) -> Adjustment:
    instrument = row.get("instrument_id") or row.get("from_instrument_id") or row["option_instrument_id"]
    numbers = [_number(row.get(name)) for name in ("quantity", "cash", "value", "cost_basis")]
    target = row.get("to_instrument_id")
    return Adjustment(_day(row["date"]), str(row["account_id"]), row["kind"], instrument, target, *numbers)


def _segment(row: Mapping[str, Any]) -> Segment:
    return Segment(_day(row["date"]), _number(row["realized_pnl"]), _number(row["unrealized_pnl"]))


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _day(text: str) -> date:
    return date.fromisoformat(text)
