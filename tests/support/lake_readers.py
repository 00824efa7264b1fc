"""Readers of a lake in a process of their own: eight threads that ask until they are told to stop.

`python -m tests.support.lake_readers CATALOG DATA`; on standard output one JSON object: how many questions each asked,
what went wrong, and the days on which the accounts did not add up to the firm.
"""

from __future__ import annotations

import json
import sys
import threading

import duckdb

from pipelines.errors import DaybookError
from pipelines.settings import Lake
from pipelines.warehouse.connect import open_published

READERS = 8
#: A day whose accounts do not add up to the firm is one that was read half before and half after a commit.
_TORN = """
    select firm.trading_date from pnl.firm_daily as firm
    left join (
        select trading_date, sum(total_pnl) as total_pnl, count(*) as accounts
        from pnl.account_daily where total_pnl is not null group by trading_date
    ) as added on firm.trading_date = added.trading_date
    where firm.total_pnl is not null and firm.total_pnl is distinct from coalesce(added.total_pnl, 0)
"""
_DAYS = "select count(*) from quality.day"


def main(catalog: str, data: str) -> None:
    """Read until standard input ends."""
    lake, over = Lake(catalog, data), threading.Event()
    asked, errors, torn, seen = [0] * READERS, list[str](), list[str](), set[int]()

    def read(number: int) -> None:
        while not over.wait(3.0):
            try:
                with open_published(lake) as con:
                    torn.extend(str(day) for (day,) in con.execute(_TORN).fetchall())
                    seen.update(count for (count,) in con.execute(_DAYS).fetchall())
                    asked[number] += 1
            except (DaybookError, duckdb.Error) as error:
                errors.append(str(error))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    print("reading", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"asked": asked, "errors": errors, "torn": torn, "days": sorted(seen)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
