"""The charts of a report, as SVG: P&L, drawdown, exposure, the bridge, who contributed, and the calendar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

#: How wide a letter is taken to be, where labels are kept apart.
LETTER, SMALL_LETTER = 6.0, 5.2
#: Where words stand, the words, and which end of them stands there.
Label = tuple[float, str, str]

BRIDGE = (
    ("sod_equity", "start of day"),
    ("carried", "carried"),
    ("traded", "traded"),
    ("other_pnl", "other P&L"),
    ("fees_and_other", "income, fees"),
    ("flow", "flows"),
    ("unexplained", "unexplained"),
    ("eod_equity", "end of day"),
)


def charts(report: Report) -> dict[str, str]:
    """Every chart of a report by name; empty where there is nothing to draw."""
    drawn = {
        "pnl": pnl(report.days, label=cumulative_label(report.days, report.totals.get("itd"))),
        "drawdown": drawdown(report.days),
        "exposure": exposure(report.days),
        "bridge": bridge(report.sections["bridge"].total, BRIDGE, "From equity at the start of the day to its end"),
        "contribution": contribution(report.sections["underlyings"].rows),
        "calendar": calendar(report.days),
    }
    return {name: str(drawing) if drawing else "" for name, drawing in drawn.items()}


def cumulative(days: Sequence[DayTotals]) -> list[Decimal | None]:
    """P&L from the beginning to each day; None on a day that is not known of every account."""
    total = Decimal(0)
    sums: list[Decimal | None] = []
    for day in days:
        total += day.pnl or 0
        sums.append(None if day.holes else total)
    return sums


def cumulative_label(days: Sequence[DayTotals], total: Decimal | None) -> str:
    """What a curve of P&L from the beginning is: of what is known, where its total is not and never will be. A last day
    that some account is missing from may still be covered by the next."""
    is_lost = total is None and bool(days) and not days[-1].holes
    return "cumulative, of what is known" if is_lost else "cumulative"


def runs(values: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    """The stretches of a curve between its holes, each as numbered values."""
    for is_known, numbered in groupby(enumerate(values), key=lambda each: each[1] is not None):
        if is_known:
            yield [(number, value) for number, value in numbered if value is not None]


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


def pnl(days: Sequence[DayTotals], most: int = SESSIONS, label: str = "cumulative", *, tips: bool = False) -> Drawing:
    """Cumulative P&L as a line over the bars of each day. Where a day is not known of every account the line has a gap
    and there is a mark instead of a bar; a day that covers several sessions has a mark below its bar. With `tips`, each
    day says under a pointer what it is."""
    sums = [None if each is None else float(each) for each in cumulative(days)][-most:]
    days = days[-most:]
    drawing = Drawing(WIDTH, 230, "Cumulative P&L and P&L by day")
    at = across(len(days))
    upper, ticks = axis([each for each in sums if each is not None] or [0.0], 120, 20)
    grid(drawing, upper, ticks)
    for run in runs(sums):
        points = thinned([(at(number), upper(value)) for number, value in run])
        drawing.path(steps([*points, (points[-1][0], upper(0)), (points[0][0], upper(0))]) + "z", fill="wash")
        drawing.path(steps(points), stroke="line")
        dot(drawing, points, "line")
    _bars(drawing, days, at)
    dates(drawing, days, at, 224)
    drawing.text(LEFT, 11, label, fill="soft")
    drawing.text(LEFT, 137, "by day" if len(days) <= SESSIONS else "by month", fill="soft")
    if tips:
        place = at(1) - at(0)
        for number, (day, total) in enumerate(zip(days, sums, strict=True)):
            told = _tip(day) if total is None else f"{_tip(day)}, {label} {total:,.2f}"
            drawing.box((at(number) - place / 2, 14, place, 196), "rule", told, 0)
    return drawing


def _tip(day: DayTotals) -> str:
    note = f" ({day.caveat})" if day.caveat else ""
    return f"{day.date}: {format_value(day.whole_pnl, 'money')}{note}"


def _bars(drawing: Drawing, days: Sequence[DayTotals], at: Scale) -> None:
    """The P&L of each day as a bar, of each month where days would be too many to see; none where it is not whole."""
    parts = [[number] for number in range(len(days))]
    if len(days) > SESSIONS:
        by_month = groupby(range(len(days)), key=lambda number: (days[number].date.year, days[number].date.month))
        parts = [list(numbers) for _, numbers in by_month]
    holed = [any(days[each].holes for each in part) for part in parts]
    amounts = [
        0.0 if is_holed else float(sum((days[number].pnl or Decimal(0) for number in part), Decimal(0)))
        for part, is_holed in zip(parts, holed, strict=True)
    ]
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
    spanned = [
        not is_holed and any(days[each].spanned for each in part) for part, is_holed in zip(parts, holed, strict=True)
    ]
    for fill, marked in (("doubt", holed), ("total", spanned)):
        drawing.bars(((centre - 1.5, 207, 3, 3) for centre, is_so in zip(centres, marked, strict=True) if is_so), fill)


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
    first = next((number for number, day in enumerate(days) if day.gross is not None), None)
    if first is None or all(day.gross is None for day in days[-most:]):
        return None
    shown_days = days[first:][-most:]
    drawing = Drawing(WIDTH, 150, "Gross and net exposure")
    at = across(len(shown_days), right=34)
    gross = [None if day.gross is None else float(day.gross) for day in shown_days]
    net = [None if day.net_exposure is None else float(day.net_exposure) for day in shown_days]
    known = [[each for each in values if each is not None] for values in (gross, net)]
    scale, ticks = axis([*known[0], *known[1]], 125, 12)
    grid(drawing, scale, ticks)
    ends = _apart(scale(known[0][-1]), scale(known[1][-1]))
    for name, values, colour, end in (("gross", gross, "line", ends[0]), ("net", net, "second", ends[1])):
        for run in runs(values):
            points = thinned([(at(number), scale(value)) for number, value in run])
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
    drawing.text(96, drawing.height - 4, "The bars begin where figures differ, not at zero.", size=8.5)
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
    most = max((abs(float(day.whole_pnl or 0)) for day in inside), default=0) or 1.0
    for row, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri")):
        if cell >= 9 or row % 2 == 0:
            drawing.text(LEFT - 6, 18 + cell * (row + 0.5) + 3.5, name, anchor="end", size=min(10.0, cell + 1))
    for x, name, anchor in apart(_months(inside, first, cell), SMALL_LETTER):
        drawing.text(x, 11, name, anchor=anchor, size=9)
    cells: dict[tuple[str, float], list[tuple[Box, DayTotals]]] = {}
    for day in inside:
        if day.date.weekday() <= 4:
            left, top = LEFT + cell * ((day.date - first).days // 7), 18 + cell * day.date.weekday()
            cells.setdefault(_shade(day, most), []).append(((left, top, cell - 1.5, cell - 1.5), day))
    for (fill, depth), boxes in sorted(cells.items(), key=lambda each: each[0]):
        if not tips:
            drawing.bars((box for box, _ in boxes), fill, depth)
        for box, day in boxes if tips else ():
            drawing.box(box, fill, _tip(day), depth)
    return drawing


def _months(days: Sequence[DayTotals], first: date, cell: float) -> list[Label]:
    """The months of the days that a calendar shows, each above the week of its first; none reaches beyond the edge."""
    labels: list[Label] = []
    for month, within in groupby(days, key=lambda day: (day.date.year, day.date.month)):
        left = LEFT + cell * ((next(within).date - first).days // 7)
        name = MONTHS[month[1] - 1]
        is_last = left + LETTER * len(name) > WIDTH
        labels.append((WIDTH, name, "end") if is_last else (left, name, "start"))
    return labels


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
    """Up to five dates below, as many as don't touch; the year too where they span more than one."""
    wanted = min(5, len(days))
    numbers = sorted({round(each * (len(days) - 1) / max(1, wanted - 1)) for each in range(wanted)})
    years = days[0].date.year != days[-1].date.year
    labels = []
    for number in numbers:
        day = days[number].date
        said = f"{day.day} {MONTHS[day.month - 1]}{f' {day:%y}' if years else ''}"
        anchor = "end" if number == len(days) - 1 and len(days) > 1 else "start" if number == 0 else "middle"
        labels.append((at(number), said, anchor))
    for x, said, anchor in apart(labels):
        drawing.text(x, height, said, anchor=anchor)


def apart(labels: Sequence[Label], letter: float = LETTER) -> list[Label]:
    """The labels of a line that don't touch each other; the first and the last are the ones that stay."""
    kept = [*labels[:1]]
    last = labels[-1:]
    for label in labels[1:-1]:
        if _ends(kept[-1], letter)[1] < _ends(label, letter)[0] and _ends(label, letter)[1] < _ends(last[0], letter)[0]:
            kept.append(label)
    if len(labels) > 1 and _ends(kept[0], letter)[1] < _ends(last[0], letter)[0]:
        kept += last
    return kept


def _ends(label: Label, letter: float) -> tuple[float, float]:
    """From where to where a label reaches, with a little air: no font is measured here, a letter is as wide as most."""
    x, words, anchor = label
    width = letter * len(words) + 4
    left = x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
    return left, left + width
