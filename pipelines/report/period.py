"""The periods that reports are of, and which sessions are in them."""

from __future__ import annotations

from datetime import date
from typing import Literal, get_args

Period = Literal["month", "quarter", "year", "all"]
PERIODS: tuple[Period, ...] = get_args(Period)
#: What pnl.performance calls the window of each.
WINDOWS: dict[Period, str] = {"month": "MTD", "quarter": "QTD", "year": "YTD", "all": "ITD"}
_ORDINALS = ("1st", "2nd", "3rd", "4th")


def first_date(period: Period, day: date) -> date:
    """The first date of the period that a day is in."""
    if period == "all":
        return date.min
    if period == "year":
        return date(day.year, 1, 1)
    return date(day.year, day.month if period == "month" else 3 * ((day.month - 1) // 3) + 1, 1)


def title_of(period: Period, day: date, since: date) -> str:
    """A period in words; of all that is known, `since` is the first session."""
    if period == "all":
        return f"Since {since.day} {since:%B %Y}"
    if period == "year":
        return f"Year {day.year}"
    return f"{day:%B %Y}" if period == "month" else f"{_ORDINALS[(day.month - 1) // 3]} quarter {day.year}"


def periods_ending(day: date, next_session: date) -> list[Period]:
    """The periods of the calendar whose last session a day is."""
    return [
        period for period in PERIODS if period != "all" and first_date(period, day) != first_date(period, next_session)
    ]
