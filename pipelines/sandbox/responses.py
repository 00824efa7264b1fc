"""Rows as the broker writes them: positions, orders, executions, instructions, accounts."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from pipelines.sandbox.facts import Fill
from pipelines.sandbox.figures import Valued
from pipelines.sandbox.instructions import InstructionTimeline
from pipelines.sandbox.instruments import Instrument
from pipelines.sandbox.ledger import ZERO
from pipelines.sandbox.orders import OrderTimeline
from pipelines.sandbox.program import Profile
from pipelines.sandbox.replies import (
    Json,
    average,
    microseconds,
    money_text,
    nanoseconds,
    percent,
    quantity_text,
    seconds,
)

# Why an instruction is refused: the stable code that the current API sends beside the sentence.
DOMAIN = "position-instructions"


def account_row(profile: Profile) -> Json:
    """An account."""
    return {
        "id": profile.id,
        "account_holder_entity_id": 4_000_000 + profile.id,
        "account_holder_entity_kind": "LEGAL_ENTITY",
        "full_name": profile.full_name,
        "short_name": profile.short_name,
        "open_date": profile.open_date.isoformat(),
        "close_date": None,
        "options_level": profile.options_level,
        "status": "ACTIVE",
        "type": "CUSTOMER",
        "subtype": profile.subtype,
    }


def position_row(row: Valued, account: int, closing_date: date, available: Decimal) -> Json:
    """A position. `closing_date` is the session whose close the price is; daily figures run from the close before it,
    or from that close itself while a session is under way."""
    held, instrument = row.position, row.position.instrument
    return {
        "account_id": account,
        "instrument_id": instrument.id,
        "symbol": instrument.symbol,
        "instrument_type": instrument.security_type,
        "position_type": "LONG" if held.quantity > 0 else "SHORT",
        "quantity": quantity_text(held.quantity),
        "available_quantity": quantity_text(available),
        "avg_price": average(held.cost.amount, held.quantity * instrument.multiplier),
        "cost_basis": money_text(held.cost.amount),
        "market_value": money_text(row.value),
        "instrument_price": money_text(row.price),
        "closing_price": money_text(row.price),
        "closing_price_date": closing_date.isoformat(),
        "unrealized_pnl": money_text(row.unrealized),
        "unrealized_pnl_pct": percent(row.unrealized, held.cost.amount),
        "daily_unrealized_pnl": money_text(row.daily_unrealized),
        "daily_unrealized_pnl_pct": percent(row.daily_unrealized, row.value),
        "daily_realized_pnl": money_text(held.day.realized),
        **_underlying(instrument),
    }


def order_row(order: OrderTimeline, now: datetime, *, short_sales: bool) -> Json:
    """An order as it stands at an instant."""
    fills = order.filled(now)
    done = sum((fill.quantity for fill in fills), ZERO)
    spent = sum((fill.quantity * fill.price for fill in fills), ZERO)
    cancelled = order.cancelled_at if order.status(now) == "CANCELED" else None
    return {
        "id": order.id,
        "client_order_id": order.key,
        "account_id": order.account,
        "instrument_id": order.instrument.id,
        "instrument_type": order.instrument.security_type,
        "symbol": order.instrument.symbol,
        "side": side(order.side, short_sales=short_sales),
        "order_type": order.order_type,
        "time_in_force": "DAY",
        "status": order.status(now),
        "quantity": quantity_text(order.quantity),
        "filled_quantity": quantity_text(done),
        "leaves_quantity": quantity_text(order.leaves(now)),
        "average_fill_price": average(spent, done) if done else None,
        "limit_price": money_text(order.limit_price) if order.limit_price is not None else None,
        "stop_price": None,
        "extended_hours": False,
        "venue": "XNMS",
        "created_at": nanoseconds(order.created_at),
        "updated_at": nanoseconds(cancelled or (fills[-1].at if fills else order.created_at)),
        **_underlying(order.instrument),
    }


def execution_row(fill: Fill, *, short_sales: bool) -> Json:
    """A fill."""
    return {
        "id": fill.id,
        "order_id": fill.order_id,
        "instrument_id": fill.instrument.id,
        "symbol": fill.instrument.symbol,
        "side": side(fill.side, short_sales=short_sales),
        "quantity": quantity_text(fill.quantity),
        "price": money_text(fill.price),
        "transaction_time": microseconds(fill.at),
        "venue": "XNMS",
        **_underlying(fill.instrument),
    }


def instruction_row(given: InstructionTimeline, now: datetime) -> Json:
    """An instruction as it stands at an instant; its key goes out under the former name and the current one."""
    status = given.status(now)
    reason = given.reason if status == "REJECTED" else None
    return {
        "id": given.id,
        "instruction_id": given.key,
        "client_instruction_id": given.key,
        "account_id": given.account,
        "instruction_type": given.kind,
        "instrument_id": given.instrument.id,
        "underlying_instrument_id": given.instrument.base.id if given.instrument.underlying else None,
        "symbol": given.instrument.symbol,
        "quantity": quantity_text(given.quantity),
        "accepted_quantity": quantity_text(given.accepted or ZERO) if status == "ACCEPTED" else None,
        "status": status,
        "rejection_reason": reason,
        "rejection": {"reason": "REJECTED_BY_CLEARING", "domain": DOMAIN, "metadata": {}, "description": reason}
        if reason
        else None,
        "created_at": seconds(given.created_at),
        "updated_at": seconds(given.decided_at if now >= given.decided_at else given.created_at),
    }


def side(name: str, *, short_sales: bool) -> str:
    """BUY, SELL, and SELL_SHORT for an API state that still told short sales apart."""
    return "SELL" if name == "SELL_SHORT" and not short_sales else name


def _underlying(instrument: Instrument) -> Json:
    if instrument.underlying is None:
        return {"underlying_instrument_id": None, "underlying_instrument_type": None}
    return {
        "underlying_instrument_id": instrument.underlying.id,
        "underlying_instrument_type": instrument.underlying.security_type,
    }
