"""The four operations that trade, typed: what an instruction may say, and what the broker's answer means row by row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from models.envelope import ApiError, Envelope
from models.instruction import PositionInstruction
from models.reading import NotUnderstood, Page, Problem, Rejected, read_error, read_page
from models.shapes import INSTRUCTIONS, ORDERS, Shape

#: Named as the specification names them.
Operation = Literal["close_position", "close_positions", "submit_position_instructions", "cancel_position_instruction"]
#: What became of a request: all of it taken, a part of it, none of it, or nobody can tell yet.
Outcome = Literal["DONE", "PARTIAL", "REJECTED", "UNKNOWN"]
InstructionKind = Literal["EXERCISE", "DO_NOT_EXERCISE", "CONTRARY_EXERCISE"]

#: The id of rows that were rejected before they were accepted: all of them share it.
NIL = "00000000-0000-0000-0000-000000000000"
#: An instrument id as the broker writes them. Not every documented one is hexadecimal.
UUID = r"^[0-9A-Za-z]{8}(-[0-9A-Za-z]{4}){3}-[0-9A-Za-z]{12}$"
#: Whole contracts: nobody exercises a part of one.
_CONTRACTS = r"^[1-9][0-9]*(\.0+)?$"

Row = dict[str, Any]


class InstructionRow(BaseModel):
    """One instruction to submit, under the names of the wire. `quantity` is in whole contracts, as text, above zero.

    `client_instruction_id` is the idempotency key: a second row with the same key is refused by the broker.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    instruction_type: InstructionKind
    instrument_id: Annotated[str, StringConstraints(pattern=UUID)]
    quantity: Annotated[str, StringConstraints(pattern=_CONTRACTS, max_length=33)]
    client_instruction_id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row was not taken. `row` counts the answer's rows from 1; `reason` is the broker's stable code, null where
    its API has none yet, `description` its words."""

    row: int
    key: str | None
    reason: str | None
    domain: str | None
    metadata: Mapping[str, str]
    description: str


@dataclass(frozen=True)
class Answer:
    """An answer, understood. `orders` or `instructions` are its rows as the broker sent them, validated; `unreadable`
    are those that no column can hold; `not_echoed` are keys that were sent and are in no row of it."""

    operation: Operation
    status: int
    outcome: Outcome
    orders: list[Row] = field(default_factory=list)
    instructions: list[Row] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    unreadable: list[Rejected] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    not_echoed: list[str] = field(default_factory=list)
    error: ApiError | None = None
    request_id: str | None = None

    @property
    def pending(self) -> list[Row]:
        """The rows that were taken and are not done yet."""
        return [row for row in self.rows if row.get("status") in PENDING]

    @property
    def rows(self) -> list[Row]:
        """Its rows, of whichever kind."""
        return self.orders or self.instructions


def _single(data: Any) -> list[Any]:
    if not isinstance(data, dict):
        raise ValueError("data is not an object")  # noqa: TRY004  (as the shapes of models.shapes)
    return [data]


#: A cancellation is answered with the one instruction, not with a list.
_CANCELLED = Shape(INSTRUCTIONS.name, PositionInstruction, INSTRUCTIONS.key, _single, Envelope[PositionInstruction])
SHAPES: dict[Operation, Shape] = {
    "close_position": ORDERS,
    "close_positions": ORDERS,
    "submit_position_instructions": INSTRUCTIONS,
    "cancel_position_instruction": _CANCELLED,
}
#: States of a row of which something is still to come: an order that waits, an instruction that nobody accepted yet.
PENDING = frozenset(
    {
        "SENT",
        "CANCEL_REQUESTED",
        "PENDING_NEW",
        "QUEUED",
        "PENDING_TRIGGER",
        "NEW",
        "PARTIALLY_FILLED",
        "PENDING_CANCEL",
    }
    | {"PENDING_REPLACE", "STOPPED", "SUSPENDED", "CALCULATED"}
)
#: States of a row that mean: not taken.
_REFUSED: dict[Operation, frozenset[str]] = {
    "close_position": frozenset({"REJECTED"}),
    "close_positions": frozenset({"REJECTED"}),
    "submit_position_instructions": frozenset({"REJECTED", "ENGINE_REJECTED"}),
    "cancel_position_instruction": frozenset({"CANCEL_FAILED"}),
}


def read_answer(operation: Operation, account_id: str, status: int, body: bytes, keys: Sequence[str] = ()) -> Answer:
    """What an answer says, whatever its status. `keys` are those of the rows that were submitted. Raises nothing."""
    try:
        page = read_page(SHAPES[operation], body)
    except NotUnderstood:
        error = read_error(body)
        outcome: Outcome = "REJECTED" if _refused_whole(status) else "UNKNOWN"
        return Answer(operation, status, outcome, error=error, request_id=error.request_id if error else None)
    refused = [number for number, row in enumerate(page.rows, 1) if row.get("status") in _REFUSED[operation]]
    echoed = {row.get("client_instruction_id") for row in page.rows}
    problems = page.problems + [_foreign(row) for row in page.rows if row.get("account_id", account_id) != account_id]
    is_order = SHAPES[operation] is ORDERS
    return Answer(
        operation,
        status,
        _outcome(status, page, len(refused), len(keys)),
        orders=page.rows if is_order else [],
        instructions=[] if is_order else page.rows,
        rejections=[_rejection(number, page.rows[number - 1]) for number in refused],
        unreadable=page.rejected,
        problems=problems,
        not_echoed=[key for key in keys if page.rows and key not in echoed],
        error=page.error,
        request_id=page.metadata.request_id,
    )


def _outcome(status: int, page: Page, refused: int, submitted: int) -> Outcome:
    """Rows speak first, then the status. `submitted` is 0 where the number of rows isn't ours to know."""
    known = len(page.rows)
    taken = sum(row.get("status") != "UNKNOWN" for row in page.rows) - refused
    missing = submitted - known
    if known and refused == known and missing <= 0 and not page.rejected:
        return "REJECTED"
    if not 200 <= status < 300:
        return "PARTIAL" if taken else "REJECTED" if not page.rejected and _refused_whole(status) else "UNKNOWN"
    if status == 207 or page.error or page.rejected or missing > 0 or taken < known:
        return "PARTIAL" if taken else "UNKNOWN"
    return "DONE"


def _refused_whole(status: int) -> bool:
    """Whether a status without rows means that nothing was done. A gateway's 504 does not, nor does a plain 500."""
    return 300 <= status < 500 and status != 408


def _foreign(row: Row) -> Problem:
    account, instrument = str(row.get("account_id")), row.get("instrument_id")
    return Problem("foreign_account", "WARN", "account_id", instrument, account, f"a row belongs to account {account}")


def _rejection(number: int, row: Row) -> Rejection:
    said = _sent(row.get("rejection"))
    text: Callable[[str], str | None] = lambda name: str(said[name]) if said.get(name) else None  # noqa: E731
    metadata = said.get("metadata") if isinstance(said.get("metadata"), dict) else {}
    return Rejection(
        row=number,
        key=row.get("client_instruction_id") or row.get("client_order_id"),
        reason=text("reason"),
        domain=text("domain"),
        metadata={str(name): str(value) for name, value in (metadata or {}).items()},
        description=row.get("rejection_reason") or text("description") or _remarks(row) or "no reason was given",
    )


def _sent(text: str | None) -> dict[str, Any]:
    """The rejection in full, which the row holds as JSON text."""
    said = json.loads(text) if text else None
    return said if isinstance(said, dict) else {}


def _remarks(row: Row) -> str:
    """What an order says of itself: `details`, a JSON list of texts."""
    said = json.loads(row["details"]) if row.get("details") else None
    return "; ".join(map(str, said)) if isinstance(said, list) else ""
