"""`daybook positions`: list what the broker says is held, close one position, close all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from daybook.cli import console
from daybook.cli.options import AsJson
from daybook.cli.trading import Account, CancelOrders, DryRun, Manner, Terminal, Timeout, Wait, Yes
from pipelines.errors import FAILED, INCOMPLETE

if TYPE_CHECKING:
    from pipelines.broker.read import Read

positions = typer.Typer(
    name="positions",
    help="The broker's positions: list them, close one, close all of an account.",
    rich_markup_mode=None,
)


@positions.callback(invoke_without_command=True)
def _positions(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        console.say(context.get_help())


Instrument = Annotated[str, typer.Option("--instrument", metavar="I", help="The instrument: its UUID, or its symbol.")]
AnyInstrument = Annotated[
    str | None, typer.Option("--instrument", metavar="I", help="This instrument alone: its UUID, or its symbol.")
]


@positions.command("list", short_help="What an account holds now.")
def list_positions(*, account: Account, instrument: AnyInstrument = None, json: AsJson = False) -> int:
    """List an account's positions as the broker states them now. Nothing is landed.

    \b
    Examples:
      daybook positions list --account 19816
      daybook positions list --account 19816 --instrument AAPL --json
    """
    from pipelines.broker.client import BrokerClient
    from pipelines.settings import Settings
    from pipelines.trading.held import find_position, rows_of
    from pipelines.trading.requests import checked_account

    settings = Settings.from_env()
    with BrokerClient.of(settings) as client:
        read = client.positions(checked_account(account))
    rows = rows_of(read)
    if instrument is not None and read.complete:
        rows = [find_position(rows, instrument)]
    if not (rows or read.complete):
        return console.fail(str(read.error), FAILED, as_json=json)  # not known is not the same as nothing being there
    if json:
        console.show_json(rows)
    else:
        _show(rows)
    return finish(read)


@positions.command("close", short_help="Close one position.")
def close(
    *,
    account: Account,
    instrument: Instrument,
    cancel_orders: CancelOrders = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    timeout: Timeout = 60.0,
    wait: Wait = 10.0,
    json: AsJson = False,
) -> int:
    """Close one position: shows it, asks, reads it again, sends one order request, once.

    Asks for the symbol or UUID to be typed again; sends the UUID. Where another quantity is held by then, it is shown
    and asked about anew. Exit codes: 0 done, 1 rejected, 2 answered no or changed meanwhile, 3 partial or unknown.

    \b
    Examples:
      daybook positions close --account 19816 --instrument AAPL
      daybook positions close --account 19816 --instrument AAPL --cancel-orders --dry-run
    """
    from pipelines.settings import Settings
    from pipelines.trading import operations

    desk = Terminal(Manner(yes, dry_run, json, timeout, wait), word=instrument)
    settings = Settings.from_env()
    return desk.conclude(operations.close_one(settings, desk, account, instrument, cancel_orders=cancel_orders))


@positions.command("close-all", short_help="Close every position of an account.")
def close_all(
    *,
    account: Account,
    cancel_orders: CancelOrders = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    timeout: Timeout = 60.0,
    wait: Wait = 10.0,
    json: AsJson = False,
) -> int:
    """Close every position of an account: shows them, asks for the account id, reads them again, sends one request.

    It is sent once. Where any position differs by then, they are shown and asked about anew. Exit codes: 0 done,
    1 rejected, 2 answered no or changed meanwhile, 3 partial or unknown.

    \b
    Examples:
      daybook positions close-all --account 19816 --dry-run
      daybook positions close-all --account 19816 --cancel-orders
    """
    from pipelines.settings import Settings
    from pipelines.trading import operations

    desk = Terminal(Manner(yes, dry_run, json, timeout, wait), word=account)
    return desk.conclude(operations.close_all(Settings.from_env(), desk, account, cancel_orders=cancel_orders))


def counted(number: int, what: str) -> str:
    """ "1 position", "2 positions"."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def finish(read: Read) -> int:
    """The exit code of a listing with rows to look at, and where it isn't whole a sentence."""
    if read.complete:
        return 0
    console.complain(f"This is not the whole list: {read.error}")
    return INCOMPLETE


def _show(rows: list[dict[str, Any]]) -> None:
    from decimal import Decimal

    from pipelines.trading.held import age_of_values

    numbers = ("quantity", "free", "market value", "unrealized")
    table = console.table("", "symbol", "type", *numbers, "last close", "instrument", numbers=numbers)
    for row in rows:
        unrealized = row.get("unrealized_pnl")
        table.add_row(
            Text(console.printable(row["symbol"])),
            Text(console.printable(row["instrument_type"])),
            console.quantity(Decimal(row["quantity"])),
            console.quantity(Decimal(row["available_quantity"])),
            console.money(Decimal(row["market_value"])),
            console.money(None if unrealized is None else Decimal(unrealized)),
            Text(console.printable(row.get("closing_price_date") or "")),
            Text(console.printable(row["instrument_id"])),
        )
    if rows:
        console.show(table)
    console.say(counted(len(rows), "position"))
    for sentence in age_of_values(rows):
        console.say(sentence)
