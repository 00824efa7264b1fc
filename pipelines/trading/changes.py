"""Refuses to send what has changed: a proposal, read again, is compared with the one that was shown, or stated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal

from models.printable import shortened
from pipelines.errors import USAGE, ConfigurationError, DaybookError
from pipelines.trading.effects import Effect
from pipelines.trading.held import find_position
from pipelines.trading.preview import Closing, Line, Preview
from pipelines.trading.proposals import Proposal

#: What moves with the market alone. Everything else that is shown has to be what it was.
PRICES = frozenset({"market_value", "price", "price_source", "price_as_of", "moneyness", "worth"})
#: Names of what is compared, where the table's differ from ours.
LABELS = {"available": "free", "side": "order", "standing": "instructed before"}
#: What is held, as a person writes it down.
_QUANTITY = re.compile(r"[+-]?[0-9]{1,16}(\.[0-9]{1,8})?")
#: How many changes a sentence names.
MOST_NAMED = 5


class Changed(DaybookError):
    """What was shown is no longer so, and nothing was sent. `what` says in words what has changed."""

    exit_code = USAGE  # as a question that is answered no: what was agreed to isn't there any more

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Nothing was sent, for this has changed since it was shown: {what}. Run it again to see it as it is now."
        )
        self.what = what


def refuse_changed(shown: Proposal) -> None:
    """Read again what a proposal rests on. Raises Changed where it differs in more than prices, also where what was to
    be traded is no longer there or its name has come to mean something else; BrokerError where it can't be read."""
    try:
        now = shown.again()
    except ConfigurationError as error:
        raise Changed(str(error).rstrip(".")) from None
    found = changes(shown.preview, now.preview)
    if not found and now.request != shown.request:
        found = ["what would be sent is another request"]
    if found:
        raise Changed(_joined(found))


def refuse_unexpected(proposal: Proposal, expected: Mapping[str, str]) -> None:
    """For whoever is shown nothing: what would be closed must be exactly what is `expected`, signed quantities by UUID
    or symbol. Raises ConfigurationError, with nothing sent."""
    held = {line.instrument_id: line for line in proposal.preview.lines if isinstance(line, Closing)}
    wanted: dict[str, Decimal] = {}
    for name, quantity in expected.items():
        instrument_id = str(find_position(proposal.preview.as_json(), name)["instrument_id"])
        if instrument_id in wanted:
            raise ConfigurationError(f"Nothing was sent: {name!r} is expected twice, under two names.")
        wanted[instrument_id] = _number(name, quantity)
    found = [
        f"{line.symbol} ({line.instrument_id}) is {_text(line.quantity)}, and "
        + (f"{_text(wanted[each])} was expected" if each in wanted else "was not expected")
        for each, line in held.items()
        if wanted.get(each) != line.quantity
    ]
    if found:
        raise ConfigurationError(f"Nothing was sent, for something else is held than was expected: {_joined(found)}.")


def changes(shown: Preview, now: Preview) -> list[str]:
    """What has changed between two previews, in words; prices are left out."""
    before, after = _by_identity(shown.lines), _by_identity(now.lines)
    found = []
    for identity in {**before, **after}:
        if identity not in after:
            found.append(f"{_named(before[identity])} is no longer there")
        elif identity not in before:
            found.append(f"{_named(after[identity])} was not there before: {_size(after[identity])}")
        elif differences := ", ".join(_differences(before[identity], after[identity])):
            found.append(f"{_named(before[identity])}: {differences}")
    return found


def _by_identity(lines: Sequence[Line]) -> dict[str, Line]:
    """Lines by what they are about: the instrument, the instruction, or the number of the row that is submitted."""
    return {_identity(number, line): line for number, line in enumerate(lines, 1)}


def _identity(number: int, line: Line) -> str:
    if isinstance(line, Effect):
        return str(number)
    return line.instrument_id if isinstance(line, Closing) else line.id


def _differences(before: Line, after: Line) -> Iterator[str]:
    for name in (each.name for each in fields(before)):
        was, now = getattr(before, name), getattr(after, name)
        if was != now and name not in PRICES:
            yield f"{LABELS.get(name, name.replace('_', ' '))} is {_text(now)} (was {_text(was)})"


def _named(line: Line) -> str:
    return f"{line.symbol} ({line.instrument_id})"


def _size(line: Line) -> str:
    return _text(line.quantity if isinstance(line, Closing) else line.contracts)


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return "none" if value is None else str(value)


def _joined(found: Sequence[str]) -> str:
    more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return "; ".join(found[:MOST_NAMED]) + more


def _number(name: str, quantity: str) -> Decimal:
    if not _QUANTITY.fullmatch(quantity):  # Decimal also reads "sNaN", which nothing can be compared with, and 1e999999
        what = f"the quantity of {shortened(name)}, {shortened(quantity)!r}"
        raise ConfigurationError(f"Nothing was sent: {what}, is not a number such as -50.")
    return Decimal(quantity)
