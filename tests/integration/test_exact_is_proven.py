"""EXACT is a proof: whatever is tried that the inputs allow of expired options, it comes to the figure of the row.

Small accounts at random, an underlying each: options that expired on Friday, a stock that moved over the weekend for
deliveries, trades or for no reason that anyone told, prices known and unknown, instructions. Every number of contracts
that may have delivered is tried for each option, all against all; a row that says EXACT has one answer left.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from random import Random

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.books.build import build
from tests.support.evenings import CALENDAR, FRIDAY, LONG_AGO, MONDAY
from tests.support.facts import AccountAnswer, Book, Contract, Evening, Instruction, Position, SignedFill
from tests.support.landing import forget, land, open_raw, settings_of

ACCOUNTS = 60
SEEDS = range(int(os.environ.get("DAYBOOK_PROOFS", "4")))
ACCEPTED_AT = datetime(2025, 10, 31, 18, tzinfo=UTC)
ZERO = Decimal(0)


@dataclass(frozen=True)
class Option:
    """Contracts held at Friday's close: what was asked for them, and how many truly delivered."""

    contract: Contract
    quantity: int
    close: Decimal
    exercise: int
    lapse: int
    delivered: int

    @property
    def count(self) -> int:
        return abs(self.quantity)

    @property
    def shares(self) -> int:
        """Shares that come in (+) or go out (-) with one contract."""
        way = 1 if self.contract.contract_type == "CALL" else -1
        return way * (1 if self.quantity > 0 else -1) * int(self.contract.multiplier)

    def inside(self, price: Decimal) -> Decimal:
        return (price - self.contract.strike) * (1 if self.contract.contract_type == "CALL" else -1)

    def numbers(self, price: Decimal | None) -> tuple[list[int], list[int]]:
        """How many contracts may have delivered: as price and instructions say, and at all."""
        most = self.count - self.lapse
        if price is None:
            return list(range(self.exercise, most + 1)), list(range(most + 1))
        is_far = self.inside(price) < -self.contract.strike / 100
        said = most if self.inside(price) > 0 else self.exercise
        return [said], list(range((self.exercise if is_far else most) + 1))


@dataclass(frozen=True)
class Account:
    """One account over the weekend; `price` is the stock's close of Friday, `seen` whether anyone's row has it."""

    name: str
    options: tuple[Option, ...]
    price: Decimal
    seen: bool
    before: int
    after: int
    sold: int

    @property
    def known_price(self) -> Decimal | None:
        """The close of Friday, where a row has it."""
        return self.price if self.seen or self.before else None

    @property
    def moved(self) -> int:
        return self.after - self.before + self.sold

    def answers(self) -> list[tuple[int, ...]]:
        """Every number of delivered contracts of each option that price and instructions allow and the stock's move
        agrees with; where none does, all that are possible at all and agree."""
        ranges = [option.numbers(self.known_price) for option in self.options]
        for numbers in ([said for said, _ in ranges], [possible for _, possible in ranges]):
            if fitting := [each for each in product(*numbers) if self.shares(each) == self.moved]:
                return fitting
        return []

    def shares(self, numbers: tuple[int, ...]) -> int:
        return sum(number * option.shares for number, option in zip(numbers, self.options, strict=True))

    def strikes(self, numbers: tuple[int, ...]) -> Decimal:
        """Cash received for what was delivered."""
        pairs = zip(numbers, self.options, strict=True)
        return -sum((number * option.shares * option.contract.strike for number, option in pairs), ZERO)


def account(random: Random, name: str) -> Account:
    price = Decimal(random.choice(["44.00", "47.90", "49.80", "50.00", "50.30", "52.10", "56.00"]))
    options = tuple(option(random, name, number, price) for number in range(random.choice([1, 1, 2, 2, 3])))
    before = random.choice([0, 0, 100, 300, -200])
    sold = random.choice([0, 0, 0, 100, -50])
    strange = random.choice([0, 0, 0, 0, 100, -100, 40])
    shares = sum(each.delivered * each.shares for each in options)
    return Account(name, options, price, random.random() < 0.4, before, before + shares + strange - sold, sold)


def option(random: Random, name: str, number: int, price: Decimal) -> Option:
    kind, strike = random.choice(["CALL", "PUT"]), Decimal(random.choice([45, 48, 50, 52]))
    symbol = f"U{name}251031{kind[0]}{int(strike * 1000):08}"
    multiplier = Decimal(random.choice([100, 100, 100, 10]))
    contract = Contract(f"{name}-{number}", symbol, f"stock-{name}", kind, strike, FRIDAY, multiplier)
    quantity = random.choice([-3, -2, -1, 1, 2, 3])
    asked = random.choice([0, 0, 0, 1, 2]) if quantity > 0 else 0
    is_exercise = random.random() < 0.5
    exercise, lapse = (min(asked, abs(quantity)), 0) if is_exercise else (0, min(asked, abs(quantity)))
    made = Option(contract, quantity, ZERO, exercise, lapse, 0)
    inside = made.inside(price)
    usual = made.count - lapse if inside > 0 else exercise
    delivered = random.randint(0, made.count - lapse) if random.random() < 0.25 else usual
    close = max(inside, Decimal("0.01")) if random.random() < 0.7 else Decimal("0.30")
    return Option(contract, quantity, close, exercise, lapse, delivered)


def position(row: Position, price: Decimal, multiplier: Decimal, day: date) -> Position:
    """The row at the day's close, bought at that price."""
    value = row.quantity * price * multiplier
    row = replace(row, market_value=value, cost_basis=value, unrealized_pnl=ZERO)
    return replace(row, closing_price=price, closing_price_date=day, instrument_price=price)


def stock(each: Account, quantity: int, day: date) -> tuple[Position, ...]:
    price = each.price if day == FRIDAY else each.price + 1
    row = Position(f"stock-{each.name}", f"U{each.name}", "COMMON_STOCK", Decimal(quantity), ZERO)
    return (position(row, price, Decimal(1), day),) if quantity else ()


def book(seed: int) -> tuple[Book, list[Account]]:
    random = Random(seed)
    accounts = [account(random, str(1000 + number)) for number in range(ACCOUNTS)]
    contracts = tuple(option.contract for each in accounts for option in each.options)
    friday, monday = (CALENDAR.session(day).close + timedelta(minutes=30) for day in (FRIDAY, MONDAY))
    watched = tuple(row for each in accounts if each.seen for row in stock(each, 1, FRIDAY))
    first = {each.name: AccountAnswer(_held(each), LONG_AGO, fills=(), instructions=_asked(each)) for each in accounts}
    then = {
        each.name: AccountAnswer(
            stock(each, each.after, MONDAY), LONG_AGO, fills=_sold(each), instructions=_asked(each)
        )
        for each in accounts
    }
    first["999"] = then["999"] = AccountAnswer(watched, LONG_AGO, fills=())
    return Book((Evening(friday, first, contracts), Evening(monday, then, contracts))), accounts


def _held(each: Account) -> tuple[Position, ...]:
    rows = [_option_row(option, f"stock-{each.name}") for option in each.options]
    return (*rows, *stock(each, each.before, FRIDAY))


def _option_row(option: Option, on: str) -> Position:
    contract = option.contract
    row = Position(contract.id, contract.symbol, "OPTION", Decimal(option.quantity), ZERO)
    return position(replace(row, underlying_instrument_id=on), option.close, contract.multiplier, FRIDAY)


def _sold(each: Account) -> tuple[SignedFill, ...]:
    at = datetime(2025, 11, 3, 15, tzinfo=UTC)
    fill = SignedFill(f"f-{each.name}", f"stock-{each.name}", Decimal(-each.sold), each.price, at)
    return (fill,) if each.sold else ()


def _asked(each: Account) -> tuple[Instruction, ...]:
    return tuple(
        Instruction(f"i-{o.contract.id}-{kind}", o.contract.id, kind, n, "ACCEPTED", n, ACCEPTED_AT, ACCEPTED_AT)
        for o in each.options
        for kind, n in (("EXERCISE", Decimal(o.exercise)), ("DO_NOT_EXERCISE", Decimal(o.lapse)))
        if n
    )


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_raw() as warehouse:
        yield warehouse


@pytest.mark.parametrize("seed", SEEDS)
def test_a_row_that_says_exact_has_one_answer(con: duckdb.DuckDBPyConnection, tmp_path: Path, seed: int) -> None:
    forget(con)
    made, accounts = book(seed)
    for evening in made.evenings:
        land(con, evening)
        build(con, settings_of(made, tmp_path), CATALOG, built_at=evening.at)
    query = "select account_id, instrument_id, quality, total_pnl from pnl.position_daily where trading_date = ?"
    rows = {
        (name, instrument): (quality, total)
        for name, instrument, quality, total in con.execute(query, [MONDAY]).fetchall()
    }
    for each in accounts:
        _check(each, {instrument: row for (name, instrument), row in rows.items() if name == each.name})
    words = Counter(quality for (name, instrument), (quality, _) in rows.items() if not instrument.startswith("stock-"))
    assert min(words["EXACT"], words["UNKNOWN"]) >= 20, words
    assert words["ASSUMED"] >= 3, words
    assert con.execute("select * from quality.finding where severity = 'FAIL'").fetchall() == []


def _check(each: Account, rows: dict[str, tuple[str, Decimal | None]]) -> None:
    answers = each.answers()
    for number, option in enumerate(each.options):
        alone = option.numbers(each.known_price)[1]
        left = {numbers[number] for numbers in answers} or set(alone)
        if rows[option.contract.id][0] == "EXACT":
            assert len(left) == 1, f"{option} of {each} says EXACT, and {left} may have delivered"
    held = rows.get(f"stock-{each.name}")
    if held is not None and held[0] == "EXACT":
        assert len({each.strikes(numbers) for numbers in answers}) == 1, f"the stock of {each} says EXACT"
    if {quality for quality, _ in rows.values()} == {"EXACT"}:
        start = sum((o.quantity * o.close * o.contract.multiplier for o in each.options), each.before * each.price)
        end = each.after * (each.price + 1) + each.sold * each.price
        assert sum(total or ZERO for _, total in rows.values()) == end - start + each.strikes(answers[0])
