"""The P&L as a picture beside the asset: what Dagster shows of an image inside Markdown, without a file or a server."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import duckdb

from pipelines.report.charts import cumulative, pnl, runs
from pipelines.report.days import DayTotals
from pipelines.report.svg import COLOURS

SESSIONS = 60  # about a quarter: more is the report's
#: Dagster shows Markdown of fewer letters where it stands, and longer ones behind a click.
INLINE = 1_000
SPARK = 30  # sessions: as many as so few letters can draw

_DAYS = """
    select
        day.trading_date,
        sum(account_daily.total_pnl),
        -- of an account's first day there may be none to know
        day.accounts_expected - count(account_daily.account_id) filter (
            where account_daily.total_pnl is not null or account_daily.prev_trading_date is null
        )
    from quality.day
    left join pnl.account_daily on day.trading_date = account_daily.trading_date
    where day.trading_date <= $day
    group by day.trading_date, day.accounts_expected
    order by day.trading_date desc
    limit $sessions
"""


def pnl_chart(con: duckdb.DuckDBPyConnection, day: date) -> str | None:
    """The P&L of the sessions up to `day`, all accounts, as Markdown with the picture inside; None where there is none.

    A day that some account is missing from has a mark instead of a bar, and the sum a gap.
    """
    rows = con.execute(_DAYS, {"day": day, "sessions": SESSIONS}).fetchall()
    if not rows:
        return None
    days = [day_of_pnl(*row) for row in reversed(rows)]
    return _image(f"P&L by day, and its sum over {len(days)} sessions", str(pnl(days)))


def sparkline(days: Sequence[DayTotals]) -> str:
    """The last sessions in so few letters that Dagster shows them at once: the sum as a line, each day as a bar below.

    Whole pixels, no axes: whoever wants figures has the table beside it.
    """
    sums = [None if each is None else float(each) for each in cumulative(days)][-SPARK:]
    made = [float(day.whole_pnl or 0) for day in days[-SPARK:]]
    known = [0.0, *(each for each in sums if each is not None)]
    low, high = min(known), max(known)
    most = max(map(abs, made)) or 1.0
    lines = (
        "L".join(f"{8 * n + 4} {33 - 31 * (each - low) / ((high - low) or 1.0):.0f}" for n, each in run)
        for run in runs(sums)
    )
    parts = [f'<path d="M{"M".join(lines) or "0 0"}" fill="none" stroke="{COLOURS["line"]}" stroke-width="2"/>']
    for colour, sign in (("gain", 1), ("loss", -1)):
        bars = "".join(f"M{8 * n + 4} 50v{-14 * each / most:.0f}" for n, each in enumerate(made) if sign * each > 0)
        parts.append(f'<path d="{bars}" stroke="{COLOURS[colour]}" stroke-width="6"/>' if bars else "")
    picture = f'<svg xmlns="http://www.w3.org/2000/svg" width="{8 * len(made)}" height="64">{"".join(parts)}</svg>'
    return _image(f"P&L of {len(made)} sessions", picture)


def _image(words: str, picture: str) -> str:
    return f"![{words}](data:image/svg+xml;base64,{b64encode(picture.encode()).decode()})"


def day_of_pnl(day: date, made: Decimal | None, holes: int) -> DayTotals:
    """A day of which a chart of P&L is drawn: what is known of it, and how many accounts are missing from that."""
    return DayTotals(date=day, pnl=made, holes=holes)
