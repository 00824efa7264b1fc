"""Migrations: numbered steps that make the warehouse of an earlier daybook one of today's, after a backup of it.

Steps are for what can't be made again: the columns of raw.*, of the tables of versions, and of what commands keep.
Derived tables need none, a build makes them anew (pipelines/warehouse/tables.py). A step is never changed or removed
once people have it; the next one goes below it, with the next number, and the schema version in connect.py follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.errors import DaybookError, WrongWarehouse, first_line
from pipelines.progress import Activity, OnProgress, ignore_progress
from pipelines.settings import Settings
from pipelines.warehouse.backup import make_backup
from pipelines.warehouse.connect import remember, remembered
from pipelines.warehouse.dlt_pipeline import finish_pending, open_pipeline
from pipelines.warehouse.tables import is_lake

KEY = "schema_version"


@dataclass(frozen=True)
class Step:
    """From the version before to `version`. `what` it does is said where it fails.

    Its statements run in one transaction; they may meet a warehouse that was never
    built, so what a build makes has to be named with `if exists`.
    """

    version: int
    what: str
    statements: tuple[str, ...]

    @property
    def changes_raw(self) -> bool:
        """Whether it changes tables that dlt writes, whose schema dlt keeps a copy of."""
        return any(re.search(r"\braw\.", statement) for statement in self.statements)


STEPS = (
    Step(
        2,
        "multipliers of all versions get the type of the contract",
        ("alter table if exists pnl.position_daily_version alter multiplier type decimal(12, 4)",),
    ),
    Step(
        3,
        "market snapshots get their table",
        (
            "create table if not exists raw.market_snapshot (run_id varchar not null, instrument_id varchar not null, "
            "symbol varchar, name varchar, last_trade varchar, last_quote varchar, session varchar, greeks varchar, "
            "cumulative_volume bigint, open_interest bigint, short_sale_restricted boolean, "
            "extra varchar, _dlt_load_id varchar not null)",
        ),
    ),
)


def migrate(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    *,
    steps: Sequence[Step] = STEPS,
    on_progress: OnProgress = ignore_progress,
) -> Path | None:
    """Bring an open warehouse to the newest version; the backup made before, or None where nothing was due, or the
    warehouse is a lake, whose former snapshots are there.

    The caller holds the run lock. Raises WrongWarehouse where a newer daybook wrote it; DaybookError, with the
    warehouse as it was, where the backup or a step fails.
    """
    found = remembered(con, KEY)
    if found is None:  # nobody has landed anything yet
        return None
    version, newest = int(found), steps[-1].version
    if version > newest:
        raise WrongWarehouse("The warehouse was written by a newer daybook: update this one before you use it.")
    due = [step for step in steps if step.version > version]
    if not due:
        return None
    on_progress(
        Activity(f"bringing the books of an earlier daybook from version {version} to {newest}, after a backup")
    )
    backup = None
    if not is_lake(con):
        backup = make_backup(con, settings, label=f"version-{version}", on_progress=on_progress)
    try:
        if any(step.changes_raw for step in due):
            _reset_dlt_schema(con, settings, on_progress)
        for step in due:
            _apply(con, step)
    except DaybookError as error:
        raise DaybookError(f"{error} A backup from before is {backup}." if backup else str(error)) from error
    return backup


def _apply(con: duckdb.DuckDBPyConnection, step: Step) -> None:
    """One step, whole or not at all, and on disk: DuckDB has failed to replay changed tables from its log."""
    try:
        con.execute("begin")
        for statement in step.statements:
            con.execute(statement)
        remember(con, KEY, str(step.version))
        con.execute("commit")
        if not is_lake(con):  # there it would merge files, and expire snapshots
            con.execute("checkpoint")
    except duckdb.Error as error:
        with suppress(duckdb.Error):  # a disk that is full has ended the transaction already
            con.execute("rollback")
        raise DaybookError(
            f"The warehouse could not be brought to version {step.version}, in which {step.what} "
            f"({first_line(error)}): it is at the version before."
        ) from error


def _reset_dlt_schema(con: duckdb.DuckDBPyConnection, settings: Settings, on_progress: OnProgress) -> None:
    """Load what waits, in the tables that it was read for; then dlt learns today's from the next landing.

    Its own idea of the tables is frozen: a column that it has not seen would fail every landing from here on.
    """
    if alert := finish_pending(con, settings):
        on_progress(Activity(alert))
    open_pipeline(con, settings.dlt).drop()
