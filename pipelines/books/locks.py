"""Closing a period: later changes of its days are kept, and reported as prior-period adjustments on the open day."""

from __future__ import annotations

import getpass
from datetime import UTC, date, datetime

import duckdb

from pipelines.errors import ConfigurationError, NotPublished


def lock_period(
    con: duckdb.DuckDBPyConnection, through: date, account: str | None = None, *, at: datetime | None = None
) -> None:
    """Close every trading day up to `through`, of one account or of all. A lock is never taken back.

    It closes what the books show, so it is never said to be before they showed it, whichever clock is ahead.

    Raises NotPublished before the first build, ConfigurationError for an account that the books don't have, a day that
    they don't reach, or a period that is closed already.
    """
    check_lock(con, through, account)
    con.execute(
        """
        insert into core.period_lock
        select $1, $2, greatest($3, max(known_from)), $4
        from pnl.account_daily_version where trading_date <= $2 and (account_id = $1 or $1 is null)
        """,
        [account, through, at or datetime.now(UTC), getpass.getuser()],
    )


def open_days(con: duckdb.DuckDBPyConnection, through: date, account: str | None = None) -> int:
    """How many days of accounts a lock would close that are open now. Raises as `lock_period`."""
    check_lock(con, through, account)
    row = con.execute(
        """
        select count(*) from core.account_eod as eod
        where trading_date <= $1 and (account_id = $2 or $2 is null) and not exists(
            select 1 from core.period_lock
            where eod.trading_date <= locked_through and (account_id is null or account_id = eod.account_id)
        )
        """,
        [through, account],
    ).fetchone()
    return int(row[0]) if row else 0


def check_lock(con: duckdb.DuckDBPyConnection, through: date, account: str | None = None) -> None:
    """Whether a period can be closed, changing nothing. Raises as `lock_period`."""
    try:
        last = con.execute(
            "select max(trading_date) from core.account_eod where account_id = $1 or $1 is null", [account]
        ).fetchone()
    except duckdb.CatalogException as error:
        raise NotPublished("There are no books to close yet: run `daybook eod` first.") from error
    if last is None or last[0] is None:
        whose = f"account {account}" if account else "any account"
        raise ConfigurationError(f"The books have no day of {whose}, so there is nothing to close.")
    if through > last[0]:
        raise ConfigurationError(f"The books end on {last[0]}: {through} can't be closed before it is known.")
    former = con.execute(
        """
        select max(locked_through) from core.period_lock
        where account_id is null or account_id = $1
        """,
        [account],
    ).fetchone()
    if former is not None and former[0] is not None and former[0] >= through:
        raise ConfigurationError(f"The period is closed through {former[0]} already: a lock is never taken back.")
