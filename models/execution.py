"""A fill: the best evidence of what was traded, at which price, when."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from models.enums import SecurityType, Side
from models.fields import Id, Instant, Json, NumberId, Price, Quantity, Text, about, as_sent


@as_sent
class Execution(TypedDict):
    """One fill of an order. A strategy-level multileg fill has no instrument and no price of its own."""

    account_id: NotRequired[
        Annotated[
            NumberId, about("Account that was asked for; the reading client fills it in where the broker doesn't")
        ]
    ]
    id: Annotated[Id, about("Fill id; listing windows overlap, so rows repeat by it")]
    order_id: NotRequired[Annotated[Id | None, about("Order that was filled")]]
    instrument_id: NotRequired[Annotated[Id | None, about("Instrument traded; null on multileg fills")]]
    symbol: NotRequired[Annotated[Text | None, about("Symbol for display; null on multileg fills")]]
    side: Annotated[Side, about("BUY or SELL; SELL_SHORT only before API 0.8.0")]
    quantity: Annotated[Quantity, about("Shares or contracts filled, unsigned; the side has the direction")]
    price: NotRequired[Annotated[Price | None, about("Price of the fill; null on multileg fills")]]
    transaction_time: Annotated[Instant, about("When it traded")]
    venue: NotRequired[Annotated[Text | None, about("Where it traded, in the venue's own code")]]
    underlying_instrument_id: NotRequired[
        Annotated[
            Id | None,
            about(
                "Underlying of an option; null: does not apply",
                names=("underlying_instrument_id", "underlier_instrument_id"),
            ),
        ]
    ]
    underlying_instrument_type: NotRequired[
        Annotated[SecurityType | None, about("Type of the underlying; null: does not apply")]
    ]
    legs: NotRequired[Annotated[Json | None, about("Legs of a multileg fill, as JSON")]]
