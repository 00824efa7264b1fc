"""Parts of an evening: sixteen, always, so that nobody reshards. How many are read at once is a matter of workers.

A plan asks for the list of accounts and lands a row NOT_ASKED for each that is expected: a part that never comes leaves
gaps. A part is a run like any other, of the plan's accounts that fall into it; its id begins with when it began and
goes on with the plan's own token, so that the runs of one reading are told by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from zlib import crc32

import duckdb

from pipelines.errors import ConfigurationError, DaybookError
from pipelines.ingest.warehouse_state import WarehouseState
from pipelines.warehouse.tables import exists

PARTS = 16

#: The last plan of a trading day, by the rows that it alone lands.
_PLAN = """
    select max(run.run_id)
    from raw.extract_run as run
    inner join raw._dlt_loads as committed on run._dlt_load_id = committed.load_id and committed.status = 0
    semi join raw.extract_manifest as manifest
        on run.run_id = manifest.run_id and manifest.endpoint = 'positions' and manifest.status = 'NOT_ASKED'
    where run.trading_date = $day
"""

_ACCOUNTS = """
    select manifest.account_id, accounts.open_date, accounts.account_id is null
    from raw.extract_manifest as manifest
    left join raw.accounts as accounts
        on manifest.run_id = accounts.run_id and manifest.account_id = accounts.account_id
    where manifest.run_id = $plan and manifest.endpoint = 'positions'
    order by manifest.account_id
"""

_LANDED = """
    select run.run_id
    from raw.extract_run as run
    inner join raw._dlt_loads as committed on run._dlt_load_id = committed.load_id and committed.status = 0
    where run.trading_date = $day and run.run_id like $runs and run.status = 'COMPLETE'
    limit 1
"""


class NotPlanned(DaybookError):
    """A part was asked for of a day that has no plan, so nobody knows what belongs to it."""

    todo = "Land a plan of the day first: the job `plan`."


@dataclass(frozen=True)
class Planned:
    """One part of a plan: its accounts, each with the day on which it was opened (None where the broker doesn't say),
    and those of them that the broker lists no longer."""

    plan_id: str
    part: int
    trading_date: date
    opened: dict[str, date | None]
    unlisted: frozenset[str] = frozenset()

    @property
    def token(self) -> str:
        """What the ids of all runs of the part have in common, after the time at which each began."""
        return f"{self.plan_id.split('-')[1]}-{self.part:02}"


def part_of(account_id: str) -> int:
    """The part that an account belongs to, for ever: 0 to 15."""
    return crc32(account_id.encode()) % PARTS


def planned_part(con: duckdb.DuckDBPyConnection, part: int, day: date) -> Planned:
    """A part of the day's last plan. Raises NotPlanned where there is none, ConfigurationError for a part that isn't
    one of the sixteen."""
    if not 0 <= part < PARTS:
        raise ConfigurationError(f"There is no part {part}: parts are 0 to {PARTS - 1}.")
    found = con.execute(_PLAN, {"day": day}).fetchone() if exists(con, "raw.extract_manifest") else None
    if found is None or found[0] is None:
        raise NotPlanned(
            f"There is no plan of {day}, or it expects no account, so there are no parts to read: land one first."
        )
    (plan_id,) = found
    rows = [row for row in con.execute(_ACCOUNTS, {"plan": plan_id}).fetchall() if part_of(row[0]) == part]
    return Planned(
        plan_id,
        part,
        day,
        opened={account: opened for account, opened, _ in rows},
        unlisted=frozenset(account for account, _, unlisted in rows if unlisted),
    )


def landed_whole(con: duckdb.DuckDBPyConnection, planned: Planned) -> str | None:
    """The run that landed the part with every account whole; None where none has: a part is read once, and again only
    where that adds something."""
    found = con.execute(_LANDED, {"day": planned.trading_date, "runs": f"%-{planned.token}-%"}).fetchone()
    return found[0] if found else None


def known_of(known: WarehouseState, planned: Planned) -> WarehouseState:
    """What is known of a part's accounts, and of nobody else's: it is archived with the run."""
    mine = planned.opened.keys()
    return replace(
        known,
        last_complete={account: day for account, day in known.last_complete.items() if account in mine},
        expected=frozenset(mine),
        closed={},
        history={account: days for account, days in known.history.items() if account in mine},
        history_failed=known.history_failed & mine,
    )
