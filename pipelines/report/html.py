"""The report as HTML: a static page for mail, without script, and an interactive one. Neither loads anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.report.charts import calendar, charts, cumulative, cumulative_label, drawdowns
from pipelines.report.content import Report
from pipelines.report.days import DayTotals
from pipelines.report.formatting import format_value
from pipelines.report.rows import ArrowRows
from pipelines.report.section import Row, Section
from pipelines.report.view import cells, view

TEMPLATES = Path(__file__).parent / "templates"
#: So many rows are in the table of an interactive page, the largest P&L first; it stays a file that opens at once.
MOST_ROWS = 4_000

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def static_page(report: Report) -> bytes:
    """The page for mail and for paper at hand: tables and inline SVG, light or dark as the reader has it."""
    return still("report.html.j2", view(report), charts(report))


def interactive_page(report: Report) -> bytes:
    """The same page with tips, zoom, sorting and every position, by a script that is part of it."""
    drawn = charts(report) | {"calendar": str(calendar(report.days, tips=True))}
    section = report.sections["positions"]
    largest = ArrowRows.of(section.rows).largest("total_pnl")
    label = cumulative_label(report.days, report.totals.get("itd"))
    data = {"days": _days(report.days), "cumulative": label, **explored(section, largest)}
    return live("interactive.html.j2", view(report), drawn, data, rows_left_out=left_out(largest))


def still(template: str, said: Mapping[str, Any], drawn: Mapping[str, str]) -> bytes:
    """A page without script, from a view and its charts."""
    style = _written_out(_asset("style.css"))
    policy = f"default-src 'none'; style-src {_hash(style)}"
    return _render(template, said, drawn, style=style, policy=policy)


def live(
    template: str, said: Mapping[str, Any], drawn: Mapping[str, str], data: Mapping[str, Any], **more: Any
) -> bytes:
    """A page with the script that shows `data`: days for charts over time, rows for a table that can be searched."""
    style, script = Markup("").join((_asset("style.css"), _asset("interactive.css"))), _asset("interactive.js")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    return _render(template, said, drawn, style=style, script=script, policy=policy, data=_embedded(data), **more)


def explored(section: Section, rows: Sequence[Row]) -> dict[str, Any]:
    """The rows of the table that can be searched, and its columns."""
    columns = section.page_columns
    return {
        "columns": [
            {"name": each.name, "label": each.label, "right": each.is_number, "kind": each.kind} for each in columns
        ],
        "rows": [[cell["text"] for cell in row] for row in cells(columns, rows[:MOST_ROWS])],
    }


def left_out(rows: Sequence[Row]) -> str:
    """What is said of the rows that are too many for a page."""
    number = len(rows) - MOST_ROWS
    return f"The {number:,} smallest are only in the workbook and the extracts." if number > 0 else ""


def _render(template: str, said: Mapping[str, Any], drawn: Mapping[str, str], **values: Any) -> bytes:
    shown = {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704  (its texts are escaped as drawn)
    return _ENVIRONMENT.get_template(template).render(**said, charts=shown, **values).encode("utf-8")


def _asset(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704  (a file of ours)


def _written_out(style: Markup) -> Markup:
    """The style with each light colour written out before its variable: programs for mail know no variables."""
    colours = dict(re.findall(r"--(\w+):([^;}]+)", style.partition("}")[0]))

    def twice(said: re.Match[str]) -> str:
        plain = re.sub(r"var\(--(\w+)\)", lambda name: colours[name[1]], said[0])
        return f"{plain};{said[0]}"

    return Markup(re.sub(r"(?<=[{;])[a-z-]+:[^;{}]*var\([^;{}]*", twice, str(style)))  # noqa: S704  (a file of ours)


def _hash(text: str) -> str:
    """What a content security policy knows an inline style or script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"


def _embedded(data: Any) -> Markup:
    """JSON that can stand inside a script element, whatever its texts say."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704


def _days(days: Sequence[DayTotals]) -> list[dict[str, Any]]:
    return [
        {
            "date": day.date.isoformat(),
            "holes": day.holes,
            "caveat": day.caveat,
            "pnl": number(day.whole_pnl),
            "cumulative": number(total),
            "drawdown": fallen,
            "gross": number(day.gross),
            "net": number(day.net_exposure),
            "said": {
                "P&L": format_value(day.whole_pnl, "money"),
                "cumulative": format_value(total, "money"),
                "drawdown": format_value(fallen, "percent"),
                "gross": format_value(day.gross, "money"),
                "net": format_value(day.net_exposure, "money"),
            },
        }
        for day, total, fallen in zip(days, cumulative(days), drawdowns(days), strict=True)
    ]


def number(value: Any) -> float | None:
    """A value for a chart."""
    return None if value is None else float(value)
