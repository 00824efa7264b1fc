"""`daybook report`: the end-of-day report of a day, or the performance report of a period, as files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from daybook.cli import console
from daybook.cli.options import AsJson, parse_day
from pipelines.errors import INCOMPLETE, ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.report.performance.write import WrittenPerformance
    from pipelines.report.period import Period
    from pipelines.report.write import Written
    from pipelines.settings import Settings


def parse_zoned_instant(text: str) -> datetime:
    """An instant written as 2005-03-11T21:20:00Z; one without a time zone is a usage error."""
    try:
        said = datetime.fromisoformat(text)
        if said.tzinfo is None:
            raise ValueError(text)
        return said.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is not an instant: write it with its time zone, like 2005-03-11T21:20:00Z."
        ) from None


def parse_period(text: str) -> Period:
    """One of the periods; another word is a usage error."""
    from pipelines.report.period import PERIODS

    for period in PERIODS:
        if text.strip().lower() == period:
            return period
    raise typer.BadParameter(f"{text!r} is not a period: it is one of {', '.join(PERIODS)}.")


Periods = Annotated[
    str | None,
    typer.Option(
        "--period",
        parser=parse_period,
        metavar="PERIOD",
        help="The performance of the month, quarter or year that ends on the day, or of all that is known.",
    ),
]
TradingDay = Annotated[
    date | None,
    typer.Option("--date", parser=parse_day, metavar="DATE", help="The trading day; the last one by itself."),
]
KnownAt = Annotated[
    datetime | None,
    typer.Option(
        "--as-known-at",
        parser=parse_zoned_instant,
        metavar="INSTANT",
        help="Say what was known then, and nothing learnt later.",
    ),
]
Formats = Annotated[str, typer.Option("--format", "-f", metavar="FORMATS", help="Some of html,pdf,xlsx,csv.")]
Accounts = Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this account; may be given again.")]


def report(
    *,
    of: TradingDay = None,
    period: Periods = None,
    as_known_at: KnownAt = None,
    form: Formats = "html,pdf,xlsx,csv",
    account: Accounts = None,
    json: AsJson = False,
) -> int:
    """Write the end-of-day report of a day, or the performance report of a period.

    From the published books alone, into DAYBOOK_HOME/reports: a page for mail and an interactive one, a PDF, a workbook
    and CSV files. Any past day can be reported again, and any day as it was known at an instant: the same question
    gives the same bytes. The exit code is 3 where the day is not COMPLETE, or a session of the period is not known.

    With --period (month, quarter, year, all), the performance of the accounts up to the day, which may be one that only
    the broker's history has, beside the benchmarks of DAYBOOK_HOME/benchmarks.csv (name,trading_date,close).

    \b
    Examples:
      daybook report
      daybook report --date 2005-03-10 --format html,pdf
      daybook report --date 2005-03-10 --as-known-at 2005-03-10T22:00:00Z --account 20517
      daybook report --period year
      daybook report --period month --date 2005-02-28 --format pdf
    """
    from assets.catalog import CATALOG
    from pipelines.report.write import write_report
    from pipelines.settings import Settings

    asked: dict[str, Any] = {"known_at": as_known_at, "accounts": account or (), "formats": _formats(form)}
    settings = Settings.from_env()
    if period:
        return _performance(settings, cast("Period", period), of, asked, json=json)
    with console.progress("reading the published books") as show:
        written = write_report(settings, CATALOG, of, **asked, on_progress=show)
    _say(written, json=json)
    return 0 if written.report.status == "COMPLETE" else INCOMPLETE


def _performance(settings: Settings, period: Period, day: date | None, asked: dict[str, Any], *, json: bool) -> int:
    from assets.catalog import CATALOG
    from pipelines.report.performance.write import write_performance

    with console.progress("reading the published books") as show:
        written = write_performance(settings, CATALOG, period, day, **asked, on_progress=show)
    _say_performance(written, json=json)
    return 0 if written.report.is_whole else INCOMPLETE


def _formats(text: str) -> list[str]:
    from pipelines.report.write import FORMATS

    asked = [each.strip().lower() for each in text.split(",")]
    strange = [each for each in asked if each not in FORMATS]
    if strange:
        raise ConfigurationError(f"--format {', '.join(strange)!r} is not known: give some of {','.join(FORMATS)}.")
    return asked


def _say(written: Written, *, json: bool) -> None:
    report = written.report
    if json:
        console.show_json(
            {
                "trading_date": report.day,
                "known_at": report.known_at,
                "status": report.status,
                "finality": report.finality,
                "accounts_expected": report.expected,
                "accounts_complete": report.complete,
                "accounts_recovered": report.recovered,
                "currency": report.currency,
                "total_pnl": report.totals.get("day"),
                "files": written.files,
            }
        )
        return
    counted = f"{report.complete} of {report.expected} accounts complete"
    if report.recovered:
        counted += f", {report.recovered} recovered in the morning after it"
    console.say(f"{report.day} is {report.status} {report.finality or ''}: {counted}", "bold")
    currency = report.currency or "currency not known"
    console.say(f"P&L of the day: {console.money(report.totals.get('day'))} ({currency}, before fees)")
    _say_files(written.files)


def _say_performance(written: WrittenPerformance, *, json: bool) -> None:
    from pipelines.report.performance.view import view

    report, said = written.report, view(written.report)
    row = report.statistics or {}
    if json:
        console.show_json(
            {
                "period": report.period,
                "from_date": report.since,
                "as_of": report.day,
                "known_at": report.known_at,
                "status": said["status"],
                "currencies": list(report.currencies),
                "sessions": row.get("sessions"),
                "by_broker": row.get("by_broker"),
                "total_pnl": row.get("total_pnl"),
                "return_per_cent": row.get("twr"),
                "benchmark_problem": report.benchmark_problem or None,
                "files": written.files,
            }
        )
        return
    console.say(f"{said['title']} is {said['status']}: {said['range']}, {said['accounts_complete']}", "bold")
    pnl, gained = said["kpis"][:2]
    console.say(f"P&L: {pnl['text']} ({pnl['note']}), return: {gained['text']} ({gained['note']})")
    for item in said["attention"]:
        if item["tone"]:
            console.say(item["text"])
    _say_files(written.files)


def _say_files(files: Sequence[Path]) -> None:
    """The files, of the extracts their folder alone."""
    shown = [path for path in files if path.suffix != ".csv"]
    shown += sorted({path.parent for path in files if path.suffix == ".csv"})
    for path in shown:
        console.say(console.printable(path))
