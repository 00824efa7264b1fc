"""Every outcome that is compatible with what a broker showed of a stock and of options on it that expired.

It knows no rule of the books but these: what is out of the money by a known price is worth nothing; of other options
any number of contracts may have been exercised or assigned; shares move by fills, by deliveries, and by what nobody
told of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Expired:
    """An option held before that is gone: contracts signed like the position, and what they were worth before."""

    instrument_id: str
    kind: str
    strike: Decimal
    contracts: int
    value_before: Decimal

    def is_worthless(self, spot: Decimal) -> bool:
        return spot <= self.strike if self.kind == "CALL" else spot >= self.strike

    def shares(self, delivered: int) -> Decimal:
        """What the delivery of so many contracts adds to the shares."""
        side = (1 if self.kind == "CALL" else -1) * (1 if self.contracts > 0 else -1)
        return side * delivered * HUNDRED


@dataclass(frozen=True)
class Shown:
    """What the broker showed between two ends of day. `spot`: the close of the day, None where nobody shows it.
    `fills`: signed quantity and price (None: not told), or None where they could not be read."""

    shares_before: Decimal
    value_before: Decimal
    shares: Decimal
    value: Decimal
    spot: Decimal | None
    fills: Sequence[tuple[Decimal, Decimal | None]] | None
    options: Sequence[Expired]


@dataclass(frozen=True)
class World:
    """One outcome: how many contracts of each option were delivered, and what stock and options made together."""

    delivered: tuple[int, ...]
    total: Decimal


def possible_worlds(shown: Shown) -> list[World] | None:
    """Every outcome that explains the shares to the last one; None where what nobody told of has a part in all of them,
    so that no number of outcomes is all of them."""
    if shown.fills is None or any(price is None for _, price in shown.fills):
        return None
    worlds = list(_worlds(shown, [_fates(option, shown.spot) for option in shown.options]))
    # a close a little on the other side of the strike does not keep a holder from exercising
    worlds = worlds or list(_worlds(shown, [range(abs(option.contracts) + 1) for option in shown.options]))
    return worlds or None


def _fates(option: Expired, spot: Decimal | None) -> range:
    if spot is not None and option.is_worthless(spot):
        return range(1)
    everything = abs(option.contracts)
    # in the money: the clearing house exercises what its holder leaves alone
    first = everything if spot is not None and option.contracts > 0 else 0
    return range(first, everything + 1)


def _worlds(shown: Shown, fates: Sequence[range]) -> Iterator[World]:
    traded = sum((quantity for quantity, _ in shown.fills or ()), Decimal(0))
    spent = sum((quantity * (price or 0) for quantity, price in shown.fills or ()), Decimal(0))
    for delivered in product(*fates):
        moves = [option.shares(count) for option, count in zip(shown.options, delivered, strict=True)]
        if shown.shares_before + traded + sum(moves) != shown.shares:
            continue
        strikes = sum((m * o.strike for m, o in zip(moves, shown.options, strict=True)), Decimal(0))
        gone = sum((option.value_before for option in shown.options), Decimal(0))
        yield World(delivered, shown.value - shown.value_before - spent - strikes - gone)
