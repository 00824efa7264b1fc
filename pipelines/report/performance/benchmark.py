"""Benchmarks that a person supplies: DAYBOOK_HOME/benchmarks.csv, a line a name and session with its close."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, InvalidOperation
from pathlib import Path
from statistics import StatisticsError, correlation, covariance, stdev, variance

from pipelines.errors import ConfigurationError
from pipelines.report.days import DayTotals, linked
from pipelines.report.formatting import short
from pipelines.report.performance.figures import SESSIONS_A_YEAR

COLUMNS = ("name", "trading_date", "close")
_PLACES = Decimal("0.0000000001")
#: The closes of any index or share, and few enough digits between two of them to be told.
_LEAST, _MOST = Decimal("1e-6"), Decimal(1_000_000_000)
#: Whatever a return was divided by, it is told to the last of those places.
_WIDE = Context(prec=1_000)

Closes = dict[date, Decimal]


@dataclass(frozen=True)
class Comparison:
    """The accounts beside a benchmark over the days of a period. `curve` is its gain since the session before them, in
    per cent, None where it has no close; beta and correlation are of the `sessions` on which both have a return."""

    name: str
    sessions: int
    missing: tuple[date, ...]
    total_return: Decimal | None
    excess_return: Decimal | None
    beta: Decimal | None
    correlation: Decimal | None
    tracking_error: Decimal | None
    curve: Sequence[float | None]
    note: str


def read_benchmarks(path: Path) -> dict[str, Closes]:
    """The closes of each benchmark, by name. None where there is no file.

    The file is read whole. Raises ConfigurationError that names the first line that is wrong, and what of it.
    """
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path.name} is not text in UTF-8: save it as such.") from error
    except (OSError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{path.name} can't be read ({why}).") from error
    if not lines or tuple(each.strip() for each in lines[0]) != COLUMNS:
        raise ConfigurationError(f"{path.name} must begin with a line {','.join(COLUMNS)}.")
    found: dict[str, Closes] = {}
    for number, line in enumerate(lines[1:], 2):
        if any(each.strip() for each in line):
            _take(found, line, f"{path.name} line {number}")
    return found


def _take(found: dict[str, Closes], line: Sequence[str], where: str) -> None:
    if len(line) != len(COLUMNS):
        raise ConfigurationError(f"{where} has {len(line)} columns and not {len(COLUMNS)}: {','.join(COLUMNS)}.")
    name, written, close = (each.strip() for each in line)
    if not name:
        raise ConfigurationError(f"{where} has no name.")
    try:
        day = date.fromisoformat(written)
    except ValueError:
        raise ConfigurationError(f"{where} has {short(written, 24)!r} for a date: write it like 2005-02-28.") from None
    closes = found.setdefault(name, {})
    if day in closes:
        raise ConfigurationError(f"{where} has a second close of {short(name, 24)} on {day}.")
    closes[day] = _close(close, where)


def _close(text: str, where: str) -> Decimal:
    try:
        close = Decimal(text)
    except InvalidOperation:
        close = Decimal("NaN")
    if not close.is_finite() or not _LEAST <= close <= _MOST:
        raise ConfigurationError(
            f"{where} has {short(text, 24)!r} for a close: it must be a number above 0, from {_LEAST:f} to {_MOST:,}."
        )
    return close


def compare(name: str, closes: Closes, days: Sequence[DayTotals], before: date | None) -> Comparison:
    """Put the days of a period beside a benchmark. `before` is the session before them, whose close they start from.

    Returns are compared on the sessions on which both are known; nothing stands in for a close that is missing.
    """
    dates = [*([before] if before else []), *(day.date for day in days)]
    missing = tuple(day for day in dates if day not in closes)
    start, end = closes.get(dates[0]), closes.get(dates[-1])
    theirs = None if start is None or end is None else (100 * (end / start - 1)).quantize(_PLACES, context=_WIDE)
    ours = linked(days)
    both = _both(closes, days, before)
    return Comparison(
        name=name,
        sessions=len(both),
        missing=missing,
        total_return=theirs,
        excess_return=None if ours is None or theirs is None else ours - theirs,
        **_measured(both),
        curve=[_gain(closes.get(day.date), start) for day in days],
        note=_note(name, dates, missing, len(both)),
    )


def _gain(close: Decimal | None, start: Decimal | None) -> float | None:
    return None if close is None or start is None else float(100 * (close / start - 1))


def _both(closes: Closes, days: Sequence[DayTotals], before: date | None) -> list[tuple[float, float]]:
    """Our return and the benchmark's, on each session that has both."""
    found, last = [], before
    for day in days:
        start, end = closes.get(last) if last else None, closes.get(day.date)
        if day.daily_return is not None and start is not None and end is not None:
            found.append((float(day.daily_return), float(end / start - 1)))
        last = day.date
    return found


def _measured(both: Sequence[tuple[float, float]]) -> Mapping[str, Decimal | None]:
    ours, theirs = [each for each, _ in both], [each for _, each in both]
    if len(both) < 2 or not variance(theirs):
        return {"beta": None, "correlation": None, "tracking_error": None}
    try:
        related = _rounded(correlation(ours, theirs))
    except StatisticsError:  # ours never moved
        related = None
    apart = stdev([mine - other for mine, other in both])
    return {
        "beta": _rounded(covariance(ours, theirs) / variance(theirs)),
        "correlation": related,
        "tracking_error": _rounded(100 * apart * math.sqrt(SESSIONS_A_YEAR)),
    }


def _rounded(value: float) -> Decimal:
    return Decimal(value).quantize(_PLACES, context=_WIDE)


def _note(name: str, dates: Sequence[date], missing: Sequence[date], compared: int) -> str:
    """What is missing of a benchmark, and what that takes away, in a sentence; nothing where it is whole."""
    if not missing and compared < 2:
        return f"{short(name, 24)}: fewer than two sessions have both returns, so there is no beta and no correlation."
    if not missing:
        return ""
    said = f"{short(name, 24)} has no close on {len(missing):,} of {len(dates):,} sessions, the first {missing[0]}"
    ends = [day for day in (dates[0], dates[-1]) if day in missing]
    if ends:
        return f"{said}; without that of {' and '.join(map(str, ends))} its return over the period is not known."
    return f"{said}: returns to and from them are not compared."
