"""The sandbox's books and its truth: two ways of counting that must agree to the last digit."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines import sandbox
from pipelines.errors import ConfigurationError
from pipelines.sandbox.account_book import AccountBook
from pipelines.sandbox.broker import Broker, BrokerOptions
from pipelines.sandbox.clock import SettableClock
from pipelines.sandbox.facts import Delivery, Fill
from pipelines.sandbox.instruments import CALL, PUT, option, stock
from pipelines.sandbox.ledger import Basis
from pipelines.sandbox.market import Market
from pipelines.sandbox.options import black_scholes, option_price
from pipelines.sandbox.prices import Prices
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.truth import AccountTruth, Truth

EQUITIES, OPTIONS, SMALL = "20517", "20518", "205170"
SEEDS = (1, 2, 3, 17)


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


@pytest.fixture(scope="module", params=SEEDS)
def broker(request: pytest.FixtureRequest, market: Market) -> Broker:
    return _broker(market, request.param)


def _broker(market: Market, seed: int) -> Broker:
    return Broker(market, SettableClock(market.sessions[-1].close), BrokerOptions(seed=seed))


def _row(truth: AccountTruth, symbol: str) -> tuple[Decimal, Decimal, Decimal]:
    found = next(row for row in truth.positions.values() if row.symbol == symbol)
    return found.realized, found.unrealized_change, found.total


def test_total_is_realized_plus_unrealized_change_for_every_position_and_day(broker: Broker) -> None:
    for account in broker.truth.accounts:
        for day in broker.truth.days(account):
            for row in day.positions.values():
                assert row.total == row.realized + row.unrealized_change
            assert day.total == day.realized + day.unrealized_change == sum(r.total for r in day.positions.values())


def test_equity_moves_by_pnl_dividends_fees_and_flows_and_nothing_else(broker: Broker) -> None:
    for account in broker.truth.accounts:
        days = broker.truth.days(account)
        for day in days:
            assert day.equity - day.sod_equity == day.total + day.dividends + day.fees + day.flow
        assert [day.sod_equity for day in days[1:]] == [day.equity for day in days[:-1]]


def test_an_instruments_totals_add_up_to_the_cash_it_brought_and_what_it_is_worth(broker: Broker) -> None:
    """Per underlying, over the whole history: value at the end + all cash of fills and strikes."""
    for book in broker.accounts():
        made: dict[str, Decimal] = {}
        cash: dict[str, Decimal] = {}
        for day in book.days:
            for fact in (*day.overnight, *day.facts):
                if isinstance(fact, Fill):
                    base = fact.instrument.base.id
                    paid = fact.signed * fact.price * fact.instrument.multiplier
                    cash[base] = cash.get(base, Decimal(0)) - paid
                elif isinstance(fact, Delivery):
                    base = fact.option.base.id
                    cash[base] = cash.get(base, Decimal(0)) - fact.shares * fact.option.strike
        bases = {
            row.instrument.id: row.instrument.base.id for day in book.days for row in day.closing.positions.values()
        }
        for truth in broker.truth.days(str(book.profile.id)):
            for key, row in truth.positions.items():
                made[bases[key]] = made.get(bases[key], Decimal(0)) + row.total
        worth: dict[str, Decimal] = {}
        for valued in book.figures(book.days[-1]).rows:
            base = valued.position.instrument.base.id
            worth[base] = worth.get(base, Decimal(0)) + valued.value
        assert made.keys() == cash.keys()
        assert all(made[base] == cash[base] + worth.get(base, Decimal(0)) for base in made)


def test_what_the_stand_in_answers_agrees_with_the_truth(broker: Broker) -> None:
    for book in broker.accounts():
        for day in book.days:
            figures, truth = book.figures(day), broker.truth.day(str(book.profile.id), day.session.date)
            assert figures.equity == truth.equity
            assert figures.realized == truth.realized
            assert figures.daily_realized + figures.daily_unrealized == truth.total
            for row in figures.rows:
                expected = truth.positions[row.position.instrument.id]
                assert (row.value, row.position.cost.amount) == (expected.value, expected.cost)
                assert row.position.day.realized + row.daily_unrealized == expected.total


def test_the_split_doubles_the_shares_and_makes_no_jump(broker: Broker, market: Market) -> None:
    aapl = stock("AAPL").id
    before, after = (broker.truth.day(EQUITIES, day).positions[aapl] for day in (date(2005, 2, 25), date(2005, 2, 28)))
    assert after.quantity == 2 * before.quantity
    assert after.cost == before.cost
    assert after.total == before.quantity * (2 * Decimal("44.86") - Decimal("88.99"))
    assert abs(after.total) < abs(before.value) / 20
    # before the close the position is valued at the adjusted close before, so nothing jumps in the morning either
    morning = broker.accounts()[0].at(market.sessions[market.index(date(2005, 2, 28))].open)
    assert morning is not None
    assert [row.value for row in morning[1].rows if row.position.instrument.id == aapl] == [before.value]


def test_an_exercised_call_hands_its_value_to_the_stock_and_its_premium_to_the_basis(broker: Broker) -> None:
    call = option("IBM", date(2005, 2, 19), CALL, "90")
    before, after = (broker.truth.day(OPTIONS, day) for day in (date(2005, 2, 10), date(2005, 2, 11)))
    held, bought = before.positions[call.id], after.positions[stock("IBM").id]
    assert _row(after, call.symbol) == (0, 0, 0)
    assert bought.quantity == held.quantity * 100
    assert bought.cost == bought.quantity * 90 + held.cost
    assert bought.total == bought.value - bought.quantity * 90 - held.value
    assert call.id not in broker.truth.day(OPTIONS, date(2005, 2, 14)).positions


def test_february_expiry_brings_an_assignment_and_two_worthless_ends(broker: Broker) -> None:
    february = date(2005, 2, 19)
    before, after = (broker.truth.day(OPTIONS, day) for day in (date(2005, 2, 18), date(2005, 2, 22)))
    for worthless in (option("MSFT", february, CALL, "27.5"), option("GOOG", february, PUT, "180")):
        end = after.positions[worthless.id]
        assert (end.quantity, end.value) == (0, 0)
        assert end.realized == -before.positions[worthless.id].cost
    call = option("GOOG", february, CALL, "190")
    short, held = after.positions[stock("GOOG").id], before.positions[call.id]
    assert held.value == held.quantity * 100 * Decimal(
        "7.95"
    )  # at the last close an option is worth its intrinsic value
    assert short.quantity == held.quantity * 100 < 0
    assert short.cost == short.quantity * 190 + held.cost


def test_a_dividend_is_cash_of_the_account_and_not_in_the_total(broker: Broker) -> None:
    received, paid = (broker.truth.day(EQUITIES, day) for day in (date(2005, 2, 8), date(2005, 2, 15)))
    assert received.dividends == received.positions[stock("IBM").id].quantity * Decimal("0.18") > 0
    assert paid.dividends == paid.positions[stock("MSFT").id].quantity * Decimal("0.08") < 0
    ibm = received.positions[stock("IBM").id]
    assert ibm.total == ibm.quantity * (Decimal("94.13") - Decimal("94.53"))


def test_the_story_of_the_books_holds_for_every_seed(broker: Broker) -> None:
    def quantity(account: str, day: date, symbol: str) -> Decimal | None:
        row = broker.truth.day(account, day).positions.get(stock(symbol).id)
        return row.quantity if row else None

    assert quantity(EQUITIES, date(2005, 2, 11), "GOOG") == 0  # closed: a row of its last day
    assert quantity(EQUITIES, date(2005, 2, 14), "GOOG") is None
    assert quantity(EQUITIES, date(2005, 2, 16), "GOOG") == 0  # in and out
    assert (quantity(EQUITIES, date(2005, 2, 22), "IBM") or 0) > 0 > (quantity(EQUITIES, date(2005, 2, 23), "IBM") or 0)
    assert broker.truth.day(SMALL, date(2005, 2, 10)).positions == {}
    assert broker.truth.day(EQUITIES, date(2005, 2, 14)).flow == 50_000
    assert broker.truth.day(SMALL, date(2005, 3, 1)).flow == -5_000


def test_the_same_seed_gives_the_same_books_and_another_seed_others(market: Market) -> None:
    first, again, other = (_broker(market, seed) for seed in (7, 7, 8))
    assert [_facts(book) for book in first.accounts()] == [_facts(book) for book in again.accounts()]
    assert [_facts(book) for book in first.accounts()] != [_facts(book) for book in other.accounts()]


def _facts(book: AccountBook) -> list[object]:
    return [fact for day in book.days for fact in (*day.overnight, *day.facts)]


def test_a_partial_close_relieves_its_share_of_the_cost_half_even_to_the_cent() -> None:
    basis = Basis(Decimal("1000.00"))
    basis.trade(Decimal(3), Decimal(-1), Decimal("-400.00"))
    assert (basis.amount, basis.realized) == (Decimal("666.67"), Decimal("66.67"))


def test_a_trade_through_zero_realizes_the_old_side_and_opens_the_new_one() -> None:
    basis = Basis(Decimal(1000))
    basis.trade(Decimal(100), Decimal(-150), Decimal(-1800))
    assert (basis.amount, basis.realized) == (Decimal(-600), Decimal(200))


@pytest.mark.parametrize(("days", "spot", "strike"), [(30, "93.42", "95"), (1, "25.48", "25"), (400, "190", "200")])
def test_call_and_put_prices_keep_their_parity(days: int, spot: str, strike: str) -> None:
    years = days / 365
    call, put = (black_scholes(kind, float(spot), float(strike), years) for kind in (CALL, PUT))
    assert call - put == pytest.approx(float(spot) - float(strike) * 2.718281828459045 ** (-0.025 * years))


def test_an_option_at_its_last_close_is_worth_its_intrinsic_value() -> None:
    assert option_price(CALL, Decimal("187.005"), Decimal(180), 0) == Decimal("7.00")  # half-even to the cent
    assert option_price(PUT, Decimal(93), Decimal(90), 0) == 0
    assert option_price(PUT, Decimal(40), Decimal(90), 200) == 50  # never less than what exercise would bring


def test_the_table_of_corporate_actions_is_what_the_prices_show() -> None:
    """Derives splits and dividends again from the step of adj_close / close."""
    derived = []
    rows = [line.split(",") for line in _price_lines()]
    for (symbol, _, close0, adjusted0), (later, day, close1, adjusted1) in pairwise(rows):
        if symbol != later:
            continue
        step = (Decimal(adjusted1) / Decimal(close1)) / (Decimal(adjusted0) / Decimal(close0))
        if abs(step - 2) < Decimal("0.001"):
            derived.append((symbol, day, "SPLIT", Decimal(2)))
        elif step > Decimal("1.0003"):
            worth = (Decimal(close0) * (1 - 1 / step)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
            derived.append((symbol, day, "DIVIDEND", worth))
    assert derived == [(each.symbol, each.on.isoformat(), each.kind, each.value) for each in Prices().actions]


def _price_lines() -> list[str]:
    text = Path(sandbox.__file__).with_name("prices.csv").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith(("#", "symbol"))]


def test_the_default_replay_is_28_sessions_with_the_split_inside() -> None:
    replay = Sandbox()
    assert (replay.days[0], replay.days[-1], len(replay.days)) == (date(2005, 2, 1), date(2005, 3, 11), 28)
    assert date(2005, 2, 28) in replay.days
    assert replay.after_close(replay.days[0]) - replay.sessions[0].close == timedelta(minutes=20)


@pytest.mark.parametrize(
    "options", [{"start": date(2004, 12, 31)}, {"days": 0}, {"days": 200}, {"start": date(2006, 1, 3)}]
)
def test_days_without_prices_are_refused_with_a_sentence(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="2005-01-03 to 2005-06-30"):
        Sandbox(**options)  # type: ignore[arg-type]


def test_the_clock_refuses_an_instant_without_a_zone(market: Market) -> None:
    with pytest.raises(ValueError, match="zone"):
        SettableClock(market.sessions[0].close.replace(tzinfo=None))


def test_truth_names_its_accounts_as_text(broker: Broker) -> None:
    assert isinstance(broker.truth, Truth)
    assert set(broker.truth.accounts) == {EQUITIES, OPTIONS, SMALL}
