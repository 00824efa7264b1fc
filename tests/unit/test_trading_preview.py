"""What a preview says that a request would do, in signs and numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from models.trading import InstructionRow
from pipelines.broker.client import BrokerClient
from pipelines.broker.http import Http
from pipelines.errors import BrokerError, ConfigurationError
from pipelines.trading.effects import Effect, age_of
from pipelines.trading.held import find_position, instrument_id_of, read_positions
from pipelines.trading.preview import preview_closing, preview_instructions
from pipelines.trading.prices import Quoted, quoted
from pipelines.trading.requests import close_position, close_positions, submit_instructions
from tests.support.broker_server import BrokerServer, Fault, position

STOCK, CALL, PUT = (f"a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d{each}" for each in "789")


def contract(identity: str, kind: str, strike: str) -> dict[str, Any]:
    return {
        "id": identity,
        "symbol": f"AAPL  251219{kind[0]}00140000",
        "underlying_instrument_id": STOCK,
        "contract_type": kind,
        "strike_price": strike,
        "multiplier": "100",
        "expiry": "2025-12-19",
    }


def option(identity: str, quantity: str) -> dict[str, Any]:
    return position(
        100, 1, instrument_id=identity, instrument_type="OPTION", symbol="AAPL  251219C00140000", quantity=quantity
    )


def effect(
    kind: str, instrument: str, contracts: str, *, price: str | None, held: str = "5", given: Sequence[Any] = ()
) -> tuple[Effect, list[str]]:
    row = InstructionRow(instruction_type=kind, instrument_id=instrument, quantity=contracts, client_instruction_id="k")
    request = submit_instructions("100", [row])
    known = [contract(CALL, "CALL", "140"), contract(PUT, "PUT", "140.50")]
    quote = None if price is None else Quoted(Decimal(price), "LAST_TRADE")
    with BrokerServer(accounts=[100], contracts=known) as server, BrokerClient(server.url, None) as client:
        preview = preview_instructions(client, [option(instrument, held)], given, request, lambda _: quote)
    (line,) = preview.lines
    assert isinstance(line, Effect)
    return line, preview.warnings


@pytest.mark.parametrize(
    ("kind", "instrument", "price", "shares", "cash", "share", "worth"),
    [
        ("EXERCISE", CALL, "151.00", "200", "-28000", "11.00", "2200.00"),  # buys 200 at 140 what costs 151
        ("EXERCISE", PUT, "151.00", "-200", "28100", "-10.50", "-2100.00"),  # sells at 140.50 what is worth 151
        ("CONTRARY_EXERCISE", CALL, "139.00", "200", "-28000", "-1.00", "-200.00"),
        ("DO_NOT_EXERCISE", CALL, "151.00", "0", "0", "11.00", "2200.00"),  # nothing moves; this much is given up
    ],
)
def test_an_instruction_moves_shares_and_cash_by_strike_and_multiplier(
    kind: str, instrument: str, price: str, shares: str, cash: str, share: str, worth: str
) -> None:
    line, _ = effect(kind, instrument, "2", price=price)
    found = (line.shares, line.strike_cash, line.moneyness, line.worth)
    assert found == tuple(map(Decimal, (shares, cash, share, worth)))


def test_without_a_price_what_moves_is_known_and_what_it_is_worth_is_not() -> None:
    line, _ = effect("EXERCISE", CALL, "2", price=None)
    assert (line.shares, line.strike_cash) == (Decimal(200), Decimal(-28000))
    assert (line.price, line.moneyness, line.worth) == (None, None, None)


def test_a_contract_that_the_broker_does_not_know_leaves_everything_unknown() -> None:
    line, _ = effect("EXERCISE", STOCK, "2", price="151.00")
    assert (line.shares, line.strike_cash, line.worth, line.held) == (None, None, None, Decimal(5))


def test_a_person_is_told_what_speaks_against_an_instruction() -> None:
    assert "out of the money: exercising it costs 2,100.00" in effect("EXERCISE", PUT, "2", price="151.00")[1][0]
    assert "gives up 2,200.00" in effect("DO_NOT_EXERCISE", CALL, "2", price="151.00")[1][0]
    assert "on the expiration date only, 2025-12-19" in effect("DO_NOT_EXERCISE", CALL, "2", price="151.00")[1][1]
    assert "the account holds 5" in effect("EXERCISE", CALL, "6", price="151.00")[1][0]
    assert effect("EXERCISE", CALL, "2", price="151.00")[1] == []


def test_of_when_a_price_is_that_something_is_valued_at_is_said() -> None:
    line, _ = effect("EXERCISE", CALL, "2", price="151.00")
    assert age_of(line) == [
        f"{line.symbol}: the underlying's price is that of its last trade, of which the broker tells no time."
    ]
    at = replace(line, price_as_of="2025-10-31T19:59:58Z")
    assert age_of(at)[0].endswith("that of its last trade, of 2025-10-31T19:59:58Z.")
    assert age_of(replace(line, price_source="POSITION"))[0].endswith(
        "in its position, of which the broker tells no time."
    )
    assert age_of(replace(line, price_source=None)) == []


def test_closing_a_short_buys_and_closing_a_long_sells() -> None:
    rows = [
        position(100, 1, symbol="LONG", quantity="100"),
        position(100, 2, symbol="SHORT", quantity="-50", available_quantity="-20", market_value="-9000.00"),
        position(100, 3, symbol="USD", instrument_type="CASH"),
        position(100, 4, symbol="FLAT", quantity="0"),
    ]
    preview = preview_closing(rows, close_positions("100"))
    assert [(line.symbol, line.side, line.quantity) for line in preview.lines] == [  # type: ignore[union-attr]
        ("LONG", "SELL", Decimal(100)),
        ("SHORT", "BUY", Decimal(-50)),
    ]
    assert preview.warnings == ["Not all of SHORT is free: an order or an instruction has a claim on it."]
    (age,) = preview.ages
    assert age.startswith("Market values are the broker's; the oldest official close among them is of ")
    assert preview_closing([], close_positions("100")).warnings == ["There is nothing to close."]


def test_a_symbol_names_a_position_however_it_is_spelt() -> None:
    rows = [option(CALL, "5"), position(100, 2, symbol="BRK.B")]
    for spelling in ("AAPL  251219C00140000", "AAPL251219C00140000", "aapl251219c00140000", CALL):
        assert find_position(rows, spelling)["instrument_id"] == CALL
        assert instrument_id_of(rows, spelling) == CALL
    assert instrument_id_of([], PUT) == PUT
    assert find_position(rows, CALL.upper())["instrument_id"] == instrument_id_of(rows, CALL.upper()) == CALL
    with pytest.raises(ConfigurationError, match=r"BRK\.B is COMMON_STOCK"):
        instrument_id_of(rows, "brk.b")
    with pytest.raises(ConfigurationError, match="no position in 'AAPL'"):
        find_position(rows, "AAPL")


def test_the_one_position_that_is_closed_is_shown_and_no_other() -> None:
    rows = [option(CALL, "5"), position(100, 2, symbol="BRK.B"), position(100, 3, symbol=CALL)]
    (line,) = preview_closing(rows, close_position("100", CALL)).lines
    assert line.instrument_id == CALL
    assert preview_closing(rows, close_position("100", PUT)).lines == []


@pytest.mark.parametrize("name", ["X", "x", PUT, PUT.upper()])
def test_a_name_that_may_mean_more_than_one_instrument_means_none(name: str) -> None:
    """A symbol of two positions; a UUID that is the symbol of another instrument, whether it is held itself or not."""
    held = [position(100, 1, symbol="X"), position(100, 2, symbol="X"), position(100, 3, symbol=PUT, quantity="7")]
    for rows in (held, [*held, option(PUT, "5")]):
        for find in (find_position, instrument_id_of):
            with pytest.raises(ConfigurationError, match="may mean more than one instrument") as caught:
                find(rows, name)
            meant = [row for row in rows if name.upper() in (row["symbol"].upper(), row["instrument_id"].upper())]
            for row in meant:
                assert f"{row['instrument_id']} ({row['symbol']}: {row['quantity']})" in str(caught.value)


def test_what_was_instructed_before_is_told() -> None:
    def given(number: int, status: str, **changes: Any) -> dict[str, Any]:
        row = {"id": str(number), "instruction_type": "EXERCISE", "instrument_id": CALL, "quantity": "2.00"}
        return {**row, "status": status, **changes}

    before = [
        given(3, "ACCEPTED", quantity="1", instruction_type="DO_NOT_EXERCISE"),
        given(1, "SENT"),
        given(2, "CANCELLED"),
        given(4, "REJECTED"),
        given(5, "SENT", instrument_id=PUT),
    ]
    line, warnings = effect("EXERCISE", CALL, "2", price="151.00", given=before)
    assert line.standing == "EXERCISE of 2 is SENT; DO_NOT_EXERCISE of 1 is ACCEPTED"
    assert warnings == [f"{line.symbol} was instructed already: {line.standing}."]


def test_what_cannot_be_read_whole_is_no_preview() -> None:
    with (
        BrokerServer(accounts=[100], positions=None, now=datetime(2025, 10, 31, tzinfo=UTC)) as server,
        BrokerClient(server.url, None) as client,
        pytest.raises(BrokerError, match="Nothing was sent"),
    ):
        read_positions(client, "100")


def snapshot(last_trade: Any) -> Fault:
    return Fault("snapshot", status=200, body={"data": [{"instrument_id": STOCK, "last_trade": last_trade}]})


def instrument(previous_close: Any) -> Fault:
    return Fault(STOCK, status=200, body={"data": {"id": STOCK, "previous_close": previous_close}})


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([snapshot({"price": "210.12"})], Quoted(Decimal("210.12"), "LAST_TRADE")),
        (
            [snapshot({"price": "210.12", "timestamp": "2025-10-31T19:59:58Z"})],
            Quoted(Decimal("210.12"), "LAST_TRADE", "2025-10-31T19:59:58Z"),
        ),
        ([snapshot(None), instrument("205.44")], Quoted(Decimal("205.44"), "PREVIOUS_CLOSE")),
        ([instrument("205.44")], Quoted(Decimal("205.44"), "PREVIOUS_CLOSE")),  # this key may not see market data
        ([snapshot(None), instrument(None)], None),
        ([], None),
    ],
)
def test_a_price_is_the_last_trade_else_the_previous_close_else_unknown(
    faults: list[Fault], expected: Quoted | None
) -> None:
    with BrokerServer(accounts=[100], faults=faults) as server, Http(server.url, None) as http:
        assert quoted(http, STOCK) == expected


def test_a_price_that_is_no_decimal_is_not_taken_for_one() -> None:
    faults = [snapshot({"price": "cheap"}), instrument("-")]
    for fault in faults:
        fault.times = None
    with BrokerServer(accounts=[100], faults=faults) as server, Http(server.url, None, budget=0.5) as http:
        assert quoted(http, STOCK) is None
