"""The books of a day as known at an instant: a second set of the derived tables, in memory, over the published copy.

The P&L is read from its versions. What has none (completeness, what the broker said, the comparison with it) is derived
again by the same selects that build it, from the rows that had been landed by then; so a report of the past can be made
again, whatever has been learnt since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import FUNCTIONS, TABLES
from pipelines.calendar import TradingCalendar
from pipelines.errors import ConfigurationError, DaybookError, first_line
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.tables import run

HERE = Path(__file__).parent
#: So many sessions before the day are compared with the broker again, to show breaks that have lasted.
SESSIONS_BACK = 20
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
ACCOUNTS_NAMED = 10

#: Facts of a run: those of runs that were over by then, of the accounts asked for where they are of an account.
_FACTS = (
    "accounts",
    "balances",
    "corporate_events",
    "executions",
    "extract_manifest",
    "extract_run",
    "option_contracts",
    "orders",
    "portfolio_history",
    "position_instructions",
    "positions",
)
#: The selects of known/, which take the place of those that build the table.
_FIRST = ("core.calendar", "core.run")
_KNOWN = (
    "core.period_lock",
    "core.snapshot_grade",
    "core.position_adjustment",
    "pnl.account_daily_version",
    "pnl.position_daily_version",
    "pnl.account_daily",
    "pnl.position_daily",
    "main.new_account_daily",
    "main.new_position_daily",
)
#: Made by their own selects: of the whole window, as views of all days, and of what the day is made from.
_WINDOW = ("core.account_eod", "core.broker_day", "core.expected_day", "quality.comparison")
_VIEWS = (
    "core.instruction_history",
    "pnl.prior_period_adjustment",
    "pnl.period",
    "pnl.exposure_daily",
    "pnl.group_daily",
    "quality.gap",
    "quality.reconciliation",
)
_DAY = (
    "core.trade_flow",
    "position_change",
    "core.lifecycle_event",
    "core.trade_request",
    "row_check",
    "invariant",
    "quality.finding",
)
_SELECTS = {table.bare if table.kind == "working" else table.name: table.select for table in TABLES}


@dataclass(frozen=True)
class KnownBooks:
    """An open set of books: of which day, which accounts (all, where empty), and when that was known."""

    con: duckdb.DuckDBPyConnection
    day: date
    accounts: tuple[str, ...]
    known_at: datetime


@contextmanager
def open_known(
    path: Path, day: date | None, known_at: datetime | None, accounts: Sequence[str]
) -> Iterator[KnownBooks]:
    """The books of `day` (the last one, where None) as known at an instant (now, where None).

    Raises ConfigurationError, with what there is instead, for a date without a session, a day or an instant of which
    nothing is known and an account that nobody has; NotPublished and DaybookError as `open_published` does.
    """
    with open_published(path) as con:
        con.execute(FUNCTIONS)  # the selects of a build are run here, with what they call
        try:
            chosen = day or _last_day(con, known_at)
            _check_accounts(con, accounts)
            books = KnownBooks(con, chosen, tuple(sorted(set(accounts))), _knowledge(con, chosen, known_at))
            _derive(books)
        except duckdb.CatalogException as error:
            raise DaybookError(
                f"{path} was published by another daybook than this one ({first_line(error)}): "
                "`daybook build` brings it up to date."
            ) from error
        yield books


def days_to_report(path: Path, first: date, last: date) -> list[date]:
    """The days between two whose end was looked at, in order: those that there is a report of."""
    with open_published(path) as con:
        con.execute(FUNCTIONS)
        found = con.execute(
            "select distinct trading_date from core.run "
            "where trading_date between $1 and $2 and is_end_of_day(grade) order by all",
            [first, last],
        )
        return [day for (day,) in found.fetchall()]


def select(name: str) -> str:
    """The select of a file of this folder, such as sql/accounts, without the comment on top."""
    lines = (HERE / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


def _last_day(con: duckdb.DuckDBPyConnection, known_at: datetime | None) -> date:
    found = con.execute(
        "select max(trading_date) from core.snapshot_grade where eligible and finished_at <= ?", [known_at or FOREVER]
    ).fetchone()
    if found is None or found[0] is None:
        raise ConfigurationError(_before_the_books(con, known_at))
    last: date = found[0]
    return last


def _before_the_books(con: duckdb.DuckDBPyConnection, known_at: datetime | None) -> str:
    first = con.execute("select min(finished_at) from core.snapshot_grade where eligible").fetchone()
    if first is None or first[0] is None:
        return "No day has been closed in these books yet: run `daybook eod` after the close."
    return f"Nothing was known at {said(known_at or FOREVER)}: the first run of these books ended at {said(first[0])}."


def said(instant: datetime) -> str:
    """An instant as it is written in reports and sentences, in UTC, to the second where that is all there is."""
    utc = instant.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}{f'.{utc.microsecond:06}' if utc.microsecond else ''} UTC"


def _check_accounts(con: duckdb.DuckDBPyConnection, accounts: Sequence[str]) -> None:
    known = [
        account
        for (account,) in con.execute("select distinct account_id from core.expected_day order by all").fetchall()
    ]
    strangers = [account for account in accounts if account not in known]
    if strangers:
        more = f" and {len(known) - ACCOUNTS_NAMED} more" if len(known) > ACCOUNTS_NAMED else ""
        raise ConfigurationError(
            f"These books have no account {', '.join(repr(each[:40]) for each in strangers)}: "
            f"they have {', '.join(known[:ACCOUNTS_NAMED])}{more}."
        )


def _knowledge(con: duckdb.DuckDBPyConnection, day: date, known_at: datetime | None) -> datetime:
    """When the books of the day became what they are: the same for every instant between two things learnt."""
    _check_session(con, day)
    row = con.execute(select("sql/knowledge"), {"day": day, "known_at": known_at or FOREVER}).fetchone()
    last_run, first_run, *versions = row or (None, None)
    if last_run is not None:
        newest: datetime = max(each for each in (last_run, *versions) if each is not None)
        return newest
    if first_run is not None:
        sentence = (
            f"Nothing was known of {day} at {said(known_at or FOREVER)}: its first run ended at {said(first_run)}."
        )
        earliest = con.execute("select min(finished_at) from core.snapshot_grade where eligible").fetchone()
        if known_at and earliest and earliest[0] and known_at < earliest[0]:
            sentence = _before_the_books(con, known_at)
        raise ConfigurationError(sentence)
    raise ConfigurationError(_no_data(con, day))


def _check_session(con: duckdb.DuckDBPyConnection, day: date) -> None:
    if con.execute("select 1 from core.calendar where trading_date = ?", [day]).fetchone() is None:
        before = TradingCalendar.load().previous(day)  # raises outside the shipped sessions
        raise ConfigurationError(f"{day} is not a trading day: the one before it is {before}.")


def _no_data(con: duckdb.DuckDBPyConnection, day: date) -> str:
    row = con.execute(
        "select min(trading_date), max(trading_date) from core.snapshot_grade where is_end_of_day(grade)"
    ).fetchone()
    first, last = row or (None, None)
    if first is None:
        return _before_the_books(con, None)
    if first <= day <= last:
        return f"{day} is a gap: nobody took its end of day, and a past day can't be read from the broker any more."
    return f"There is no end of day of {day} in these books: they begin on {first} and end on {last}."


def _derive(books: KnownBooks) -> None:
    """Make the second set of tables. Names are of the catalog and of our files; values are bound."""
    con = books.con
    con.execute("use memory")
    for schema in ("raw", "core", "pnl", "quality"):
        con.execute(f"create schema {schema}")
    window = _ask(books)
    for name in _FIRST:
        con.execute(f"create view {name} as {select(f'known/{name}')}")
    for name in _FACTS:
        con.execute(f"create view raw.{name} as {_fact(con, name)}")
    for name in _KNOWN:
        con.execute(f"create view {name} as {select(f'known/{name}')}")
    for name in ("input_earlier_eod", "input_earlier_roster"):
        con.execute(f"create table main.{name} as {select(f'known/{name}')}")
    con.execute(f"create view core.position_eod as {select('known/core.position_eod')}")
    for name in _WINDOW:
        run(con, f"create table {name} as {_SELECTS[name]}", window)
    _derive_day(books, window)


def _derive_day(books: KnownBooks, window: dict[str, Any]) -> None:
    """What the checks of the day look at, position by position: the day itself and the one before it alone."""
    con, day = books.con, {**window, "from_date": books.day}
    row = con.execute(
        "select min(prev_trading_date) from core.account_eod where trading_date = ?", [books.day]
    ).fetchone()
    before = (row and row[0]) or books.day
    con.execute("drop view core.position_eod")
    run(con, f"create table core.position_eod as {_SELECTS['core.position_eod']}", {**window, "from_date": before})
    for name in _VIEWS:
        con.execute(f"create view {name} as {_SELECTS[name]}")
    for name in _DAY:
        run(con, f"create table {name} as {_SELECTS[name]}", day)
    con.execute(f"create view quality.day as {_SELECTS['quality.day']}")


def _fact(con: duckdb.DuckDBPyConnection, name: str) -> str:
    columns = {column[0] for column in con.execute(f"select * from daybook.raw.{name} limit 0").description or ()}  # noqa: S608
    text = f"select * from daybook.raw.{name} where run_id in (select run_id from core.run)"  # noqa: S608
    # what is asked for no account in particular, such as events, is everybody's
    mine = " and (coalesce(account_id, '') = '' or account_id in (select account_id from main.asked_account))"
    return text + mine if "account_id" in columns else text


def _ask(books: KnownBooks) -> dict[str, Any]:
    """Say in tables what is asked, for the selects to read; the days that are derived again."""
    con = books.con
    row = con.execute(
        """
        select least(
            (
                select max(trading_date) from daybook.core.calendar
                where session_number <= (
                    select session_number - $1 from daybook.core.calendar where trading_date = $2
                )
            ),
            (select min(prev_trading_date) from daybook.pnl.account_daily_version where trading_date = $2)
        )
        """,
        [SESSIONS_BACK, books.day],
    ).fetchone()
    from_date = (row and row[0]) or books.day
    # variables are constants where a view is read, so DuckDB looks at their days alone; a subquery would read them all
    for name, value in {"known_at": books.known_at, "trading_date": books.day, "from_date": from_date}.items():
        con.execute(f"set variable {name} = $1", [value])
    con.execute("create table main.asked_account as select distinct account_id from daybook.core.expected_day")
    if books.accounts:
        con.execute("delete from main.asked_account where not list_contains($1, account_id)", [list(books.accounts)])
    return {"from_date": from_date, "to_date": books.day}
