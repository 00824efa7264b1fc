"""Periods and performance of ten years: what people ask of the histories of accounts, however many positions they hold.

Evenings that were built for real are the last ones of each history; the years before them are made of those rows, with
returns of their own: the first half as the broker's history tells it, the second half as books. The last evening is
built again on top of one year and of ten.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from assets.catalog import CATALOG
from bench.case import Case, Figure, Result
from bench.designs import cpu, peak_mb
from bench.history import REAL, SESSIONS, make_history
from bench.queries import WARM, asked
from bench.report import prose, table
from pipelines.books.build import build
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session

YEARS = 10
#: How often the evening is built again; the quickest counts, for all that others do on the machine makes it slower.
BUILDS = 5
#: Sessions before the first evening, the earliest first, with a return each that depends on account and session alone.
_PAST = """
    create temporary table past as
    select
        account_id, calendar.trading_date, calendar.prev_trading_date, calendar.regular_close as known_from,
        row_number() over (partition by account_id order by calendar.trading_date desc) as back,
        cast((cast(hash(account_id, calendar.trading_date) % 2001 as int) - 990) / 100000 as decimal(18, 10))
            as daily_return
    from (select distinct account_id from pnl.account_daily) as account
    cross join core.calendar
    where calendar.trading_date < $first
    qualify back <= $sessions
    order by calendar.trading_date, account_id
"""
_BOOKS = """
    insert into pnl.account_daily_version by name
    select
        daily.* replace (
            past.trading_date as trading_date, past.prev_trading_date as prev_trading_date, 1 as days_covered,
            past.daily_return as daily_return, past.daily_return * 100000 as total_pnl, past.known_from as known_from,
            past.daily_return * 100000 as broker_net, 100000 as sod_equity, 0 as flow
        )
    from past
    inner join pnl.account_daily_version as daily on past.account_id = daily.account_id and daily.trading_date = $first
    where past.back <= $books
"""
_BROKER = """
    insert into pnl.missed_day_version by name
    select
        account_id, trading_date, daily_return, known_from, 1 as version, 0 as flow, 100000 as sod_equity,
        daily_return * 100000 as total_pnl, daily_return * 100000 as net_pnl,
        timestamptz '9999-12-31 00:00:00+00' as known_to
    from past where back > $books
"""
QUESTIONS = {
    "periods of a day": "select * from pnl.period where trading_date = $last",
    "performance as of a day": "select * from pnl.performance where as_of = $last",
    "performance, the last of each": "select * from pnl.performance where is_latest",
    "performance of one account, its last": "select * from pnl.performance where account_id = $account and is_latest",
    "every session of every account": "select * from pnl.account_history",
    "periods of one account, all days": "select * from pnl.period where account_id = $account",
    "a year back of one account, all days": (
        "select * from pnl.performance where account_id = $account and \"window\" = '1Y'"
    ),
}


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Each question on ten years of accounts, and an evening built on one year of them and on ten."""
    accounts, years = (4, 2) if quick else (20, YEARS)
    settings = make_history(folder / "years", accounts, 10, REAL, published=True)
    with duckdb.connect(settings.published) as con:
        con.execute("set timezone = 'UTC'")
        con.execute("set enable_progress_bar = false")
        _add_years(con, years)
        found = con.execute("select max(trading_date), min(account_id), count(*) from pnl.account_history").fetchone()
    assert found
    last, account, rows = found
    assert rows == accounts * (years * 252 + REAL), rows
    bound = {"$last": last, "$account": account}
    questions = {
        name: asked(settings, query, {word[1:]: value for word, value in bound.items() if word in query})
        for name, query in QUESTIONS.items()
    }
    for name in ("performance as of a day", "performance, the last of each"):
        assert questions[name]["rows"] == 5 * (accounts + 1), questions
    assert questions["periods of a day"]["rows"] == accounts, questions
    built = {str(each): _built(folder / f"built{each}", accounts, each) for each in (1, years)}
    return {
        "rows": rows,
        "accounts": accounts,
        "years": years,
        "questions": questions,
        "built": built,
        "peak_mb": peak_mb(),
    }


def _add_years(con: duckdb.DuckDBPyConnection, years: int) -> None:
    values = {"first": SESSIONS[0], "sessions": years * 252, "books": years * 126}
    con.execute(_PAST, {name: values[name] for name in ("first", "sessions")})
    con.execute(_BOOKS, {name: values[name] for name in ("first", "books")})
    con.execute(_BROKER, {"books": values["books"]})


def _built(folder: Path, accounts: int, years: int) -> float:
    """CPU seconds of building the last evening again, on so many years."""
    settings: Settings = make_history(folder, accounts, 10, REAL)
    day, spent = SESSIONS[REAL - 1], []
    with warehouse_session(settings) as con:
        _add_years(con, years)
        con.execute("checkpoint")
        for _ in range(1 + BUILDS):
            before = cpu()
            build(con, settings, CATALOG, from_date=day, to_date=day)
            spent.append(cpu() - before)
    return min(spent[1:])


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    return "\n".join(
        [
            "## Periods and performance",
            "",
            *prose(
                f"{result['years']} years of {result['accounts']} accounts, {result['rows']:,} sessions, half of them "
                "told by the broker's history alone. These read no position. First in a new connection, then warm "
                f"(median of {WARM})."
            ),
            "",
            *table(
                ["question", "first s", "warm s", "CPU s", "rows"],
                [
                    [name, f"{each['first']:.2f}", f"{each['warm']:.2f}", f"{each['cpu']:.2f}", f"{each['rows']:,.0f}"]
                    for name, each in result["questions"].items()
                ],
            ),
            "",
            *prose(
                "An evening of these accounts, built again: "
                + ", ".join(
                    f"{spent:.2f} CPU s on {each} year{'' if each == '1' else 's'} of history"
                    for each, spent in result["built"].items()
                )
                + "."
            ),
        ]
    )


def figures(result: Result) -> list[Figure]:
    """What is watched: seconds are of one machine, so their noise is large."""
    built = list(result["built"].values())
    named = ("periods of a day", "performance as of a day", "performance, the last of each")
    return [
        *(Figure(f"{name}, cpu", result["questions"][name]["cpu"], 1.0, noise=1.5, unit="s") for name in named),
        Figure("an evening on ten years of accounts against one year, cpu", built[-1] / built[0], 1.3),
        Figure("periods, peak memory", result["peak_mb"], unit="MB"),
    ]


CASE = Case("periods", measure, text, figures)
