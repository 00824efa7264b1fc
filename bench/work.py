"""What the load tests have processes of their own do: `python -m bench.work WHAT HOME [URL]`, one line of JSON each.

`evening` closes a day (sync, build, publish); `read` asks the published copy the same question until its standard input
ends; `replay` lands an archive, given in the place of the address, in an empty home. Each tells its own peak memory.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from bench.designs import cpu, peak_mb
from pipelines.ingest.snapshot import Snapshot
from pipelines.settings import Settings

Said = dict[str, Any]
#: Every day with its rows and results: of a whole copy each day has the same number of rows as it had accounts.
QUESTION = """
    select trading_date, count(*), count(distinct account_id), sum(market_value)
    from pnl.position_daily group by trading_date order by trading_date
"""
#: Between two questions of a reader, seconds: a dashboard that is never left alone.
PAUSE = 0.5


def evening(home: Path, url: str) -> Said:
    """Close the broker clock's day: seconds of each step, and how it ended."""
    from pipelines.books.build import build
    from pipelines.ingest.snapshot import take_snapshot
    from pipelines.warehouse.published import publish_if_behind
    from pipelines.warehouse.session import warehouse_session as hold

    settings = Settings(base_url=url, home=home)
    with hold(settings) as con:
        began = time.perf_counter()
        snapshot = take_snapshot(con, settings)
        read, read_mb = time.perf_counter(), peak_mb()
        build(con, settings, CATALOG)
        built = time.perf_counter()
        publish_if_behind(con, settings)
        done = time.perf_counter()
        found = con.execute("select count(*) from raw.positions where run_id = ?", [snapshot.run_id]).fetchone()
    return {
        "sync": read - began,
        "build": built - read,
        "publish": done - built,
        "sync_peak_mb": read_mb,
        "rows": (found or (0,))[0],
        "complete": snapshot.accounts_complete,
        "expected": snapshot.accounts_expected,
    }


def _until_told(stopped: threading.Event) -> None:
    sys.stdin.read()
    stopped.set()


def read(home: Path, _: str) -> Said:
    """Ask until told to stop. Every answer has to be of whole days: as many rows on each as on the first."""
    from pipelines.warehouse.connect import open_published

    stopped = threading.Event()
    threading.Thread(target=_until_told, args=[stopped], daemon=True).start()
    settings = Settings(home=home)
    seconds, days, torn = [], set(), 0
    while not stopped.is_set():
        began = time.perf_counter()
        with open_published(settings.published) as con:
            answer = con.execute(QUESTION).fetchall()
        seconds.append(time.perf_counter() - began)
        days.add(len(answer))
        torn += len({row[1:3] for row in answer}) != 1
        stopped.wait(PAUSE)
    return {"reads": len(seconds), "longest": max(seconds), "torn": torn, "days_seen": sorted(days)}


def replay(home: Path, archive: str) -> Said:
    """Land every run of an archive and build it as if its evening had just passed."""
    from pipelines.books.build import build
    from pipelines.ingest.replay import replay as replay_runs
    from pipelines.warehouse.session import warehouse_session as hold

    settings = Settings(base_url="http://127.0.0.1:1", home=home)
    with hold(settings) as con:
        began = time.perf_counter()

        def after(_: Snapshot) -> None:
            build(con, settings, CATALOG)

        done = replay_runs(con, settings, archive=Path(archive), after=after)
        assert not done.damaged, done.damaged
        return {"seconds": time.perf_counter() - began, "sessions": len(done.landed), "books": book_totals(con)}


def book_totals(con: duckdb.DuckDBPyConnection) -> list[str]:
    """What two warehouses of the same books have in common: rows and sums, as exact text."""
    found = con.execute(
        """
        select (select count(*)::varchar from raw.positions), (select sum(market_value)::varchar from raw.positions),
            (select count(*)::varchar from pnl.position_daily),
            (select sum(total_pnl)::varchar from pnl.position_daily),
            (select string_agg(distinct status) from quality.day)
        """
    ).fetchone()
    assert found
    return list(found)


def main() -> None:
    """Do one job and print its result as JSON."""
    what, home, *more = sys.argv[1:]
    said = {"evening": evening, "read": read, "replay": replay}[what](Path(home), more[0] if more else "")
    print(json.dumps({**said, "cpu": cpu(), "peak_mb": peak_mb()}), flush=True)


if __name__ == "__main__":
    main()
