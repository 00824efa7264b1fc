"""The charts of a performance report that the end-of-day report does not have, and those that it has, of a period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pipelines.report import charts as of_day
from pipelines.report.charts import LEFT, RIGHT, WIDTH, across, dates, dot, grid
from pipelines.report.days import DayTotals
from pipelines.report.formatting import short
from pipelines.report.performance.content import PerformanceReport
from pipelines.report.section import Row
from pipelines.report.svg import Drawing, Scale, axis, steps, thinned

Curve = Sequence[float | None]

BRIDGE = (
    ("sod_equity", "before"),
    ("realized", "realized"),
    ("unrealized", "unrealized"),
    ("unsplit", "not split"),
    ("fees", "income, fees"),
    ("flow", "flows"),
    ("unexplained", "unexplained"),
    ("eod_equity", "at the end"),
)
#: The colours of the accounts' curve and of the benchmarks beside it; more of those are in the tables alone.
COLOURS = ("line", "second", "doubt", "total")


@dataclass(frozen=True)
class Line:
    """A curve over the days of a period, with its name and colour. `key` is what a script knows it by."""

    key: str
    label: str
    colour: str
    values: Curve


def charts(report: PerformanceReport) -> dict[str, str]:
    """Every chart by name; empty where there is nothing to draw."""
    days, most = report.days, len(report.days)
    rolled = rolling_curves(report)
    drawn: dict[str, Drawing | None] = {
        "growth": growth(days, growth_lines(report)),
        "pnl": of_day.pnl(days, most, label_of_pnl(report)) if len(report.currencies) == 1 else None,
        "drawdown": of_day.drawdown(days, most),
        "exposure": of_day.exposure(days, most),
        "volatility": over_time(days, rolled["volatility"], "Rolling volatility, per cent a year", "%"),
        "sharpe": over_time(days, rolled["sharpe"], "Rolling Sharpe ratio", ""),
        "distribution": distribution(report.sections["distribution"].rows),
        "contribution": of_day.contribution(report.sections["underlyings"].rows),
        "bridge": of_day.bridge(report.sections["bridge"].total, BRIDGE, "From equity before the period to its end"),
        "calendar": of_day.calendar(days) if len(report.currencies) == 1 else None,
    }
    return {name: str(drawing) if drawing else "" for name, drawing in drawn.items()}


def label_of_pnl(report: PerformanceReport) -> str:
    """What the curve of the period's P&L is."""
    return of_day.cumulative_label(report.days, (report.statistics or {}).get("total_pnl"))


def growth_lines(report: PerformanceReport) -> list[Line]:
    """The linked return of the accounts from the beginning to each day, in per cent, and each benchmark beside it."""
    lines = [Line("growth", "accounts", COLOURS[0], linked_curve(report.days))]
    for number, (colour, compared) in enumerate(zip(COLOURS[1:], report.benchmarks, strict=False), 1):
        lines.append(Line(f"benchmark{number}", short(compared.name, 14), colour, compared.curve))
    return [line for line in lines if any(value is not None for value in line.values)]


def linked_curve(days: Sequence[DayTotals]) -> Curve:
    """Returns linked from the beginning to each day, in per cent; None from the first that is not known."""
    index = Decimal(1)
    found: list[float | None] = []
    for day in days:
        if day.growth is None:
            return found + [None] * (len(days) - len(found))
        index *= day.growth
        found.append(float(100 * (index - 1)))
    return found


def rolling_curves(report: PerformanceReport) -> dict[str, Curve]:
    """Rolling volatility, in per cent, and Sharpe ratio to each day."""
    return {
        "volatility": [volatility for volatility, _ in report.rolled],
        "sharpe": [sharpe for _, sharpe in report.rolled],
    }


def growth(days: Sequence[DayTotals], lines: Sequence[Line]) -> Drawing | None:
    """Cumulative return as a line, with the benchmarks' beside it, each named above."""
    if not lines:
        return None
    drawing = Drawing(WIDTH, 230, "Cumulative return after fees, per cent")
    at = across(len(days))
    scale, ticks = axis([value for line in lines for value in line.values if value is not None], 205, 22)
    grid(drawing, scale, ticks, unit="%")
    place = LEFT
    for line in lines:
        _draw(drawing, at, scale, line.values, line.colour)
        drawing.text(place, 11, line.label, fill=line.colour)
        place += 12 + 6 * len(line.label)
    dates(drawing, days, at, 224)
    return drawing


def over_time(days: Sequence[DayTotals], values: Curve, title: str, unit: str) -> Drawing | None:
    """One figure over the days as a line; None where it is not known of any."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    drawing = Drawing(WIDTH, 150, title)
    at = across(len(days))
    scale, ticks = axis(known, 125, 12, most=3)
    grid(drawing, scale, ticks, unit=unit)
    _draw(drawing, at, scale, values, "line")
    dates(drawing, days, at, 144)
    return drawing


def _draw(drawing: Drawing, at: Scale, scale: Scale, values: Curve, colour: str) -> None:
    """A line that has holes where its values have; a point between two holes is a dot."""
    run: list[tuple[float, float]] = []
    for number, value in enumerate([*values, None]):
        if value is not None:
            run.append((at(number), scale(value)))
            continue
        dot(drawing, run, colour)
        drawing.path(steps(thinned(run)), stroke=colour)
        run = []


def distribution(rows: Sequence[Row]) -> Drawing | None:
    """How many days had a return within each range, losses and gains apart."""
    if not rows:
        return None
    drawing = Drawing(WIDTH, 150, "Distribution of daily returns, per cent")
    left, right = LEFT, WIDTH - RIGHT
    place = (right - left) / len(rows)
    scale, ticks = axis([float(row["days"]) for row in rows], 125, 12, most=3)
    grid(drawing, scale, [tick for tick in ticks if tick == int(tick)])
    for fill, is_gain in (("gain", True), ("loss", False)):
        drawing.bars(
            (
                (left + place * n + 1, scale(row["days"]), max(0.5, place - 2), scale(0) - scale(row["days"]))
                for n, row in enumerate(rows)
                if row["days"] and (row["low"] >= 0) is is_gain
            ),
            fill,
        )
    every = max(1, -(-len(rows) // 6))
    first = next((n for n, row in enumerate(rows) if row["low"] == 0), 0) % every
    for n in range(first, len(rows), every):
        drawing.text(left + place * n, 144, f"{rows[n]['low']:+g} %" if rows[n]["low"] else "0", anchor="middle")
    return drawing
