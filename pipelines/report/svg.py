"""The few shapes that charts are made of, written as SVG text that needs no library, script or style sheet.

Colours stand in attributes, for paper and for mail; a page may override them by class, for the dark. Coordinates are
floats: nothing drawn here is a figure that anybody reads off to the cent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import escape

COLOURS = {
    "ink": "#1d2633",
    "soft": "#667085",
    "rule": "#dfe3ea",
    "line": "#2456a8",
    "second": "#b26a00",
    "gain": "#1b7f5c",
    "loss": "#c4372b",
    "total": "#5b6b82",
    "doubt": "#8a5cc2",
    "wash": "#e6eefb",
    "blush": "#fbe4e1",
}

#: A line of more points than these is thinned out: they lie nearer to each other than a chart has pixels.
MOST_POINTS = 400

Box = tuple[float, float, float, float]  # x, y, width, height


@dataclass
class Drawing:
    """An SVG of so many units by so many. `title` is what it shows, for those who can't see it."""

    width: float
    height: float
    title: str
    parts: list[str] = field(default_factory=list)

    def path(self, steps: str, *, stroke: str = "", fill: str = "", width: float = 1.6, opacity: float = 1) -> None:
        """A path, in the colour of its stroke, of its fill or both."""
        if not steps:
            return
        look = f' stroke="{COLOURS[stroke]}" stroke-width="{width:g}" stroke-linejoin="round"' if stroke else ""
        clear = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
        names = " ".join([f"s-{stroke}"] * bool(stroke) + [f"f-{fill}"] * bool(fill))
        self.parts.append(f'<path class="{names}" d="{steps}" fill="{COLOURS.get(fill, "none")}"{look}{clear}/>')

    def bars(self, boxes: Iterable[Box], fill: str, opacity: float = 1) -> None:
        """Many boxes of one colour as one path: a year of days stays small."""
        steps = "".join(f"M{_n(x)} {_n(y)}h{_n(w)}v{_n(h)}h{_n(-w)}z" for x, y, w, h in boxes)
        self.path(steps, fill=fill, opacity=opacity)

    def box(self, box: Box, fill: str, tip: str = "", opacity: float = 1) -> None:
        """One box with a tip of its own."""
        x, y, w, h = box
        clear = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
        said = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(
            f'<rect class="f-{fill}" x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" '
            f'fill="{COLOURS[fill]}"{clear}>{said}</rect>'
        )

    def text(
        self, x: float, y: float, words: str, *, anchor: str = "start", fill: str = "soft", size: float = 10
    ) -> None:
        """Words whose baseline begins, ends or has its middle at a point."""
        self.parts.append(
            f'<text class="f-{fill}" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" font-size="{size:g}" '
            f'fill="{COLOURS[fill]}">{escape(words)}</text>'
        )

    def __str__(self) -> str:
        name = escape(self.title)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'aria-label="{name}" font-family="Segoe UI,Helvetica Neue,Arial,Libertinus Serif,sans-serif">'
            f"{''.join(self.parts)}</svg>"
        )


@dataclass(frozen=True)
class Scale:
    """Where a value lies: `low` at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def axis(values: Sequence[float], start: float, end: float, *, most: int = 4) -> tuple[Scale, list[float]]:
    """A scale that holds the values and zero, and at most about so many round ticks on it."""
    low, high = min(0.0, *values), max(0.0, *values)
    if low == high:
        high = 1.0
    step = _round_step((high - low) / most)
    ticks = [step * number for number in range(math.floor(low / step), math.ceil(high / step) + 1)]
    return Scale(min(low, ticks[0]), max(high, ticks[-1]), start, end), ticks


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough * 0.999)


def thinned(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> Sequence[tuple[float, float]]:
    """So many points that an eye sees the same line: of as many neighbours as it takes, the highest and the lowest."""
    if len(points) <= most:
        return points
    size = 2 * math.ceil(len(points) / most)
    kept = [points[0]]
    for first in range(1, len(points) - 1, size):
        group = points[first : min(first + size, len(points) - 1)]
        kept += sorted({min(group, key=lambda point: point[1]), max(group, key=lambda point: point[1])})
    return [*kept, points[-1]]


def steps(points: Sequence[tuple[float, float]]) -> str:
    """A line through points."""
    return "".join(f"{'L' if at else 'M'}{_n(x)} {_n(y)}" for at, (x, y) in enumerate(points))


def short_number(value: float) -> str:
    """A round number in few letters: 1.5M, -20k."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


def _n(value: float) -> str:
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
