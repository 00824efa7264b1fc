"""Periods and performance of ten years: what people ask of the histories of accounts, however many positions they hold.

Evenings that were built for real are the last ones of each history; the years before them are made of those rows, with
returns of their own: the first half as the broker's history tells it, the second half as books.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from bench.case import Case, Figure, Result
from bench.designs import peak_mb
from bench.history import SESSIONS, make_history
from bench.queries import WARM, asked
from bench.report import prose, table

YEARS = 10
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
    "every session of every account": "select * from pnl.account_history",
    "periods of one account, all days": "select * from pnl.period where account_id = $account",
    "a year back of one account, all days": (
        "select * from pnl.performance where account_id = $account and \"window\" = '1Y'"
    ),
}


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Each question on ten years of accounts."""
    accounts, years = (4, 1) if quick else (20, YEARS)
    settings = make_history(folder / "years", accounts, 10, 3, published=True)
    with duckdb.connect(settings.published) as con:
        con.execute("set timezone = 'UTC'")
        values = {"first": SESSIONS[0], "sessions": years * 252, "books": years * 126}
        con.execute(_PAST, {name: values[name] for name in ("first", "sessions")})
        con.execute(_BOOKS, {name: values[name] for name in ("first", "books")})
        con.execute(_BROKER, {"books": values["books"]})
        found = con.execute("select max(trading_date), min(account_id), count(*) from pnl.account_history").fetchone()
    assert found
    last, account, rows = found
    assert rows == accounts * (years * 252 + 3), rows
    bound = {"$last": last, "$account": account}
    questions = {
        name: asked(settings, query, {word[1:]: value for word, value in bound.items() if word in query})
        for name, query in QUESTIONS.items()
    }
    assert questions["performance as of a day"]["rows"] == 5 * (accounts + 1), questions
    assert questions["periods of a day"]["rows"] == accounts, questions
    return {"rows": rows, "accounts": accounts, "years": years, "questions": questions, "peak_mb": peak_mb()}


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
        ]
    )


def figures(result: Result) -> list[Figure]:
    """What is watched: seconds are of one machine, so their noise is large."""
    asked_for = result["questions"]
    return [
        Figure("periods of a day", asked_for["periods of a day"]["warm"], 1.0, noise=1.5, unit="s"),
        Figure("performance as of a day", asked_for["performance as of a day"]["warm"], 1.0, noise=1.5, unit="s"),
        Figure("periods, peak memory", result["peak_mb"], unit="MB"),
    ]


CASE = Case("periods", measure, text, figures)
