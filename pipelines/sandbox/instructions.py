"""Exercise instructions: those of the script, and the rules by which the stand-in takes or refuses a caller's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from pipelines.sandbox.instruments import Instrument, identity
from pipelines.sandbox.market import Market
from pipelines.sandbox.program import Program, asked_at

NIL = "00000000-0000-0000-0000-000000000000"
TYPES = ("EXERCISE", "DO_NOT_EXERCISE", "CONTRARY_EXERCISE")
# How long after the close the clearing house's answer comes.
ANSWER = timedelta(hours=1)
CANCELLING = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class InstructionTimeline:
    """An instruction and its whole future: SENT, CANCEL_REQUESTED from `cancel_at`, and `outcome` from `decided_at`."""

    id: str
    key: str
    account: int
    kind: str
    instrument: Instrument
    quantity: Decimal
    created_at: datetime
    decided_at: datetime
    outcome: str
    accepted: Decimal | None
    reason: str | None = None
    cancel_at: datetime | None = None

    def status(self, now: datetime) -> str:
        """The broker's PositionInstructionStatus at an instant."""
        if now >= self.decided_at:
            return self.outcome
        return "CANCEL_REQUESTED" if self.cancel_at is not None and now >= self.cancel_at else "SENT"

    def cancel(self, at: datetime) -> InstructionTimeline:
        """The same instruction, with a cancellation asked for `at` and granted a minute later."""
        return replace(self, cancel_at=at, decided_at=at + CANCELLING, outcome="CANCELLED", accepted=None)


def scripted_instructions(program: Program, market: Market, seed: int) -> list[InstructionTimeline]:
    """The instructions of a script, as they ended."""
    made = []
    for number, advice in enumerate(program.advice):
        key = f"ui-{advice.on:%Y%m%d}-{number:03d}"
        at, quantity = asked_at(advice), Decimal(advice.quantity)
        sent = new_instruction(
            key, program.profile.id, "EXERCISE", advice.instrument, quantity, at, market, f"{seed}/{number}"
        )
        if advice.outcome == "CANCELLED":
            sent = sent.cancel(at + timedelta(minutes=30))
        elif advice.outcome == "REJECTED":
            sent = replace(sent, outcome="REJECTED", accepted=None, reason=advice.reason)
        made.append(sent)
    return made


def new_instruction(
    key: str,
    account: int,
    kind: str,
    instrument: Instrument,
    quantity: Decimal,
    at: datetime,
    market: Market,
    salt: str,
) -> InstructionTimeline:
    """An instruction that will be accepted in full, an hour after the close of the session under way or next."""
    session = next((session for session in market.sessions if session.close > at), market.sessions[-1])
    answered = max(session.close, at) + ANSWER
    made = identity(account, "instruction", key, at.isoformat(), salt)
    return InstructionTimeline(made, key, account, kind, instrument, quantity, at, answered, "ACCEPTED", quantity)
