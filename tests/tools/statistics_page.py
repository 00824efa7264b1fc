"""docs/statistics.md: what pnl.performance says of a series of returns, beside the libraries of the field.

`DAYBOOK_PERFORMANCE_PYTHON=.venv-peers-performance/bin/python python -m tests.tools.statistics_page` writes it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.sandbox.past import past_sessions
from tests.support.evenings import CALENDAR, THURSDAY, answer, evening
from tests.support.facts import Book, Segment
from tests.support.landing import land, open_raw, settings_of

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
SCRIPT = Path(__file__).with_name("performance_peers.py")
SERIES = [session.date for session in CALENDAR.sessions(date(2023, 6, 14), THURSDAY)]
FIRST = {"ITD": SERIES[1], "1Y": date(2024, 10, 31), "YTD": date(2025, 1, 2), "MTD": date(2025, 10, 1)}
RISK_FREE = Decimal("0.043")
NAMES = {"quantstats": "QuantStats", "empyrical": "empyrical-reloaded"}
_TOP = """\
# Statistics of returns

`pnl.performance` measures the daily returns of `pnl.account_history`: the broker's net P&L of a session, after fees and
with income, over the equity at its start and what came in on it. So money that comes or goes is no return. Every column
is defined in the [data dictionary](data-dictionary.md); the conventions are those of the field's own libraries:

- A year has 252 sessions. Deviations are those of a sample (n - 1).
- The risk-free rate is 0 unless `DAYBOOK_RISK_FREE` gives a yearly one; a day's is its 252nd root.
- A session whose return is not known is a hole: counted in `holes`, never filled with a zero. Over a hole nothing is
  linked: `twr`, `annualized_return` and the drawdown are null. The other figures are of the `sessions` that are known.
- `annualized_return` of a few sessions is a large number that means little: not one to publish of less than a year.
- All accounts of a currency together (`account_id` is null) are one portfolio: their P&L over their equity, by day.

## Beside the libraries

The same {sessions} daily returns (from {first} to {last}, made up by the sandbox), with a risk-free rate of
{risk_free}: what daybook says, and how far from it are
{versions}. A test compares all of them, and a short series with decimals worked out
by hand.
"""


def told() -> tuple[Segment, ...]:
    """An account's history, by the sandbox."""
    return tuple(
        Segment(
            past.date, *(Decimal(cents) / 100 for cents in (past.realized, past.unrealized, net, past.sod, past.eod))
        )
        for past in past_sessions(CALENDAR.sessions(SERIES[0], SERIES[-1]), 1_000_000, "statistics")
        for net in (past.realized + past.unrealized + past.income,)
    )


def landed(con: duckdb.DuckDBPyConnection, home: Path, risk_free: Decimal) -> dict[date, Decimal]:
    """The books of that account, with such a risk-free rate; what each session returned, from the second on."""
    run = evening(SERIES[-1], answer(fills=None, history=told()))
    land(con, run)
    settings = settings_of(Book((run,)), home).model_copy(update={"risk_free": risk_free})
    build(con, settings, CATALOG, built_at=run.at)
    query = "select trading_date, daily_return from pnl.account_history where daily_return is not null order by all"
    return dict(con.execute(query).fetchall())


def ask_peers(python: Path, returns: Mapping[date, Decimal], risk_free: Decimal) -> Any:
    """What the libraries say of the same returns, by window."""
    series = {
        window: [[str(day), str(rate)] for day, rate in returns.items() if day >= begin]
        for window, begin in FIRST.items()
    }
    question = json.dumps({"risk_free": str(risk_free), "series": series})
    return json.loads(
        subprocess.run([python, SCRIPT], input=question, capture_output=True, text=True, check=True).stdout
    )


def ours(con: duckdb.DuckDBPyConnection, window: str) -> dict[str, Any]:
    """What daybook says of the account's window."""
    found = con.execute(
        'select * from pnl.performance where as_of = $1 and "window" = $2 and account_id is not null',
        [SERIES[-1], window],
    )
    (row,) = found.fetchall()
    return dict(zip([column[0] for column in found.description], row, strict=True))


def page(con: duckdb.DuckDBPyConnection, home: Path, python: Path) -> str:
    """The page as it should be."""
    returns = landed(con, home, RISK_FREE)
    peers = ask_peers(python, returns, RISK_FREE)
    versions = " and ".join(f"{name} {number}" for name, number in peers["versions"].items())
    lines = [
        _TOP.format(
            sessions=len(returns), first=min(returns), last=max(returns), risk_free=RISK_FREE, versions=versions
        )
    ]
    for window, said in peers["figures"].items():
        lines += _table(window, ours(con, window), said)
    return "\n".join(lines)


def _table(window: str, own: Mapping[str, Any], said: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    figures = [name for name in own if any(name in each for each in said.values())]
    rows = [
        f"| `{name}` | {own[name]} | {' | '.join(_difference(own[name], said[peer].get(name)) for peer in NAMES)} |"
        for name in figures
    ]
    head = f"| {window}, {own['sessions']} sessions | daybook | " + " | ".join(NAMES.values()) + " |"
    return [head, "|---|---|" + "---|" * len(NAMES), *rows, ""]


def _difference(own: Any, theirs: Any) -> str:
    if theirs is None:
        return "-"
    if isinstance(own, date):
        return "the same" if str(own) == theirs else str(theirs)
    apart = abs(float(own) - theirs)
    return "the same to 10 places" if apart < 1e-10 else f"{apart:.0e} off"


if __name__ == "__main__":
    with open_raw() as books, TemporaryDirectory() as folder:
        PAGE.write_text(page(books, Path(folder), Path(os.environ["DAYBOOK_PERFORMANCE_PYTHON"])), encoding="utf-8")
