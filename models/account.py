"""An account that the key may see. Personal details live behind another endpoint, which daybook never asks."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from models.enums import AccountStatus, AccountSubtype, AccountType, HolderKind
from models.fields import Day, Integer, NumberId, Text, about, as_sent


@as_sent
class Account(TypedDict):
    """One trading account, as listed."""

    id: Annotated[NumberId, about("Account id; the account_id of every other table")]
    short_name: NotRequired[Annotated[Text | None, about("Short name for display")]]
    full_name: NotRequired[Annotated[Text | None, about("Legal name of the account")]]
    status: NotRequired[Annotated[AccountStatus | None, about("ACTIVE, INACTIVE or CLOSED")]]
    type: NotRequired[
        Annotated[AccountType | None, about("CUSTOMER or OTHER; was called kind", names=("type", "kind"))]
    ]
    subtype: NotRequired[
        Annotated[
            AccountSubtype | None, about("CASH, MARGIN or OTHER; was called subkind", names=("subtype", "subkind"))
        ]
    ]
    open_date: NotRequired[Annotated[Day | None, about("Day the account was opened")]]
    close_date: NotRequired[Annotated[Day | None, about("Day the account was closed; null while it is open")]]
    options_level: NotRequired[Annotated[Integer | None, about("Which option strategies the account may trade")]]
    account_holder_entity_id: NotRequired[Annotated[NumberId | None, about("Id of whoever holds the account")]]
    account_holder_entity_kind: NotRequired[
        Annotated[HolderKind | None, about("Natural person or legal entity; null before API 0.8.0")]
    ]
