"""Incidents of days that have ended: the books say so, and those who were told of the one are told of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.alerts.alert import open_incidents, resolve
from pipelines.books.days import COMPLETE
from pipelines.settings import Settings

if TYPE_CHECKING:
    import duckdb

_STANDING = """
    select trading_date::varchar, status, accounts_complete, accounts_expected, accounts_recovered
    from quality.day where trading_date::varchar in (select unnest($days)) and finished_at is not null
"""
#: How its day stands when an incident of a kind is over. A missing day is over when anybody has closed it.
_ENDED_BY = {
    "INCOMPLETE": {COMPLETE},
    "BROKEN": {COMPLETE, "INCOMPLETE"},
    "MISSING_DAY": {COMPLETE, "INCOMPLETE", "BROKEN"},
    "RUN_FAILED": {COMPLETE},
}


def resolve_ended(con: duckdb.DuckDBPyConnection, settings: Settings, *, run_succeeded: bool = False) -> None:
    """Tell the end of every open incident that the books have put an end to. Raises nothing but duckdb.Error.

    `run_succeeded`: a run has gone through to its end, so that failed ones of days that are COMPLETE are over, too.
    """
    incidents = {name: (message, name.split()[-1]) for name, message in open_incidents(settings).items()}
    days = sorted({message.day for message, _ in incidents.values() if message.day})
    found = {row[0]: row for row in con.execute(_STANDING, {"days": days}).fetchall()} if days else {}
    for message, kind in incidents.values():
        if kind == "RUN_FAILED" and not run_succeeded:
            continue
        if kind == "RUN_FAILED" and not message.day:
            resolve(settings, message, "a later run has gone through.")
        elif message.day in found and found[message.day][1] in _ENDED_BY.get(kind, ()):
            _, status, complete, expected, recovered = found[message.day]
            how = f", {recovered} of them recovered" if recovered else ""
            resolve(settings, message, f"the day is {status}, {complete} of {expected} accounts whole{how}.")
