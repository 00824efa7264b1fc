"""What people ask of the published books, after a year: every query of docs/sql, and a day as known at an instant.

The year is made from evenings that were built (bench/history.py), and unusual days are added (bench/unusual_days.py),
so that each question finds something. Asked as `daybook sql` asks: a new connection for each, first and then warm.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from bench.case import Case, Figure, Result
from bench.designs import cpu, peak_mb
from bench.history import make_history
from bench.report import prose, table
from bench.unusual_days import add_unusual_days
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published

EXAMPLES = Path(__file__).parents[1] / "docs" / "sql"
#: Answers that may be empty: the book has no change of a quantity that nothing explains.
MAYBE_EMPTY = {"unexplained_quantities", "fills_against_quantities"}
WARM = 3
VERSIONS = 3
KNOWN = """
    select * from pnl.position_daily_as_known($instant)
    where account_id = $account and trading_date = $day
"""
#: Two more versions of every row, each known twelve hours after the one before it.
_THRICE = """
    update pnl.position_daily_version set known_to = known_from + interval 12 hours;
    insert into pnl.position_daily_version by name
    select * replace (
        again.version as version,
        known_from + (again.version - 1) * interval 12 hours as known_from,
        case again.version when 2 then known_to + interval 12 hours else timestamptz '9999-12-31 00:00:00+00' end
            as known_to
    )
    from pnl.position_daily_version cross join (values (2), (3)) as again (version)
    where position_daily_version.version = 1
    order by trading_date, again.version
"""

Timing = dict[str, float]


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Every query on a year of the book, and as known at an instant after a month and after a year."""
    accounts, positions, days = (4, 100, 30) if quick else (20, 10_000, 250)
    settings = make_history(folder / "year", accounts, positions, days, published=True)
    with duckdb.connect(settings.published) as con:
        con.execute("set timezone = 'UTC'")
        con.execute("set enable_progress_bar = false")
        add_unusual_days(con)
    queries = {path.stem: asked(settings, path.read_text(encoding="utf-8")) for path in sorted(EXAMPLES.glob("*.sql"))}
    silent = [name for name, each in queries.items() if not each["rows"] and name not in MAYBE_EMPTY]
    assert not silent, silent
    lengths = [10] if quick else [25, 250]
    known = {str(length): _known(folder / f"known{length}", length) for length in lengths}
    return {"rows": accounts * positions * days, "queries": queries, "known": known, "peak_mb": peak_mb()}


def asked(settings: Settings, query: str, values: dict[str, Any] | None = None) -> Timing:
    """Seconds of a query in a new connection and, the median, again; CPU seconds of the quickest, and its rows."""
    seconds, spent, found = [], [], []
    with open_published(settings.books) as con:
        for _ in range(1 + WARM):
            began, before = time.perf_counter(), cpu()
            found.append(len(con.execute(query, values).fetchall()))
            seconds.append(time.perf_counter() - began)
            spent.append(cpu() - before)
    assert len(set(found)) == 1, found
    return {"first": seconds[0], "warm": median(seconds[1:]), "cpu": min(spent), "rows": found[0]}


def _known(folder: Path, days: int) -> Timing:
    """One account and day of the middle of so many days, as its second version had it."""
    accounts, positions = 20, 100
    settings = make_history(folder, accounts, positions, days, published=True)
    with duckdb.connect(settings.published) as con:
        con.execute("set timezone = 'UTC'")
        con.execute("set enable_progress_bar = false")
        for statement in _THRICE.split(";"):
            con.execute(statement)
        counted = con.execute("select count(*) from pnl.position_daily_version").fetchone()
        assert counted == (accounts * positions * days * VERSIONS,), counted
        values = con.execute(
            """
            select min(account_id) as account, trading_date as day, min(known_from) as instant
            from pnl.position_daily_version where version = 2
            group by trading_date order by trading_date limit 1 offset $middle
            """,
            {"middle": days // 2},
        ).fetchone()
        assert values
    timing = asked(settings, KNOWN, dict(zip(("account", "day", "instant"), values, strict=True)))
    assert timing["rows"] == positions, timing
    return timing


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    queries = sorted(result["queries"].items(), key=lambda each: -each[1]["warm"])
    return "\n".join(
        [
            "## Queries",
            "",
            *prose(
                f"Every query of docs/sql on {result['rows']:,} rows of pnl.position_daily, opened as people open the "
                f"published copy: first in a new connection, then warm (median of {WARM}), the slowest on top."
            ),
            "",
            *table(["query", "first s", "warm s", "CPU s", "rows"], [_line(name, each) for name, each in queries]),
            "",
            *prose(
                f"One account and day as known at an instant, every row of the history in {VERSIONS} versions "
                f"(20 accounts with 100 positions each):"
            ),
            "",
            *table(
                ["history", "first ms", "warm ms"],
                [
                    [f"{days} days", f"{1000 * each['first']:.1f}", f"{1000 * each['warm']:.1f}"]
                    for days, each in result["known"].items()
                ],
            ),
        ]
    )


def _line(name: str, each: Timing) -> list[str]:
    return [name, f"{each['first']:.2f}", f"{each['warm']:.2f}", f"{each['cpu']:.2f}", f"{each['rows']:,.0f}"]


def figures(result: Result) -> list[Figure]:
    """What is watched: seconds are of one machine, so their noise is large."""
    known = list(result["known"].values())
    return [
        Figure(
            "slowest query of docs/sql",
            max(each["warm"] for each in result["queries"].values()),
            1.0,
            noise=1.5,
            unit="s",
        ),
        Figure("as known at an instant", 1000 * known[-1]["warm"], 100.0, noise=1.5, unit="ms"),
        Figure("as known at an instant, long history against short", known[-1]["warm"] / known[0]["warm"], noise=2.0),
        Figure("queries, peak memory", result["peak_mb"], unit="MB"),
    ]


CASE = Case("queries", measure, text, figures)
