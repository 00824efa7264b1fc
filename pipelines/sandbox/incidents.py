"""What goes wrong at the stand-in where it is asked to: what brokers do to those who read them, each for a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from pipelines.sandbox.facts import Fill


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something is wrong with the list of an account's positions from `since` to before `until`."""

    account: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class WrongPrice:
    """An account's fills in a symbol on a day are listed `off` USD a share beside their price until they are corrected;
    positions and balances are right all the time."""

    account: int
    symbol: str
    day: date
    off: Decimal
    until: datetime


@dataclass(frozen=True, slots=True)
class Incidents:
    """All that goes wrong; nothing where nothing is said. `refused` positions are answered with 403; a list with a
    `lost_row` has one row less than it counts."""

    refused: tuple[Trouble, ...] = ()
    lost_row: tuple[Trouble, ...] = ()
    wrong_prices: tuple[WrongPrice, ...] = ()

    def refuses(self, account: int, now: datetime) -> bool:
        """Whether the positions of an account are refused."""
        return _any(self.refused, account, now)

    def loses_a_row(self, account: int, now: datetime) -> bool:
        """Whether the last row of an account's positions is lost."""
        return _any(self.lost_row, account, now)

    def listed(self, account: int, fill: Fill, now: datetime) -> Fill:
        """A fill as the list of executions has it."""
        off = sum(
            (
                wrong.off
                for wrong in self.wrong_prices
                if (wrong.account, wrong.symbol, wrong.day) == (account, fill.instrument.symbol, fill.at.date())
                and now < wrong.until
            ),
            Decimal(0),
        )
        return replace(fill, price=fill.price + off) if off else fill


NO_INCIDENTS = Incidents()


def _any(troubles: Iterable[Trouble], account: int, now: datetime) -> bool:
    return any(each.account == account and each.since <= now < each.until for each in troubles)
