"""A holding of one instrument in one account. The listing has no as-of time: the clock gives it one."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from models.enums import PositionType, SecurityType
from models.fields import Average, Day, Id, Money, NumberId, Percent, Price, Quantity, Text, about, as_sent


@as_sent
class Position(TypedDict):
    """One position, as the broker states it. account_id and instrument_id together are its key."""

    account_id: Annotated[NumberId, about("Account that holds the position")]
    instrument_id: Annotated[Id, about("Instrument held; with account_id the key")]
    symbol: Annotated[Text, about("Symbol for display; not a key, and written in more than one way for options")]
    instrument_type: Annotated[SecurityType, about("COMMON_STOCK, INDEX, OPTION, CASH; older rows have more kinds")]
    position_type: Annotated[
        PositionType, about("LONG or SHORT; before API 0.5.0 options had LONG_CALL, SHORT_PUT and so on")
    ]
    quantity: Annotated[Quantity, about("Shares or contracts held; negative when short")]
    available_quantity: Annotated[
        Quantity, about("Part of the position free to act on; sign and relation to quantity are not defined")
    ]
    market_value: Annotated[
        Money,
        about("Value in account currency, negative when short; at the close or at the current price, not said which"),
    ]
    avg_price: NotRequired[
        Annotated[Average | None, about("Average price per share or per unit of an option's quote; null: no data")]
    ]
    cost_basis: NotRequired[Annotated[Money | None, about("Cost of the position, negative when short; null: no data")]]
    instrument_price: NotRequired[
        Annotated[
            Price | None,
            about("Current price; null: no data. Was called market_price", names=("instrument_price", "market_price")),
        ]
    ]
    closing_price: NotRequired[Annotated[Price | None, about("Close of the last trading day; null: no data")]]
    closing_price_date: NotRequired[
        Annotated[Day | None, about("Trading day of closing_price; rows of one listing may differ")]
    ]
    unrealized_pnl: NotRequired[
        Annotated[Money | None, about("Gain since the position was opened, loss negative; null: no data")]
    ]
    unrealized_pnl_pct: NotRequired[
        Annotated[Percent | None, about("unrealized_pnl in percent of the cost basis (3.79 is 3.79 %); null: no data")]
    ]
    daily_realized_pnl: NotRequired[
        Annotated[Money | None, about("Gain realized today; null: no data, and always before API 0.5.0")]
    ]
    daily_unrealized_pnl: NotRequired[
        Annotated[Money | None, about("Unrealized gain against the previous close; null: no data")]
    ]
    daily_unrealized_pnl_pct: NotRequired[
        Annotated[Percent | None, about("daily_unrealized_pnl in percent of the broker's baseline; null: no data")]
    ]
    underlying_instrument_id: NotRequired[
        Annotated[
            Id | None,
            about(
                "Underlying of an option; null: does not apply. Was called underlier_instrument_id",
                names=("underlying_instrument_id", "underlier_instrument_id"),
            ),
        ]
    ]
    underlying_instrument_type: NotRequired[
        Annotated[SecurityType | None, about("Type of the underlying; null: does not apply, or before API 0.8.0")]
    ]
