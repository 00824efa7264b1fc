"""The plot of the demo: what goes wrong at the stand-in broker, and when daybook reads it.

In: a stand-in and one of its days. Out: when that day is read, and whether it is meant to stay a gap.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from pipelines.sandbox.incidents import Incidents, Trouble, WrongPrice
from pipelines.sandbox.server import Sandbox

_NEW_YORK = ZoneInfo("America/New_York")
_LONG_SHORT, _OPTIONS = 20517, 20518

#: A row of one account is lost on the way at 16:20; the evening's second run, at 19:55, gets all of them.
COMPLETED_LATER = date(2005, 2, 4)
#: The fills in IBM of this day are listed at a wrong price, until the broker corrects them two sessions later.
MISPRICED, CORRECTED = date(2005, 2, 9), date(2005, 2, 11)
#: The positions of one account are refused on this evening, and nobody comes again before the next session.
GAP = date(2005, 2, 17)
#: Nobody reads this evening; a run of the next morning, before the open, makes up for it.
MISSED = date(2005, 3, 2)


def _new_york(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), _NEW_YORK).astimezone(UTC)


INCIDENTS = Incidents(
    lost_row=(Trouble(_LONG_SHORT, _new_york(COMPLETED_LATER, 16), _new_york(COMPLETED_LATER, 19)),),
    wrong_prices=(WrongPrice(_LONG_SHORT, "IBM", MISPRICED, Decimal("1.80"), _new_york(CORRECTED, 9, 30)),),
    refused=(Trouble(_OPTIONS, _new_york(GAP, 16), _new_york(GAP, 23)),),
)


def runs_of(sandbox: Sandbox, day: date) -> tuple[datetime, ...]:
    """When a day is read, by the stand-in's clock: after its close, but for what the plot has otherwise."""
    if day == MISSED:
        return (_new_york(sandbox.broker.market.calendar.next(day), 8, 30),)
    evening = sandbox.after_close(day)
    return (evening, _new_york(day, 19, 55)) if day == COMPLETED_LATER else (evening,)


def is_as_meant(day: date, status: str | None) -> bool:
    """Whether a day of the demo ended as it should: COMPLETE, but for the one that stays a gap."""
    return status == "COMPLETE" or (day == GAP and status == "INCOMPLETE")
