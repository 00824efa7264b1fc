"""A performance report as a page shows it: every value already written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from pipelines.books.as_known import format_instant
from pipelines.report.days import who_knew
from pipelines.report.formatting import Kind, format_value, short, tone
from pipelines.report.performance.content import ROLLING, PerformanceReport
from pipelines.report.period import title_of
from pipelines.report.view import counted, table_of

_NAMED = 3


def view(report: PerformanceReport) -> dict[str, Any]:
    """What templates are given: texts, lists and dicts alone."""
    return {
        "kind": "performance report",
        "name": f"{report.period} to {report.day}",
        "day": report.day.isoformat(),
        "title": title_of(report.period, report.day, report.history[0].date),
        "known_at": format_instant(report.known_at),
        "status": "COMPLETE" if report.is_whole else "INCOMPLETE",
        "finality": " and ".join(report.currencies),
        "finality_note": "returns are linked day by day, with income",
        "money": f"Amounts in {_currencies(report)}; P&L before fees, returns after fees",
        "of_accounts": ", not of every account" if report.days_unknown else "",
        "accounts_complete": who_knew(report.days),
        "range": f"{report.since} to {report.days[-1].date}",
        "only": ", ".join(short(each, 24) for each in report.accounts),
        "warning": _warning(report),
        "attention": _attention(report),
        "kpis": _kpis(report),
        "sections": {name: table_of(section) for name, section in report.sections.items()},
        "rolling": f"over {ROLLING[report.period]} sessions",
        "risk_free": f"{format_value(100 * report.risk_free, 'share')} a year",
        "benchmark_problem": report.benchmark_problem,
    }


def _currencies(report: PerformanceReport) -> str:
    return " and ".join("a currency that is not known" if each == "UNKNOWN" else each for each in report.currencies)


def _warning(report: PerformanceReport) -> str:
    if report.is_whole:
        return ""
    if len(report.currencies) > 1:
        return (
            f"INCOMPLETE: the accounts are in {' and '.join(report.currencies)}. Figures in different currencies are "
            "never added, so there are no totals: ask for the accounts of one currency."
        )
    said = []
    if report.days_unknown:
        said.append(f"the P&L of {_some(report.days_unknown)} is not known of every account")
    if report.returns_unknown:
        said.append(f"the return of {_some(report.returns_unknown)} is not known, nor what links returns{_why(report)}")
    return f"INCOMPLETE: {'; '.join(said)}."


def _why(report: PerformanceReport) -> str:
    """The reason that there can be no return, where it is one of the accounts' and not of what was read."""
    lost = sum(day.growth is None and day.sod_equity is not None and day.sod_equity <= 0 for day in report.days)
    sessions = counted(lost, "session", "sessions")
    return f" (equity at the start of {sessions} was nothing or less, and nothing is earned on that)" if lost else ""


def _some(days: Sequence[date]) -> str:
    named = ", ".join(map(str, days[:_NAMED]))
    return f"{counted(len(days), 'session', 'sessions')} ({named}{', …' if len(days) > _NAMED else ''})"


def _attention(report: PerformanceReport) -> list[dict[str, str]]:
    items = []
    if report.benchmark_problem:
        items.append({"text": f"no benchmark: {report.benchmark_problem}", "tone": "alarm"})
    items += [{"text": each.note, "tone": "doubt"} for each in report.benchmarks if each.note]
    if restated := len(report.sections["restatements"].rows):
        items.append({"text": counted(restated, "figure restated", "figures restated"), "tone": ""})
    if len(report.days) == 1:
        items.append({"text": "the period has one session: nothing can be said of how returns vary", "tone": ""})
    return items or [{"text": "nothing", "tone": ""}]


def _kpis(report: PerformanceReport) -> list[dict[str, str]]:
    row = report.statistics or {}
    unknown = _unknown(report)
    money = report.currencies[0] if len(report.currencies) == 1 else ""
    total = report.sections["breakdown"].total or {}
    # label, figure, how it is written, what it is of, and the reason where there is none
    tiles: list[tuple[str, Any, Kind, str, str]] = [
        ("P&L", row.get("total_pnl"), "money", f"{money}, before fees", _known_pnl(report)),
        ("Return", row.get("twr"), "percent", "after fees", unknown),
        ("Return a year", row.get("annualized_return"), "percent", "after fees", unknown or "shorter than a year"),
        ("Volatility", row.get("volatility"), "share", "a year", "of fewer than two sessions"),
        ("Sharpe ratio", row.get("sharpe"), "ratio", f"risk-free {_rate(report)}", "without deviation"),
        ("Sortino ratio", row.get("sortino"), "ratio", f"risk-free {_rate(report)}", "no session below risk-free"),
        ("Deepest fall", row.get("max_drawdown"), "percent", _fall(row), unknown),
        ("Days won", row.get("win_rate"), "share", "of those that moved", "no session moved"),
        ("Turnover", total.get("turnover"), "share", _of(total.get("traded_sessions")), "no fills are known"),
        ("Equity at the end", total.get("equity"), "money", money, "not known of every account"),
    ]
    several = "of several currencies" if len(report.currencies) > 1 else ""
    return [
        {
            "label": label,
            "text": format_value(value, kind),
            "tone": tone(value, kind),
            "note": note if value is not None else several or reason,
        }
        for label, value, kind, note, reason in tiles
    ]


def _unknown(report: PerformanceReport) -> str:
    """Why returns can't be linked."""
    if missing := len(report.returns_unknown):
        return f"{counted(missing, 'return is', 'returns are')} not known"
    return "" if any(day.daily_return is not None for day in report.days) else "no session has a return yet"


def _known_pnl(report: PerformanceReport) -> str:
    """What is known of a P&L that is not known of every account and session."""
    known = len(report.days) - len(report.days_unknown)
    return f"{format_value(report.known_pnl, 'money')} known, {known:,} of {len(report.days):,} sessions whole"


def _rate(report: PerformanceReport) -> str:
    return f"{100 * report.risk_free:.4g} %" if report.risk_free else "0 %"


def _fall(row: Any) -> str:
    if not row or row.get("max_drawdown_to") is None:
        return "none"
    return f"{row['max_drawdown_from']} to {row['max_drawdown_to']}"


def _of(sessions: int | None) -> str:
    return f"of {counted(sessions or 0, 'session', 'sessions')} in the books"
