"""Which clock to go by: the broker's, else the Date of its answer, else this machine's.

The broker's clock decides which day a book is of. A time that can't be that of a trading day is not believed: it would
end the evening, or put today's book on a day of its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pipelines.broker.read import ClockReading, ClockSource
from pipelines.calendar import NEW_YORK, TradingCalendar

#: Clocks that are further apart than this are not both of today. (Two minutes are already worth a finding.)
FURTHEST = timedelta(days=1)


def choose_clock(told: datetime | None, dated: datetime | None, here: datetime, *, is_replayed: bool) -> ClockReading:
    """The first of the broker's clock, its Date header and this machine's clock that can be the time of a trading day.

    Where the broker told a time and another is used, `doubt` says so. `is_replayed`: the broker is on this machine
    and may replay days long gone. Where none can be believed, the first is used, and the calendar says what is wrong.
    """
    doubt = None
    if told is not None and not _in_sessions(told):
        doubt = "no trading day of daybook's calendar is near it"
    elif told is not None and dated is not None and not is_replayed and _contradicted(told, dated, here):
        doubt = f"the Date of its answer ({_shown(dated)}) and this machine's clock agree on another day"
    clocks: list[tuple[ClockSource, datetime | None]] = [
        ("API", told if doubt is None else None),
        ("DATE_HEADER", dated if dated is not None and _in_sessions(dated) else None),
        ("SYSTEM", here if _in_sessions(here) else None),
    ]
    for source, now in clocks:
        if now is not None:
            why = f"The broker's clock says {_shown(told)}, which is not believed: {doubt}. {_USED[source]} is used."
            return ClockReading(now, source, now - here, why if doubt else None)
    first = told or dated or here
    return ClockReading(first, "API" if told else "DATE_HEADER" if dated else "SYSTEM", first - here)


_USED: dict[ClockSource, str] = {
    "API": "The broker's clock",
    "DATE_HEADER": "The Date of its answer",
    "SYSTEM": "This machine's clock",
}


def _in_sessions(time: datetime) -> bool:
    calendar = TradingCalendar.load()
    try:
        return calendar.first <= time.astimezone(NEW_YORK).date() <= calendar.last
    except OverflowError:  # the first hours of year 1, west of Greenwich
        return False


def _contradicted(told: datetime, dated: datetime, here: datetime) -> bool:
    return abs(told - dated) > FURTHEST and abs(told - here) > FURTHEST and abs(dated - here) <= FURTHEST


def _shown(time: datetime | None) -> str:
    return time.isoformat(timespec="seconds") if time else "nothing"
