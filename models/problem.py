"""What is noticed while a reply is read, and the rows that can't be held."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a row, or a reply, that a person may want to know. `value` is the exact text as sent."""

    check_name: str
    severity: str
    field: str | None
    instrument_id: str | None
    value: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that can't be held. `text` is its JSON with every digit as sent, `identity` its key where it has one."""

    text: str
    reason: str
    identity: str | None
