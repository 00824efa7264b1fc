"""The broker's clock, calendar and version."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from models.enums import MarketType
from models.fields import Day, Instant, Json, Text, about, as_sent


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
class Clock(TypedDict):
    """The broker's time."""

    clock: Annotated[Instant, about("Now, in UTC")]


@as_sent
class Version(TypedDict):
    """The API's version. It has stayed the same through every change so far, so it shows no drift."""

    version: Annotated[Text, about("Version of the API")]
