"""An order, as evidence of how a position came about."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from models.enums import OrderStatus, OrderType, QueueState, SecurityType, Side, TimeInForce, TrailingOffsetType
from models.fields import Average, Flag, Id, Instant, Json, NumberId, Price, Quantity, Text, about, as_sent


@as_sent
class Order(TypedDict):
    """One order in its current state. Multileg orders have no instrument of their own."""

    account_id: NotRequired[Annotated[NumberId, about("Account that placed the order")]]
    id: Annotated[Id, about("Broker's order id")]
    client_order_id: NotRequired[Annotated[Text | None, about("Caller's own order id")]]
    instrument_id: NotRequired[Annotated[Id | None, about("Instrument; null for multileg orders")]]
    symbol: NotRequired[Annotated[Text | None, about("Symbol for display; null for multileg orders")]]
    instrument_type: NotRequired[Annotated[SecurityType | None, about("Kind of instrument; null for multileg orders")]]
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
    side: NotRequired[Annotated[Side | None, about("BUY or SELL; SELL_SHORT only before API 0.8.0")]]
    order_type: NotRequired[Annotated[OrderType | None, about("MARKET, LIMIT, STOP and so on")]]
    time_in_force: NotRequired[Annotated[TimeInForce | None, about("How long the order stands")]]
    status: NotRequired[Annotated[OrderStatus | None, about("State of the order")]]
    queue_state: NotRequired[Annotated[QueueState | None, about("State of an order held back for release")]]
    quantity: NotRequired[Annotated[Quantity | None, about("Shares or contracts ordered")]]
    filled_quantity: NotRequired[Annotated[Quantity | None, about("Shares or contracts filled so far")]]
    leaves_quantity: NotRequired[Annotated[Quantity | None, about("Shares or contracts still open")]]
    average_fill_price: NotRequired[
        Annotated[Average | None, about("Average price of the fills; null before the first")]
    ]
    limit_price: NotRequired[Annotated[Price | None, about("Limit; null where the order has none")]]
    stop_price: NotRequired[Annotated[Price | None, about("Stop; null where the order has none")]]
    limit_offset: NotRequired[Annotated[Price | None, about("Distance of the limit from the trailing stop")]]
    trailing_offset: NotRequired[Annotated[Price | None, about("Trailing distance, in trailing_offset_type")]]
    trailing_offset_type: NotRequired[Annotated[TrailingOffsetType | None, about("PRICE, or BPS for basis points")]]
    trailing_limit_px: NotRequired[Annotated[Average | None, about("Current limit of a trailing order")]]
    trailing_stop_px: NotRequired[Annotated[Average | None, about("Current stop of a trailing order")]]
    trailing_watermark_px: NotRequired[Annotated[Average | None, about("Best price since the trail began")]]
    trailing_watermark_ts: NotRequired[Annotated[Instant | None, about("When that price was seen")]]
    extended_hours: NotRequired[Annotated[Flag | None, about("Whether it may fill outside regular hours")]]
    venue: NotRequired[Annotated[Text | None, about("Where the order was routed")]]
    created_at: NotRequired[Annotated[Instant | None, about("When the order was made")]]
    updated_at: NotRequired[Annotated[Instant | None, about("When the order last changed")]]
    expires_at: NotRequired[Annotated[Instant | None, about("When the order lapses; null where it does not")]]
    releases_at: NotRequired[Annotated[Instant | None, about("When a held order is released")]]
    details: NotRequired[Annotated[Json | None, about("Broker's remarks, a JSON list of texts")]]
    strategy: NotRequired[Annotated[Json | None, about("Execution strategy with its parameters, as JSON")]]
    legs: NotRequired[Annotated[Json | None, about("Legs of a multileg order, as JSON")]]
