"""Bars along a time axis, as SVG: text stays text, and it reads on light and on dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, NAMES, RIGHT = 960, 270, 70
ROW, BAR, TOP, BOTTOM = 22, 14, 58, 34
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 16px; font-weight: 600; }
.part { font-size: 12px; fill: #57606a; }
.axis { font-size: 11px; fill: #57606a; }
.line { stroke: #8c959f; stroke-opacity: .35; }
.bar { fill: #2f6feb; }
.inner { fill: #6cb0ff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .part, .axis { fill: #9198a1; }
  .bar { fill: #4c8dff; }
  .inner { fill: #2a5aa8; }
}
"""


@dataclass(frozen=True)
class Bar:
    """Something that took `seconds`, from `began` on; a part belongs to the bar above it that is none."""

    name: str
    began: float
    seconds: float
    is_part: bool = False


def picture(title: str, bars: Sequence[Bar]) -> str:
    """The bars under each other, on one axis of seconds."""
    total = max(bar.began + bar.seconds for bar in bars)
    scale = (WIDTH - NAMES - RIGHT) / total
    height = TOP + ROW * len(bars) + BOTTOM
    told = "; ".join(f"{bar.name} {bar.seconds:.2f} s" for bar in bars if not bar.is_part)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(told)}</desc>",
            f"<style>{STYLE}</style>",
            f'<text class="title" x="12" y="28">{escape(title)}</text>',
            *_axis(total, scale, height),
            *(line for number, bar in enumerate(bars) for line in _row(bar, TOP + ROW * number, scale)),
            "</svg>",
            "",
        ]
    )


def _axis(total: float, scale: float, height: int) -> Iterator[str]:
    step = next(each for each in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 300, 1_800) if total / each <= 10)
    for number in range(int(total / step) + 1):
        x = NAMES + number * step * scale
        end = height - BOTTOM
        yield f'<line class="line" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{end}"/>'
        yield f'<text class="axis" x="{x:.1f}" y="{end + 16}" text-anchor="middle">{number * step:g} s</text>'


def _row(bar: Bar, y: int, scale: float) -> Iterator[str]:
    x, wide = NAMES + bar.began * scale, max(bar.seconds * scale, 1)
    kind, style = (' class="part"', "inner") if bar.is_part else ("", "bar")
    indent = 28 if bar.is_part else 12
    yield f'<text{kind} x="{indent}" y="{y + 11}">{escape(bar.name)}</text>'
    yield f'<rect class="{style}" x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{BAR}" rx="2"/>'
    yield f'<text{kind} x="{x + wide + 6:.1f}" y="{y + 11}">{bar.seconds:.2f}</text>'
