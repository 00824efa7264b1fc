"""What happens between two sessions: exercise, assignment, expiry, splits and dividends, in this order."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from pipelines.calendar import Session
from pipelines.sandbox.facts import CashMove, Delivery, Fact, Split
from pipelines.sandbox.instructions import InstructionTimeline
from pipelines.sandbox.instruments import CALL, Instrument
from pipelines.sandbox.ledger import ZERO, State
from pipelines.sandbox.market import Market, roll_of
from pipelines.sandbox.options import intrinsic

# In the money by at least this much, a long option is exercised by exception and a short one is assigned.
EXCEPTION = Decimal("0.01")


def deliveries(
    state: State, before: Session, after: Session, instructions: Iterable[InstructionTimeline], market: Market
) -> list[Delivery]:
    """What becomes of the options held at the close of `before`, in effect at the open of `after`."""
    made: list[Delivery] = []
    decided = [given for given in instructions if given.outcome == "ACCEPTED" and _takes_effect(given, before, after)]
    for position in state.held():
        option = position.instrument
        if option.underlying is None:
            continue
        asked = [given for given in decided if given.instrument.id == option.id]
        exercised = min(_accepted(asked, "EXERCISE", "CONTRARY_EXERCISE"), max(position.quantity, ZERO))
        if exercised:
            made.append(_delivery(option, "EXERCISE", exercised, after))
        if market.last_session(option) <= before.date:
            made += _expire(
                option, position.quantity - exercised, _accepted(asked, "DO_NOT_EXERCISE"), before, after, market
            )
    return made


def actions(state: State, after: Session, market: Market) -> list[Fact]:
    """Dividends on what is held over the night (a short pays them), then splits, at the open of the ex-date."""
    dividends, splits = market.prices.on(after.date, "DIVIDEND"), market.prices.on(after.date, "SPLIT")
    held = state.held()
    paid: list[Fact] = [
        CashMove(roll_of(after), "DIVIDEND", position.quantity * dividends[position.instrument.symbol])
        for position in held
        if position.instrument.symbol in dividends
    ]
    return paid + [
        Split(after.date, position.instrument, splits[position.instrument.symbol])
        for position in held
        if position.instrument.symbol in splits
    ]


def _expire(
    option: Instrument, left: Decimal, spared: Decimal, before: Session, after: Session, market: Market
) -> list[Delivery]:
    """The end of what nobody exercised early; `spared` contracts must not be exercised."""
    if not left:
        return []
    worth = intrinsic(option.contract_type, market.close(option.base, before.date), option.strike)
    lapsed = (min(spared, left) if left > 0 else ZERO) if worth >= EXCEPTION else left
    kept = left - lapsed
    made = [_delivery(option, "EXERCISE" if kept > 0 else "ASSIGNMENT", kept, after)] if kept else []
    return made + ([Delivery(after.date, option, "EXPIRY", lapsed, ZERO)] if lapsed else [])


def _delivery(option: Instrument, kind: str, contracts: Decimal, after: Session) -> Delivery:
    """Shares come in for a long call or a short put, and go out for the other two."""
    direction = 1 if option.contract_type == CALL else -1
    return Delivery(after.date, option, kind, contracts, direction * contracts * option.multiplier)


def _accepted(instructions: Iterable[InstructionTimeline], *kinds: str) -> Decimal:
    return sum((given.accepted or ZERO for given in instructions if given.kind in kinds), ZERO)


def _takes_effect(given: InstructionTimeline, before: Session, after: Session) -> bool:
    return roll_of(before) <= given.decided_at < roll_of(after)
