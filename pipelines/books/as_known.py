"""The books of a day as known at an instant: a second set of the derived tables, in memory, over the published copy.

The P&L is read from its versions. What has none (completeness, what the broker said, the comparison with it) is derived
again by the same selects that build it, from the rows that had been landed by then; so a report of the past can be made
again, whatever has been learnt since. Where nothing has been learnt since, as in the evening itself, what these selects
would find is what the copy has, and is read from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from pipelines.books.catalog import MADE_BY, Catalog, Table, select_of
from pipelines.books.inputs import account_in_turn, load_earlier
from pipelines.calendar import TradingCalendar
from pipelines.errors import ConfigurationError, DaybookError, first_line
from pipelines.settings import Books
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS
from pipelines.warehouse.tables import OPEN_END, run_statement

HERE = Path(__file__).parent
#: So many sessions before the day are compared with the broker again, to show breaks that have lasted.
SESSIONS_BACK = 20
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
ACCOUNTS_NAMED = 10
_LAST_DAY = """
    select greatest(
        (select max(trading_date) from core.snapshot_grade where eligible and finished_at <= $1),
        (
            select max(trading_date) from pnl.account_daily_version
            where grade = 'RECOVERED' and known_from <= $1
        )
    )
"""
#: Whether the copy says by which selects it was made. One of an earlier daybook does not.
_HAS_MADE_BY = f"""
    select 1 from duckdb_functions()
    where database_name = 'daybook' and schema_name || '.' || function_name = '{MADE_BY}'
"""


@dataclass(frozen=True)
class BooksAsKnown:
    """An open set of books: of which day, which accounts (all, where empty), and when that was known."""

    con: duckdb.DuckDBPyConnection
    day: date
    accounts: tuple[str, ...]
    known_at: datetime
    catalog: Catalog

    def make(self, name: str) -> None:
        """Make an ephemeral table of the catalogue one of its bare name in `main`, to be asked more than once."""
        table = self.catalog[name]
        self.con.execute(f"create table if not exists main.{table.bare} as {table.select}")


@contextmanager
def open_known(
    catalog: Catalog,
    published: Books,
    day: date | None,
    known_at: datetime | None,
    accounts: Sequence[str],
    *,
    a_thread: int | None = None,
) -> Iterator[BooksAsKnown]:
    """The books of `day` (the last one, where None) as known at an instant (now, where None). `a_thread` as in
    `open_published`.

    Raises ConfigurationError, with what there is instead, for a date without a session, a day or an instant of which
    nothing is known and an account that nobody has; NotPublished and DaybookError as `open_published` does.
    """
    with open_published(published, a_thread=a_thread) as con:
        con.execute(catalog.functions)  # the selects of a build are run here, with what they call
        try:
            chosen = day or _last_day(con, known_at)
            _check_accounts(con, accounts)
            books = BooksAsKnown(con, chosen, tuple(sorted(set(accounts))), _knowledge(con, chosen, known_at), catalog)
            _derive(books)
        except duckdb.CatalogException as error:
            raise DaybookError(
                f"{published} was published by another daybook than this one ({first_line(error)}): "
                "`daybook build` brings it up to date."
            ) from error
        yield books


def days_to_report(catalog: Catalog, published: Books, first: date, last: date) -> list[date]:
    """The days between two whose end was looked at, in order: those that there is a report of."""
    with open_published(published) as con:
        con.execute(catalog.functions)
        found = con.execute(
            """
            select trading_date from core.run where trading_date between $1 and $2 and is_end_of_day(grade)
            union
            select trading_date from core.account_eod where trading_date between $1 and $2 and grade = 'RECOVERED'
            order by all
            """,
            [first, last],
        )
        return [day for (day,) in found.fetchall()]


def _last_day(con: duckdb.DuckDBPyConnection, known_at: datetime | None) -> date:
    found = con.execute(_LAST_DAY, [known_at or FOREVER]).fetchone()
    if found is None or found[0] is None:
        raise ConfigurationError(_before_the_books(con, known_at))
    last: date = found[0]
    return last


def _before_the_books(con: duckdb.DuckDBPyConnection, known_at: datetime | None) -> str:
    first = con.execute("select min(finished_at) from core.snapshot_grade where eligible").fetchone()
    if first is None or first[0] is None:
        return "No day has been closed in these books yet: run `daybook eod` after the close."
    asked, began = format_instant(known_at or FOREVER), format_instant(first[0])
    return f"Nothing was known at {asked}: the first run of these books ended at {began}."


def format_instant(instant: datetime) -> str:
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
    row = con.execute(select_of(HERE / "knowledge.sql"), {"day": day, "known_at": known_at or FOREVER}).fetchone()
    last_run, first_run, *versions = row or (None, None)
    if last_run is not None:
        newest: datetime = max(each for each in (last_run, *versions) if each is not None)
        return newest
    if first_run is not None:
        asked = format_instant(known_at or FOREVER)
        sentence = f"Nothing was known of {day} at {asked}: its first run ended at {format_instant(first_run)}."
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
        return f"{day} is a gap: its end of day was not read, and a past day can't be read from the broker any more."
    return f"There is no end of day of {day} in these books: they begin on {first} and end on {last}."


def _derive(books: BooksAsKnown) -> None:
    """Make the second set of tables. Names are those of the catalogue and of raw; values are bound, or variables."""
    con, catalog = books.con, books.catalog
    raw = _raw_tables(con)
    con.execute("use memory")
    for schema in PUBLISHED_SCHEMAS:
        con.execute(f"create schema {schema}")
    from_date = _ask(books)
    for table in catalog.tables:
        if table.is_copied:
            con.execute(f"create view {table.name} as {_copied(con, table)}")
    for name in raw:
        con.execute(f"create view {name} as {_of_accounts(con, name, 'run_id in (select run_id from core.run)')}")
    for table in catalog.of_kind("versions"):
        _make_versions(con, table)
    load_earlier(con, from_date, known_days="pnl.account_daily", expected="main.earlier_expected")
    if _is_newest(books):
        for table in catalog.tables:
            _published_table(books, table, from_date)
        return
    in_turn = account_in_turn(con, books.day)
    for table in catalog.tables:
        _derive_table(books, table, from_date, in_turn)


def _raw_tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The published tables whose rows are facts of a run."""
    found = con.execute(
        """
        select schema_name || '.' || table_name from duckdb_columns()
        where database_name = 'daybook' and schema_name = 'raw' and column_name = 'run_id' order by all
        """
    )
    return [name for (name,) in found.fetchall()]


def _copied(con: duckdb.DuckDBPyConnection, table: Table) -> str:
    known = f"{table.known_by} <= getvariable('known_at')" if table.known_by else "true"
    return _of_accounts(con, table.name, known)


def _of_accounts(con: duckdb.DuckDBPyConnection, name: str, condition: str) -> str:
    """A select of the published rows that meet a condition, of the accounts asked for where they are of an account."""
    columns = {column[0] for column in con.execute(f"select * from daybook.{name} limit 0").description or ()}
    text = f"select * from daybook.{name} where {condition}"
    # what is asked for no account in particular, such as events, is everybody's
    mine = " and (coalesce(account_id, '') = '' or account_id in (select account_id from main.asked_account))"
    return text + mine if "account_id" in columns else text


def _make_versions(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Every version that existed by then (the one that was current had no end yet), the current ones, and those of the
    window under the name that a build gives what it has just derived."""
    until = f"case when known_to > getvariable('known_at') then timestamptz '{OPEN_END}' else known_to end"
    mine = (
        "account_id in (select account_id from main.asked_account) and trading_date <= getvariable('trading_date')"
        " and known_from <= getvariable('known_at')"
    )
    con.execute(
        f"create view {table.versions} as "
        f"select * replace ({until} as known_to) from daybook.{table.versions} where {mine}"
    )
    con.execute(
        f"create view {table.name} as select * exclude (known_to) from daybook.{table.versions} "
        f"where {mine} and known_to > getvariable('known_at')"
    )
    window = "trading_date between getvariable('from_date') and getvariable('trading_date')"
    con.execute(f"create view main.{table.working} as select * from {table.name} where {window}")


def _is_newest(books: BooksAsKnown) -> bool:
    """Whether the copy's own tables are those of the day as known then: of all accounts, made by these very selects,
    with nothing in them that was learnt later or is of a later day."""
    con = books.con
    if books.accounts or not con.execute(_HAS_MADE_BY).fetchone():
        return False
    made_by = con.execute(f"select daybook.{MADE_BY}()").fetchone()
    if made_by != (books.catalog.fingerprint,):
        return False
    told = [(table.versions, "known_from") for table in books.catalog.of_kind("versions")]
    return not any(_has_later(con, name, learnt) for name, learnt in (*told, ("core.run", "finished_at")))


def _has_later(con: duckdb.DuckDBPyConnection, name: str, learnt: str) -> bool:
    """Whether a published table has a row that was learnt after the instant, or is of a later day."""
    later = f"{learnt} > getvariable('known_at') or trading_date > getvariable('trading_date')"
    return con.execute(f"select 1 from daybook.{name} where {later} limit 1").fetchone() is not None


def _published_table(books: BooksAsKnown, table: Table, from_date: date) -> None:
    """A table as the copy has it, of the days that deriving it would give; what only a build works with is left out."""
    if table.is_copied or table.kind in ("versions", "ephemeral", "working"):
        return
    if table.kind == "view":
        books.con.execute(f"create view {table.name} as {table.select}")
        return
    days = f"between date '{_first_day(books, table, from_date)}' and getvariable('trading_date')"
    books.con.execute(f"create view {table.name} as select * from daybook.{table.name} where trading_date {days}")


def _derive_table(books: BooksAsKnown, table: Table, from_date: date, in_turn: str | None) -> None:
    """A table by its own select, for the days that its entry names; a view as a view."""
    if table.is_copied or table.kind in ("versions", "ephemeral"):
        return
    if table.kind == "view":
        books.con.execute(f"create view {table.name} as {table.select}")
        return
    name = table.working if table.kind == "working" else table.name
    first = _first_day(books, table, from_date)
    asked = {"from_date": first, "to_date": books.day, "account_in_turn": in_turn}
    run_statement(books.con, f"create table {name} as {table.select}", asked)


def _first_day(books: BooksAsKnown, table: Table, from_date: date) -> date:
    """The first day of a table that a report of the day looks at."""
    if table.as_known == "day_and_before":
        return _day_before(books)
    return from_date if table.as_known == "window" else books.day


def _day_before(books: BooksAsKnown) -> date:
    """The known day before that of the report, of the account for which it is furthest back. Where that one was
    recovered, the last before it that was read, from which it is counted."""
    row = books.con.execute(
        """
        select least(min(day.prev_trading_date), min(before.trading_date))
        from core.account_eod as day
        left join lateral (
            select max(earlier.trading_date) as trading_date from core.account_eod as earlier
            where
                earlier.account_id = day.account_id and earlier.trading_date <= day.prev_trading_date
                and earlier.grade <> 'RECOVERED'
        ) as before on true
        where day.trading_date = ?
        """,
        [books.day],
    ).fetchone()
    return (row and row[0]) or books.day


def _ask(books: BooksAsKnown) -> date:
    """Write the day, the accounts and the instant into tables that the selects read; the first day to derive again."""
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
    con.execute(
        """
        create view main.earlier_expected as select * from daybook.core.expected_day
        where account_id in (select account_id from main.asked_account)
        """
    )
    first: date = from_date
    return first
