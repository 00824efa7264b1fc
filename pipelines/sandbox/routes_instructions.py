"""Exercise instructions: listed, submitted row by row, cancelled."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import orjson

from pipelines.sandbox.calls import Call
from pipelines.sandbox.instructions import NIL, TYPES, InstructionTimeline, new_instruction
from pipelines.sandbox.instruments import Instrument, identity, is_uuid
from pipelines.sandbox.ledger import ZERO
from pipelines.sandbox.replies import ErrorAnswer, HandlerAnswer, Json
from pipelines.sandbox.responses import DOMAIN, instruction_row

PAST_CANCELLING = ("ACCEPTED", "REJECTED", "CANCEL_REQUESTED", "CANCELLED")


class RowRejection(NamedTuple):
    """Why a row wasn't taken: the status it counts as, a stable code, a sentence."""

    status: int
    code: str
    sentence: str


def list_instructions(call: Call) -> HandlerAnswer:
    """GET instructions: all that were ever taken, in the order they came; never one that was refused at the door."""
    known = [given for given in call.book.instructions if given.created_at <= call.now]
    if (wanted := _asked(call, "instrument_id")) is not None:
        known = [given for given in known if given.instrument.id == wanted.id]
    if (wanted := _asked(call, "underlying_instrument_id")) is not None:
        known = [given for given in known if given.instrument.base.id == wanted.id]
    return HandlerAnswer([instruction_row(given, call.now) for given in known])


def submit_instructions(call: Call) -> HandlerAnswer:
    """POST instructions: 200 if all rows were taken, 207 if some were, 400 if none was, 409 if all were repeats."""
    book = call.book
    taken = False
    rows: list[Json] = []
    rejections: list[RowRejection] = []
    for row in _rows(call.body):
        instrument = call.broker.instrument(row["instrument_id"])
        key = (
            row.get("client_instruction_id")
            or row.get("instruction_id")
            or identity("key", call.now, len(book.instructions), len(rows))
        )
        rejection = _rejection(call, row, key, instrument)
        if rejection is None and instrument is not None:
            taken = True
            rows.append(instruction_row(_take(call, row, key, instrument), call.now))
        elif rejection is not None:
            rejections.append(rejection)
            rows.append(_rejected(book.profile.id, row, key, instrument, rejection))
    book.rebuild()
    return _answer(rows, rejections, taken=taken)


def cancel_instruction(call: Call) -> HandlerAnswer:
    """DELETE an instruction by the server's id: CANCEL_REQUESTED, a minute later CANCELLED. 409 once it is final."""
    book = call.book
    wanted = call.path["instruction_id"].lower()
    found = next((each for each in book.instructions if each.id == wanted and each.created_at <= call.now), None)
    if found is None:
        raise ErrorAnswer(404, "Some requested entity was not found")
    status = found.status(call.now)
    if status in PAST_CANCELLING:
        raise ErrorAnswer(409, f"The instruction is {status} and can't be cancelled any more")
    cancelled = found.cancel(call.now)
    book.instructions[book.instructions.index(found)] = cancelled
    book.rebuild()
    return HandlerAnswer(instruction_row(cancelled, call.now))


def _asked(call: Call, name: str) -> Instrument | None:
    """The instrument that a filter names; 404 where there is none of that name."""
    text = call.query.get(name)
    found = call.broker.instrument(text) if text is not None else None
    if text is not None and found is None:
        raise ErrorAnswer(404, "Some requested entity was not found")
    return found


def _take(call: Call, row: Json, key: str, instrument: Instrument) -> InstructionTimeline:
    """Puts a row into the account's book."""
    book, market, kind = call.book, call.broker.market, row["instruction_type"]
    salt = str(len(book.instructions))
    given = new_instruction(key, book.profile.id, kind, instrument, Decimal(row["quantity"]), call.now, market, salt)
    book.instructions.append(given)
    return given


def _answer(rows: list[Json], rejections: list[RowRejection], *, taken: bool) -> HandlerAnswer:
    if not rejections:
        return HandlerAnswer(rows)
    first = rejections[0]
    message = first.sentence.partition(";")[0]
    if taken:
        return HandlerAnswer(rows, status=207, error={"code": first.status, "message": message})
    status = 409 if all(each.status == 409 for each in rejections) else 400
    raise ErrorAnswer(status, message, rows)


def _rows(body: bytes) -> list[Json]:
    """The rows of a request; a body that isn't a list of them is refused whole."""
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ErrorAnswer(400, "The body must be JSON", []) from None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) and _readable(row) for row in rows):
        raise ErrorAnswer(
            400, "The body must be a list of rows with an instruction_type, an instrument_id (UUID) and a quantity", []
        )
    return rows


def _readable(row: Json) -> bool:
    keys = (row.get("client_instruction_id"), row.get("instruction_id"))
    texts = [row.get("instrument_id"), row.get("quantity"), *(key for key in keys if key is not None)]
    return row.get("instruction_type") in TYPES and all(isinstance(text, str) for text in texts) and is_uuid(texts[0])


def _rejection(call: Call, row: Json, key: str, instrument: Instrument | None) -> RowRejection | None:
    """Why a row can't be taken; None where it can."""
    book, market = call.book, call.broker.market
    repeated = next((each for each in book.instructions if each.key == key and each.created_at <= call.now), None)
    if repeated is not None:
        return RowRejection(409, "DUPLICATE", f"Duplicate exercise instruction; existing_id={repeated.id}")
    if instrument is None or instrument.underlying is None:
        return RowRejection(400, "NOT_AN_OPTION", "The instrument is not an option contract")
    day, figures = call.broker.standing(book)
    kind, quantity = row["instruction_type"], _whole(row["quantity"])
    if kind != "EXERCISE" and day.session.date != market.last_session(instrument):
        return RowRejection(400, "OUTSIDE_EXPIRATION", f"{kind} must be submitted on the contract's expiration date")
    if quantity <= 0:
        return RowRejection(400, "INVALID_QUANTITY", "The quantity must be a whole number of contracts above 0")
    held = next((each.position.quantity for each in figures.rows if each.position.instrument.id == instrument.id), ZERO)
    if held <= 0 or call.broker.available(book, instrument, held) < quantity:
        return RowRejection(
            400, "INSUFFICIENT_POSITION", "The account doesn't hold that many contracts free to exercise"
        )
    return None


def _whole(text: str) -> Decimal:
    """A whole number; 0 for anything else."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return ZERO
    return value if value.is_finite() and value == value.to_integral_value() else ZERO


def _rejected(account: int, row: Json, key: str, instrument: Instrument | None, rejection: RowRejection) -> Json:
    """A row that wasn't taken. Its id is nil, so it can't be told from another one; it is never listed."""
    details = {"reason": rejection.code, "domain": DOMAIN, "metadata": {}, "description": rejection.sentence}
    return {
        "id": NIL,
        "instruction_id": key,
        "client_instruction_id": key,
        "account_id": account,
        "instruction_type": row["instruction_type"],
        "instrument_id": row["instrument_id"],
        "symbol": instrument.symbol if instrument else "",
        "quantity": row["quantity"],
        "status": "REJECTED",
        "rejection_reason": rejection.sentence,
        "rejection": details,
    }
