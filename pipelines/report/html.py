"""The report as HTML: a static page for mail, without script, and an interactive one. Neither loads anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.report.charts import calendar, charts, cumulative, drawdowns
from pipelines.report.content import Report
from pipelines.report.formatting import format_value
from pipelines.report.view import cells, view

TEMPLATES = Path(__file__).parent / "templates"
#: So many positions are in the interactive page, the largest P&L first; it stays a file that opens at once.
MOST_POSITIONS = 4_000

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def static_page(report: Report) -> bytes:
    """The page for mail and for paper at hand: tables and inline SVG, light or dark as the reader has it."""
    style = _written_out(_asset("style.css"))
    policy = f"default-src 'none'; style-src {_hash(style)}"
    return _render("report.html.j2", report, _drawn(report), style=style, policy=policy)


def interactive_page(report: Report) -> bytes:
    """The same page with tips, zoom, sorting and every position, by a script that is part of it."""
    style, script = Markup("").join((_asset("style.css"), _asset("interactive.css"))), _asset("interactive.js")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    drawn = _drawn(report) | {"calendar": Markup(str(calendar(report.days, tips=True)))}  # noqa: S704
    left_out = len(report.sections["positions"].rows) - MOST_POSITIONS
    return _render(
        "interactive.html.j2",
        report,
        drawn,
        style=style,
        script=script,
        policy=policy,
        data=_embedded(_data(report)),
        positions_left_out=f"The {left_out:,} smallest are only in the workbook and the extracts."
        if left_out > 0
        else "",
    )


def _render(template: str, report: Report, drawn: dict[str, Markup], **values: Any) -> bytes:
    page = _ENVIRONMENT.get_template(template).render(**view(report), charts=drawn, **values)
    return page.encode("utf-8")


def _drawn(report: Report) -> dict[str, Markup]:
    return {name: Markup(svg) for name, svg in charts(report).items()}  # noqa: S704  (its texts are escaped as drawn)


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


def _data(report: Report) -> dict[str, Any]:
    section = report.sections["positions"]
    largest = sorted(section.rows, key=lambda row: (row["total_pnl"] is not None, -abs(row["total_pnl"] or 0)))
    columns = section.page_columns
    return {
        "days": [
            {
                "date": day.date.isoformat(),
                "holes": day.holes,
                "pnl": _number(day.pnl),
                "cumulative": float(total),
                "drawdown": fallen,
                "gross": _number(day.gross),
                "net": _number(day.net_exposure),
                "said": {
                    "P&L": format_value(day.pnl, "money"),
                    "cumulative": format_value(total, "money"),
                    "drawdown": format_value(fallen, "percent"),
                    "gross": format_value(day.gross, "money"),
                    "net": format_value(day.net_exposure, "money"),
                },
            }
            for day, total, fallen in zip(report.days, cumulative(report.days), drawdowns(report.days), strict=True)
        ],
        "columns": [{"label": column.label, "right": column.is_number, "kind": column.kind} for column in columns],
        "positions": [[cell["text"] for cell in row] for row in cells(columns, largest[:MOST_POSITIONS])],
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
