"""What exists: every derived table, in the order of its making. A new table is one .sql file and one line here."""

from __future__ import annotations

from pathlib import Path

from pipelines.books.catalog import AsKnown, Kind, Table, catalog_of

HERE = Path(__file__).parent


def _table(
    name: str, kind: Kind, *, key: tuple[str, ...] = (), as_known: AsKnown = "day", known_by: str | None = None
) -> Table:
    """An entry, with the file that its name says."""
    return Table(name, kind, HERE / f"{name.replace('.', '/')}.sql", key, as_known, known_by)


CATALOG = catalog_of(
    _table("core.period_lock", "kept", known_by="locked_at"),
    _table("core.calendar", "whole"),
    _table("core.run", "days", as_known="copied", known_by="finished_at"),
    _table("core.snapshot_grade", "days", as_known="copied", known_by="finished_at"),
    _table("core.account_eod", "days", as_known="window"),
    _table("core.option_contract", "ephemeral"),
    _table("core.position_held", "ephemeral"),
    _table("core.position_priced", "ephemeral"),
    _table("core.position_eod", "days", as_known="day_and_before"),
    _table("core.trade_flow", "days"),
    _table("core.position_adjustment", "days", as_known="copied"),
    _table("core.broker_day", "days", as_known="window"),
    _table("core.account_day", "ephemeral"),
    _table("core.position_before", "ephemeral"),
    _table("core.split_observed", "ephemeral"),
    _table("core.split_between", "ephemeral"),
    _table("core.trade_between", "ephemeral"),
    _table("core.adjustment_leg", "ephemeral"),
    _table("core.adjustment_effect", "ephemeral"),
    _table("core.possible_delivery", "ephemeral"),
    _table("core.seen_flat", "ephemeral"),
    _table("core.position_pair", "ephemeral"),
    _table("core.position_change", "working"),
    _table("core.option_gone", "ephemeral"),
    _table("core.accepted_instruction", "ephemeral"),
    _table("core.spent_instruction", "ephemeral"),
    _table("core.option_instructed", "ephemeral"),
    _table("core.stock_change", "ephemeral"),
    _table("core.underlying_price", "ephemeral"),
    _table("core.option_evidence", "ephemeral"),
    _table("core.delivery", "ephemeral"),
    _table("core.option_outcome", "ephemeral"),
    _table("core.option_event", "ephemeral"),
    _table("core.lifecycle_event", "days"),
    _table("pnl.event_leg", "ephemeral"),
    _table("pnl.event_effect", "ephemeral"),
    _table("pnl.dividend_income", "ephemeral"),
    _table("pnl.price_elsewhere", "ephemeral"),
    _table("pnl.position_step", "ephemeral"),
    _table("pnl.pnl_semantics", "ephemeral"),
    _table("pnl.pnl_source", "ephemeral"),
    _table("pnl.pnl_total", "ephemeral"),
    _table("pnl.position_daily", "versions", key=("account_id", "instrument_id", "trading_date")),
    _table("pnl.account_daily", "versions", key=("account_id", "trading_date")),
    _table("core.expected_day", "days", as_known="window"),
    _table("core.instruction_history", "view"),
    _table("core.request_sent", "ephemeral"),
    _table("core.request_named", "ephemeral"),
    _table("core.trade_request", "view"),
    _table("pnl.prior_period_adjustment", "view"),
    _table("pnl.period_day", "ephemeral"),
    _table("pnl.period", "view"),
    _table("pnl.exposure_daily", "view"),
    _table("quality.position_checked", "ephemeral"),
    _table("quality.position_value_check", "ephemeral"),
    _table("quality.position_row_check", "ephemeral"),
    _table("quality.change_check", "ephemeral"),
    _table("quality.account_check", "ephemeral"),
    _table("quality.instruction_check", "ephemeral"),
    _table("quality.row_check", "working"),
    _table("quality.exact_position", "ephemeral"),
    _table("quality.restated_mark", "ephemeral"),
    _table("quality.position_invariant", "ephemeral"),
    _table("quality.account_invariant", "ephemeral"),
    _table("quality.day_invariant", "ephemeral"),
    _table("quality.invariant", "working"),
    _table("quality.finding", "days"),
    _table("quality.account_figure", "ephemeral"),
    _table("quality.comparison", "days", as_known="window"),
    _table("quality.gap", "view"),
    _table("quality.day", "view"),
    _table("quality.reconciliation", "view"),
    _table("quality.drift", "view"),
    _table("pnl.firm_daily", "view"),
    _table("pnl.group_daily", "view"),
    functions=HERE / "functions.sql",
    changed=HERE / "changed",
    columns=HERE / "columns.toml",
)
TABLES = CATALOG.tables
