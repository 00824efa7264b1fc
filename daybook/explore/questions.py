"""What the explorer asks of the published books. Every answer is a list of rows, exact; nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pipelines.calendar import NEW_YORK
from pipelines.errors import ConfigurationError
from pipelines.report.charts import calendar, cumulative_label, pnl
from pipelines.report.days import DayTotals
from pipelines.report.markdown_chart import day_of_pnl
from pipelines.settings import Books
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.tables import rows_of

Row = dict[str, Any]
NOW = datetime(9999, 12, 30, tzinfo=UTC)  # an instant at which the versions of today are known

_DAILY = """
    select trading_date, account_id, total_pnl, realized_pnl, unrealized_change, broker_net, fees_and_other, flow,
        eod_equity, daily_return, days_covered, finality, quality, version, known_from
    from pnl.account_daily_version
    where known_from <= $at and $at < known_to
        and list_contains($accounts, account_id) and trading_date between $first and $last
    order by trading_date desc, account_id
"""
_POSITIONS = """
    select daily.symbol, daily.status, daily.quantity, daily.market_value, daily.total_pnl, daily.realized_pnl,
        daily.unrealized_change, daily.position_pnl, daily.day_pnl, daily.eod_price,
        -- the reading that was chosen since may have another price
        case when held.eod_price = daily.eod_price then held.closing_price_date end as price_date,
        daily.price_grade, daily.total_source, daily.quality, array_to_string(daily.flags, ' ') as flags, daily.version,
        daily.known_from
    from pnl.position_daily_version as daily
    left join core.position_eod as held
        on daily.account_id = held.account_id and daily.instrument_id = held.instrument_id
        and daily.trading_date = held.trading_date
    where known_from <= $at and $at < known_to and daily.account_id = $account and daily.trading_date = $day
    order by abs(total_pnl) desc nulls last, symbol
"""
_SNAPSHOTS = """
    select run_id, grade, finality, captured_at, finished_at, complete, position_count, official_price_share, error
    from core.snapshot_grade where account_id = $account and trading_date = $day order by captured_at, run_id
"""
_VERSIONS = """
    select version, known_from, nullif(known_to, timestamptz '9999-12-31 00:00:00+00') as known_to, total_pnl,
        realized_pnl, unrealized_change, quality, reason
    from pnl.account_daily_version where account_id = $account and trading_date = $day order by version
"""
_COMPARED = """
    with earlier as (
        select * from pnl.account_daily_version where known_from <= $earlier and $earlier < known_to
    ),

    later as (
        select * from pnl.account_daily_version where known_from <= $later and $later < known_to
    )

    select
        coalesce(later.trading_date, earlier.trading_date) as trading_date,
        coalesce(later.account_id, earlier.account_id) as account_id,
        earlier.total_pnl as total_then,
        later.total_pnl as total_later,
        later.total_pnl - earlier.total_pnl as change,
        case when earlier.account_id is null then 'NEW' else later.reason end as reason,
        later.known_from
    from earlier
    full join later on earlier.account_id = later.account_id and earlier.trading_date = later.trading_date
    where
        list_contains($accounts, coalesce(later.account_id, earlier.account_id))
        and coalesce(later.trading_date, earlier.trading_date) between $first and $last
        and later.version is distinct from earlier.version
    order by trading_date desc, account_id
"""
_PERFORMANCE = """
    select coalesce(account_id, 'all in ' || currency) as account, "window", from_date, sessions, holes, total_pnl, twr,
        volatility, sharpe, sortino, max_drawdown, max_drawdown_from, max_drawdown_to, recovered_on, win_rate
    from pnl.performance
    where as_of = $as_of
        and (account_id is null or list_contains($accounts, account_id))
    order by account_id nulls last, list_position(['MTD', 'QTD', 'YTD', '1Y', 'ITD'], "window")
"""
#: It is asked first: pnl.performance is quick where the session is a value.
_LAST_TOLD = "select max(trading_date) as as_of from pnl.account_history where trading_date <= $last"
_HISTORY = """
    select trading_date, account_id, source, total_pnl, realized_pnl, unrealized_change, net_pnl, flow, eod_equity,
        daily_return, days_covered, known_from
    from pnl.account_history where list_contains($accounts, account_id) and trading_date <= $last
    order by trading_date desc, account_id
"""
_DAYS = """
    select day.trading_date, day.status, day.finality, day.accounts_complete, day.accounts_expected
    from quality.day where trading_date between $first and $last order by trading_date desc
"""
_CURRENCIES = """
    select distinct currency from core.broker_day
    where list_contains($accounts, account_id) and currency is not null order by currency
"""
_EXPECTED = """
    select trading_date, count(*) as accounts
    from core.expected_day where list_contains($accounts, account_id) and trading_date between $first and $last
    group by trading_date order by trading_date
"""
_NAMES = """
    select account_id, short_name from raw.accounts
    qualify row_number() over (partition by account_id order by run_id desc) = 1
"""


@dataclass(frozen=True)
class Scope:
    """What is looked at: accounts, trading days, both ends included, and the instant as of which they are known."""

    accounts: Sequence[str]
    first: date
    last: date
    at: datetime = NOW

    @property
    def told(self) -> str:
        """What the figures are as of, in words."""
        return "as known now" if self.at == NOW else f"as known at {self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


class PublishedBooks:
    """The published books. They are opened anew for every question, so that a new evening is seen at once."""

    def __init__(self, published: Books) -> None:
        self._published = published

    def extent(self) -> tuple[list[str], date, date]:
        """The accounts, and the first and last day. Raises NotPublished where there is no day yet."""
        (row,) = self._ask(
            "select list(distinct account_id) as ids, min(trading_date), max(trading_date) from core.account_eod"
        )
        ids, first, last = row.values()
        if not ids:
            raise ConfigurationError("The books have no day yet: run `daybook eod` (or `daybook demo`) first.")
        return sorted(ids), first, last

    def names(self) -> dict[str, str]:
        """The accounts by what a person calls them: the id, and the name that the broker had for it last."""
        named = {row["account_id"]: row["short_name"] for row in self._ask(_NAMES)}
        ids, _, _ = self.extent()
        return {f"{each} {named[each]}" if named.get(each) else each: each for each in ids}

    def daily(self, scope: Scope) -> list[Row]:
        """P&L by account and day, the newest first."""
        return self._ask(_DAILY, accounts=list(scope.accounts), first=scope.first, last=scope.last, at=scope.at)

    def positions(self, account: str, day: date, at: datetime = NOW) -> list[Row]:
        """What made the P&L of a day, the largest first."""
        return self._ask(_POSITIONS, account=account, day=day, at=at)

    def snapshots(self, account: str, day: date) -> list[Row]:
        """Every reading of an account on a day, what it was worth, and why it failed where it did."""
        return self._ask(_SNAPSHOTS, account=account, day=day)

    def versions(self, account: str, day: date) -> list[Row]:
        """Every version of a day."""
        return self._ask(_VERSIONS, account=account, day=day)

    def compared(self, scope: Scope, earlier: datetime, later: datetime = NOW) -> list[Row]:
        """Days that read differently at two instants."""
        values = {"accounts": list(scope.accounts), "first": scope.first, "last": scope.last}
        return self._ask(_COMPARED, **values, earlier=earlier, later=later)

    def performance(self, scope: Scope) -> list[Row]:
        """How the accounts have done up to the last day of the scope, and all of a currency, as is known now."""
        (told,) = self._ask(_LAST_TOLD, last=scope.last)
        return self._ask(_PERFORMANCE, accounts=list(scope.accounts), **told)

    def history(self, scope: Scope) -> list[Row]:
        """Every session of the accounts up to the last day of the scope that anybody knows, the newest first, as is
        known now."""
        return self._ask(_HISTORY, accounts=list(scope.accounts), last=scope.last)

    def days(self, scope: Scope) -> list[Row]:
        """How whole each day is."""
        return self._ask(_DAYS, first=scope.first, last=scope.last)

    def money(self, scope: Scope) -> str:
        """What amounts and returns of a page are in, and before or after what."""
        found = [str(row["currency"]) for row in self._ask(_CURRENCIES, accounts=list(scope.accounts))]
        currencies = " and ".join(found) or "a currency that is not known"
        return f"Amounts in {currencies}; P&L is before fees, returns are after fees."

    def chart(self, scope: Scope) -> str:
        """The P&L of the scope as SVG; empty where there is none. A day that an account is missing from is marked."""
        days = self._made(scope)
        # a missed day counts in the one that covers it; a figure that is there and not known never does
        made = [row["total_pnl"] for row in self.daily(scope) if not _is_opening(row)]
        total = None if None in made else sum(made, Decimal(0))
        return str(pnl(days, label=cumulative_label(days, total), tips=True)) if days else ""

    def calendar(self, scope: Scope) -> str:
        """The P&L of the last year of the scope as a calendar, SVG; empty where there is none."""
        days = self._made(scope)
        return str(calendar(days, tips=True)) if days else ""

    def _made(self, scope: Scope) -> list[DayTotals]:
        made: dict[date, list[Row]] = {}
        for row in self.daily(scope):
            made.setdefault(row["trading_date"], []).append(row)
        values = {"accounts": list(scope.accounts), "first": scope.first, "last": scope.last}
        return [
            _day(row["trading_date"], made.get(row["trading_date"], []), row["accounts"])
            for row in self._ask(_EXPECTED, **values)
        ]

    def _ask(self, query: str, **values: Any) -> list[Row]:
        with open_published(self._published) as con:
            return rows_of(con, query, values)


def _day(day: date, rows: Sequence[Row], expected: int) -> DayTotals:
    """A day over the accounts that were expected on it. Of an account's first day there may be no P&L to know."""
    known = [row["total_pnl"] for row in rows if row["total_pnl"] is not None]
    opening = sum(map(_is_opening, rows))
    return day_of_pnl(day, sum(known, Decimal(0)) if known else None, expected - len(known) - opening)


def _is_opening(row: Row) -> bool:
    return row["total_pnl"] is None and row["days_covered"] is None


def parse_typed_instant(text: str) -> datetime | None:
    """An instant as a person writes it: 2005-03-04 22:00, New York where no zone is said; None where nothing is.

    Raises ConfigurationError for anything else.
    """
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigurationError(f"{text.strip()!r} is not an instant: write it like 2005-03-04 22:00.") from None
    return at if at.tzinfo else at.replace(tzinfo=NEW_YORK)
