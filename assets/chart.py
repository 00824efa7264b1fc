"""The P&L as a picture beside the asset: what Dagster shows of an image inside Markdown, without a file or a server."""

from __future__ import annotations

from base64 import b64encode
from datetime import date
from decimal import Decimal

import duckdb

from assets.report.charts import pnl
from assets.report.content import Day

SESSIONS = 60  # about a quarter: more is the report's

_DAYS = """
    select day.trading_date, sum(account_daily.total_pnl), day.accounts_expected - day.accounts_known
    from quality.day
    left join pnl.account_daily on day.trading_date = account_daily.trading_date
    where day.trading_date <= $day
    group by day.trading_date, day.accounts_expected, day.accounts_known
    order by day.trading_date desc
    limit $sessions
"""


def pnl_chart(con: duckdb.DuckDBPyConnection, day: date) -> str | None:
    """The P&L of the sessions up to `day`, all accounts, as Markdown with the picture inside; None where there is none.

    A day that some account is missing from has a mark at its foot: its bar is what is known.
    """
    rows = con.execute(_DAYS, {"day": day, "sessions": SESSIONS}).fetchall()
    if not rows:
        return None
    days = [day_of_pnl(*row) for row in reversed(rows)]
    picture = b64encode(str(pnl(days)).encode()).decode()
    return f"![P&L by day, and its sum over {len(days)} sessions](data:image/svg+xml;base64,{picture})"


def day_of_pnl(day: date, made: Decimal | None, holes: int) -> Day:
    """A day of which a chart of P&L is drawn: what is known of it, and how many accounts are missing from that."""
    return Day(date=day, pnl=made, holes=holes, net=None, base=None, gross=None, net_exposure=None, is_opening=False)
