"""`daybook lock`: a period is closed; what is learnt of it later counts on the open day."""

from __future__ import annotations

import sys
from datetime import date
from typing import Annotated

import typer

from daybook.cli import console
from daybook.cli.options import Wait, parse_day
from pipelines.errors import USAGE, ConfigurationError

Through = Annotated[
    date, typer.Option("--through", parser=parse_day, metavar="DATE", help="The last trading day of the period.")
]
Account = Annotated[str | None, typer.Option("--account", metavar="ID", help="Of one account alone, not of all.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask; for scripts.")]


def lock(*, through: Through, account: Account = None, yes: Yes = False, wait: Wait = 60.0) -> int:
    """Close a period. It is never opened again.

    Every trading day up to --through keeps, in month, quarter and year to date, the P&L that it has now. What becomes
    known of it later stands beside it (pnl.prior_period_adjustment) and counts on the open day. Asks, unless --yes is
    given.

    \b
    Examples:
      daybook lock --through 2025-10-31
      daybook lock --through 2025-10-31 --account 20517 --yes
    """
    from pipelines.books.locks import lock_period, open_days
    from pipelines.settings import Settings
    from pipelines.warehouse.connect import open_published
    from pipelines.warehouse.published import publish_books
    from pipelines.warehouse.session import warehouse_session

    settings = Settings.from_env()
    whose = f"account {account}" if account else "all accounts"
    with open_published(settings.books) as con:  # nobody is kept waiting while a person thinks
        left = open_days(con, through, account)
    console.say(f"This closes {whose} through {through}, {left:,} account-days that are open now. It can't be undone.")
    if not yes and not _agreed():
        console.say("Nothing was closed.")
        return USAGE
    with warehouse_session(settings, wait=wait, on_progress=console.show_event) as con:
        lock_period(con, through, account)
        publish_books(con, settings)
    console.say(f"Closed: {whose} through {through}.")
    return 0


def _agreed() -> bool:
    """Whether the person says yes. Raises ConfigurationError where standard input is no terminal."""
    if not sys.stdin.isatty():
        raise ConfigurationError("There is no terminal to ask on, so nothing was closed: give --yes to go ahead.")
    return typer.confirm("Close it?", default=False)
