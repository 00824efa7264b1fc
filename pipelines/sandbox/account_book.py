"""One account's books: every session from the first to the last worked out at once, any instant of it on request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pipelines.calendar import Session
from pipelines.sandbox.facts import CashMove, Fact, Fill
from pipelines.sandbox.figures import Figures, Valued
from pipelines.sandbox.instructions import InstructionTimeline
from pipelines.sandbox.ledger import State
from pipelines.sandbox.lifecycle import actions, deliveries
from pipelines.sandbox.market import Market, roll_of
from pipelines.sandbox.orders import OrderTimeline
from pipelines.sandbox.past import PastSession
from pipelines.sandbox.program import Profile

ORDER_FEE = Decimal("1.00")


@dataclass(frozen=True, slots=True)
class AccountSession:
    """A session of an account: its state at the open with the overnight facts in it, then the day's, then the close."""

    session: Session
    previous: Figures
    morning: State
    overnight: tuple[Fact, ...]
    facts: tuple[Fill | CashMove, ...]
    closing: State


class AccountBook:
    """An account's orders, instructions and flows, and the days that follow from them."""

    def __init__(
        self,
        profile: Profile,
        market: Market,
        orders: Iterable[OrderTimeline],
        instructions: Iterable[InstructionTimeline],
        flows: Iterable[CashMove],
        past: Sequence[PastSession] = (),
    ) -> None:
        self.profile, self._market, self.past = profile, market, past
        self.orders, self.instructions = list(orders), list(instructions)
        self._flows = list(flows)
        self.rebuild()

    def rebuild(self) -> None:
        """Works the days out again: after an order or instruction was added or changed."""
        self.days: list[AccountSession] = []
        state, before = State(Decimal(self.profile.brought)), None
        for session in self._market.sessions:
            if session.date < self.profile.plays_from:
                continue
            day = self._day(state, before, session)
            self.days.append(day)
            state, before = day.closing, session
        self._by_date = {day.session.date: day for day in self.days}

    def at(self, now: datetime) -> tuple[AccountSession, Figures] | None:
        """The day that an instant belongs to, and the account as it stands then. None before the account was opened."""
        session = self._market.session_at(now)
        day = self._by_date.get(session.date) if session else None
        if day is None:
            return None
        if now >= day.session.close:
            return day, self.figures(day)
        state = day.morning.copy()
        _apply(state, (fact for fact in day.facts if fact.at <= now))
        return day, self._value(state, day.session, now)

    def figures(self, day: AccountSession) -> Figures:
        """A day's closing figures."""
        return self._value(day.closing, day.session, day.session.close)

    def _day(self, state: State, before: Session | None, session: Session) -> AccountSession:
        previous = self._value(state, before, before.close) if before else Figures(cash=state.cash)
        morning = state.morning({row.position.instrument.id: row.value for row in previous.rows})
        overnight: list[Fact] = []
        if before is not None:
            overnight += _apply(morning, deliveries(morning, before, session, self.instructions, self._market))
            overnight += _apply(morning, actions(morning, session, self._market))
        facts, closing = self._intraday(session), morning.copy()
        _apply(closing, facts)
        return AccountSession(session, previous, morning, tuple(overnight), facts, closing)

    def _intraday(self, session: Session) -> tuple[Fill | CashMove, ...]:
        """Fills, one fee an order (with its first fill), deposits and withdrawals of one session, in time order."""
        facts: list[Fill | CashMove] = [flow for flow in self._flows if roll_of(session) <= flow.at <= session.close]
        for order in self.orders:
            if order.fills and roll_of(session) <= order.fills[0].at <= session.close:
                facts += order.fills
                facts.append(CashMove(order.fills[0].at, "FEE", -ORDER_FEE))
        return tuple(sorted(facts, key=lambda fact: fact.at))

    def _value(self, state: State, session: Session, now: datetime) -> Figures:
        rows = tuple(
            Valued(position, self._market.mark(position.instrument, session, now))
            for position in state.positions.values()
        )
        return Figures(rows, state.cash, dict(state.moves))


def _apply(state: State, facts: Iterable[Fact]) -> list[Fact]:
    """Books the facts, and returns them."""
    done = list(facts)
    for fact in done:
        state.apply(fact)
    return done
