"""What the books say of their own day, as asset checks. None blocks: a day that isn't whole is published, marked.

The day's status is set in SQL (quality.day); a check only repeats it where people look.
"""

from datetime import date

import dagster as dg
import duckdb

from assets.orchestration.specs import key

DAY, GAP, FINDING = key("quality.day"), key("quality.gap"), key("quality.finding")

SPECS = [
    dg.AssetCheckSpec(
        "complete", asset=DAY, description="Positions and instructions of every expected account are whole."
    ),
    dg.AssetCheckSpec("no_gaps", asset=GAP, description="The end of day of every expected account is known."),
    dg.AssetCheckSpec("invariants_hold", asset=FINDING, description="No FAIL finding: the books add up."),
    dg.AssetCheckSpec(
        "nothing_noticed", asset=FINDING, description="No WARN finding: nothing that somebody should look at."
    ),
]

_DAYS = """
    select calendar.trading_date, coalesce(day.status, 'NOT CLOSED YET'), day.accounts_complete, day.accounts_expected
    from core.calendar
    left join quality.day on calendar.trading_date = day.trading_date
    where calendar.trading_date between $1 and $2 and coalesce(day.accounts_complete < day.accounts_expected, true)
    order by calendar.trading_date
"""
_GAPS = """
    select trading_date, account_id, reason from quality.gap
    where trading_date between $1 and $2 order by trading_date, account_id
"""
_FINDINGS = """
    select trading_date, check_name, count(*), min(message) from quality.finding
    where trading_date between $1 and $2 and severity = $3
    group by trading_date, check_name order by trading_date, check_name
"""


def check_books(con: duckdb.DuckDBPyConnection, first: date, last: date) -> list[dg.AssetCheckResult]:
    """The result of every check for the trading dates `first` to `last`."""
    days = con.execute(_DAYS, [first, last]).fetchall()
    gaps = con.execute(_GAPS, [first, last]).fetchall()
    failures = con.execute(_FINDINGS, [first, last, "FAIL"]).fetchall()
    warnings = con.execute(_FINDINGS, [first, last, "WARN"]).fetchall()
    error, warn = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    return [
        _result("complete", DAY, error, [_day(*row) for row in days]),
        _result("no_gaps", GAP, error, [f"{day}: {account} {reason}" for day, account, reason in gaps]),
        _result("invariants_hold", FINDING, error, [_finding(*row) for row in failures]),
        _result("nothing_noticed", FINDING, warn, [_finding(*row) for row in warnings]),
    ]


def _result(name: str, asset: dg.AssetKey, severity: dg.AssetCheckSeverity, found: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not found,
        severity=severity,
        description="; ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "") if found else None,
        metadata={"found": dg.MetadataValue.md("\n".join(f"- {line}" for line in found))} if found else {},
    )


def _day(day: date, status: str, complete: int | None, expected: int | None) -> str:
    counted = f", {complete} of {expected} accounts whole" if expected is not None else ""
    return f"{day} is {status}{counted}"


def _finding(day: date, name: str, count: int, message: str) -> str:
    return f"{day}: {name}, {count} {'row' if count == 1 else 'rows'} ({message})"
