"""An option contract: the only place where a multiplier, a strike and an expiry are published."""

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from models.enums import ContractType, ExerciseStyle, ListingType
from models.fields import Day, Flag, Id, Instant, Integer, Json, Price, Ratio, Text, about, as_sent


@as_sent
class OptionContract(TypedDict):
    """One contract. Whether an expired one still resolves isn't promised, so it is kept from first sight."""

    id: Annotated[Id, about("Instrument id of the contract")]
    symbol: NotRequired[Annotated[Text | None, about("Option symbol, usually padded to 21 characters")]]
    underlying_instrument_id: NotRequired[
        Annotated[
            Id | None,
            about(
                "Instrument that the option is on; null: no data",
                names=("underlying_instrument_id", "underlier_instrument_id"),
            ),
        ]
    ]
    contract_type: NotRequired[Annotated[ContractType | None, about("CALL or PUT")]]
    strike_price: NotRequired[Annotated[Price | None, about("Strike per share of the underlying")]]
    expiry: NotRequired[Annotated[Day | None, about("Day the contract expires")]]
    multiplier: NotRequired[Annotated[Ratio | None, about("Units of the underlying per contract, usually 100")]]
    exercise_style: NotRequired[Annotated[ExerciseStyle | None, about("AMERICAN or EUROPEAN")]]
    listing_type: NotRequired[Annotated[ListingType | None, about("STANDARD, FLEX or OTC")]]
    currency: NotRequired[Annotated[Text | None, about("ISO currency of strike and price")]]
    exchange: NotRequired[Annotated[Text | None, about("Market code of the primary listing")]]
    is_tradable: NotRequired[Annotated[Flag | None, about("Whether it can be traded")]]
    is_marginable: NotRequired[Annotated[Flag | None, about("Whether it can be held on margin")]]
    is_liquidation_only: NotRequired[Annotated[Flag | None, about("Whether positions may only be reduced")]]
    is_settle_on_open: NotRequired[
        Annotated[Flag | None, about("Whether it settles on the opening price; null: no data")]
    ]
    last_trade_cutoff: NotRequired[Annotated[Instant | None, about("Last moment it can be traded; null: no data")]]
    open_interest: NotRequired[Annotated[Integer | None, about("Contracts outstanding; null: no data")]]
    tick_rules: NotRequired[Annotated[Json | None, about("Price increments, as JSON; null: no data, or before 0.11.0")]]


_OSI = re.compile(r"[A-Z0-9./]{1,6} *(\d\d)(\d\d)(\d\d)[CP]\d{8}")


def expiry_of(symbol: str | None) -> date | None:
    """The expiry in an option's symbol of the form of the OSI; None where it has another form."""
    if (found := _OSI.fullmatch(symbol or "")) is not None:
        year, month, day = map(int, found.groups())
        with suppress(ValueError):
            return date(2000 + year, month, day)
    return None
