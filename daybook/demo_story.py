"""What the demo's books tell of the evenings that went wrong, in sentences: from the books alone, as for any others.

In: the published copy. Out: a sentence for each day and account. Stays out: what the script of the demo says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import duckdb

_NEW_YORK = ZoneInfo("America/New_York")

#: Accounts whose positions an evening's run did not get whole, and a later one of the same day did.
_COMPLETED = """
    select run.trading_date, failed.account_id, failed.error, run.started_at, min(later.started_at) as whole_at
    from raw.extract_manifest as failed
    inner join core.run on failed.run_id = run.run_id
    inner join core.run as later on run.trading_date = later.trading_date and run.started_at < later.started_at
    inner join raw.extract_manifest as whole on later.run_id = whole.run_id and failed.account_id = whole.account_id
    where failed.endpoint = 'positions' and whole.endpoint = 'positions' and not failed.complete and whole.complete
        and run.grade in ('POST_CLOSE', 'LATE')
    group by all
"""
#: Gaps, why, and the P&L that covers them.
_GAPS = """
    select gap.trading_date, gap.account_id, failed.error, gap.covered_by_date, account_daily.days_covered,
        account_daily.total_pnl
    from quality.gap
    left join pnl.account_daily
        on gap.account_id = account_daily.account_id and gap.covered_by_date = account_daily.trading_date
    left join core.run on gap.trading_date = run.trading_date
    left join raw.extract_manifest as failed
        on run.run_id = failed.run_id and gap.account_id = failed.account_id and failed.endpoint = 'positions'
    qualify row_number() over (partition by gap.account_id, gap.trading_date order by run.started_at desc) = 1
"""
#: Days whose P&L was restated: what it was, what it is, what the broker says, and how many sessions later.
_RESTATED = """
    select first.trading_date, first.account_id, first.total_pnl, now.total_pnl,
        first.broker_realized + first.broker_unrealized as broker, now.known_from, now.reason,
        (
            select count(*) from core.calendar
            where calendar.trading_date > first.trading_date and calendar.pre_open <= now.known_from
        ) as sessions
    from pnl.account_daily_version as first
    inner join pnl.account_daily_version as now
        on first.account_id = now.account_id and first.trading_date = now.trading_date
    where first.version = 1 and now.known_to > current_timestamp and first.total_pnl <> now.total_pnl
"""
_BREAKS = """
    select trading_date, account_id, ours, broker, age_days
    from quality.reconciliation where check_name = 'total_vs_balances' and status = 'BREAK'
"""
#: Why a day was restated, in words.
_REASONS = {"EXECUTION_LATE": "when the broker had corrected its fills", "LATE_SNAPSHOT": "by a later run"}
_RECOVERED = """
    select day.trading_date, run.started_at
    from quality.day
    inner join core.calendar on day.trading_date = calendar.trading_date
    inner join core.run on calendar.next_trading_date = run.trading_date
    where day.grade = 'RECOVERED'
    qualify row_number() over (partition by day.trading_date order by run.started_at) = 1
"""


def sentences(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[date, str, str]]:
    """Trading date, account (empty where it is all of them) and what happened, in no order."""
    for day, account, error, at, whole in con.execute(_COMPLETED).fetchall():
        completed = f"The day was INCOMPLETE until the run of {_time(whole)}, which read them all."
        yield day, account, f"positions not whole at {_time(at)}: {_reason(error)}. {completed}"
    for gap in con.execute(_GAPS).fetchall():
        yield _gap(*gap)
    for restated in con.execute(_RESTATED).fetchall():
        yield _restated(*restated)
    for day, account, ours, broker, age in con.execute(_BREAKS).fetchall():
        yield day, account, _against(ours, broker) + (f" It is {_sessions(age)} old." if age else "")
    for day, at in con.execute(_RECOVERED).fetchall():
        how = "its positions, less what was traded since the close, at the closing prices"
        yield day, "", f"nobody read this evening. The run of the next morning, {_time(at)}, RECOVERED it: {how}."


def _gap(
    day: date, account: str, error: str | None, covered_by: date | None, days: int | None, total: Decimal | None
) -> tuple[date, str, str]:
    why = _reason(error) if error else "nobody read that evening"
    said = f"a gap, because {why}. The P&L is unknown, not zero, and the firm has no total."
    if covered_by is None:
        return day, account, said
    covers = f"That of {covered_by} covers {days} sessions: {_money(total)}." if days else ""
    return day, account, f"{said} {covers}".rstrip()


def _restated(
    day: date,
    account: str,
    was: Decimal | None,
    now: Decimal | None,
    broker: Decimal | None,
    known: datetime,
    reason: str | None,
    sessions: int,
) -> tuple[date, str, str]:
    why = _REASONS.get(reason or "", f"({reason})")
    said = f"On {known.astimezone(_NEW_YORK).date()}, {why}, the P&L was restated from {_money(was)} to {_money(now)}"
    if was is None or broker is None or was == broker:
        return day, account, f"{said}."
    healed = f", and after {_sessions(sessions)} the break is gone" if now == broker else ""
    return day, account, f"{_against(was, broker)} {said}{healed}."


def _against(ours: Decimal, broker: Decimal) -> str:
    side = "above" if ours > broker else "below"
    return f"our P&L was {_money(abs(ours - broker))} {side} the broker's own figure, which is a BREAK."


def _reason(error: str) -> str:
    """The reason of a failed read, without whose it was and the broker's request id."""
    return re.sub(r"^positions of account \S+: | \(request \S+\)$", "", error)


def _time(at: datetime) -> str:
    return f"{at.astimezone(_NEW_YORK):%H:%M}"


def _money(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f}"


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"
