"""Single books that once told the tables and the oracle apart: each by hand, in both, with the reason in its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.calendar import TradingCalendar
from tests.support.facts import (
    AccountAnswer,
    Adjustment,
    Book,
    Contract,
    Evening,
    Event,
    Instruction,
    Position,
    SignedFill,
)
from tests.support.landing import land, settings_of
from tests.support.oracle import consult

THURSDAY, FRIDAY, MONDAY, TUESDAY = date(2025, 10, 30), date(2025, 10, 31), date(2025, 11, 3), date(2025, 11, 4)
STOCK, OPTION, OTHER = (f"b0000000-0000-4000-8000-00000000000{number}" for number in (1, 5, 6))
CALENDAR = TradingCalendar.load()
LONG_AGO = datetime(2025, 10, 1, tzinfo=UTC)


def _d(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _held(quantity: str, price: str, cost: str | None, day: date, instrument: str = STOCK, **changes: Any) -> Position:
    """A position at the day's close; shares, or with `of` a hundredfold of an option on the stock."""
    option = changes.pop("of", None)
    value = Decimal(quantity) * Decimal(price) * (100 if option else 1)
    made = Position(
        instrument_id=instrument,
        symbol=option or "XYZ",
        instrument_type="OPTION" if option else "COMMON_STOCK",
        quantity=Decimal(quantity),
        market_value=value,
        cost_basis=_d(cost),
        unrealized_pnl=None if cost is None else value - Decimal(cost),
        closing_price=Decimal(price),
        closing_price_date=day,
        instrument_price=Decimal(price),
        underlying_instrument_id=STOCK if option else None,
    )
    return replace(made, **changes)


def _fill(number: int, quantity: str, price: str | None, day: date, **changes: Any) -> SignedFill:
    at = datetime.combine(day, time(15, number), UTC)
    return replace(SignedFill(f"f{number}", STOCK, Decimal(quantity), _d(price), at), **changes)


def _evening(
    day: date, positions: Iterable[Position], fills: Iterable[SignedFill] | None = (), **asked: Any
) -> Evening:
    """A whole evening of account 100, half an hour after the close."""
    at = CALENDAR.session(day).close + timedelta(minutes=30)
    known = None if fills is None else tuple(fill for fill in fills if fill.at <= at)
    answer = AccountAnswer(tuple(positions), LONG_AGO, fills=known, instructions=tuple(asked.pop("instructions", ())))
    contracts, events = (tuple(asked.pop(name, ())) for name in ("contracts", "events"))
    assert not asked
    return Evening(at, {"100": answer}, contracts, events)


def _measures(con: duckdb.DuckDBPyConnection, book: Book, home: Path, day: date) -> dict[str, tuple[Any, ...]]:
    """Each row of the day, realized, change and total, as the tables have it and as the oracle says too."""
    for evening in book.evenings:
        land(con, evening)
        build(con, settings_of(book, home), CATALOG, built_at=evening.at)
    assert con.execute("select * from quality.finding where severity = 'FAIL'").fetchall() == []
    query = """
        select instrument_id, realized_pnl, case when total_pnl is not null then unrealized_change end, total_pnl
        from pnl.position_daily where trading_date = ?
    """
    found = {row[0]: row[1:] for row in con.execute(query, [day]).fetchall()}
    said = {key[1]: row for key, row in consult(book).rows.items() if key[2] == day}
    assert found == {i: (row.realized_pnl, row.unrealized_change, row.total_pnl) for i, row in said.items()}
    return found


def _money(*texts: str | None) -> tuple[Decimal | None, ...]:
    return tuple(map(_d, texts))


def test_a_fill_before_a_split_in_the_same_gap_counts_in_the_shares_of_after_it(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    fills = [_fill(1, "10", "40", FRIDAY)]
    split = [Event(STOCK, MONDAY, ratio=Decimal(4))]
    book = Book(
        (
            _evening(THURSDAY, [_held("100", "40", "3000", THURSDAY)]),
            _evening(MONDAY, [_held("440", "11", "3400", MONDAY)], fills, events=split),
        )
    )
    assert _measures(con, book, tmp_path, MONDAY) == {STOCK: _money("0", "440", "440")}


def test_what_people_said_of_a_day_that_nobody_fetched_counts_on_the_next_known_one(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    moved: dict[str, Any] = {"quantity": Decimal(100), "value": Decimal(4000), "cost_basis": Decimal(1000)}
    line = replace(Adjustment(FRIDAY, "100", "TRANSFER", STOCK), **moved)
    evenings = (_evening(THURSDAY, []), _evening(MONDAY, [_held("100", "41", "1000", MONDAY)]))
    assert _measures(con, Book(evenings, (line,)), tmp_path, MONDAY) == {STOCK: _money("0", "100", "100")}


@pytest.mark.parametrize("quantity", [None, Decimal("-0.5")])
def test_cash_in_lieu_pays_for_the_part_of_a_share_that_a_split_left_over(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, quantity: Decimal | None
) -> None:
    line = Adjustment(FRIDAY, "100", "CASH_IN_LIEU", STOCK, cash=Decimal("5.10"), quantity=quantity)
    evenings = (
        _evening(THURSDAY, [_held("105", "1.00", "84", THURSDAY)]),
        _evening(FRIDAY, [_held("10", "10.20", "80", FRIDAY)], events=[Event(STOCK, FRIDAY, ratio=Decimal("0.1"))]),
    )
    assert _measures(con, Book(evenings, (line,)), tmp_path, FRIDAY) == {STOCK: _money("1.10", "1.00", "2.10")}


def test_a_cost_that_the_broker_leaves_out_is_its_average_price(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    left_out: dict[str, Any] = {"avg_price": Decimal(30), "unrealized_pnl": None}
    book = Book(
        (
            _evening(THURSDAY, [_held("100", "40", None, THURSDAY, **left_out)]),
            _evening(FRIDAY, [_held("50", "41", None, FRIDAY, **left_out)], [_fill(1, "-50", "42", FRIDAY)]),
        )
    )
    assert _measures(con, book, tmp_path, FRIDAY) == {STOCK: _money("600", "-450", "150")}


def test_a_closing_price_that_is_left_out_gives_way_to_the_current_one(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    book = Book(
        (
            _evening(THURSDAY, [_held("100", "40", "3000", THURSDAY)]),
            _evening(FRIDAY, [_held("100", "41", "3000", FRIDAY, closing_price=None)]),
        )
    )
    _measures(con, book, tmp_path, FRIDAY)
    found = con.execute("select position_pnl, price_grade from pnl.position_daily where trading_date = ?", [FRIDAY])
    assert found.fetchall() == [(Decimal(100), "INDICATIVE")]


def test_a_round_trip_with_a_fill_that_has_no_price_is_unknown_and_not_zero(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    fills = [_fill(1, "100", "40", FRIDAY), _fill(2, "-100", None, FRIDAY)]
    book = Book((_evening(THURSDAY, []), _evening(FRIDAY, [], fills)))
    assert _measures(con, book, tmp_path, FRIDAY) == {STOCK: _money(None, None, None)}


def test_a_round_trip_in_an_option_that_nobody_ever_saw_counts_a_hundredfold(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    option: dict[str, Any] = {"instrument_id": OPTION, "underlying_instrument_id": STOCK}
    fills = [_fill(1, "2", "1.00", FRIDAY, **option), _fill(2, "-2", "1.25", FRIDAY, **option)]
    book = Book((_evening(THURSDAY, []), _evening(FRIDAY, [], fills)))
    assert _measures(con, book, tmp_path, FRIDAY) == {OPTION: _money("50", "0", "50")}


CALL = Contract(OPTION, "XYZ251031C00050000", STOCK, "CALL", Decimal(50), FRIDAY, Decimal(100))
UPPER = Contract(OTHER, "XYZ251031C00055000", STOCK, "CALL", Decimal(55), FRIDAY, Decimal(100))


@pytest.mark.parametrize("fills", [(), None], ids=["read", "unread"])
def test_a_spread_in_the_money_on_both_legs_is_worth_the_difference_of_its_strikes(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, fills: tuple[SignedFill, ...] | None
) -> None:
    share = _held("1", "60", "60", FRIDAY, instrument="b0000000-0000-4000-8000-000000000009", symbol="QQQ")
    watched = replace(_held("10", "60", "500", FRIDAY), symbol="XYZ")
    legs = [
        _held("1", "10.10", "300", FRIDAY, OPTION, of=CALL.symbol),
        _held("-1", "5.20", "-100", FRIDAY, OTHER, of=UPPER.symbol),
    ]
    other = AccountAnswer((watched,), LONG_AGO, fills=(), instructions=())
    evenings = [
        _evening(FRIDAY, [share, *legs], fills, contracts=[CALL, UPPER]),
        _evening(MONDAY, [replace(share, closing_price_date=MONDAY)], fills, contracts=[CALL, UPPER]),
    ]
    # another account holds the stock, so that its price on the day of expiry is known
    book = Book(tuple(replace(each, answers={**each.answers, "200": other}) for each in evenings))
    for evening in book.evenings:
        land(con, evening)
        build(con, settings_of(book, tmp_path), CATALOG, built_at=evening.at)
    query = (
        "select instrument_id, status, realized_pnl, total_pnl from pnl.position_daily "
        "where trading_date = ? and account_id = '100'"
    )
    found = {row[0]: row[1:] for row in con.execute(query, [MONDAY]).fetchall()}
    assert found[OPTION] == found[OTHER] == ("CLOSED", Decimal(0), Decimal(0))
    # 500 of strikes for options that were worth 490 and had cost 200
    assert found[STOCK] == ("INTRADAY_ROUND_TRIP", Decimal(300), Decimal(10))
    said = {
        key[1]: (row.status, row.realized_pnl, row.total_pnl)
        for key, row in consult(book).rows.items()
        if key[0] == "100" and key[2] == MONDAY
    }
    assert found == said


def test_shares_that_came_for_one_strike_and_went_for_another_realized_something_beside_those_that_stayed(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    legs = [
        _held("1", "10.10", "300", FRIDAY, OPTION, of=CALL.symbol),
        _held("-1", "5.20", "-100", FRIDAY, OTHER, of=UPPER.symbol),
    ]
    noon = _evening(MONDAY, [], contracts=[CALL, UPPER])
    known = AccountAnswer(None, LONG_AGO, fills=(_fill(1, "50", "58", MONDAY),))
    book = Book(
        (
            _evening(FRIDAY, [*legs, _held("10", "60", "500", FRIDAY)], contracts=[CALL, UPPER]),
            replace(noon, at=datetime(2025, 11, 3, 17, tzinfo=UTC), answers={"100": known}),
            _evening(MONDAY, [_held("60", "61", "3400", MONDAY)], None, contracts=[CALL, UPPER]),
        )
    )
    assert _measures(con, book, tmp_path, MONDAY)[STOCK] == _money(None, None, None)


@pytest.mark.parametrize(
    ("quantity", "measures"),
    [("110", ("0", "140", "140")), ("115", ("0", "140", "140")), ("104", (None,) * 3), ("100", (None,) * 3)],
    ids=["as many came", "more came", "some of them went", "as many went"],
)
def test_beside_fills_that_are_known_nobody_sold_what_the_quantity_does_not_lack(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, quantity: str, measures: tuple[str | None, ...]
) -> None:
    fills = [_fill(1, "10", "40", FRIDAY)]
    refused = _evening(FRIDAY, [], fills)
    refused = replace(refused, answers={"100": replace(refused.answers["100"], positions=None)})
    cost = str(3000 + 40 * (int(quantity) - 100))
    end = _held(quantity, "40", cost, MONDAY)
    end = replace(end, market_value=Decimal(cost) + 1140, closing_price=None, instrument_price=None)
    end = replace(end, unrealized_pnl=Decimal(1140))
    book = Book(
        (_evening(THURSDAY, [_held("100", "40", "3000", THURSDAY)]), refused, _evening(MONDAY, [end], None)),
    )
    assert _measures(con, book, tmp_path, MONDAY) == {STOCK: _money(*measures)}


def test_what_a_stock_trades_at_in_the_night_tells_nothing_of_an_option_on_it(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    option = replace(_held("1", "0.50", "200", FRIDAY, OPTION, of=CALL.symbol), closing_price=None)
    stock = replace(_held("100", "45", "4000", FRIDAY), closing_price=None)
    night = datetime(2025, 11, 1, 7, 30, tzinfo=UTC)
    book = Book(
        (
            replace(_evening(FRIDAY, [option, stock], contracts=[CALL]), at=night),
            _evening(MONDAY, [_held("100", "46", "4000", MONDAY)], contracts=[CALL]),
        )
    )
    assert _measures(con, book, tmp_path, MONDAY) == {
        OPTION: _money(None, None, None),
        STOCK: _money("0", "100", "100"),
    }


@pytest.mark.parametrize(("price", "is_known"), [("45", False), ("51.99", True), (None, True)])
def test_an_exercise_that_the_stock_tells_is_none_where_another_option_should_have_been_assigned_too(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, price: str | None, is_known: bool
) -> None:
    later = Contract(OPTION, "XYZ251219P00055000", STOCK, "PUT", Decimal(55), date(2025, 12, 19), Decimal(100))
    short = Contract(OTHER, "XYZ251103P00052000", STOCK, "PUT", Decimal(52), MONDAY, Decimal(100))
    legs = [
        _held("3", "4", "900", FRIDAY, OPTION, of=later.symbol),
        _held("-2", "3", "-500", FRIDAY, OTHER, of=short.symbol),
    ]
    # a last price, and no close; without any nothing speaks against it
    end = _held("-240", price or "53", "-13200", MONDAY, closing_price=None)
    end = end if price else replace(end, instrument_price=None)
    book = Book(
        (
            _evening(FRIDAY, [*legs, _held("60", "53", "3000", FRIDAY)], contracts=[later, short]),
            _evening(MONDAY, [end], contracts=[later, short]),
        )
    )
    found = _measures(con, book, tmp_path, MONDAY)
    assert [found[each][2] is not None for each in (OPTION, OTHER, STOCK)] == [is_known] * 3


def test_a_row_that_went_flat_tells_nothing_of_the_shares_that_a_contract_delivers(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    calls: dict[str, Any] = {"avg_price": Decimal("0.06"), "market_value": Decimal(-30), "unrealized_pnl": Decimal(6)}
    book = Book(
        (
            _evening(
                FRIDAY,
                [
                    _held("-4", "0.05", "-36", FRIDAY, OPTION, of=CALL.symbol, **calls),
                    _held("50", "49.90", "2000", FRIDAY),
                ],
            ),
            _evening(
                MONDAY,
                [_held("0", "1.73", "0", MONDAY, OPTION, of=CALL.symbol), _held("-250", "51", "-12500", MONDAY)],
            ),
        )
    )
    # two of the contracts, of 150 shares each, were assigned at 50
    assert _measures(con, book, tmp_path, MONDAY) == {
        OPTION: _money("18", "-3", "15"),
        STOCK: _money("518", "-748", "-230"),
    }


@pytest.mark.parametrize("accepted_at", [time(21, 0), time(20, 10)], ids=["after_the_first_evening", "before_it"])
def test_an_accepted_instruction_is_used_once(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, accepted_at: time
) -> None:
    later = replace(CALL, symbol="XYZ251219C00050000", expiry=date(2025, 12, 19))
    accepted = Instruction(
        "i-1", OPTION, "EXERCISE", Decimal(2), "ACCEPTED", Decimal(2),
        datetime(2025, 10, 30, 18, tzinfo=UTC), datetime.combine(THURSDAY, accepted_at, UTC),
    )  # fmt: skip
    asked: dict[str, Any] = {"contracts": [later], "instructions": [accepted]}
    book = Book(
        (
            _evening(THURSDAY, [_held("4", "3", "800", THURSDAY, OPTION, of=later.symbol)], None, **asked),
            _evening(
                FRIDAY,
                [_held("2", "3", "400", FRIDAY, OPTION, of=later.symbol), _held("200", "53", "10400", FRIDAY)],
                None,
                **asked,
            ),
            # two more are gone; whether they were sold nobody knows, but exercised they were not
            _evening(MONDAY, [_held("200", "53", "10400", MONDAY)], None, **asked),
        )
    )
    assert _measures(con, book, tmp_path, MONDAY) == {
        OPTION: _money(None, None, None),
        STOCK: _money("0", "0", "0"),
    }


def test_an_option_that_expires_worthless_beside_stock_that_was_traded_is_known(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    worthless = _held("1", "0.05", "200", FRIDAY, OPTION, of=CALL.symbol)
    book = Book(
        (
            _evening(FRIDAY, [worthless, _held("100", "45", "4000", FRIDAY)], None, contracts=[CALL]),
            _evening(MONDAY, [_held("110", "46", "4460", MONDAY)], None, contracts=[CALL]),
        )
    )
    assert _measures(con, book, tmp_path, MONDAY)[OPTION] == _money("-200", "195", "-5")


def test_an_expired_row_that_stays_at_zero_with_its_old_price_breaks_nothing(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    row = _held("1", "0.05", "200", FRIDAY, OPTION, of=CALL.symbol)
    gone: dict[str, Any] = {
        "quantity": Decimal(0),
        "market_value": Decimal(0),
        "cost_basis": None,
        "unrealized_pnl": None,
    }
    book = Book((_evening(FRIDAY, [row], contracts=[CALL]), _evening(MONDAY, [replace(row, **gone)], contracts=[CALL])))
    assert _measures(con, book, tmp_path, MONDAY) == {OPTION: _money("-200", "195", "-5")}


def test_a_premium_that_nobody_knows_takes_the_split_of_the_stock_that_it_rolled_into_and_not_its_total(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    unknown = _held("1", "5", None, FRIDAY, OPTION, of=CALL.symbol)
    book = Book(
        (
            _evening(FRIDAY, [unknown, _held("1", "55", "55", FRIDAY)], contracts=[CALL]),
            _evening(MONDAY, [_held("101", "56", "5355", MONDAY)], contracts=[CALL]),
        )
    )
    # 101 shares at 56, less one at 55, the strike's cash and the option's 500
    assert _measures(con, book, tmp_path, MONDAY) == {OPTION: _money(None, None, "0"), STOCK: _money(None, None, "101")}


@pytest.mark.parametrize(("since", "total"), [(FRIDAY, None), (THURSDAY, "0")])
def test_a_list_of_fills_that_begins_later_does_not_tell_that_a_flat_accounts_first_day_was_empty(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, since: date, total: str | None
) -> None:
    later = _evening(MONDAY, [])
    window = CALENDAR.session(since).open
    later = replace(later, answers={"100": replace(later.answers["100"], fills_since=window)})
    book = Book((_evening(FRIDAY, [], None), later))
    _measures(con, book, tmp_path, FRIDAY)
    query = "select total_pnl, count(*) over () from pnl.account_daily where trading_date = ?"
    assert con.execute(query, [FRIDAY]).fetchall() == [(_d(total), 1)]
    assert consult(book).accounts["100", FRIDAY].total_pnl == _d(total)
    build(con, settings_of(book, tmp_path), CATALOG, from_date=FRIDAY, to_date=MONDAY, built_at=later.at)
    assert con.execute(query, [FRIDAY]).fetchall() == [(_d(total), 1)]


def test_an_instruction_is_spent_where_purchases_outweigh_the_contracts_that_were_exercised(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put = Contract(OPTION, "XYZ251103P00055000", STOCK, "PUT", Decimal(55), MONDAY, Decimal(100))
    asked = [
        Instruction(name, OPTION, kind, count, "ACCEPTED", count, at, at)
        for name, kind, count, at in (
            ("i-1", "EXERCISE", Decimal(3), datetime(2025, 10, 30, 20, 10, tzinfo=UTC)),
            ("i-2", "DO_NOT_EXERCISE", Decimal(4), datetime(2025, 11, 3, 20, 10, tzinfo=UTC)),
        )
    ]
    bought = [_fill(1, "4", "1", FRIDAY, instrument_id=OPTION, underlying_instrument_id=STOCK)]
    short = _held("-300", "50", "-16500", FRIDAY)
    book = Book(
        (
            _evening(
                THURSDAY,
                [_held("3", "4", "900", THURSDAY, OPTION, of=put.symbol)],
                contracts=[put],
                instructions=asked[:1],
            ),
            _evening(
                FRIDAY,
                [_held("4", "4", "400", FRIDAY, OPTION, of=put.symbol), short],
                bought,
                contracts=[put],
                instructions=asked[:1],
            ),
            _evening(MONDAY, [replace(short, closing_price_date=MONDAY)], bought, contracts=[put], instructions=asked),
        )
    )
    assert _measures(con, book, tmp_path, MONDAY) == {
        OPTION: _money("-400", "-1200", "-1600"),
        STOCK: _money("0", "0", "0"),
    }


def test_an_instruction_is_spent_after_a_purchase_that_the_snapshot_of_the_night_does_not_show(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put = Contract(OPTION, "XYZ251104P00055000", STOCK, "PUT", Decimal(55), TUESDAY, Decimal(100))
    asked = [
        Instruction(name, OPTION, kind, count, "ACCEPTED", count, at, at)
        for name, kind, count, at in (
            ("i-1", "EXERCISE", Decimal(1), datetime(2025, 10, 31, 20, 10, tzinfo=UTC)),
            ("i-2", "DO_NOT_EXERCISE", Decimal(2), datetime(2025, 11, 4, 21, 10, tzinfo=UTC)),
        )
    ]
    option: dict[str, Any] = {"instrument_id": OPTION, "underlying_instrument_id": STOCK}
    bought = _fill(1, "1", "3", FRIDAY, at=datetime(2025, 10, 31, 0, 30, tzinfo=UTC), **option)
    fills = [bought, _fill(2, "-1", "3", FRIDAY, **option)]

    def held(count: str, cost: str, day: date) -> Position:
        return _held(count, "4", cost, day, OPTION, of=put.symbol)

    short = _held("-100", "50", "-5500", MONDAY)
    book = Book(
        (
            replace(
                _evening(THURSDAY, [held("3", "900", THURSDAY)], contracts=[put]),
                at=datetime(2025, 10, 31, 7, 30, tzinfo=UTC),
            ),
            _evening(FRIDAY, [held("3", "900", FRIDAY)], fills, contracts=[put], instructions=asked[:1]),
            _evening(MONDAY, [held("2", "600", MONDAY), short], fills, contracts=[put], instructions=asked[:1]),
            _evening(TUESDAY, [replace(short, closing_price_date=TUESDAY)], fills, contracts=[put], instructions=asked),
        )
    )
    assert _measures(con, book, tmp_path, TUESDAY) == {
        OPTION: _money("-600", "-200", "-800"),
        STOCK: _money("0", "0", "0"),
    }
