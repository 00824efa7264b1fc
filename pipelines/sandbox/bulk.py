"""Accounts with very many positions, for measurements: made up, priced once for all days, written as JSON once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import orjson

from pipelines.calendar import Session
from pipelines.sandbox.account_book import AccountBook, AccountSession
from pipelines.sandbox.figures import Figures, Valued
from pipelines.sandbox.instruments import Instrument, identity
from pipelines.sandbox.ledger import Basis, HeldPosition, State
from pipelines.sandbox.market import Market
from pipelines.sandbox.program import OPENED, Profile
from pipelines.sandbox.responses import position_row

FIRST_ACCOUNT = 900001
# What the shared rows are written with, and what goes out in its place.
_ACCOUNT, _DATE = -(2**62), date(1900, 1, 1)


class SharedPositions:
    """The positions that all bulk accounts share: an account of n holds the first n, by symbol."""

    def __init__(self, size: int) -> None:
        self.rows = tuple(_row(number) for number in range(size))
        written = (position_row(row, _ACCOUNT, _DATE, row.position.quantity) for row in self.rows)
        self._json = [orjson.dumps(row) for row in written]

    def page(self, account: int, day: date, start: int, stop: int) -> bytes:
        """Rows `start` to `stop` as a JSON list, for an account and a closing date."""
        text = b"[" + b",".join(self._json[start:stop]) + b"]"
        text = text.replace(str(_ACCOUNT).encode(), str(account).encode())
        return text.replace(_DATE.isoformat().encode(), day.isoformat().encode())


class BulkBook(AccountBook):
    """An account that holds the same positions at the same prices on every day, and never trades."""

    def __init__(self, account: int, size: int, shared: SharedPositions, market: Market) -> None:
        self.shared = shared
        self._same = Figures(shared.rows[:size], Decimal(1_000_000))
        profile = Profile(account, f"BULK-{account}", f"Bulk of {size} positions", "MARGIN", 0, OPENED, OPENED)
        super().__init__(profile, market, (), (), ())

    @property
    def rows(self) -> tuple[Valued, ...]:
        """Its positions."""
        return self._same.rows

    def figures(self, day: AccountSession) -> Figures:  # noqa: ARG002 - the same on every day
        """The same figures on every day."""
        return self._same

    def at(self, now: datetime) -> tuple[AccountSession, Figures] | None:
        """The same figures at every instant."""
        found = super().at(now)
        return (found[0], self._same) if found else None

    def _day(self, state: State, before: Session | None, session: Session) -> AccountSession:  # noqa: ARG002
        return AccountSession(session, self._same, State(), (), (), State())


def bulk_books(bulk: Mapping[str, int] | Sequence[int], market: Market) -> list[BulkBook]:
    """Accounts from FIRST_ACCOUNT on: {"accounts": 20, "positions": 10000}, or the number of positions of each."""
    sizes = [bulk["positions"]] * bulk["accounts"] if isinstance(bulk, Mapping) else list(bulk)
    shared = SharedPositions(max(sizes, default=0))
    return [BulkBook(FIRST_ACCOUNT + number, size, shared, market) for number, size in enumerate(sizes)]


def _row(number: int) -> Valued:
    """Made-up stock number so and so: every third is held short, prices and costs in cents."""
    symbol = f"B{number:06d}"
    instrument = Instrument(symbol, identity("bulk", symbol), f"Bulk stock {number}")
    held = Decimal((number % 90 + 10) * (-10 if number % 3 == 2 else 10))
    price, paid = Decimal(1000 + number % 9000) / 100, Decimal(900 + number % 7000) / 100
    return Valued(HeldPosition(instrument, held, Basis(held * paid), Basis(held * price)), price)
