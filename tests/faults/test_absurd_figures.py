"""F25: figures that a column holds and no book could have. What is computed of them is unknown where no column holds
it; the build goes on, and the books of the other accounts are what they are without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.faults.test_hostile_answers import HONEST, books
from tests.support.broker_server import position
from tests.support.desk import FRIDAY, MONDAY, THURSDAY, Desk, desk, fill

MONEY = ["9" * 18 + "." + "9" * 10, "0.0000000001", "0", "1.00"]
QUANTITY = ["9" * 16 + "." + "9" * 8, "0.00000001", "100"]
PERCENT = ["9" * 10 + "." + "9" * 8, "0.00000001"]
RATIO = [*QUANTITY, "0", "-1", "0.00005", "999999", "99999999"]
DATES = ["0001-01-01", "9999-12-31", "2025-10-31"]
OF_A_POSITION = {
    **dict.fromkeys(["quantity", "avg_price", "instrument_price", "closing_price"], QUANTITY),
    **dict.fromkeys(["market_value", "cost_basis", "unrealized_pnl"], MONEY),
    **dict.fromkeys(["daily_realized_pnl", "daily_unrealized_pnl"], MONEY),
    **dict.fromkeys(["unrealized_pnl_pct", "daily_unrealized_pnl_pct"], PERCENT),
}
SIGNED = [name for name in OF_A_POSITION if name.endswith(("pnl", "pct", "value", "basis"))]
#: Every figure of every kind of row, one at a time, and all of them at once.
ONE_BY_ONE: list[dict[str, Any]] = [{name: value} for name, values in OF_A_POSITION.items() for value in values]
ONE_BY_ONE += [{name: f"-{value}"} for name in SIGNED for value in OF_A_POSITION[name][:2]]
ALL = {name: values[0] for name, values in OF_A_POSITION.items()}
ROWS = [
    *ONE_BY_ONE,
    ALL,
    ALL | {"cost_basis": f"-{MONEY[0]}", "unrealized_pnl": None},
    {"closing_price_date": DATES[0]},
]
ROWS += [{"closing_price": None, "instrument_price": None, "quantity": QUANTITY[1], "market_value": MONEY[0]}]
ROWS += [{"cost_basis": None, "avg_price": QUANTITY[0]}, {"closing_price_date": DATES[1]}]
CONTRACTS: list[dict[str, Any]] = [{"multiplier": each} for each in RATIO] + [{"expiry": each} for each in DATES]
CONTRACTS += [{"strike_price": each, "expiry": "2025-10-31"} for each in QUANTITY]
SYMBOLS = ["A     000000C00000000", "A     999999P99999999", "A     250230C99999999"]


SPLITS = [(each, "1") for each in RATIO] + [("1", each) for each in RATIO] + [("999999", "999999"), ("4", "1")]
DIVIDENDS = [*MONEY, f"-{MONEY[0]}"]


def absurd() -> tuple[dict[int, list[dict[str, Any]]], dict[int, list[dict[str, Any]]], list[Any], list[Any]]:
    """An account for each absurd figure: positions, fills, contracts and events."""
    positions: dict[int, list[dict[str, Any]]] = {}
    fills: dict[int, list[dict[str, Any]]] = {}
    contracts: list[Any] = []
    events: list[Any] = []
    for changes in ROWS:
        _add(positions, changes)
    for symbol in SYMBOLS:
        _add(positions, {"instrument_type": "OPTION", "symbol": symbol})
    for contract in CONTRACTS:
        for quantity in QUANTITY:
            row = _add(positions, {"instrument_type": "OPTION", "quantity": quantity})
            contracts.append(
                {"id": row["instrument_id"], "contract_type": "CALL", "underlying_instrument_id": "u", **contract}
            )
    for numerator, denominator in SPLITS:
        for quantity in QUANTITY:
            row = _add(positions, {"quantity": quantity})
            split = {"date": "2025-10-31", "numerator": numerator, "denominator": denominator}
            events += [_event(row, "STOCK_SPLIT", split)] * (1 + (numerator == denominator))
    for amount in DIVIDENDS:
        for quantity in QUANTITY:
            dividend = {"ex_date": "2025-10-31", "dividend_amount": amount}
            events.append(_event(_add(positions, {"quantity": quantity}), "DIVIDEND", dividend))
    _add_fills(positions, fills)
    return positions, fills, contracts, events


def _add_fills(positions: dict[int, list[dict[str, Any]]], fills: dict[int, list[dict[str, Any]]]) -> None:
    for quantity in QUANTITY:
        for price in QUANTITY:
            row = _add(positions, {})
            own = fills[row["account_id"]] = []
            for number, side in enumerate(["BUY", "BUY", "SELL", "SELL"]):
                made = fill(number, side, quantity, price, "2025-10-31T15:00:00Z", account=row["account_id"])
                own.append(made | {"instrument_id": row["instrument_id"]})


def _add(positions: dict[int, list[dict[str, Any]]], changes: dict[str, Any]) -> dict[str, Any]:
    account = 100001 + len(positions)
    row = position(account, len(positions) + 10) | changes
    row |= {"position_type": "SHORT" if row["quantity"].startswith("-") else "LONG"}
    positions[account] = [row]
    return row


def _event(row: dict[str, Any], kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"instrument_id": row["instrument_id"], "type": kind, f"{kind.lower()}_event_data": data}


def evenings(d: Desk) -> None:
    """Three of them: in the second every absurd position turns over, in the third it is gone."""
    d.evening(THURSDAY)
    for rows in d.broker.positions.values():
        for row in rows:
            if row["account_id"] != HONEST:
                turn(row)
    d.evening(FRIDAY)
    for account in d.broker.positions:
        if account != str(HONEST):
            d.broker.positions[account] = []
    d.evening(MONDAY)


TURNED = ("quantity", "available_quantity", "market_value", "cost_basis", "unrealized_pnl", "daily_unrealized_pnl")


def turn(row: dict[str, Any]) -> None:
    """What was long is short, and what was gained is lost."""
    for name in TURNED:
        if row.get(name):
            row[name] = row[name][1:] if row[name].startswith("-") else f"-{row[name]}"
    row["position_type"] = "SHORT" if row["quantity"].startswith("-") else "LONG"


FIGURES = """
    select trading_date, instrument_id, quantity, market_value, cost_basis, realized_pnl, total_pnl, quality
    from pnl.position_daily where account_id = $1 order by all
"""


def test_absurd_figures_of_some_accounts_leave_the_books_of_the_others_as_they_are(tmp_path: Path) -> None:
    positions, fills, contracts, events = absurd()
    alone, among = books([HONEST]), books([*positions, HONEST])
    among["positions"] |= positions
    among["executions"] = alone["executions"] | fills
    among["contracts"] = contracts
    among["events"] = {"instruments": {"event_dates": [{"date": "2025-10-31", "events": events}]}}
    with desk(tmp_path / "alone", **alone) as d:
        evenings(d)
        expected = d.ask(FIGURES, str(HONEST))
    assert expected
    with desk(tmp_path / "among", **among) as d:
        evenings(d)
        assert d.ask(FIGURES, str(HONEST)) == expected
        assert d.ask("select trading_date, status from quality.day order by 1")[0][1] == "COMPLETE"
        # what is computed of them is unknown where no column holds it, and exact wherever it is there
        assert d.ask("select count(*) from pnl.position_daily where quality = 'EXACT' and total_pnl is null") == [(0,)]
        assert d.ask("select count(*) from core.position_eod where unrealized_recalc is null")[0][0] > 0
