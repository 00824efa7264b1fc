"""A build: raw to core, pnl and quality, in one transaction. No network, no orchestrator; running it again
changes nothing."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.books.catalog import MADE_BY, Catalog, Table
from pipelines.books.changes import all_days, changed_days, days_alone, pieces, spans
from pipelines.books.comments import comment
from pipelines.books.engine import Engine
from pipelines.books.inputs import account_in_turn, load_earlier, load_inputs, no_earlier
from pipelines.calendar import TradingCalendar
from pipelines.errors import BuildFailed, ConfigurationError, DaybookError, first_line
from pipelines.settings import Settings
from pipelines.warehouse.connect import remember, remembered
from pipelines.warehouse.limits import BUILD_THREAD, Size
from pipelines.warehouse.tables import (
    OPEN_END,
    add_versions,
    dates_of,
    drop_view,
    make_empty,
    make_kept,
    make_version_table,
    make_view,
    make_working,
    make_working_view,
    replace_days,
    replace_whole,
)

RUNS = "core.run"
logger = logging.getLogger("daybook.build")


@dataclass
class Built:
    """What a build did: the ranges of trading dates it looked at, and how many versions it added to each table."""

    spans: list[tuple[date, date]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether the build changed anything in the books."""
        return any(self.versions.values())


def build(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalog: Catalog,
    *,
    from_date: date | None = None,
    to_date: date | None = None,
    built_at: datetime | None = None,
    engine: Engine | None = None,
) -> Built:
    """Build the days whose inputs changed, and those from `from_date` to `to_date` where given. `engine` computes the
    rows; DuckDB, where none is given.

    Few positions are built by one thread. For more, DuckDB keeps to a share of memory; where it can't, all of it is
    done again without. All or nothing: raises BuildFailed, with the warehouse as it was, when a select fails;
    ConfigurationError for an adjustments.csv that can't be read or dates in the wrong order.
    """
    asked = (settings, catalog, from_date, to_date, built_at, engine or Engine())
    with Size(con, BUILD_THREAD) as size:
        try:
            with _folder(settings.working):
                return _build(con, size, *asked)
        except BuildFailed as why:
            if not isinstance(why.__cause__, duckdb.OutOfMemoryException) or not size.free():
                raise
            logger.info("the build did not fit into its share of memory, and is done again without: %s", why)
        with _folder(settings.working):
            return _build(con, size, *asked)


@contextmanager
def _folder(working: Path) -> Iterator[None]:
    """A folder for the block, new and gone with it; what a killed build left there is gone, too.

    Raises ConfigurationError where something else is in its place: what a link leads to is not ours to remove.
    """
    shutil.rmtree(working, ignore_errors=True)  # leaves a link alone
    try:
        working.mkdir(mode=0o700)
    except OSError as error:
        what = "is a link" if working.is_symlink() else f"can't be made ({error.strerror})"
        raise ConfigurationError(
            f"{working} {what}: a build makes a folder of its own there and removes it. Take away what is there."
        ) from error
    try:
        yield
    finally:
        shutil.rmtree(working, ignore_errors=True)


@dataclass(frozen=True)
class _Work:
    """A build that goes on: what every step of it needs."""

    con: duckdb.DuckDBPyConnection
    size: Size
    catalog: Catalog
    working: Path
    values: Mapping[str, Any]
    calendar: TradingCalendar
    engine: Engine
    built: Built = field(default_factory=Built)

    def on(self, first: date, last: date) -> Mapping[str, Any]:
        """The values of selects that derive the days from `first` to `last`."""
        return {**self.values, "from_date": first, "to_date": last}


def _build(
    con: duckdb.DuckDBPyConnection,
    size: Size,
    settings: Settings,
    catalog: Catalog,
    from_date: date | None,
    to_date: date | None,
    built_at: datetime | None,
    engine: Engine,
) -> Built:
    calendar = load_inputs(con, settings)
    values = {
        "realized": settings.realized,
        "risk_free": settings.risk_free,
        "built_at": built_at or datetime.now(UTC),
    }
    work = _Work(con, size, catalog, settings.working, values, calendar, engine)
    con.execute("begin")
    try:
        _build_all(work, _asked(calendar, from_date, to_date))
        con.execute("commit")
    except duckdb.Error as error:
        _roll_back(con)
        raise BuildFailed(f"The build failed and changed nothing: {first_line(error)}") from error
    except DaybookError:
        _roll_back(con)
        raise
    return work.built


def _build_all(work: _Work, asked: list[date]) -> None:
    con, catalog, calendar = work.con, work.catalog, work.calendar
    anew = make_tables(con, catalog, work.working, work.values)
    if anew:
        asked = asked + all_days(con, calendar)
    changed = changed_days(con, catalog, anew=anew)  # beside what the books were made of until now
    for table in catalog.of_kind("whole"):
        replace_whole(con, table.name, table.select, work.values)
    _build_ranges(work, spans(con, sorted({*changed, *asked}), calendar))
    _build_ranges(work, spans(con, dates_of(con, catalog.unsettled), calendar))
    _build_alone(work)


def _roll_back(con: duckdb.DuckDBPyConnection) -> None:
    """Undo what the transaction has done. A disk that is full, or a catalog that is gone, has ended it already."""
    with suppress(duckdb.Error):
        con.execute("rollback")


def _asked(calendar: TradingCalendar, start: date | None, end: date | None) -> list[date]:
    if start is None and end is None:
        return []
    first, last = start or end, end or start
    assert first is not None  # noqa: S101  (one of the two was given)
    assert last is not None  # noqa: S101
    if first > last:
        raise ConfigurationError(f"--from {first} is after --to {last}: give the earlier day first.")
    return [session.date for session in calendar.sessions(first, last)]


def make_tables(con: duckdb.DuckDBPyConnection, catalog: Catalog, working: Path, values: Mapping[str, Any]) -> bool:
    """Every table and view, empty where it is new; whether a derived table is new, or was made anew with other columns.

    Selects read each other, and some their own past, so all exist before any is filled. Where the same selects made
    them last time there is nothing to do.
    """
    no_earlier(con)
    con.execute(catalog.functions)
    if remembered(con, "selects") == catalog.fingerprint:
        return False
    nothing = {**values, "from_date": date(1, 1, 1), "to_date": date(1, 1, 1), "account_in_turn": None}
    for view in catalog.of_kind("view"):
        drop_view(con, view.name)
    renewed = [_make(con, working, table, nothing) for table in catalog.tables if table.kind != "ephemeral"]
    comment(con, catalog)
    con.execute(f"create or replace macro {MADE_BY}() as '{catalog.fingerprint}'")  # is published with the tables
    remember(con, "selects", catalog.fingerprint)
    return any(renewed)


def _make(con: duckdb.DuckDBPyConnection, working: Path, table: Table, nothing: Mapping[str, Any]) -> bool:
    con.execute(f"create schema if not exists {table.schema}")
    if table.kind in ("working", "versions"):
        make_working(con, table.working, working, f"select * from ({table.select}) limit 0", nothing)
    if table.kind == "view":
        make_view(con, table.name, table.select)
    elif table.kind == "versions":
        make_version_table(con, table.versions, table.working)
        _make_current(con, table)
    elif table.kind == "kept":
        make_kept(con, table.name, table.select)
    elif table.lasts:
        return make_empty(con, table.name, table.select, nothing)
    return False


def _make_current(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """The view of current versions, and the macro that answers as known at an instant."""
    make_view(
        con,
        table.name,
        f"select * exclude (known_to) from {table.versions} where known_to = timestamptz '{OPEN_END}'",
    )
    con.execute(
        f"create or replace macro {table.name}_as_known(ts) as table "
        f"select * from {table.versions} where known_from <= ts and ts < known_to"
    )


def _build_ranges(work: _Work, ranges: list[tuple[date, date]]) -> None:
    for start, end in ranges:  # all of them first: a run tells of earlier days too
        replace_days(work.con, RUNS, work.catalog[RUNS].select, {"from_date": start, "to_date": end})
    for start, end in ranges:
        for piece in pieces(work.con, start, end, work.calendar, work.engine.rows_at_once):
            work.size.suit(piece.positions)
            _build_days(work, work.on(piece.first, piece.last))
    work.built.spans += ranges


def _build_days(work: _Work, values: Mapping[str, Any]) -> None:
    load_earlier(work.con, values["from_date"])
    values = {**values, "account_in_turn": account_in_turn(work.con, values["to_date"])}
    work.engine.begin(work.con, work.catalog, values)
    for table in work.catalog.of_kind("days", "working", "versions"):
        if table.name != RUNS:
            _derive(work, table, values, work.engine)


def _derive(work: _Work, table: Table, values: Mapping[str, Any], engine: Engine) -> None:
    """The rows of a table for the days from `from_date` to `to_date`."""
    con, rows = work.con, engine.rows(table)
    if table.kind == "days":
        replace_days(con, table.name, rows.select, values)
    elif rows.are_stored:
        make_working_view(con, table.working, rows.select)
    else:
        make_working(con, table.working, work.working, rows.select, values)
    if table.kind == "versions":
        added = add_versions(con, table.versions, table.working, table.key, table.reason, values)
        work.built.versions[table.name] = work.built.versions.get(table.name, 0) + added


def _build_alone(work: _Work) -> None:
    """Days on which one table is made again and no other: those before the books are such days."""
    for table in work.catalog.tables:
        for first, last in days_alone(work.con, table, work.built.spans, work.calendar):
            for each in [*work.catalog.working_for(table), table]:
                _derive(work, each, work.on(first, last), Engine())
