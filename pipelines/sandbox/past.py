"""What an account did in the years before its book begins: made up, a session at a time, and known as totals alone.

It ends with the equity that the book begins with, so it is worked out backwards; by the seed it is the same every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

from pipelines.calendar import Session
from pipelines.sandbox.replies import Json

#: A session's P&L as a share of the equity at its end: mean and deviation.
GAIN, SPREAD = 0.0004, 0.007
#: Of so many sessions one has a dividend, and one has money that came or went.
DIVIDENDS, FLOWS = 20, 60


@dataclass(frozen=True, slots=True)
class PastSession:
    """One session, in cents; `traded` is what its trades made of the P&L, `income` dividends less fees."""

    date: date
    sod: int
    realized: int
    unrealized: int
    traded: int
    income: int
    bought: int
    sold: int
    eod: int

    def segment(self) -> Json:
        """The session as portfolio-history has it."""
        gross = self.realized + self.unrealized
        return {
            "date": self.date.isoformat(),
            "realized_pnl": _money(self.realized),
            "unrealized_pnl": _money(self.unrealized),
            "net_pnl": _money(gross + self.income),
            "day_pnl": _money(self.traded),
            "position_pnl": _money(gross - self.traded),
            "bought_notional": _money(self.bought),
            "sold_notional": _money(self.sold),
            "sod_equity": _money(self.sod),
            "eod_equity": _money(self.eod),
        }


def past_sessions(sessions: Sequence[Session], equity: int, seed: str) -> list[PastSession]:
    """The sessions of an account that is opened on the first of them and has so many dollars at the end of the last."""
    rng, eod = Random(seed), equity * 100
    made = []
    for session in reversed(sessions[1:]):
        made.append(_session(rng, session.date, eod))
        eod = made[-1].sod
    opening = [PastSession(sessions[0].date, 0, 0, 0, 0, 0, 0, 0, eod)] if sessions else []
    return [*opening, *reversed(made)]


def _session(rng: Random, day: date, eod: int) -> PastSession:
    gross = round(eod * rng.gauss(GAIN, SPREAD))
    realized, traded = (round(gross * rng.uniform(-0.5, 1)) for _ in range(2))
    bought, sold = (rng.randrange(eod // 10) for _ in range(2))
    income = round(eod * rng.uniform(0.0005, 0.001)) if not rng.randrange(DIVIDENDS) else 0
    income -= 100 * rng.randrange(4)  # a dollar an order
    flow = round(eod * rng.uniform(-0.02, 0.04)) if not rng.randrange(FLOWS) else 0
    sod = eod - gross - income - flow
    return PastSession(day, sod, realized, gross - realized, traded, income, bought, sold, eod)


def _money(cents: int) -> str:
    sign, whole = "-" if cents < 0 else "", abs(cents)
    return f"{sign}{whole // 100}.{whole % 100:02}"
