"""The broker's own SDK drives every endpoint of the sandbox, and validates every answer strictly."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from clearstreet import APIStatusError, ClearStreet

from pipelines.errors import ConfigurationError
from pipelines.sandbox.instruments import CALL, PUT, option, stock
from pipelines.sandbox.server import Sandbox

EQUITIES, OPTIONS, SMALL = 20517, 20518, 205170
IBM_CALL, GOOG_CALL = option("IBM", date(2005, 2, 19), CALL, "90"), option("GOOG", date(2005, 3, 19), CALL, "200")
NIL = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    # The SDK of today knows no SELL_SHORT any more: the stand-in speaks the same state of the API.
    with Sandbox(seed=1, short_sales=False) as running:
        yield running


@pytest.fixture
def sdk(sandbox: Sandbox) -> Iterator[Any]:
    with _client(sandbox) as client:
        yield client.v1


def _client(sandbox: Sandbox, key: str = "any key") -> ClearStreet:
    return ClearStreet(api_key=key, base_url=sandbox.url, max_retries=0, _strict_response_validation=True)


def _refused(status: int, call: Callable[[], object]) -> dict[str, Any]:
    with pytest.raises(APIStatusError) as caught:
        call()
    assert caught.value.status_code == status
    body = caught.value.response.json()
    assert body["error"]["code"] == status
    assert body["metadata"]["request_id"]
    return dict(body)


def test_the_clock_stands_where_it_was_set(sandbox: Sandbox, sdk: Any) -> None:
    assert sdk.calendar.get_clock().data.clock == datetime(2005, 2, 1, 21, 20, tzinfo=UTC)
    sandbox.clock.set(datetime(2005, 2, 3, 15, tzinfo=UTC))
    assert sdk.calendar.get_clock().data.clock == datetime(2005, 2, 3, 15, tzinfo=UTC)


def test_another_process_moves_the_clock_over_http_without_a_key(sandbox: Sandbox, sdk: Any) -> None:
    moved = httpx.post(f"{sandbox.url}/sandbox/clock", json={"now": "2005-02-10T16:20:00-05:00"})
    assert moved.json() == {"now": "2005-02-10T21:20:00+00:00"}
    assert sandbox.clock.now == sdk.calendar.get_clock().data.clock == datetime(2005, 2, 10, 21, 20, tzinfo=UTC)
    for bad in (b"", b"[]", b'{"now": 5}', b'{"now": "2005-02-10"}', b'{"now": "0001-01-01T00:00:00+23:00"}'):
        assert httpx.post(f"{sandbox.url}/sandbox/clock", content=bad).status_code == 400


def test_version_and_accounts(sdk: Any) -> None:
    assert sdk.api_version.get_version().data.version == "2025-10-31"
    assert [each.id for each in sdk.accounts.get_accounts().data] == [EQUITIES, OPTIONS, SMALL]
    # the filter is a prefix of the text, not a lookup
    assert [each.id for each in sdk.accounts.get_accounts(account_id="20517").data] == [EQUITIES, SMALL]
    assert [each.id for each in sdk.accounts.get_accounts(account_name="option").data] == [OPTIONS]


def test_market_hours_know_half_days_holidays_and_weekends(sdk: Any) -> None:
    def hours(day: str) -> Any:
        return sdk.calendar.get_market_hours_calendar(date=day, market="us_equities").data[0]

    assert hours("2005-02-01").status.day_type == "TRADING_DAY"
    assert hours("2005-02-01").status.current_session == "after_hours"
    assert hours("2005-02-21").status.day_type == "HOLIDAY"
    assert hours("2005-02-21").next_sessions.regular.open == datetime(2005, 2, 22, 14, 30, tzinfo=UTC)
    assert hours("2005-02-19").status.day_type == "WEEKEND"
    half = hours("2004-11-26")
    assert (half.status.day_type, half.today_sessions.after_hours) == ("EARLY_CLOSE", None)
    assert len(sdk.calendar.get_market_hours_calendar().data) == 2


@pytest.mark.parametrize("account", [EQUITIES, OPTIONS, SMALL])
def test_every_evening_agrees_with_the_truth(sandbox: Sandbox, sdk: Any, account: int) -> None:
    truth = sandbox.truth
    for day in sandbox.days:
        sandbox.clock.set(sandbox.after_close(day))
        expected = truth.day(str(account), day)
        rows = {row.instrument_id: row for row in sdk.positions.get_positions(account, sort_by="SYMBOL").data}
        assert rows.keys() == {key for key, row in expected.positions.items() if row.quantity}
        for key, row in rows.items():
            there = expected.positions[key]
            assert row.closing_price_date == day
            assert Decimal(row.market_value) == there.value
            assert Decimal(row.cost_basis) == there.cost
            assert Decimal(row.unrealized_pnl) == there.value - there.cost
            assert Decimal(row.daily_realized_pnl) + Decimal(row.daily_unrealized_pnl) == there.total
        balances = sdk.accounts.get_account_balances(account).data
        assert Decimal(balances.daily_pnl) == expected.total
        assert (Decimal(balances.equity), Decimal(balances.sod.equity)) == (expected.equity, expected.sod_equity)
        value = Decimal(balances.long_market_value) - Decimal(balances.short_market_value)
        assert value == sum((Decimal(row.market_value) for row in rows.values()), Decimal(0))
    history = sdk.accounts.get_portfolio_history(account, start_date=sandbox.days[0], end_date=sandbox.days[-1]).data
    for segment, day in zip(history.segments, sandbox.days, strict=True):
        expected = truth.day(str(account), day)
        assert segment.date == day
        assert Decimal(segment.realized_pnl) == expected.realized
        assert Decimal(segment.unrealized_pnl) == expected.unrealized_change
        assert Decimal(segment.net_pnl) == expected.total + expected.dividends + expected.fees
        assert Decimal(segment.day_pnl) + Decimal(segment.position_pnl) == expected.total
        flow = Decimal(segment.eod_equity) - Decimal(segment.sod_equity) - Decimal(segment.net_pnl)
        assert flow == expected.flow


def test_a_weekend_and_a_night_show_the_last_close_and_the_morning_shows_the_new_day(
    sandbox: Sandbox, sdk: Any
) -> None:
    def book(now: datetime) -> list[Any]:
        sandbox.clock.set(now)
        return [row.to_dict() for row in sdk.positions.get_positions(OPTIONS).data]

    friday = book(sandbox.after_close(date(2005, 2, 18)))
    assert friday == book(datetime(2005, 2, 20, 12, tzinfo=UTC)) == book(datetime(2005, 2, 22, 8, 59, tzinfo=UTC))
    tuesday = book(datetime(2005, 2, 22, 9, 0, tzinfo=UTC))  # four in the morning: expiry has taken effect
    assert {row["symbol"] for row in friday} - {row["symbol"] for row in tuesday} == {
        option("GOOG", date(2005, 2, 19), CALL, "190").symbol,
        option("GOOG", date(2005, 2, 19), PUT, "180").symbol,
        option("MSFT", date(2005, 2, 19), CALL, "27.5").symbol,
    }
    assert {row["closing_price_date"] for row in tuesday} == {date(2005, 2, 18)}


def test_fills_of_the_day_are_in_a_position_from_their_instant_on(sandbox: Sandbox, sdk: Any) -> None:
    sandbox.clock.set(datetime(2005, 2, 2, 14, 30, tzinfo=UTC))
    since = sandbox.clock.now

    def shares() -> Decimal:
        rows = sdk.positions.get_positions(EQUITIES, instrument_ids=[stock("AAPL").id]).data
        return Decimal(rows[0].quantity)

    before = shares()
    sandbox.clock.set(sandbox.after_close(date(2005, 2, 2)))
    fills = sdk.orders.get_executions(EQUITIES, from_=since, to=sandbox.clock.now).data
    assert len(fills) == 3
    assert fills == sorted(fills, key=lambda fill: fill.transaction_time, reverse=True)
    for fill in reversed(fills):
        sandbox.clock.set(fill.transaction_time)
        before += Decimal(fill.quantity)
        assert shares() == before
    order = sdk.orders.get_orders(EQUITIES, order_ids=[fills[0].order_id]).data[0]
    assert (order.status, Decimal(order.filled_quantity)) == ("FILLED", sum(Decimal(fill.quantity) for fill in fills))


def test_orders_filter_by_status_and_show_a_cancelled_one(sandbox: Sandbox, sdk: Any) -> None:
    sandbox.clock.set(sandbox.after_close(date(2005, 2, 3)))
    found = sdk.orders.get_orders(EQUITIES, status=["CANCELED"]).data
    assert [(order.symbol, order.filled_quantity) for order in found] == [("GOOG", "0")]
    assert sdk.orders.get_orders(OPTIONS, instrument_type="COMMON_STOCK").data == []
    assert len(sdk.orders.get_orders(OPTIONS, underlying_instrument_ids=["IBM"]).data) == 2


def test_pages_are_opaque_and_want_their_filters_back(sandbox: Sandbox, sdk: Any) -> None:
    asked: dict[str, Any] = {"sort_by": "SYMBOL", "sort_direction": "ASC", "page_size": 3}
    pages = [sdk.positions.get_positions(OPTIONS, **asked)]
    while (token := pages[-1].metadata.next_page_token) is not None:
        pages.append(sdk.positions.get_positions(OPTIONS, **{**asked, "page_size": 1}, page_token=token))
    symbols = [row.symbol for page in pages for row in page.data]
    assert symbols == sorted(symbols)
    assert len(symbols) == len(set(symbols)) == pages[0].metadata.total_items == 7
    assert [page.metadata.page_number for page in pages] == [1, 2, 3]
    assert {page.metadata.total_pages for page in pages} == {3}
    token = pages[0].metadata.next_page_token
    _refused(400, lambda: sdk.positions.get_positions(OPTIONS, page_token=token))
    _refused(
        400, lambda: sdk.positions.get_positions(EQUITIES, sort_by="SYMBOL", sort_direction="ASC", page_token=token)
    )
    _refused(400, lambda: sdk.positions.get_positions(OPTIONS, page_token="bm90IG9uZSBvZiBvdXJz"))
    for size in (0, 1001):
        _refused(400, lambda size=size: sdk.positions.get_positions(OPTIONS, page_size=size))  # type: ignore[misc]
    values = [Decimal(row.market_value) for row in sdk.positions.get_positions(OPTIONS, sort_by="MARKET_VALUE").data]
    assert values == sorted(values)


def test_a_flat_account_has_no_rows_and_no_pages(sdk: Any) -> None:
    page = sdk.positions.get_positions(SMALL)
    assert (page.data, page.metadata.total_items, page.metadata.next_page_token) == ([], 0, None)


def test_instruments_contracts_and_events(sandbox: Sandbox, sdk: Any) -> None:
    sandbox.clock.set(sandbox.after_close(date(2005, 2, 28)))
    aapl = sdk.instruments.get_instrument_by_id("AAPL").data
    assert (aapl.previous_close, aapl.cax_adjusted_previous_close) == ("88.99", "44.495")
    assert sdk.instruments.get_instrument_by_id(aapl.id).data == aapl
    ibm = sdk.instruments.get_instrument_by_id("IBM", include_options_expiry_dates=True).data
    assert date(2005, 2, 19) in ibm.options_expiry_dates
    splits = sdk.instrument_data.get_instrument_events("AAPL").data.splits
    assert [(each.date, each.numerator, each.denominator) for each in splits] == [(date(2005, 2, 28), "2", "1")]
    events = sdk.instrument_data.get_instrument_events("IBM", from_date="2005-02-08", to_date="2005-02-08").data
    assert [(each.ex_date, each.dividend_amount) for each in events.dividends] == [(date(2005, 2, 8), "0.18")]
    assert sdk.instrument_data.get_instrument_events("IBM", event_types=["STOCK_SPLIT"]).data.dividends == []
    _refused(400, lambda: sdk.instrument_data.get_instrument_events("IBM", event_types=["STOCK_SPLIT", ""]))
    by_date = sdk.instrument_data.get_all_instrument_events(
        instrument_ids=["AAPL", "IBM"], from_date="2005-02-01", to_date="2005-03-11"
    ).data.event_dates
    assert [(each.date, [event.symbol for event in each.events]) for each in by_date] == [
        (date(2005, 2, 28), ["AAPL"]),
        (date(2005, 2, 8), ["IBM"]),
    ]
    contract = sdk.instruments.get_option_contracts(contract_ids=[IBM_CALL.id]).data[0]
    assert (contract.symbol, contract.multiplier, contract.strike_price) == ("IBM   050219C00090000", "100", "90.00")
    compact = sdk.instruments.get_option_contracts(contract_ids=["IBM050219C00090000"]).data
    assert compact == sdk.instruments.get_option_contracts(contract_ids=["IBM   050219C00090000"]).data == [contract]
    by_root = sdk.instruments.get_option_contracts(root="IBM", expiry="2005-02-19", contract_type="CALL").data
    assert by_root == [contract]
    _refused(400, sdk.instruments.get_option_contracts)
    _refused(400, lambda: sdk.instruments.get_option_contracts(root="IBM", contract_ids=[IBM_CALL.id]))
    _refused(404, lambda: sdk.instruments.get_instrument_by_id("NOBODY"))


def test_market_snapshots_are_the_close_after_it_and_a_trade_before_it(sandbox: Sandbox, sdk: Any) -> None:
    def snapshots(*names: str) -> list[Any]:
        found: list[Any] = sdk.instrument_data.market_data.get_snapshots(instrument_ids=list(names)).data
        return found

    sandbox.clock.set(sandbox.after_close(date(2005, 2, 28)))
    call, aapl = snapshots("IBM050219C00090000", stock("AAPL").id)
    assert (call.instrument_id, aapl.symbol) == (IBM_CALL.id, "AAPL")
    held = sdk.instruments.get_instrument_by_id("AAPL").data
    assert aapl.session.previous_close == held.cax_adjusted_previous_close
    assert aapl.session.previous_close_unadjusted == held.previous_close  # two for one that morning
    assert Decimal(aapl.last_trade.price) == Decimal(aapl.session.previous_close) + Decimal(aapl.session.change)
    assert aapl.last_trade.timestamp == datetime(2005, 2, 28, 21, tzinfo=UTC)
    sandbox.clock.set(datetime(2005, 3, 1, 12, tzinfo=UTC))
    assert snapshots("AAPL")[0].last_trade is None
    sandbox.clock.set(datetime(2005, 3, 1, 18, tzinfo=UTC))
    assert snapshots("AAPL")[0].last_trade.price
    _refused(400, snapshots)
    _refused(400, lambda: snapshots(*(["AAPL"] * 101)))
    _refused(404, lambda: snapshots("NOBODY"))


def test_closing_one_position_fills_at_the_next_close_and_stays_in_the_truth(sandbox: Sandbox, sdk: Any) -> None:
    sandbox.clock.set(datetime(2005, 2, 3, 15, tzinfo=UTC))
    orders = sdk.positions.close_position("GOOG", account_id=EQUITIES).data
    assert [(order.status, order.side, order.order_type) for order in orders] == [("PENDING_NEW", "SELL", "MARKET")]
    rows = sdk.positions.get_positions(EQUITIES, instrument_ids=[stock("GOOG").id]).data
    assert [row.available_quantity for row in rows] == ["0"]
    _refused(400, lambda: sdk.positions.close_position(stock("GOOG").id, account_id=EQUITIES))
    again = sdk.positions.close_position(stock("GOOG").id, account_id=EQUITIES, cancel_orders=True).data
    assert again[0].id != orders[0].id
    sandbox.clock.set(sandbox.after_close(date(2005, 2, 3)))
    assert sdk.positions.get_positions(EQUITIES, instrument_ids=[stock("GOOG").id]).data == []
    by_id = {order.id: order for order in sdk.orders.get_orders(EQUITIES, symbol="GOOG").data}
    assert (by_id[orders[0].id].status, by_id[again[0].id].status) == ("CANCELED", "FILLED")
    assert by_id[again[0].id].average_fill_price == "210.86"
    balances = sdk.accounts.get_account_balances(EQUITIES).data
    assert Decimal(balances.daily_pnl) == sandbox.truth.day(str(EQUITIES), date(2005, 2, 3)).total
    _refused(400, lambda: sdk.positions.close_position("GOOG", account_id=EQUITIES))


def test_closing_all_positions_leaves_a_flat_account_after_the_close(sandbox: Sandbox, sdk: Any) -> None:
    sandbox.clock.set(datetime(2005, 3, 9, 15, tzinfo=UTC))
    held = sdk.positions.get_positions(OPTIONS).data
    orders = sdk.positions.close_positions(OPTIONS).data
    assert {order.instrument_id for order in orders} == {row.instrument_id for row in held}
    sandbox.clock.set(sandbox.after_close(date(2005, 3, 9)))
    assert sdk.positions.get_positions(OPTIONS).data == []
    assert sdk.positions.close_positions(OPTIONS).data == []


def test_the_past_exercise_is_listed_as_accepted_beside_a_rejected_and_a_cancelled_one(
    sandbox: Sandbox, sdk: Any
) -> None:
    def listed(now: datetime) -> list[tuple[str, str]]:
        sandbox.clock.set(now)
        return [(row.symbol, row.status) for row in sdk.positions.get_position_instructions(OPTIONS).data]

    assert listed(datetime(2005, 2, 10, 18, 30, tzinfo=UTC))[-1] == (IBM_CALL.symbol, "SENT")
    assert listed(datetime(2005, 2, 11, 4, tzinfo=UTC)) == [
        (IBM_CALL.symbol, "REJECTED"),
        (GOOG_CALL.symbol, "CANCELLED"),
        (IBM_CALL.symbol, "ACCEPTED"),
    ]
    accepted = sdk.positions.get_position_instructions(OPTIONS, instrument_id=IBM_CALL.id).data[-1]
    assert Decimal(accepted.accepted_quantity) == Decimal(accepted.quantity) > 0
    found = sdk.positions.get_position_instructions(OPTIONS, underlying_instrument_id=stock("GOOG").id).data
    assert [row.symbol for row in found] == [GOOG_CALL.symbol]
    assert _refused(404, lambda: sdk.positions.get_position_instructions(OPTIONS, instrument_id="NOBODY"))


def test_a_submitted_exercise_is_accepted_in_the_evening_and_is_stock_in_the_morning(
    sandbox: Sandbox, sdk: Any
) -> None:
    sandbox.clock.set(datetime(2005, 2, 3, 18, tzinfo=UTC))
    row = {"instruction_type": "EXERCISE", "instrument_id": GOOG_CALL.id, "quantity": "2"}
    sent = sdk.positions.submit_position_instructions(OPTIONS, instructions=[{**row, "client_instruction_id": "k1"}])
    assert (sent.data[0].status, sent.data[0].client_instruction_id) == ("SENT", "k1")
    repeated = _refused(
        409,
        lambda: sdk.positions.submit_position_instructions(
            OPTIONS, instructions=[{**row, "client_instruction_id": "k1"}]
        ),
    )
    assert [(each["id"], each["status"]) for each in repeated["data"]] == [(NIL, "REJECTED")]
    sandbox.clock.set(datetime(2005, 2, 4, 14, tzinfo=UTC))
    assert sdk.positions.get_position_instructions(OPTIONS).data[-1].accepted_quantity == "2"
    stocks = sdk.positions.get_positions(OPTIONS, instrument_ids=[stock("GOOG").id]).data
    assert [row.quantity for row in stocks] == ["200"]


def test_rows_of_a_batch_are_answered_one_by_one(sandbox: Sandbox, sdk: Any) -> None:
    sandbox.clock.set(datetime(2005, 2, 3, 18, tzinfo=UTC))
    good = {"instruction_type": "EXERCISE", "instrument_id": GOOG_CALL.id, "quantity": "1"}
    bad = {"instruction_type": "DO_NOT_EXERCISE", "instrument_id": GOOG_CALL.id, "quantity": "1"}
    mixed = sdk.positions.submit_position_instructions(OPTIONS, instructions=[good, bad, {**good, "quantity": "99"}])
    assert [row.status for row in mixed.data] == ["SENT", "REJECTED", "REJECTED"]
    assert [row.id == NIL for row in mixed.data] == [False, True, True]
    assert mixed.error.code == 400
    assert [row.rejection.reason for row in mixed.data[1:]] == ["OUTSIDE_EXPIRATION", "INSUFFICIENT_POSITION"]
    none = _refused(400, lambda: sdk.positions.submit_position_instructions(OPTIONS, instructions=[bad]))
    assert none["data"][0]["rejection_reason"] == none["error"]["message"]
    listed = [row.id for row in sdk.positions.get_position_instructions(OPTIONS).data]
    assert listed[-1] == mixed.data[0].id
    assert NIL not in listed  # what was refused at the door is never listed


def test_the_former_name_of_the_key_is_taken_too(sandbox: Sandbox) -> None:
    sandbox.clock.set(datetime(2005, 2, 3, 18, tzinfo=UTC))
    row = {"instruction_type": "EXERCISE", "instrument_id": GOOG_CALL.id, "quantity": "1", "instruction_id": "old"}
    url = f"{sandbox.url}/v1/accounts/{OPTIONS}/positions/instructions"
    sent = httpx.post(url, json=[row], headers={"Authorization": "Bearer k"}).json()["data"][0]
    assert (sent["instruction_id"], sent["client_instruction_id"]) == ("old", "old")


def test_a_do_not_exercise_lets_an_option_in_the_money_lapse(sandbox: Sandbox, sdk: Any) -> None:
    sandbox.clock.set(datetime(2005, 3, 18, 15, tzinfo=UTC))
    put = option("IBM", date(2005, 3, 19), PUT, "95")
    held = sdk.positions.get_positions(OPTIONS, instrument_ids=[put.id]).data[0].quantity
    row = {"instruction_type": "DO_NOT_EXERCISE", "instrument_id": put.id, "quantity": held}
    assert sdk.positions.submit_position_instructions(OPTIONS, instructions=[row]).data[0].status == "SENT"
    lapsed = sandbox.truth.day(str(OPTIONS), date(2005, 3, 21)).positions[put.id]
    assert lapsed.total == -sandbox.truth.day(str(OPTIONS), date(2005, 3, 18)).positions[put.id].value < 0


def test_cancelling_an_instruction_takes_a_minute_and_can_be_too_late(sandbox: Sandbox, sdk: Any) -> None:
    sandbox.clock.set(datetime(2005, 2, 3, 18, tzinfo=UTC))
    row = {"instruction_type": "EXERCISE", "instrument_id": GOOG_CALL.id, "quantity": "1"}
    sent = sdk.positions.submit_position_instructions(OPTIONS, instructions=[row]).data[0]

    def cancel(name: str) -> Any:
        return sdk.positions.cancel_position_instruction(name, account_id=OPTIONS)

    assert cancel(sent.id).data.status == "CANCEL_REQUESTED"
    _refused(409, lambda: cancel(sent.id))
    sandbox.clock.set(datetime(2005, 2, 3, 18, 2, tzinfo=UTC))
    assert [row.status for row in sdk.positions.get_position_instructions(OPTIONS).data][-1] == "CANCELLED"
    _refused(404, lambda: cancel(NIL))


def test_keys_decide_who_comes_in_and_who_may_write() -> None:
    with Sandbox(keys=["good"]) as sandbox:
        with _client(sandbox, "bad") as bad:
            _refused(401, bad.v1.accounts.get_accounts)
        with _client(sandbox, "read-only") as reader:
            assert reader.v1.accounts.get_accounts().data
            _refused(403, lambda: reader.v1.positions.close_positions(EQUITIES))
        with _client(sandbox, "good") as good:
            assert good.v1.accounts.get_accounts().data
            _refused(403, lambda: good.v1.positions.get_positions(1))
        assert httpx.get(f"{sandbox.url}/v1/clock").status_code == 401


def test_the_foreground_server_prints_its_url_once_and_ends_on_an_interrupt() -> None:
    command = [sys.executable, "-c", "from pipelines.sandbox.server import serve; serve(port=0, days=5)"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with ClearStreet(api_key="any", base_url=url, max_retries=0) as client:
            clock = client.v1.calendar.get_clock().data.clock
            assert clock == datetime(2005, 2, 7, 21, 20, tzinfo=UTC)  # the evening of the fifth day
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_a_port_that_is_taken_is_named(sandbox: Sandbox) -> None:
    taken = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"Port {taken} can't be used"), Sandbox(port=taken):
        pass


def test_errors_come_bare_where_that_is_asked_for() -> None:
    with Sandbox(bare_errors=True) as sandbox:
        body = httpx.get(f"{sandbox.url}/v1/clock").json()
    assert body == {"code": 401, "message": "The request needs a valid bearer token"}


def test_short_sales_are_told_apart_unless_asked_otherwise() -> None:
    with Sandbox() as sandbox:
        reply = httpx.get(f"{sandbox.url}/v1/accounts/{EQUITIES}/executions", headers={"Authorization": "Bearer k"})
    assert {row["side"] for row in reply.json()["data"]} == {"BUY", "SELL_SHORT"}


@pytest.mark.parametrize("count", [0, 1, 1000, 1001, 25000])
def test_bulk_accounts_have_as_many_positions_as_asked(count: int) -> None:
    with Sandbox(bulk=[count]) as sandbox, _client(sandbox) as client:
        asked: dict[str, Any] = {"sort_by": "SYMBOL", "sort_direction": "ASC"}
        page = client.v1.positions.get_positions(900001, **asked)
        rows = list(page.data)
        while page.metadata.next_page_token:
            page = client.v1.positions.get_positions(900001, **asked, page_token=page.metadata.next_page_token)
            rows += page.data
        assert len({row.instrument_id for row in rows}) == len(rows) == page.metadata.total_items == count
        assert {row.account_id for row in rows} <= {900001}
        assert {row.closing_price_date for row in rows} <= {date(2005, 2, 1)}
        balances = client.v1.accounts.get_account_balances(900001).data
        value = Decimal(balances.long_market_value) - Decimal(balances.short_market_value or 0)
        assert value == sum((Decimal(row.market_value) for row in rows), Decimal(0))
