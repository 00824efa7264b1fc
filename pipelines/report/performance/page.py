"""A performance report as HTML: a static page for mail, and an interactive one."""

from __future__ import annotations

from typing import Any

from pipelines.report.charts import calendar, cumulative, drawdowns
from pipelines.report.formatting import format_value
from pipelines.report.html import explored, left_out, live, number, still
from pipelines.report.performance.charts import charts, growth_lines, label_of_pnl, rolling_curves
from pipelines.report.performance.content import PerformanceReport
from pipelines.report.performance.view import view


def static_page(report: PerformanceReport) -> bytes:
    """The page for mail: tables and inline SVG, light or dark as the reader has it."""
    return still("performance.html.j2", view(report), charts(report))


def interactive_page(report: PerformanceReport) -> bytes:
    """The same page with tips, zoom and sorting, and every symbol."""
    drawn = charts(report)
    if drawn["calendar"]:
        drawn["calendar"] = str(calendar(report.days, tips=True))
    section = report.sections["symbols"]
    lines = growth_lines(report)
    data = {
        "days": _days(report),
        "cumulative": label_of_pnl(report),
        "lines": [{"key": line.key, "label": line.label, "colour": line.colour} for line in lines],
        **explored(section, section.rows),
    }
    return live("performance_interactive.html.j2", view(report), drawn, data, rows_left_out=left_out(section.rows))


def _days(report: PerformanceReport) -> list[dict[str, Any]]:
    lines, rolled = growth_lines(report), rolling_curves(report)
    sums, fallen = cumulative(report.days), drawdowns(report.days)
    rows = []
    for at, day in enumerate(report.days):
        curves = {line.key: line.values[at] for line in lines}
        volatility, sharpe = rolled["volatility"][at], rolled["sharpe"][at]
        rows.append(
            {
                "date": day.date.isoformat(),
                "holes": day.holes,
                "caveat": day.caveat,
                "pnl": number(day.whole_pnl),
                "cumulative": number(sums[at]),
                "drawdown": fallen[at],
                "gross": number(day.gross),
                "net": number(day.net_exposure),
                "volatility": volatility,
                "sharpe": sharpe,
                **curves,
                "said": {
                    "P&L": format_value(day.whole_pnl, "money"),
                    "cumulative": format_value(sums[at], "money"),
                    "drawdown": format_value(fallen[at], "percent"),
                    "gross": format_value(day.gross, "money"),
                    "net": format_value(day.net_exposure, "money"),
                    "volatility": format_value(volatility, "share"),
                    "Sharpe": format_value(sharpe, "ratio"),
                    **{line.label: format_value(line.values[at], "percent") for line in lines},
                },
            }
        )
    return rows
