"""An instruction about an option position: exercise it, don't, or exercise against the usual rule."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from models.enums import InstructionStatus, InstructionType
from models.fields import Id, Instant, Json, NumberId, Quantity, Text, about, as_sent


@as_sent
class PositionInstruction(TypedDict):
    """One instruction in its current state. `id` is the server's and the key; the caller's own key is not unique."""

    account_id: Annotated[NumberId, about("Account the instruction belongs to")]
    id: Annotated[
        Id,
        about(
            "Server's id. Rows rejected before they were accepted all have zeros there; in the books they are "
            "rejected:<run>:<row>, and extra keeps the broker's own as broker_id"
        ),
    ]
    client_instruction_id: NotRequired[
        Annotated[
            Text | None,
            about(
                "Caller's idempotency key, else the server's stand-in; not unique. Was called instruction_id",
                names=("client_instruction_id", "instruction_id"),
            ),
        ]
    ]
    instruction_type: Annotated[InstructionType, about("EXERCISE, DO_NOT_EXERCISE or CONTRARY_EXERCISE")]
    instrument_id: Annotated[Id, about("Option contract that the instruction acts on")]
    symbol: NotRequired[Annotated[Text | None, about("Option symbol for display, in its spelling as sent")]]
    quantity: Annotated[Quantity, about("Contracts in the instruction")]
    status: Annotated[
        InstructionStatus, about("State; ACCEPTED, REJECTED and CANCELLED are final, CANCEL_FAILED needs a person")
    ]
    accepted_quantity: NotRequired[
        Annotated[Quantity | None, about("Contracts that clearing accepted; null until ACCEPTED")]
    ]
    created_at: NotRequired[Annotated[Instant | None, about("When the broker took it; null on early rejections")]]
    updated_at: NotRequired[Annotated[Instant | None, about("When its state last changed; null: no data")]]
    rejection_reason: NotRequired[Annotated[Text | None, about("Broker's words on REJECTED or CANCEL_FAILED")]]
    rejection: NotRequired[
        Annotated[
            Json | None,
            about(
                "Rejection in full: reason code, domain, parameters, description; null where none or before API 0.8.0"
            ),
        ]
    ]
    underlying_instrument_id: NotRequired[
        Annotated[
            Id | None,
            about(
                "Underlying of the option; null: does not apply, or before API 0.8.0",
                names=("underlying_instrument_id", "underlier_instrument_id"),
            ),
        ]
    ]
