"""The six position operations: list, close one, close all, and instructions listed, submitted, cancelled."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import orjson

from pipelines.sandbox.bulk import BulkBook
from pipelines.sandbox.calls import PERMISSION, Call
from pipelines.sandbox.figures import Valued
from pipelines.sandbox.instruments import is_uuid
from pipelines.sandbox.ledger import HeldPosition
from pipelines.sandbox.orders import OrderTimeline, closing_order
from pipelines.sandbox.params import choice, several
from pipelines.sandbox.replies import ErrorAnswer, HandlerAnswer
from pipelines.sandbox.responses import order_row, position_row

SORTS: dict[str, Callable[[Valued], str | Decimal]] = {
    "SYMBOL": lambda row: row.position.instrument.symbol,
    "INSTRUMENT_TYPE": lambda row: row.position.instrument.security_type,
    "QUANTITY": lambda row: row.position.quantity,
    "MARKET_VALUE": lambda row: row.value,
    "POSITION_TYPE": lambda row: "LONG" if row.position.quantity > 0 else "SHORT",
    "UNREALIZED_PNL": lambda row: row.unrealized,
    "DAILY_UNREALIZED_PNL": lambda row: row.daily_unrealized,
    "DAILY_REALIZED_PNL": lambda row: row.position.day.realized,
}


def list_positions(call: Call) -> HandlerAnswer:
    """GET positions. Without sort_by the order is that of the instrument ids, which means nothing to anybody."""
    book, broker = call.book, call.broker
    day, figures = broker.standing(book)
    incidents, account = broker.settings.incidents, book.profile.id
    if incidents.refuses(account, call.now):
        raise ErrorAnswer(403, PERMISSION)
    market, session = broker.market, day.session
    shown = session if call.now >= session.close else market.sessions[max(market.index(session.date) - 1, 0)]
    sort = choice(call.query, "sort_by", SORTS)
    descending = choice(call.query, "sort_direction", ("ASC", "DESC")) == "DESC"
    wanted = several(call.query, "instrument_ids")
    if wanted is not None and not all(map(is_uuid, wanted)):
        raise ErrorAnswer(400, "instrument_ids must be UUIDs")
    if isinstance(book, BulkBook) and sort == "SYMBOL" and not descending and wanted is None:
        window = broker.pager.window(call.url, call.query, len(book.rows))
        return HandlerAnswer(book.shared.page(book.profile.id, shown.date, window.start, window.stop), window.metadata)
    ids = None if wanted is None else {text.lower() for text in wanted}
    rows = [row for row in figures.rows if row.position.quantity and (ids is None or row.position.instrument.id in ids)]
    rows.sort(key=lambda row: row.position.instrument.id)
    if sort is not None:
        rows.sort(key=SORTS[sort], reverse=descending)
    window = broker.pager.window(call.url, call.query, len(rows))
    page = [
        position_row(row, account, shown.date, _available(call, row.position))
        for row in rows[window.start : window.stop]
    ]
    if incidents.loses_a_row(account, call.now):
        page.pop()
    return HandlerAnswer(page, window.metadata)


def close_positions(call: Call) -> HandlerAnswer:
    """DELETE positions: a market order for everything that is still free to close; none for a flat account."""
    orders = _close(call, _held(call))
    return HandlerAnswer([order_row(order, call.now, short_sales=call.broker.settings.short_sales) for order in orders])


def close_position(call: Call) -> HandlerAnswer:
    """DELETE one position, by UUID or symbol. 400 where it isn't held or all of it is being closed already."""
    instrument = call.broker.instrument(call.path["instrument_id"])
    held = [each for each in _held(call) if instrument is not None and each.instrument.id == instrument.id]
    if not held:
        raise ErrorAnswer(400, "The account holds no position in this instrument")
    orders = _close(call, held)
    if not orders:
        raise ErrorAnswer(
            400, "Nothing of this position is free to close: an order or an instruction has a claim on all of it"
        )
    return HandlerAnswer([order_row(order, call.now, short_sales=call.broker.settings.short_sales) for order in orders])


def _held(call: Call) -> list[HeldPosition]:
    book = call.book
    if isinstance(book, BulkBook):
        raise ErrorAnswer(403, PERMISSION)
    _, figures = call.broker.standing(book)
    return [row.position for row in figures.rows if row.position.quantity]


def _close(call: Call, held: list[HeldPosition]) -> list[OrderTimeline]:
    """Sends the orders; each is PENDING_NEW now and filled at the next close."""
    book, market = call.book, call.broker.market
    if _cancel_orders(call.body):
        ids = {each.instrument.id for each in held}
        book.orders = [
            each.cancel(call.now) if each.instrument.id in ids and each.works(call.now) else each
            for each in book.orders
        ]
    free = [(each.instrument, _available(call, each)) for each in held]
    made = [
        closing_order(book.profile.id, instrument, quantity, call.now, market, len(book.orders) + number)
        for number, (instrument, quantity) in enumerate(free)
        if quantity
    ]
    book.orders += made
    book.rebuild()
    return made


def _available(call: Call, position: HeldPosition) -> Decimal:
    return call.broker.available(call.book, position.instrument, position.quantity)


def _cancel_orders(body: bytes) -> bool:
    """The one thing that a close request may say: {"cancel_orders": true, false or null}, or nothing at all."""
    try:
        said: object = orjson.loads(body) if body.strip() else None
    except orjson.JSONDecodeError:
        raise ErrorAnswer(400, "The body must be JSON") from None
    if said is None:
        return False
    if not isinstance(said, dict) or not isinstance(said.get("cancel_orders"), bool | None):
        raise ErrorAnswer(400, 'The body must be null or {"cancel_orders": true or false}')
    return bool(said.get("cancel_orders"))
