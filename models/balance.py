"""An account's money at one moment. There is no history of it: what isn't read today can't be read tomorrow."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from models.enums import MarginType
from models.fields import Json, Money, NumberId, Ratio, Text, about, as_sent


@as_sent
class Balances(TypedDict):
    """Balances of one account, in its currency."""

    account_id: Annotated[NumberId, about("Account that the balances are of")]
    currency: NotRequired[Annotated[Text | None, about("ISO currency of every amount of the account")]]
    margin_type: NotRequired[Annotated[MarginType | None, about("Margin regime; NONE for a cash account")]]
    equity: NotRequired[Annotated[Money | None, about("Account's worth now")]]
    daily_change: NotRequired[Annotated[Money | None, about("equity less the equity at the start of the day")]]
    daily_pnl: NotRequired[
        Annotated[
            Money | None,
            about(
                "Gain since the start of the day, loss negative. Was called daily_total_pnl",
                names=("daily_pnl", "daily_total_pnl"),
            ),
        ]
    ]
    daily_realized_pnl: NotRequired[Annotated[Money | None, about("Realized part of the day's gain")]]
    daily_unrealized_pnl: NotRequired[Annotated[Money | None, about("Unrealized part of the day's gain")]]
    unrealized_pnl: NotRequired[Annotated[Money | None, about("Unrealized gain since positions were opened")]]
    long_market_value: NotRequired[Annotated[Money | None, about("Value of long positions")]]
    short_market_value: NotRequired[
        Annotated[Money | None, about("Value of short positions, shown positive; here null does mean none")]
    ]
    trade_cash: NotRequired[Annotated[Money | None, about("Cash by trade date")]]
    settled_cash: NotRequired[Annotated[Money | None, about("Cash by settlement date")]]
    unsettled_credits: NotRequired[Annotated[Money | None, about("Cash to come from unsettled sales")]]
    unsettled_debits: NotRequired[Annotated[Money | None, about("Cash to go for unsettled purchases, shown positive")]]
    withdrawable_cash: NotRequired[Annotated[Money | None, about("Cash that may leave the account")]]
    open_order_adjustment: NotRequired[Annotated[Money | None, about("Effect of open orders on buying power")]]
    buying_power: NotRequired[Annotated[Money | None, about("What may be bought")]]
    multiplier: NotRequired[Annotated[Ratio | None, about("Margin multiplier; null for a cash account")]]
    sod: NotRequired[Annotated[Json | None, about("Balances at the start of the day (equity, asof, ...), as JSON")]]
    margin_details: NotRequired[Annotated[Json | None, about("Margin calculation, as JSON; null for a cash account")]]
