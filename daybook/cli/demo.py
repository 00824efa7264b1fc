"""`daybook demo`: daybook at work without an account, on a stand-in broker with real prices."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count as count_from
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assets.catalog import CATALOG
from daybook.cli import console
from daybook.cli.options import Wait
from pipelines.progress import Activity, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from daybook.demo import Demo, DemoDay
    from pipelines.progress import OnProgress

_ACCOUNTS = """
    select account_id, short_name, realized_pnl, unrealized_change, total_pnl, coalesce(quality, 'UNKNOWN') as quality,
        days_covered
    from core.expected_day
    left join pnl.account_daily using (account_id, trading_date)
    left join (select account_id, arg_max(short_name, run_id) as short_name from raw.accounts group by account_id)
        using (account_id)
    where trading_date = $day order by account_id
"""
_FIRM = "select realized_pnl, unrealized_change, total_pnl from pnl.firm_daily where trading_date = $day"
_POSITIONS = """
    select account_id, symbol, status, quantity, market_value, realized_pnl, unrealized_change, total_pnl
    from pnl.position_daily where trading_date = $day order by account_id, symbol
"""


def demo(
    *,
    days: Annotated[int, typer.Option(min=1, help="How many trading days, from 2005-02-01.")] = 28,
    wait: Wait = 60.0,
) -> int:
    """See daybook at work, without an account.

    Replays trading days of early 2005 through the whole pipeline and shows the P&L. A stand-in broker serves real
    closing prices over HTTP in this process: no account, key or network is needed. The books are kept in
    DAYBOOK_HOME/demo, apart from real ones. Days that are there already are not replayed.

    \b
    Examples:
      daybook demo
      daybook demo --days 5
    """
    from daybook.demo import run_demo
    from pipelines.report.write import write_report
    from pipelines.settings import Settings
    from pipelines.warehouse.connect import open_published

    with _progress(days) as (on_progress, on_day):
        done = run_demo(Settings.from_env(), days, wait=wait, on_progress=on_progress, on_day=on_day)
    with open_published(done.settings.books) as con:
        _print_day(con, done.days[-1])
    console.say(f"Report: {write_report(done.settings, CATALOG, formats=('html',)).files[0]}")
    _print_end(done)
    return done.exit_code


@contextmanager
def _progress(days: int) -> Iterator[tuple[OnProgress, Callable[[DemoDay], None]]]:
    """The functions that show progress and a day that is done: on a bar on a terminal, in plain lines otherwise. Of the
    progress within a day only whom it waits for is shown."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    screen = console.screen(stderr=True)
    if not screen.is_terminal:
        with console.progress("replaying") as show:
            done = count_from(1)
            yield _only_waiting(show), lambda day: show(Activity(f"{next(done)}/{days} {day.date} {day.status}"))
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("starting", total=days)
        yield (
            _only_waiting(lambda event: bar.update(task, description=console.printable(str(event)))),
            lambda day: bar.update(task, advance=1, description=str(day.date)),
        )


def _only_waiting(show: OnProgress) -> OnProgress:
    return lambda event: show(event) if isinstance(event, Waiting) else None


def _print_day(con: duckdb.DuckDBPyConnection, day: DemoDay) -> None:
    bound = {"day": day.date}
    money = ("realized", "unrealized", "total")
    title = f"P&L of {day.date} by account, USD before fees"
    accounts = console.table(title, "account", "name", *money, "quality", numbers=money)
    for account, name, realized, unrealized, total, quality, covered in con.execute(_ACCOUNTS, bound).fetchall():
        covers = f"{quality}, {covered} sessions" if (covered or 1) > 1 else quality
        accounts.add_row(account, console.printable(name), *_money(realized, unrealized, total), covers)
    for amounts in con.execute(_FIRM, bound).fetchall():
        accounts.add_section()
        accounts.add_row("all", "", *_money(*amounts), "")
    console.show(accounts)
    console.say()
    _print_positions(con.execute(_POSITIONS, bound).fetchall())
    console.say()
    _print_story(con, day)


def _print_story(con: duckdb.DuckDBPyConnection, day: DemoDay) -> None:
    """What happened up to a day, in order: in the accounts, and to those who read them."""
    from daybook.demo_story import sentences
    from pipelines.books.catalog import select_of
    from pipelines.report.content import QUESTIONS
    from pipelines.warehouse.tables import rows_of

    (since,) = con.execute("select min(trading_date) from core.account_eod").fetchone() or (day.date,)
    question = select_of(QUESTIONS / "events.sql")
    told = [_event(event) for event in rows_of(con, question, {"first_date": since, "day": day.date})]
    told += [f"{on} {account or 'all'}: {what}" for on, account, what in sentences(con) if on <= day.date]
    if not told:
        return
    console.say("What happened on the way:", "bold")
    for line in sorted(told):
        console.say_item(line)
    console.say()


def _print_positions(rows: list[tuple[Any, ...]]) -> None:
    """The positions, on a narrow terminal without what can be looked up."""
    numbers = ("quantity", "value", "realized", "unrealized", "total")
    columns = ("account", "symbol", "status", *numbers)
    cells = [
        (account, console.printable(symbol), status, console.quantity(quantity), *_money(*amounts))
        for account, symbol, status, quantity, *amounts in rows
    ]
    for left_out in ((), ("value",), ("value", "status")):
        kept = [at for at, column in enumerate(columns) if column not in left_out]
        table = console.table(
            "and by position, USD before fees", *(columns[at] for at in kept), numbers=numbers, wrap="symbol"
        )
        for row in cells:
            table.add_row(*(row[at] for at in kept))
        if console.fits(table):
            break
    console.show(table)


def _money(*amounts: Decimal | None) -> list[Any]:
    return [console.money(amount) for amount in amounts]


def _event(row: dict[str, Any]) -> str:
    """What happened, in a line: how much of what, or the cash of it, and how that is known."""
    what = f"{row['trading_date']} {row['account_id']} {row['event']}"
    if row["symbol"] is None:
        return f"{what} of {row['cash']:,.2f} USD, {row['note']}"
    if row["event"] == "split":
        return console.printable(f"{what} of {row['symbol']}, {row['note']}")
    cash = f", {row['cash']:,.2f} USD" if row["cash"] else ""
    note = f" ({row['note']})" if row["note"] else ""
    return console.printable(f"{what} of {row['symbol']}, {console.quantity(row['quantity'])}{cash}{note}")


def _print_end(done: Demo) -> None:
    complete, days = sum(day.status == "COMPLETE" for day in done.days), len(done.days)
    meant = ", and a gap that the demo means to show" if complete < days and done.exit_code == 0 else ""
    console.say(f"{complete} of {days} days COMPLETE, {done.days[0].date} to {done.days[-1].date}{meant}", "bold")
    if done.replayed:
        reading = sum(day.read_seconds for day in done.replayed)
        building = sum(day.build_seconds for day in done.replayed)
        console.say(
            f"Days replayed: {len(done.replayed)} in {done.seconds:.1f} s, of which reading and landing "
            f"{reading:.1f} s, building {building:.1f} s"
        )
    if already := len(done.days) - len(done.replayed):
        console.say(f"Days in the books already: {already}; they were not replayed, and nothing in them changed")
    home = f"DAYBOOK_HOME={shlex.quote(str(done.settings.home))} {console.program_name()}"
    console.say()
    console.say("How to go on:", "bold")
    for name, command in (
        ("SQL", 'sql "from pnl.firm_daily order by trading_date"'),
        ("status", "status"),
        ("UI", "dev"),
    ):
        console.say(f"  {name:<8}{home} {command}")
