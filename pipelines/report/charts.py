"""The charts of a report, as SVG: P&L, drawdown, exposure, the bridge, who contributed, and the calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby

from pipelines.report.content import Report
from pipelines.report.days import DayTotals
from pipelines.report.formatting import format_value, short
from pipelines.report.section import Row
from pipelines.report.svg import Box, Drawing, Scale, axis, short_number, steps, thinned

#: A year of sessions: what a chart on paper can show. The interactive page has all.
SESSIONS = 252
WIDTH, LEFT, RIGHT = 440.0, 46.0, 8.0
CONTRIBUTORS = 12
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

BRIDGE = (
    ("sod_equity", "start of day"),
    ("carried", "carried"),
    ("traded", "traded"),
    ("other_pnl", "events"),
    ("fees_and_other", "income, fees"),
    ("flow", "flows"),
    ("unexplained", "unexplained"),
    ("eod_equity", "end of day"),
)


def charts(report: Report) -> dict[str, str]:
    """Every chart of a report by name; empty where there is nothing to draw."""
    drawn = {
        "pnl": pnl(report.days),
        "drawdown": drawdown(report.days),
        "exposure": exposure(report.days),
        "bridge": bridge(report.sections["bridge"].total, BRIDGE, "From equity at the start of the day to its end"),
        "contribution": contribution(report.sections["underlyings"].rows),
        "calendar": calendar(report.days),
    }
    return {name: str(drawing) if drawing else "" for name, drawing in drawn.items()}


def cumulative(days: Sequence[DayTotals]) -> list[Decimal]:
    """P&L from the beginning to each day, of what is known."""
    total, sums = Decimal(0), []
    for day in days:
        total += day.pnl or 0
        sums.append(total)
    return sums


def drawdowns(days: Sequence[DayTotals]) -> list[float | None]:
    """How far the linked returns are below their best, per cent; None from the first return that is not known."""
    index, best = 1.0, 1.0
    found: list[float | None] = []
    for day in days:
        growth = day.growth
        if growth is None:
            return found + [None] * (len(days) - len(found))
        index *= float(growth)
        best = max(best, index)
        found.append(100 * (index / best - 1))
    return found


def pnl(days: Sequence[DayTotals], most: int = SESSIONS) -> Drawing:
    """Cumulative P&L as a line over the bars of each day; days with holes have a mark at their foot."""
    sums = [float(each) for each in cumulative(days)][-most:]
    days = days[-most:]
    drawing = Drawing(WIDTH, 230, "Cumulative P&L and P&L by day")
    at = across(len(days))
    upper, ticks = axis(sums, 120, 20)
    grid(drawing, upper, ticks)
    points = thinned([(at(number), upper(value)) for number, value in enumerate(sums)])
    drawing.path(steps([*points, (points[-1][0], upper(0)), (points[0][0], upper(0))]) + "z", fill="wash")
    drawing.path(steps(points), stroke="line")
    dot(drawing, points, "line")
    _bars(drawing, days, at)
    dates(drawing, days, at, 224)
    drawing.text(LEFT, 11, "cumulative", fill="soft")
    drawing.text(LEFT, 137, "by day" if len(days) <= SESSIONS else "by month", fill="soft")
    return drawing


def _bars(drawing: Drawing, days: Sequence[DayTotals], at: Scale) -> None:
    """The P&L of each day as a bar, of each month where days would be too many to see."""
    parts = [[number] for number in range(len(days))]
    if len(days) > SESSIONS:
        by_month = groupby(range(len(days)), key=lambda number: (days[number].date.year, days[number].date.month))
        parts = [list(numbers) for _, numbers in by_month]
    amounts = [float(sum((days[number].pnl or Decimal(0) for number in part), Decimal(0))) for part in parts]
    centres = [at((part[0] + part[-1]) / 2) for part in parts]
    lower, ticks = axis(amounts, 205, 140, most=2)
    grid(drawing, lower, ticks)
    width = max(0.8, min(14.0, 0.7 * (WIDTH - LEFT - RIGHT) / len(parts)))
    for fill, sign in (("gain", 1), ("loss", -1)):
        drawing.bars(
            (
                (centre - width / 2, min(lower(0), lower(amount)), width, abs(lower(amount) - lower(0)))
                for centre, amount in zip(centres, amounts, strict=True)
                if sign * amount > 0
            ),
            fill,
        )
    holed = (centre for centre, part in zip(centres, parts, strict=True) if any(days[each].holes for each in part))
    drawing.bars(((centre - 1.5, 207, 3, 3) for centre in holed), "doubt")


def drawdown(days: Sequence[DayTotals], most: int = SESSIONS) -> Drawing | None:
    """How far below its best the linked return is, filled."""
    found = drawdowns(days)[-most:]
    known = [value for value in found if value is not None]
    if not known:
        return None
    days = days[-most:]
    drawing = Drawing(WIDTH, 150, "Drawdown of linked returns, per cent")
    at = across(len(days))
    scale, ticks = axis([*known, -0.01], 125, 12, most=3)
    grid(drawing, scale, ticks, unit="%")
    points = thinned([(at(number), scale(value)) for number, value in enumerate(known)])
    drawing.path(steps([(points[0][0], scale(0)), *points, (points[-1][0], scale(0))]) + "z", fill="blush")
    drawing.path(steps(points), stroke="loss", width=1.2)
    dot(drawing, points, "loss")
    dates(drawing, days, at, 144)
    return drawing


def exposure(days: Sequence[DayTotals], most: int = SESSIONS) -> Drawing | None:
    """Gross and net exposure as two lines, each with its name at its end."""
    shown_days = [day for day in days[-most:] if day.gross is not None]
    if not shown_days:
        return None
    drawing = Drawing(WIDTH, 150, "Gross and net exposure")
    at = across(len(shown_days), right=34)
    gross = [float(day.gross or 0) for day in shown_days]
    net = [float(day.net_exposure or 0) for day in shown_days]
    scale, ticks = axis([*gross, *net], 125, 12)
    grid(drawing, scale, ticks)
    ends = _apart(scale(gross[-1]), scale(net[-1]))
    for name, values, colour, end in (("gross", gross, "line", ends[0]), ("net", net, "second", ends[1])):
        points = thinned([(at(number), scale(value)) for number, value in enumerate(values)])
        drawing.path(steps(points), stroke=colour)
        dot(drawing, points, colour)
        drawing.text(WIDTH - 36, end + 3, name, fill=colour)
    dates(drawing, shown_days, at, 144)
    return drawing


def _apart(first: float, second: float) -> tuple[float, float]:
    """Two heights for labels that don't touch."""
    if abs(first - second) >= 11:
        return first, second
    middle = (first + second) / 2
    return (middle - 5.5, middle + 5.5) if first <= second else (middle + 5.5, middle - 5.5)


def bridge(total: Row | None, parts: Sequence[tuple[str, str]], title: str) -> Drawing | None:
    """Equity from the start of a time to its end, a part a row; the scale leaves the height of equity out."""
    if total is None or any(total[name] is None for name, _ in parts):
        return None
    drawing = Drawing(WIDTH, 26 * len(parts) + 20, title)
    moves = [float(total[name]) for name, _ in parts[1:-1]]
    levels = [0.0]  # from the equity at the start, so that a small day on a large account is drawn to the cent
    for move in moves:
        levels.append(levels[-1] + move)
    span = (max(levels) - min(levels)) or 1.0
    scale = Scale(min(levels) - span * 0.25, max(levels), 96, WIDTH - 104)
    for number, (name, label) in enumerate(parts):
        top, amount = 6 + 26.0 * number, format_value(total[name], "money")
        is_end = number in (0, len(parts) - 1)
        left, right = (96.0, scale(levels[min(number, len(moves))])) if is_end else _span(scale, levels, number)
        drawing.text(90, top + 12, label, anchor="end", fill="ink")
        drawing.box((left, top, max(1.0, right - left), 17), _bridge_fill(name, total[name]), f"{label}: {amount}")
        drawing.text(WIDTH - 4, top + 12, amount, anchor="end", fill="loss" if total[name] < 0 else "ink")
        if number < len(parts) - 1:
            end = scale(levels[min(number, len(moves))])
            drawing.path(f"M{end:.1f} {top + 17:.1f}v9", stroke="rule", width=1)
    drawing.text(96, drawing.height - 4, "The bars leave out what did not change: they don't begin at zero.", size=8.5)
    return drawing


def _span(scale: Scale, levels: Sequence[float], number: int) -> tuple[float, float]:
    before, after = scale(levels[number - 1]), scale(levels[number])
    return min(before, after), max(before, after)


def _bridge_fill(name: str, amount: Decimal) -> str:
    if name in ("sod_equity", "eod_equity"):
        return "total"
    if name == "unexplained":
        return "doubt"
    return "gain" if amount >= 0 else "loss"


def contribution(underlyings: Sequence[Row]) -> Drawing | None:
    """P&L by underlying, the largest first on either side of zero."""
    rows = [row for row in underlyings if row["total_pnl"]][:CONTRIBUTORS]
    if not rows:
        return None
    rows.sort(key=lambda row: row["total_pnl"], reverse=True)
    drawing = Drawing(WIDTH, 22 + 17 * len(rows), "P&L by underlying")
    amounts = [float(row["total_pnl"]) for row in rows]
    scale, ticks = axis(amounts, 86, WIDTH - 84)
    zero, foot = scale(0), 4 + 17 * len(rows)
    for tick in ticks:
        drawing.path(f"M{scale(tick):.1f} 2V{foot}", stroke="rule", width=0.8 if tick else 1.4)
        drawing.text(scale(tick), foot + 12, short_number(tick), anchor="middle", size=9)
    for number, (row, amount) in enumerate(zip(rows, amounts, strict=True)):
        top, end = 5 + 17 * number, scale(amount)
        name, worth = short(str(row["symbol"]), 14), format_value(row["total_pnl"], "money")
        drawing.box((min(zero, end), top, abs(end - zero), 11), "gain" if amount > 0 else "loss", f"{name}: {worth}")
        drawing.text(80, top + 9, name, anchor="end", fill="ink")
        drawing.text(WIDTH - 4, top + 9, worth, anchor="end", fill="gain" if amount > 0 else "loss")
    return drawing


def calendar(days: Sequence[DayTotals], *, tips: bool = False) -> Drawing:
    """A year of days as a heat map: a column a week, a row a weekday, the deeper the larger."""
    last = days[-1].date
    first = _monday(max(days[0].date, last - timedelta(days=364)))
    weeks = (_monday(last) - first).days // 7 + 1
    cell = min(22.0, (WIDTH - LEFT - RIGHT) / weeks)
    drawing = Drawing(WIDTH, 5 * cell + 30, "P&L by day as a calendar")
    inside = [day for day in days if day.date >= first]
    most = max((abs(float(day.pnl or 0)) for day in inside), default=0) or 1.0
    for row, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri")):
        if cell >= 9 or row % 2 == 0:
            drawing.text(LEFT - 6, 18 + cell * (row + 0.5) + 3.5, name, anchor="end", size=min(10.0, cell + 1))
    month, free = 0, 0.0
    for week in range(weeks):
        left, begins = LEFT + cell * week, max(first + timedelta(days=7 * week), days[0].date)
        if begins.month != month and free <= left <= WIDTH - 26:  # a name is never cut
            drawing.text(left, 11, MONTHS[begins.month - 1], size=9)
            month, free = begins.month, left + 26
    cells: dict[tuple[str, float], list[tuple[Box, DayTotals]]] = {}
    for day in inside:
        if day.date.weekday() <= 4:
            left, top = LEFT + cell * ((day.date - first).days // 7), 18 + cell * day.date.weekday()
            cells.setdefault(_shade(day, most), []).append(((left, top, cell - 1.5, cell - 1.5), day))
    for (fill, depth), boxes in sorted(cells.items(), key=lambda each: each[0]):
        if not tips:
            drawing.bars((box for box, _ in boxes), fill, depth)
        for box, day in boxes if tips else ():
            note = " (not of every account)" if day.holes else ""
            drawing.box(box, fill, f"{day.date}: {format_value(day.pnl, 'money')}{note}", depth)
    return drawing


def _shade(day: DayTotals, most: float) -> tuple[str, float]:
    """A day's colour and depth, of which there are five: an eye can't tell more."""
    amount = float(day.pnl or 0)
    if day.holes:
        return "doubt", 0.7
    if not amount:
        return "rule", 0.9
    return "gain" if amount > 0 else "loss", 0.25 + 0.75 * min(4, int(5 * abs(amount) / most)) / 4


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def across(count: int, right: float = 0) -> Scale:
    """Sessions side by side, each in the middle of its place."""
    place = (WIDTH - LEFT - RIGHT - right) / max(1, count)
    return Scale(0, 1, LEFT + place / 2, LEFT + place * 1.5)


def grid(drawing: Drawing, scale: Scale, ticks: Sequence[float], unit: str = "") -> None:
    """Lines at the ticks of an upright axis, with their numbers."""
    for tick in ticks:
        height = scale(tick)
        drawing.path(f"M{LEFT:g} {height:.1f}H{WIDTH - RIGHT:g}", stroke="rule", width=0.8 if tick else 1.4)
        drawing.text(LEFT - 5, height + 3.5, f"{short_number(tick)}{unit}", anchor="end")


def dot(drawing: Drawing, points: Sequence[tuple[float, float]], colour: str) -> None:
    """A point that has no other to draw a line to."""
    if len(points) == 1:
        drawing.box((points[0][0] - 2, points[0][1] - 2, 4, 4), colour)


def dates(drawing: Drawing, days: Sequence[DayTotals], at: Scale, height: float) -> None:
    """Up to five dates below; the year too where they span more than one."""
    wanted = min(5, len(days))
    numbers = sorted({round(each * (len(days) - 1) / max(1, wanted - 1)) for each in range(wanted)})
    years = days[0].date.year != days[-1].date.year
    for number in numbers:
        day = days[number].date
        said = f"{day.day} {MONTHS[day.month - 1]}{f' {day:%y}' if years else ''}"
        anchor = "end" if number == len(days) - 1 and len(days) > 1 else "start" if number == 0 else "middle"
        drawing.text(at(number), height, said, anchor=anchor)
