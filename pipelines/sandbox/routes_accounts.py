"""What an account tells of itself: the list of accounts, balances, portfolio history, orders, executions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from pipelines.sandbox.balances import balances, segment
from pipelines.sandbox.calls import Call
from pipelines.sandbox.instruments import Instrument
from pipelines.sandbox.market import NEW_YORK
from pipelines.sandbox.params import choice, instant_param, integer, several
from pipelines.sandbox.params import date_param as day_of
from pipelines.sandbox.replies import ErrorAnswer, HandlerAnswer, Json
from pipelines.sandbox.responses import account_row, execution_row, order_row

TYPES = ("COMMON_STOCK", "INDEX", "OPTION", "CASH")
STATUSES = (
    *("PENDING_NEW", "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "REJECTED", "EXPIRED", "PENDING_CANCEL"),
    *("PENDING_REPLACE", "REPLACED", "DONE_FOR_DAY", "STOPPED", "SUSPENDED", "CALCULATED", "OTHER"),
)
Row = TypeVar("Row")


def list_accounts(call: Call) -> HandlerAnswer:
    """GET accounts. account_id is a prefix of the id's text, account_name a part of the name in any case."""
    prefix, part = call.query.get("account_id", ""), call.query.get("account_name", "").lower()
    found = [
        book.profile
        for book in call.broker.accounts()
        if str(book.profile.id).startswith(prefix)
        and (part in book.profile.full_name.lower() or part in book.profile.short_name.lower())
    ]
    return _page(call, found, account_row)


def get_balances(call: Call) -> HandlerAnswer:
    """GET balances, as of the clock."""
    integer(call.query, "top_margin_contributors_limit", 1, 1, 2**31 - 1)
    day, figures = call.broker.standing(call.book)
    return HandlerAnswer(balances(call.book.profile, day, figures))


def get_history(call: Call) -> HandlerAnswer:
    """GET portfolio-history: a segment for every session in the range, oldest first; today's as it stands."""
    start = day_of(call.query, "start_date")
    if start is None:
        raise ErrorAnswer(400, "start_date is required")
    end = day_of(call.query, "end_date") or call.now.astimezone(NEW_YORK).date()
    book, (today, standing) = call.book, call.broker.standing(call.book)
    end = min(end, today.session.date)
    segments = [past.segment() for past in book.past if start <= past.date <= end]
    days = (day for day in book.days if start <= day.session.date <= end)
    segments += [segment(day, standing if day.session == today.session else book.figures(day)) for day in days]
    return _in_time(call, segments, range(start.year, end.year + 1))


def _in_time(call: Call, segments: list[Json], years: range) -> HandlerAnswer:
    """The segments; too late (504) or without the equity (207) where they are of years that the stand-in has trouble
    with."""
    options = call.broker.settings
    if not set(years).isdisjoint(options.slow_years):
        raise ErrorAnswer(504, "The history took too long")
    if set(years).isdisjoint(options.partial_years):
        return HandlerAnswer({"segments": segments})
    partial = [{**each, "sod_equity": None, "eod_equity": None} for each in segments]
    error = {"code": 207, "message": "The equity of some days is not available"}
    return HandlerAnswer({"segments": partial}, status=207, error=error)


def list_orders(call: Call) -> HandlerAnswer:
    """GET orders, newest first; from and to are of created_at, both included."""
    now, query = call.now, call.query
    statuses = several(query, "status")
    if statuses is not None and not set(statuses) <= set(STATUSES):
        raise ErrorAnswer(400, f"status must be among {', '.join(STATUSES)}")
    kind, ids = choice(query, "instrument_type", TYPES), several(query, "order_ids")
    wanted, (since, until) = _wanted(call), _between(call)
    found = [
        order
        for order in call.book.orders
        if since <= order.created_at <= min(until, now)
        and (ids is None or order.id in ids)
        and (statuses is None or order.status(now) in statuses)
        and (kind is None or order.instrument.security_type == kind)
        and wanted(order.instrument)
    ]
    found.sort(key=lambda order: (order.created_at, order.id), reverse=True)
    return _page(call, found, lambda order: order_row(order, now, short_sales=call.broker.settings.short_sales))


def list_executions(call: Call) -> HandlerAnswer:
    """GET executions, newest first; from and to are of transaction_time, both included."""
    ids, incidents = several(call.query, "order_ids"), call.broker.settings.incidents
    wanted, (since, until) = _wanted(call), _between(call)
    found = [
        incidents.listed(call.book.profile.id, fill, call.now)
        for order in call.book.orders
        if (ids is None or order.id in ids) and wanted(order.instrument)
        for fill in order.filled(call.now)
        if since <= fill.at <= until
    ]
    found.sort(key=lambda fill: (fill.at, fill.id), reverse=True)
    return _page(call, found, lambda fill: execution_row(fill, short_sales=call.broker.settings.short_sales))


def _wanted(call: Call) -> Callable[[Instrument], bool]:
    """What the instrument filters let through; a name that nobody knows lets nothing through."""
    names = {"instrument_ids": several(call.query, "instrument_ids"), "symbol": None, "underlying_instrument_ids": None}
    names["underlying_instrument_ids"] = several(call.query, "underlying_instrument_ids")
    if "symbol" in call.query:
        names["symbol"] = [call.query["symbol"]]
    ids = {name: _ids(call, asked) for name, asked in names.items() if asked is not None}

    def test(instrument: Instrument) -> bool:
        return all(
            (instrument.base.id if name == "underlying_instrument_ids" else instrument.id) in known
            for name, known in ids.items()
        )

    return test


def _ids(call: Call, names: list[str]) -> set[str]:
    found = (call.broker.instrument(name) for name in names)
    return {instrument.id for instrument in found if instrument is not None}


def _between(call: Call) -> tuple[datetime, datetime]:
    since, until = instant_param(call.query, "from"), instant_param(call.query, "to")
    return since or datetime.min.replace(tzinfo=UTC), until or datetime.max.replace(tzinfo=UTC)


def _page(call: Call, found: Sequence[Row], write: Callable[[Row], Json]) -> HandlerAnswer:
    window = call.broker.pager.window(call.url, call.query, len(found))
    return HandlerAnswer([write(row) for row in found[window.start : window.stop]], window.metadata)
