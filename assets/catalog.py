"""What exists: every derived table, in the order of its making. A new table is one .sql file and one line here."""

from __future__ import annotations

from pathlib import Path

from pipelines.books.catalog import AsKnown, Catalog, Kind, Table

HERE = Path(__file__).parent


def _table(
    name: str, kind: Kind, *, key: tuple[str, ...] = (), as_known: AsKnown = "day", known_by: str | None = None
) -> Table:
    """An entry, with the file that its name says."""
    return Table(name, kind, HERE / f"{name.replace('.', '/')}.sql", key, as_known, known_by)


TABLES = (
    _table("core.period_lock", "kept", known_by="locked_at"),
    _table("core.calendar", "whole"),
    _table("core.run", "days", as_known="copied", known_by="finished_at"),
    _table("core.snapshot_grade", "days", as_known="copied", known_by="finished_at"),
    _table("core.account_eod", "days", as_known="window"),
    _table("core.position_eod", "days", as_known="day_and_before"),
    _table("core.trade_flow", "days"),
    _table("core.position_adjustment", "days", as_known="copied"),
    _table("core.broker_day", "days", as_known="window"),
    _table("core.position_change", "working"),
    _table("core.lifecycle_event", "days"),
    _table("pnl.position_daily", "versions", key=("account_id", "instrument_id", "trading_date")),
    _table("pnl.account_daily", "versions", key=("account_id", "trading_date")),
    _table("core.expected_day", "days", as_known="window"),
    _table("core.instruction_history", "view"),
    _table("core.trade_request", "view"),
    _table("pnl.prior_period_adjustment", "view"),
    _table("pnl.period", "view"),
    _table("pnl.exposure_daily", "view"),
    _table("quality.row_check", "working"),
    _table("quality.invariant", "working"),
    _table("quality.finding", "days"),
    _table("quality.comparison", "days", as_known="window"),
    _table("quality.gap", "view"),
    _table("quality.day", "view"),
    _table("quality.reconciliation", "view"),
    _table("quality.drift", "view"),
    _table("pnl.firm_daily", "view"),
    _table("pnl.group_daily", "view"),
)

#: What selects call: what a quantity is worth at a price, rounded once. To round 128 bits takes a microsecond, so what
#: has no more than four places is guessed in floating point, and the guess proven by the exact product. What no column
#: could hold is unknown, for one absurd row of a broker's must not keep the rest of the book from being built.
VALUE_OF = """
    create or replace temporary macro value_guess(quantity, price, multiplier) as
    try_cast(cast(quantity as double) * cast(price as double) * cast(multiplier as double) as decimal(18, 4));

    create or replace temporary macro value_of(quantity, price, multiplier) as
    case
        when value_guess(quantity, price, multiplier) = try(quantity * price * multiplier)
            then cast(value_guess(quantity, price, multiplier) as decimal(28, 10))
        -- in another order: DuckDB takes a common part of two expressions out of the try() that guards it
        else try(cast(round(multiplier * price * quantity, 10) as decimal(28, 10)))
    end
"""

CATALOG = Catalog(TABLES, VALUE_OF, HERE / "columns.toml")
