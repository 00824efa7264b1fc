"""What the sessions of a period add up to: months, falls, the distribution of days. Money and returns stay decimals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from statistics import fmean, stdev
from typing import Any

from pipelines.report.days import DayTotals, linked
from pipelines.report.formatting import NOTHING
from pipelines.report.period import Period

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
SESSIONS_A_YEAR = 252
MOST_FALLS, MOST_DAYS = 10, 10
#: How wide a bar of the distribution may be, in per cent of return.
_WIDTHS = tuple(Decimal(each) for each in ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "25"))
_MOST_BARS = 24
_PLACES = Decimal("0.00000001")

Rows = list[dict[str, Any]]


def by_month(days: Sequence[DayTotals], figure: Callable[[Sequence[DayTotals]], Decimal | None]) -> Rows:
    """A figure of every month, a row a year, with the figure of the year; nothing where a month has no session."""
    rows = []
    for year, sessions in groupby(days, lambda day: day.date.year):
        of_year = list(sessions)
        months = {month: list(each) for month, each in groupby(of_year, lambda day: day.date.month)}
        told = {name: figure(months[n]) if n in months else NOTHING for n, name in enumerate(MONTHS, 1)}
        rows.append({"year": str(year), **told, "total": figure(of_year)})
    return rows[::-1]


def pnl_of(days: Sequence[DayTotals]) -> Decimal | None:
    """P&L before fees; None where that of one day is not known of every account."""
    if any(day.holes for day in days):
        return None
    return known_sum([day.pnl for day in days if not day.is_opening or day.pnl is not None])


def known_sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    """A sum; None where a part of it is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def breakdown(days: Sequence[DayTotals], period: Period) -> Rows:
    """What each part of the period made, the newest first: days of a month, weeks of a quarter, months of a year."""
    rows = []
    for name, sessions in groupby(days, lambda day: _part_of(period, day.date)):
        part = list(sessions)
        rows.append({"part": name, **totals_of(part)})
    return rows[::-1]


def totals_of(days: Sequence[DayTotals]) -> dict[str, Any]:
    """The figures of some days together. What was traded is known of days of the books alone, and counted."""
    traded = [day for day in days if day.bought is not None and day.sold is not None]
    return {
        "sessions": sum(day.accounts > 0 for day in days),
        "by_broker": sum(day.by_broker > 0 for day in days),
        "covered": sum(day.sessions_covered for day in days if day.accounts),
        "pnl": pnl_of(days),
        "realized": _of_whole(days, [day.realized for day in days]),
        "unrealized": _of_whole(days, [day.unrealized for day in days]),
        "fees": _of_whole(days, [day.fees for day in days]),
        "net": _of_whole(days, [day.net for day in days]),
        "flow": _of_whole(days, [day.flow for day in days]),
        "net_return": linked(days),
        "equity": days[-1].equity,
        "bought": known_sum([day.bought for day in traded]) if traded else None,
        "sold": known_sum([day.sold for day in traded]) if traded else None,
        "turnover": turnover(traded),
        "traded_sessions": len(traded),
    }


def _of_whole(days: Sequence[DayTotals], amounts: Sequence[Decimal | None]) -> Decimal | None:
    return None if any(day.holes for day in days) else known_sum(amounts)


def turnover(days: Sequence[DayTotals]) -> Decimal | None:
    """The lesser of what was bought and sold over the mean equity of the same days, in per cent; not annualized."""
    equities = [day.equity for day in days if day.equity is not None]
    mean = sum(equities, Decimal(0)) / len(equities) if equities and len(equities) == len(days) else Decimal(0)
    if mean <= 0:
        return None
    bought, sold = (known_sum(each) or Decimal(0) for each in ([d.bought for d in days], [d.sold for d in days]))
    return (100 * min(bought, sold) / mean).quantize(_PLACES)


def _part_of(period: Period, day: date) -> str:
    if period == "month":
        return f"{day:%a} {day}"
    if period == "quarter":
        week = day.isocalendar()
        return f"{week.year} week {week.week:02}"
    return f"{day:%Y-%m}" if period == "year" else f"{day:%Y}"


@dataclass
class Fall:
    """A fall of the linked return from a high, in per cent. Sessions are counted from the one of the high, at whose end
    the fall begins."""

    begins: date
    first: int
    depth: Decimal = Decimal(0)
    lowest: date = date.min
    sessions_to: int = 0
    sessions: int = 0
    recovered_on: date | None = None

    def row(self) -> dict[str, Any]:
        """The fall as a row of a table."""
        return {
            "from": self.begins,
            "to": self.lowest,
            "recovered_on": self.recovered_on or "not yet",
            "depth": self.depth,
            "sessions_to": self.sessions_to,
            "sessions": self.sessions,
        }


def falls(days: Sequence[DayTotals], before: date) -> list[Fall]:
    """The falls of the linked return from a high, the deepest first; none after a return that is not known.

    `before` is the session before the days: a fall from their beginning began there.
    """
    index = best = Decimal(1)
    high, found = before, list[Fall]()
    fall: Fall | None = None
    for number, day in enumerate(days):
        if day.growth is None:
            break
        index *= day.growth
        if index < best and fall is None:
            fall = Fall(high, number - 1)
            found.append(fall)
        if fall is not None:
            _follow(fall, day.date, number, index / best)
        if index >= best:
            best, high, fall = index, day.date, None
    return sorted((fall for fall in found if fall.depth), key=lambda fall: (fall.depth, fall.begins))[:MOST_FALLS]


def _follow(fall: Fall, day: date, number: int, level: Decimal) -> None:
    """Take a session into a fall: `level` is the linked return over that of the high."""
    fall.sessions = number - fall.first
    depth = (100 * (level - 1)).quantize(_PLACES)
    if level >= 1:
        fall.recovered_on = day
    elif depth < fall.depth:
        fall.depth, fall.lowest, fall.sessions_to = depth, day, fall.sessions


def days_by_return(days: Sequence[DayTotals], *, best: bool) -> Rows:
    """The days with the largest gain, or loss, in per cent."""
    known = [
        day for day in days if day.daily_return is not None and (day.daily_return > 0) is best and day.daily_return
    ]
    known.sort(key=lambda day: day.daily_return or 0, reverse=best)
    return [
        {"date": day.date, "net_return": 100 * (day.daily_return or 0), "pnl": day.pnl, "told": told_by(day)}
        for day in known[:MOST_DAYS]
    ]


def told_by(day: DayTotals) -> str:
    """Whose figures a day has."""
    if not day.by_broker:
        return "books"
    return "broker" if day.by_broker == day.accounts else "books and broker"


def distribution(days: Sequence[DayTotals]) -> Rows:
    """How many days had a return within each range: from `low`, and less than `high`, in per cent."""
    returns = [100 * day.daily_return for day in days if day.daily_return is not None]
    if not returns:
        return []
    low, high = min(returns), max(returns)
    width = next((each for each in _WIDTHS if (high - low) / each <= _MOST_BARS), (high - low) / _MOST_BARS)
    first = math.floor(low / width)
    counts = [0] * (math.floor(high / width) - first + 1)
    for each in returns:
        counts[math.floor(each / width) - first] += 1
    return [
        {"low": width * (first + n), "high": width * (first + n + 1), "days": count} for n, count in enumerate(counts)
    ]


def rolling(days: Sequence[DayTotals], sessions: int, risk_free: float) -> list[tuple[float | None, float | None]]:
    """Yearly volatility and Sharpe ratio of so many sessions to each day; None where one of them has no return."""
    returns = [None if day.daily_return is None else float(day.daily_return) for day in days]
    rate = (1 + risk_free) ** (1 / SESSIONS_A_YEAR) - 1
    found: list[tuple[float | None, float | None]] = []
    for end in range(1, len(returns) + 1):
        known = [each for each in returns[max(0, end - sessions) : end] if each is not None]
        if len(known) < sessions:
            found.append((None, None))
            continue
        deviation = stdev(known)
        sharpe = (fmean(known) - rate) / deviation * math.sqrt(SESSIONS_A_YEAR) if deviation else None
        found.append((100 * deviation * math.sqrt(SESSIONS_A_YEAR), sharpe))
    return found
