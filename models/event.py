"""Corporate events of an instrument, one row per event, from a reply that groups them by type."""

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict

from models.enums import EventType
from models.exact import Number
from models.fields import Average, Day, Id, Integer, Json, Money, Percent, Ratio, Text, about, as_sent


@as_sent
class CorporateEvent(TypedDict):
    """One event. Splits and dividends are in columns, because P&L needs them; earnings and IPOs are kept whole."""

    instrument_id: Annotated[Id, about("Instrument that the event is of")]
    event_type: Annotated[EventType, about("DIVIDEND, STOCK_SPLIT, EARNINGS or IPO")]
    event_date: Annotated[Day, about("Day it takes effect: the ex-date of a dividend, else the event's date")]
    sequence: Annotated[
        Integer, about("0, 1, ... among events of one type on one day; two dividends may share an ex-date")
    ]
    reporting_currency: NotRequired[Annotated[Text | None, about("ISO currency of the amounts; null: no data")]]
    numerator: NotRequired[Annotated[Ratio | None, about("New shares of a split: 4 in 4-for-1")]]
    denominator: NotRequired[Annotated[Ratio | None, about("Old shares of a split: 1 in 4-for-1")]]
    split_type: NotRequired[Annotated[Text | None, about("stock-split, stock-dividend, bonus-issue")]]
    dividend_amount: NotRequired[Annotated[Money | None, about("Dividend per share as declared; null: no data")]]
    adjusted_dividend_amount: NotRequired[
        Annotated[Average | None, about("Dividend per share restated for later splits; changes after the fact")]
    ]
    dividend_yield: NotRequired[Annotated[Percent | None, about("Dividend in percent of the price; null: no data")]]
    frequency: NotRequired[Annotated[Text | None, about("How often it is paid, in the broker's words")]]
    declaration_date: NotRequired[Annotated[Day | None, about("Day the dividend was declared; null: no data")]]
    record_date: NotRequired[Annotated[Day | None, about("Day that decides who is paid; null: no data")]]
    payment_date: NotRequired[Annotated[Day | None, about("Day the dividend is paid; null: no data")]]
    details: NotRequired[Annotated[Json | None, about("Earnings and IPO events whole, as JSON; null for the others")]]


_GROUPS = {"splits": "STOCK_SPLIT", "dividends": "DIVIDEND", "earnings": "EARNINGS", "ipos": "IPO"}
_IN_COLUMNS = frozenset({"STOCK_SPLIT", "DIVIDEND"})


def unfold_events(data: Any) -> list[Any]:
    """Rows of `CorporateEvent` from the grouped reply, in its order. Raises ValueError for a reply without groups."""
    if not isinstance(data, Mapping) or not any(isinstance(data.get(group), list) for group in _GROUPS):
        raise ValueError("data has no group of events")
    shared = {name: data[name] for name in ("instrument_id", "reporting_currency") if name in data}
    rows: list[Any] = []
    for group, event_type in _GROUPS.items():
        seen: dict[Any, int] = {}
        for event in data.get(group) or ():
            if not isinstance(event, Mapping):
                rows.append(event)  # refused later, with its text
                continue
            day = event.get("ex_date") or event.get("date")
            sequence = seen[str(day)] = seen.get(str(day), -1) + 1
            rows.append(_row(event, event_type, day, sequence) | shared)
    return rows


def _row(event: Mapping[str, Any], event_type: str, day: Any, sequence: int) -> dict[str, Any]:
    own = (
        {name: value for name, value in event.items() if name not in ("ex_date", "date")}
        if event_type in _IN_COLUMNS
        else {"details": dict(event)}
    )
    return own | {"event_type": event_type, "event_date": day, "sequence": Number(sequence)}


_DATA_OF = {f"{event_type.lower()}_event_data": event_type for event_type in _GROUPS.values()}


def unfold_events_by_date(data: Any) -> list[Any]:
    """Rows of `CorporateEvent` from the listing of all instruments' events, grouped by date. A date may span two pages.

    Raises ValueError for a reply without dates.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("event_dates"), list):
        raise ValueError("data has no event_dates")  # noqa: TRY004  (one kind of error for whatever isn't understood)
    rows: list[Any] = []
    seen: dict[Any, int] = {}
    for group in data["event_dates"]:
        for event in group.get("events") or () if isinstance(group, Mapping) else ():
            if not isinstance(event, Mapping):
                rows.append(event)  # refused later, with its text
                continue
            body: Mapping[str, Any] = next(
                (event[name] for name in _DATA_OF if isinstance(event.get(name), Mapping)), {}
            )
            day = body.get("ex_date") or body.get("date") or group.get("date")
            key = (str(event.get("instrument_id")), str(event.get("type")), str(day))  # any of them may be a list
            sequence = seen[key] = seen.get(key, -1) + 1
            shared = {name: event[name] for name in ("instrument_id", "reporting_currency") if name in event}
            rows.append(_row(body, str(event.get("type")), day, sequence) | shared)
    return rows
