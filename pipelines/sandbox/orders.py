"""Orders and their fills: those of the script, and those that a caller's close requests make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from pipelines.sandbox.facts import Fill
from pipelines.sandbox.instruments import Instrument, identity
from pipelines.sandbox.market import Market
from pipelines.sandbox.program import Intent, Program

STOCK_LOT, OPTION_LOT = 20, 1


@dataclass(frozen=True, slots=True)
class OrderTimeline:
    """An order and everything that will ever happen to it; `seen_at` says how much of that is known at an instant."""

    id: str
    key: str
    account: int
    instrument: Instrument
    side: str
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None
    created_at: datetime
    fills: tuple[Fill, ...]
    cancelled_at: datetime | None = None

    def filled(self, now: datetime) -> list[Fill]:
        """The fills that have happened."""
        return [fill for fill in self.fills if fill.at <= now]

    def status(self, now: datetime) -> str:
        """The broker's OrderStatus at an instant."""
        done = sum((fill.quantity for fill in self.filled(now)), Decimal(0))
        if done == self.quantity:
            return "FILLED"
        if self.cancelled_at is not None and self.cancelled_at <= now:
            return "CANCELED"
        if done:
            return "PARTIALLY_FILLED"
        return "NEW" if self.order_type == "LIMIT" else "PENDING_NEW"

    def leaves(self, now: datetime) -> Decimal:
        """The quantity still working; 0 once the order is filled or cancelled."""
        if self.status(now) == "CANCELED":
            return Decimal(0)
        return self.quantity - sum((fill.quantity for fill in self.filled(now)), Decimal(0))

    def works(self, now: datetime) -> bool:
        """Whether the order has been sent by now and something of it is still to be filled."""
        return self.created_at <= now and bool(self.leaves(now))

    def cancel(self, at: datetime) -> OrderTimeline:
        """The same order, cancelled: what would have been filled later won't be."""
        return replace(self, fills=tuple(fill for fill in self.fills if fill.at <= at), cancelled_at=at)


def scripted_orders(program: Program, market: Market, seed: int) -> list[OrderTimeline]:
    """The orders of a script; times, parts and so prices of the fills by seed. None is later than the last session."""
    intents = [intent for intent in program.intents if intent.on <= market.prices.last]
    return [_order(program.profile.id, number, intent, market, seed) for number, intent in enumerate(intents)]


def _order(account: int, number: int, intent: Intent, market: Market, seed: int) -> OrderTimeline:
    rng = Random(f"{seed}/{account}/{number}")
    session = market.sessions[market.index(intent.on)]
    sent = session.open + timedelta(minutes=intent.minute)
    order_id = identity(seed, account, "order", number)
    times = sorted(sent + timedelta(microseconds=rng.randint(1, 900_000_000)) for _ in range(intent.fills))
    parts = zip(times, _parts(rng, intent), strict=True)
    fills = tuple(
        _fill(order_id, part, intent, at, quantity, market.traded_at(intent.instrument, session, at))
        for part, (at, quantity) in enumerate(parts)
    )
    prices = [fill.price for fill in fills] or [market.traded_at(intent.instrument, session, sent)]
    return OrderTimeline(
        order_id,
        f"{intent.on:%Y%m%d}-{number:03d}",
        account,
        intent.instrument,
        intent.side,
        Decimal(intent.quantity),
        "LIMIT",
        max(prices) if intent.side == "BUY" else min(prices),
        sent,
        fills,
        None if fills else session.close,
    )


def _fill(order_id: str, part: int, intent: Intent, at: datetime, quantity: Decimal, price: Decimal) -> Fill:
    return Fill(at, intent.instrument, intent.side, quantity, price, identity(order_id, part), order_id)


def _parts(rng: Random, intent: Intent) -> list[Decimal]:
    """The quantity in as many positive parts as there will be fills, all but the last in whole lots."""
    if not intent.fills:
        return []
    lot = STOCK_LOT if intent.instrument.underlying is None else OPTION_LOT
    cuts = sorted(rng.sample(range(lot, intent.quantity, lot), intent.fills - 1))
    return [Decimal(b - a) for a, b in zip([0, *cuts], [*cuts, intent.quantity], strict=True)]


def closing_order(
    account: int, instrument: Instrument, held: Decimal, now: datetime, market: Market, number: int
) -> OrderTimeline:
    """A market order that closes `held` (signed). It is filled at the next close, at the closing price."""
    order_id = identity(account, "close", now.isoformat(), number)
    side = "SELL" if held > 0 else "BUY"
    session = next((session for session in market.sessions if session.close > now), None)
    fills: tuple[Fill, ...] = ()
    if session is not None:
        price = market.close(instrument, session.date)
        fills = (Fill(session.close, instrument, side, abs(held), price, identity(order_id, 0), order_id),)
    key = f"close-positions-{now:%Y%m%d}-{number:03d}"
    return OrderTimeline(order_id, key, account, instrument, side, abs(held), "MARKET", None, now, fills)
