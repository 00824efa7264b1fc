"""`daybook status`: how the books stand, readable in five seconds."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from daybook.cli import console
from daybook.cli.options import AsJson
from models.printable import shortened
from pipelines.errors import DaybookError

if TYPE_CHECKING:
    from dagster_project.health import ServiceHealth
    from pipelines.books.health import Health

CALENDAR_WARNING = 90  # days before the shipped sessions end
SHOWN = 10  # accounts and gaps named; the rest are counted


def status(*, json: AsJson = False) -> int:
    """Say how the books stand, in five seconds.

    The last run, what runs now, what failed last, the last day's completeness per account, gaps, findings, freshness.
    Reads the published books, and asks the broker nothing. The exit code is always 0.

    \b
    Examples:
      daybook status
      daybook status --json
    """
    from dagster_project.health import read_service
    from pipelines.books.health import read_health
    from pipelines.settings import Settings

    try:
        health = read_health(Settings.from_env(), datetime.now(UTC))
    except DaybookError as error:
        console.fail(str(error), error.exit_code, as_json=json)
        return 0
    service = read_service(Settings.from_env())
    if json:
        console.show_json(asdict(health) | {"service": service and asdict(service)})
    else:
        _print(health)
        _print_service(service)
    return 0


def _print(health: Health) -> None:
    console.say(f"Books of {health.broker} in {health.lake or health.home}", "bold")
    for problem in health.problems:
        console.say(problem, "yellow")
    if health.running:
        running = health.running
        what = shortened(console.printable(running.get("command")))
        where = f" of host {console.printable(running['host'])}" if "host" in running else ""
        console.say(f"A run is going on since {running.get('since')}: process {running['pid']}{where} ({what}).")
    _print_failure(health)
    _print_days(health)
    _print_freshness(health)
    _print_accounts(health)
    _print_gaps(health)
    for row in health.findings:
        style = {"FAIL": "red", "WARN": "yellow"}.get(row["severity"], "")
        console.say(f"Findings {row['severity']}: {row['last_day']} on the last day, {row['in_all']} in all", style)
    for row in health.reconciled:
        if row["status"] in ("BREAK", "WARN"):
            style = "red" if row["status"] == "BREAK" else "yellow"
            console.say(
                f"Reconciliation {row['status']}: {row['last_day']} on the last day, {row['in_all']} in all", style
            )
    _print_machine(health)


def _print_service(service: ServiceHealth | None) -> None:
    """How `daybook serve` is, where it runs; with cron, nothing has to."""
    if service is None:
        return
    problems = service.problems(datetime.now(UTC))
    for problem in problems:
        console.say(f"Service: {problem}", "bold red")
    if not problems:
        console.say(f"Service: `daybook {service.command}` is well, at {service.url} since {service.since}", "green")


def _print_failure(health: Health) -> None:
    """The last run that failed, and what to do about it unless books were published since."""
    failed = health.last_failure
    if failed is None:
        return
    sentence = console.printable(failed["sentence"])
    if failed["is_over"]:
        console.say(f"Last failure: {failed['at']:%Y-%m-%d %H:%M} UTC, {sentence} Books were published since.")
    else:
        console.say(f"Last failure: {failed['at']:%Y-%m-%d %H:%M} UTC, {sentence} {failed['todo']}", "bold red")


def _print_days(health: Health) -> None:
    if run := health.last_run:
        console.say(
            f"Last run: {run['run_id']}, {run['trading_date']} {run['grade']}, {run['status']} "
            f"{run['accounts_complete']}/{run['accounts_expected']}"
        )
    if last := health.last_trade:
        console.say(
            f"Last trade: {last['run_id']}, {last['operation']} of account {console.printable(last['account_id'])}, "
            f"{last['status']}"
        )
    if health.unpublished_run:
        console.say(
            f"Run {health.unpublished_run} was begun later and is not in the published books: it failed, is going on, "
            "or waits for `daybook build`.",
            "yellow",
        )
    if day := health.last_day:
        style = "green" if day["status"] == "COMPLETE" else "bold red"
        console.say(
            f"Last day: {day['trading_date']} {day['status']} {day['finality'] or ''}, "
            f"{day['accounts_complete']}/{day['accounts_expected']} accounts complete",
            style,
        )
        if day["accounts_recovered"]:
            console.say(
                f"{day['trading_date']} is RECOVERED: {day['accounts_recovered']} accounts were not read after its "
                "close, and are known from a snapshot of the next session",
                "yellow",
            )
        counts = ", ".join(f"{count} {state}" for state, count in health.days.items())
        console.say(f"Days in the books: {counts}")


def _print_freshness(health: Health) -> None:
    if health.last_run and health.last_run["is_loopback"]:
        console.say("Freshness: not measured, for these days were replayed by a stand-in broker")
    elif health.sessions_behind:
        console.say(
            f"Freshness: {health.sessions_behind} trading days behind: {health.last_session} has ended",
            "bold red",
        )
    elif health.sessions_behind == 0:
        console.say(f"Freshness: up to date with {health.last_session}", "green")


def _print_accounts(health: Health) -> None:
    troubled = [row for row in health.accounts if row["state"] != "COMPLETE"]
    named = troubled or health.accounts
    if not named:
        return
    made = console.table("", "account", "name", "state", "positions", "fills", numbers=("positions",))
    for row in named[:SHOWN]:
        count = "unknown" if row["position_count"] is None else f"{row['position_count']:,}"
        fills = {True: "read", False: "not read", None: "unknown"}[row["executions_loaded"]]
        names = (console.printable(row["account_id"]), console.printable(row["name"] or ""))
        made.add_row(*names, row["state"], count, fills)
    console.show(made)
    left = len(health.accounts) - len(named[:SHOWN])
    if left:
        others = len(health.accounts) - len(troubled)
        console.say(f"and {left} more accounts; {others} of {len(health.accounts)} are complete")


def _print_gaps(health: Health) -> None:
    for gap in health.gaps:
        days = f"{gap['first']}" if gap["days"] == 1 else f"{gap['days']} days, {gap['first']} to {gap['last']}"
        console.say(f"Gap: {console.printable(gap['account_id'])} {gap['reason']} {days}", "yellow")
    if health.last_day and not health.gaps:
        console.say("Gaps: none")


def _print_machine(health: Health) -> None:
    if health.calendar_days_left < 0:
        console.say("The shipped trading calendar has ended: update daybook.", "bold red")
    elif health.calendar_days_left < CALENDAR_WARNING:
        console.say(f"The shipped trading calendar ends in {health.calendar_days_left} days: update daybook.", "yellow")
    if health.pending_packages:
        console.say(f"{health.pending_packages} landed packages wait to be loaded: the next sync does it.", "yellow")
    if health.quarantined_packages:
        console.say(f"{health.quarantined_packages} packages could not be loaded: see {health.home}/quarantine.", "red")
    sizes = [f"{name} {format_size(count)}" for name, count in health.files.items()]
    console.say("Files: " + ", ".join([*sizes, f"{format_size(health.disk_free)} free on the disk"]))
    if grown := health.growth:
        told = {"warehouse": grown["warehouse_per_evening"], "archive": grown["archive_per_evening"]}
        lately = [f"{name} {format_size(count)}" for name, count in told.items() if count is not None]
        console.say(f"Archive: {format_size(grown['archive'] or 0)} of {grown['runs']} runs")
        if lately:
            console.say(f"Growth per evening: {', '.join(lately)}")


def format_size(count: int) -> str:
    """A number of bytes as people write it."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
