"""The broker's clock, calendar and version, and what it says of an instrument's price now."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from models.enums import MarketType
from models.fields import Day, Flag, Id, Instant, Integer, Json, Text, about, as_sent


@as_sent
class MarketHours(TypedDict):
    """Trading hours of one market on one day. `status` and `current_time` are about now, not about `date`."""

    market: Annotated[MarketType, about("Market: us_equities, us_options, us_event_contracts")]
    date: Annotated[Day, about("Day that the hours are of")]
    market_name: NotRequired[Annotated[Text | None, about("Name for display")]]
    timezone: NotRequired[Annotated[Text | None, about("Time zone of the market")]]
    current_time: NotRequired[Annotated[Instant | None, about("Broker's time when it answered")]]
    status: NotRequired[
        Annotated[Json | None, about("day_type (TRADING_DAY, EARLY_CLOSE, HOLIDAY, WEEKEND), is_open, as JSON")]
    ]
    today_sessions: NotRequired[
        Annotated[Json | None, about("Sessions of the day (pre_market, regular, after_hours: open, close), as JSON")]
    ]
    next_sessions: NotRequired[Annotated[Json | None, about("Sessions of the next trading day, as JSON")]]


@as_sent
class MarketSnapshot(TypedDict):
    """What an instrument trades at when the broker answers. Its last trade has a time only since after 0.7.0."""

    instrument_id: Annotated[Id, about("Instrument that the prices are of")]
    symbol: NotRequired[Annotated[Text | None, about("Ticker, or option symbol")]]
    name: NotRequired[Annotated[Text | None, about("Name of the security; null: no data")]]
    last_trade: NotRequired[
        Annotated[Json | None, about("Last trade (price, size), of an index its level, as JSON; null: no data")]
    ]
    last_quote: NotRequired[
        Annotated[Json | None, about("Last quote (bid, ask, midpoint, sizes), as JSON; null: no data")]
    ]
    session: NotRequired[
        Annotated[
            Json | None,
            about("Close of the session before, adjusted and not, and the change since, as JSON; null: no data"),
        ]
    ]
    greeks: NotRequired[
        Annotated[
            Json | None, about("Theoretical price, implied volatility and Greeks per share, as JSON; null: no data")
        ]
    ]
    cumulative_volume: NotRequired[
        Annotated[
            Integer | None, about("Volume so far, as the last trade reported it; in `session` since; null: no data")
        ]
    ]
    open_interest: NotRequired[Annotated[Integer | None, about("Contracts of the option outstanding; null: no data")]]
    short_sale_restricted: NotRequired[
        Annotated[Flag | None, about("Whether Rule 201 restricts short sales now; null: no data")]
    ]


@as_sent
class Clock(TypedDict):
    """The broker's time."""

    clock: Annotated[Instant, about("Now, in UTC")]


@as_sent
class Version(TypedDict):
    """The API's version. It has stayed the same through every change so far, so it shows no drift."""

    version: Annotated[Text, about("Version of the API")]
