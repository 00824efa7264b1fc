"""A report as a page shows it: every value already written, so that HTML and paper say the same, letter for letter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pipelines.books.as_known import format_instant
from pipelines.report.content import Report
from pipelines.report.days import who_knew
from pipelines.report.formatting import Kind, format_value, short, tone
from pipelines.report.period import Period, first_date
from pipelines.report.rows import ArrowRows
from pipelines.report.section import ReportColumn, Row, Section

_FINALITY = {
    "FINAL": "every price is the day's official close",
    "FLASH": "prices may still change: not all are the day's official close",
}
#: What the table of breaks calls a row, in words, the worst first.
_ALARMS = (
    ("FAIL", "rule that does not hold", "rules that do not hold"),
    ("BREAK", "break with the broker", "breaks with the broker"),
    ("GAP", "gap", "gaps"),
)
_DOUBTS = (("DOUBT", "position in doubt", "positions in doubt"), ("WARN", "warning", "warnings"))
_NOT_DRAWN = "It is not known of every account, or covers sessions that were missed: a table below has what is known."
_KPIS: tuple[tuple[str, str, Kind], ...] = (
    ("P&L of the day", "day", "money"),
    ("Month to date", "mtd", "money"),
    ("Year to date", "ytd", "money"),
    ("Inception to date", "itd", "money"),
    ("Return", "day_return", "percent"),
    ("Equity", "equity", "money"),
    ("Gross exposure", "gross", "money"),
    ("Net exposure", "net", "money"),
)


#: Columns whose values are names of the books or of the broker: pages write them as words, extracts and workbook as
#: they are, so that they can be filtered by what the books call them.
_NAMED = frozenset({
    "instrument_type", "status", "quality", "flags", "side", "option_right", "instruction_type", "operation", "outcome",
    "event", "event_kind", "check_name", "reason",
})  # fmt: skip
#: One name, or several with spaces between.
_NAMES = re.compile(r"[A-Z][A-Z0-9_]*( [A-Z][A-Z0-9_]*)*|[a-z][a-z0-9]*(_[a-z0-9]+)+")
_IN_WORDS = {
    "COMMON_STOCK": "stock",
    "INTRADAY_ROUND_TRIP": "opened and closed",
    "FLIPPED": "reversed",
    "SELL_SHORT": "sell short",
}
#: The largest of so many positions are on a page that has no script to look through all.
_LARGEST = 10
_OF_LARGEST = frozenset(
    {"symbol", "account_id", "instrument_type", "quantity", "eod_price", "price_date", "market_value", "total_pnl"}
)


def view(report: Report) -> dict[str, Any]:
    """What templates are given: texts, lists and dicts alone, and for a workbook the value of each tile."""
    return {
        "kind": "end-of-day report",
        "name": report.day.isoformat(),
        "day": report.day.isoformat(),
        "title": f"{report.day:%A} {report.day.day} {report.day:%B %Y}",
        "known_at": to_the_second(report.known_at),
        "status": report.status,
        "finality": report.finality or "UNKNOWN",
        "finality_note": _finality_note(report),
        "accounts_complete": f"{report.complete} of {report.expected} accounts complete",
        "range": "",
        "money": _money(report),
        "of_accounts": "" if report.is_whole else f", of {report.accounts_known}",
        "not_drawn": _NOT_DRAWN if report.known else "",
        "only": ", ".join(short(each, 24) for each in report.accounts),
        "warning": _warning(report),
        "attention": _attention(report),
        "kpis": _kpis(report),
        "sections": {name: table_of(_on_page(section)) for name, section in report.sections.items()},
    }


def _money(report: Report) -> str:
    """What amounts of the page are in, and before or after what."""
    said = {row["currency"] for row in report.sections["accounts"].rows} - {None}
    currencies = report.currency or " and ".join(sorted(said)) or "a currency that is not known"
    return f"Amounts in {currencies}; P&L before fees, returns after fees"


def _on_page(section: Section) -> Section:
    """A section as a page has it: of all positions the largest, by their value."""
    if section.name != "positions":
        return section
    largest = ArrowRows.of(section.rows).largest("market_value") if section.rows else ()
    few = tuple(replace(column, on_page=True) for column in section.columns if column.name in _OF_LARGEST)
    return replace(section, title="Largest positions", columns=few, shown=_LARGEST, rows=largest)


def to_the_second(instant: datetime) -> str:
    """An instant of knowledge without its fraction: the next second, as of which the same is known."""
    return format_instant(instant if not instant.microsecond else instant.replace(microsecond=0) + timedelta(seconds=1))


def _finality_note(report: Report) -> str:
    note = _FINALITY.get(report.finality or "", "no account's end of day is known")
    if report.finality and report.status == "INCOMPLETE":
        note = f"{report.finality} is of prices alone: {note}, of the accounts that are known"
    if not report.recovered:
        return note
    return (
        f"{note}; RECOVERED: {report.recovered} of {report.expected} accounts were not read after the close, so the "
        "day is made from a snapshot of the next session, less what was traded since"
    )


def _warning(report: Report) -> str:
    if report.status == "COMPLETE":
        return ""
    if report.status == "BROKEN":
        return "BROKEN: a rule that the books must keep does not hold. See breaks before any of these figures is used."
    if report.is_whole and any(row["state"] == "RECOVERED IN PART" for row in report.sections["accounts"].rows):
        return (
            "INCOMPLETE: the day was recovered in the morning after it, and not every position could be rolled back to "
            "its close, or its instructions are not known."
        )
    if report.is_whole:
        return "INCOMPLETE: the P&L is known of every account, the exercise instructions are not."
    missing = [short(row["account_id"], 24) for row in report.sections["accounts"].rows if row["quality"] is None]
    named = f" ({', '.join(missing[:5])}{', …' if len(missing) > 5 else ''})" if missing else ""
    return (
        f"INCOMPLETE: the end of day of {report.expected - report.known} of {report.expected} accounts is not known"
        f"{named}. Totals over all accounts are not known either."
    )


def _attention(report: Report) -> list[dict[str, str]]:
    """What somebody should look at, counted: the first page says that there is something, the tables say what."""
    breaks = report.sections["breaks"].rows
    found = Counter(row["severity"] for row in breaks)
    oldest = max((row["age_days"] or 0 for row in breaks if row["severity"] == "BREAK"), default=0)
    items = [_item(found[name], one, many, "alarm") for name, one, many in _ALARMS]
    if oldest and items[1]["text"]:
        items[1]["text"] += f" (the oldest {counted(oldest, 'session', 'sessions')})"
    items += [_item(found[name], one, many, "doubt") for name, one, many in _DOUBTS]
    items += [
        _item(len(report.sections["expiring"].rows), "option about to expire", "options about to expire"),
        _item(len(report.sections["instructions"].rows), "exercise instruction", "exercise instructions"),
        _item(len(report.sections["restatements"].rows), "figure restated", "figures restated"),
    ]
    return [item for item in items if item["text"]] or [{"text": "nothing", "tone": ""}]


def _item(number: int, one: str, many: str, tone: str = "") -> dict[str, str]:
    return {"text": counted(number, one, many) if number else "", "tone": tone}


def counted(number: int, one: str, many: str) -> str:
    """A number of things."""
    return f"{number:,} {one if number == 1 else many}"


def _note(report: Report, name: str) -> str:
    """What a figure of the first page is of: its currency, before or after fees, since when and by whom."""
    currency = report.currency or "currency not known"
    if name == "day":
        return ", ".join(filter(None, (f"{currency}, before fees", report.days[-1].caveat)))
    if name == "day_return":
        return "after fees"
    periods: dict[str, Period] = {"mtd": "month", "ytd": "year", "itd": "all"}
    if name not in periods:
        return currency
    first = first_date(periods[name], report.day)
    days = [day for day in report.days if day.date >= first and day.accounts]
    if not days:
        return f"{currency}, before fees"
    before = days[0].caveat if days[0].spanned else ""  # it has sessions from before the period in it
    return ", ".join(filter(None, (f"{currency}, before fees", f"since {days[0].date}", who_knew(days), before)))


def _kpis(report: Report) -> list[dict[str, Any]]:
    kpis = []
    for label, name, kind in _KPIS:
        value = report.totals.get(name)
        note = _note(report, name)
        if name == "day" and value is None and report.known:
            note = f"{format_value(report.known_pnl, 'money')} known, of {report.accounts_known}; before fees"
        text = format_value(value, kind)
        kpis.append(
            {"label": label, "text": text, "tone": tone(value, kind), "note": note, "value": value, "kind": kind}
        )
    return kpis


def table_of(section: Section) -> dict[str, Any]:
    """A section as a template shows it."""
    columns = section.page_columns
    return {
        "name": section.name,
        "title": section.title,
        "columns": [
            {"label": column.label, "right": column.is_number, "prose": column.kind == "prose"} for column in columns
        ],
        "rows": cells(columns, section.page_rows),
        "total": _total(columns, section.total) if section.total and len(section.rows) > 1 else [],
        "empty": section.empty,
        "note": section.note,
        "more": f"{section.left_out:,} more in the workbook and the extracts." if section.left_out else "",
    }


def cells(columns: Sequence[ReportColumn], rows: Sequence[Row]) -> list[list[dict[str, str]]]:
    """Rows as texts with what colours them."""
    return [[_cell(row[column.name], column) for column in columns] for row in rows]


def _cell(value: Any, column: ReportColumn) -> dict[str, str]:
    text = in_words(value) if column.name in _NAMED and isinstance(value, str) else value
    return {
        "text": format_value(text, column.kind),
        "tone": tone(value, column.kind) or _mark(value, column),
        "kind": column.kind,
    }


def in_words(text: str) -> str:
    """Names such as UNEXPLAINED_QUANTITY in words; any other text as it is."""
    if not _NAMES.fullmatch(text):
        return text
    return ", ".join(_IN_WORDS.get(name, name.lower().replace("_", " ")) for name in text.split())


def _mark(value: Any, column: ReportColumn) -> str:
    """States that somebody should look at are marked; a symbol is set apart."""
    if column.name == "state" and value != "COMPLETE":
        return "doubt" if value == "RECOVERED" else "alarm"
    if column.name == "severity":
        return "alarm" if value in ("FAIL", "BREAK", "GAP") else "doubt"
    return column.kind if column.kind in ("symbol", "prose") else ""


def _total(columns: Sequence[ReportColumn], total: Row) -> list[dict[str, str]]:
    first, *rest = columns
    made = [{"text": "all", "tone": "", "kind": first.kind}]
    for column in rest:
        known = column.name in total
        made.append(_cell(total[column.name], column) if known else {"text": "", "tone": "", "kind": column.kind})
    return made
