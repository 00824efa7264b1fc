"""What the three accounts do, day by day. The seed scales their sizes; the story that the comments tell stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

from pipelines.sandbox.instruments import CALL, PUT, Instrument, option, stock

OPENED = date(2005, 1, 3)  # the scripts' first day: nothing can be replayed before it
FEBRUARY, MARCH = date(2005, 2, 19), date(2005, 3, 19)
# Later cycles of the option book: opened on, expiry, strike of the GOOG call bought.
CYCLES = (
    (date(2005, 3, 21), date(2005, 4, 16), "180"),
    (date(2005, 4, 18), date(2005, 5, 21), "190"),
    (date(2005, 5, 23), date(2005, 6, 18), "250"),
)


@dataclass(frozen=True, slots=True)
class Profile:
    """Who an account is. Its book begins on `plays_from` with an equity of `brought` dollars, and what it did before,
    from `open_date` on, is past.py's."""

    id: int
    short_name: str
    full_name: str
    subtype: str
    options_level: int
    open_date: date
    plays_from: date
    brought: int = 0


@dataclass(frozen=True, slots=True)
class Intent:
    """An order, sent `minute` minutes after the open of `on` and filled in `fills` parts, or cancelled unfilled (0)."""

    on: date
    side: str
    instrument: Instrument
    quantity: int
    fills: int = 1
    minute: int = 60


@dataclass(frozen=True, slots=True)
class Advice:
    """An exercise instruction of the past: what was asked on `on`, and how it ended the same evening."""

    on: date
    instrument: Instrument
    quantity: int
    outcome: str
    reason: str | None = None


@dataclass(slots=True)
class Program:
    """One account's whole script."""

    profile: Profile
    intents: list[Intent] = field(default_factory=list)
    flows: list[tuple[date, Decimal]] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)


def programs(seed: int) -> list[Program]:
    """The scripts of all accounts; sizes by seed."""
    return [_long_short(Random(f"{seed}/a")), _options(Random(f"{seed}/b")), _small(Random(f"{seed}/c"))]


def _long_short(rng: Random) -> Program:
    aapl, goog, ibm, msft = (stock(symbol) for symbol in ("AAPL", "GOOG", "IBM", "MSFT"))
    a, g, i, m = (rng.randint(1, 3) for _ in range(4))
    script = _opened(20517, "LS-EQUITY", "Long/Short Equities LP", "MARGIN", 0, date(2001, 6, 11), 1_000_000)
    script.flows = [(_day(2, 14), Decimal(50_000))]  # a deposit inside the demo
    script.intents = [
        Intent(_day(1, 4), "BUY", aapl, 600 * a, 3),
        Intent(_day(1, 5), "BUY", ibm, 500 * i, 4),
        Intent(_day(1, 6), "SELL_SHORT", msft, 1000 * m, 3),
        Intent(_day(1, 10), "BUY", goog, 100 * g, 2),
        Intent(_day(2, 2), "BUY", aapl, 200 * a, 3),  # adds
        Intent(_day(2, 3), "BUY", goog, 100 * g, 0),  # never filled
        Intent(_day(2, 9), "SELL", ibm, 200 * i, 2),  # closes a part, one day after its dividend
        Intent(_day(2, 11), "SELL", goog, 100 * g, 2),  # closes all: the row is gone
        Intent(_day(2, 16), "BUY", goog, 100 * g, 2, 45),  # in and out within the day
        Intent(_day(2, 16), "SELL", goog, 100 * g, 3, 200),
        Intent(_day(2, 18), "BUY", msft, 400 * m, 3),  # covers a part of the short
        Intent(_day(2, 23), "SELL", ibm, 300 * i, 2),  # long to short in one day
        Intent(_day(2, 23), "SELL_SHORT", ibm, 200 * i, 2, 150),
        Intent(_day(3, 2), "SELL", aapl, 700 * a, 4),  # after the split of 28 February
        Intent(_day(3, 4), "SELL_SHORT", goog, 100 * g),
        Intent(_day(3, 8), "BUY", ibm, 200 * i, 2),  # covers all
    ]
    for week, day in enumerate(date.fromordinal(_day(3, 16).toordinal() + 7 * n) for n in range(16)):
        up = week % 2 == 0
        script.intents += [
            Intent(day, "BUY" if up else "SELL", aapl, 100 * a, 2),
            Intent(day, "SELL_SHORT" if up else "BUY", msft, 200 * m, 2, 120),
        ]
    return script


def _options(rng: Random) -> Program:
    g, i, m = (rng.randint(1, 3) for _ in range(3))
    script = _opened(20518, "OPTIONS", "Option Book LLC", "MARGIN", 4, date(2003, 10, 22), 500_000)
    ibm_call, ibm_put = option("IBM", FEBRUARY, CALL, "90"), option("IBM", MARCH, PUT, "95")
    goog_call, msft_put = option("GOOG", MARCH, CALL, "200"), option("MSFT", MARCH, PUT, "25")
    script.intents = [
        Intent(_day(1, 12), "BUY", ibm_call, 5 * i, 2),
        Intent(_day(1, 13), "BUY", option("MSFT", FEBRUARY, CALL, "27.5"), 10 * m, 2),  # expires worthless
        Intent(_day(1, 18), "SELL", option("GOOG", FEBRUARY, CALL, "190"), 3 * g),  # assigned at expiry
        Intent(_day(1, 19), "SELL", option("GOOG", FEBRUARY, PUT, "180"), 4 * g),  # expires worthless, short
        Intent(_day(1, 20), "BUY", goog_call, 4 * g, 2),
        Intent(_day(1, 21), "BUY", ibm_put, 6 * i, 2),
        Intent(_day(1, 24), "SELL", msft_put, 8 * m, 2),
        Intent(_day(2, 15), "SELL", ibm_put, 3 * i),  # closes a part; the rest is exercised by exception in March
        Intent(_day(2, 17), "BUY", msft_put, 3 * m),  # buys a part back; the rest is assigned in March
        Intent(_day(2, 24), "BUY", stock("GOOG"), 150 * g, 2),  # covers half of what the assignment left short
        Intent(_day(3, 1), "SELL", stock("IBM"), 200 * i, 2),  # sells a part of what the exercise brought
        Intent(_day(3, 7), "SELL", goog_call, 4 * g, 2),  # closes all
    ]
    for opened, expiry, strike in CYCLES:
        script.intents += [
            Intent(opened, "BUY", option("GOOG", expiry, CALL, strike), 2 * g),
            Intent(opened, "SELL", option("MSFT", expiry, PUT, "25"), 3 * m, 1, 120),
        ]
    script.advice = [
        Advice(_day(2, 3), ibm_call, 5 * i, "REJECTED", "Insufficient buying power for the exercise"),
        Advice(_day(2, 8), goog_call, 1, "CANCELLED"),
        Advice(_day(2, 10), ibm_call, 5 * i, "ACCEPTED"),  # the stock is there on the 11th, at strike + premium
    ]
    return script


def _small(rng: Random) -> Program:
    n = rng.randint(1, 3)
    script = _opened(205170, "SMALL", "Mostly Flat Trust", "CASH", 0, date(2005, 1, 31))
    script.flows = [(_day(1, 31), Decimal(25_000)), (_day(3, 1), Decimal(-5_000))]
    script.intents = [  # flat at the ends of 1-2 February, 7-14 February and from 3 March to April
        Intent(_day(2, 3), "BUY", stock("MSFT"), 100 * n, 2),
        Intent(_day(2, 7), "SELL", stock("MSFT"), 100 * n),
        Intent(_day(2, 15), "BUY", stock("IBM"), 40 * n),
        Intent(_day(2, 22), "BUY", stock("AAPL"), 20 * n, 1, 30),
        Intent(_day(2, 22), "SELL", stock("AAPL"), 20 * n, 1, 300),
        Intent(_day(3, 3), "SELL", stock("IBM"), 40 * n, 2),
        Intent(_day(4, 4), "BUY", stock("MSFT"), 100 * n),
        Intent(_day(6, 1), "SELL", stock("MSFT"), 100 * n),
    ]
    return script


def _opened(account: int, short: str, full: str, subtype: str, level: int, opened: date, brought: int = 0) -> Program:
    """The script of an account, without anything to do in it yet."""
    return Program(Profile(account, short, full, subtype, level, opened, max(opened, OPENED), brought))


def asked_at(advice: Advice) -> datetime:
    """When an instruction of the script was sent: one in the afternoon, New York."""
    return datetime(advice.on.year, advice.on.month, advice.on.day, 18, tzinfo=UTC)


def _day(month: int, day: int) -> date:
    return date(2005, month, day)
