"""A slow, plain second opinion on the P&L: one account, one day, one instrument at a time, in exact decimals.

Written from the definitions (what a measure is, which evidence goes first, when nothing is known), not from the
selects, so that a mistake would have to be made twice. It reads what the broker answered each evening and tells what
the books must say once all of it is in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from tests.support.facts import Book
from tests.support.oracle_evidence import CENT, ZERO, Evidence, Span, quantity_of
from tests.support.oracle_lifecycle import Lifecycle
from tests.support.oracle_row import Known, Row, daily_of

__all__ = ["AccountDay", "Result", "Row", "consult"]


@dataclass
class AccountDay:
    """What the books must say of an account on a day."""

    realized_pnl: Decimal | None
    unrealized_change: Decimal | None
    total_pnl: Decimal | None
    unattributed_pnl: Decimal | None
    positions_unknown: int


@dataclass
class Result:
    """The oracle's books: rows by (account, instrument, day), accounts and gaps by (account, day)."""

    rows: dict[tuple[str, str, date], Row] = field(default_factory=dict)
    accounts: dict[tuple[str, date], AccountDay] = field(default_factory=dict)
    gaps: dict[tuple[str, date], str] = field(default_factory=dict)


def consult(book: Book) -> Result:
    """What the books must say at the end."""
    return _Oracle(book).result()


class _Oracle:
    def __init__(self, book: Book) -> None:
        self.book = book
        self.evidence = Evidence(book)
        self.lifecycle = Lifecycle(self.evidence)
        #: The last proven reading of each account's daily_realized_pnl: whether it is measured from cost.
        self.proven: dict[str, bool] = {}

    def result(self) -> Result:
        result = Result(gaps=self.evidence.gaps)
        previous: dict[str, date] = {}
        for account, day in self.evidence.eods:
            self._fill_day(result, self.evidence.span(account, previous.get(account), day))
            previous[account] = day
        return result

    def _fill_day(self, result: Result, span: Span) -> None:
        if span.prev is None:
            rows = {instrument: self._opening(instrument, span) for instrument in self._first_seen(span)}
        else:
            rows = self._rows(span)
            _give_residual(rows, self.evidence.history(span))
        for instrument, row in rows.items():
            result.rows[span.account, instrument, span.day] = row
        result.accounts[span.account, span.day] = _account(rows.values(), self.evidence.history(span), span)

    def _first_seen(self, span: Span) -> set[str]:
        """What is held, was closed, traded or moved on an account's first day."""
        closed = {i for i, held in span.end.held.items() if held.quantity != 0 or held.position.daily_realized_pnl}
        said = {each.instrument_id for each in self.evidence.said(span)}
        return closed | said | self.evidence.fills(span).keys()

    def _opening(self, instrument: str, span: Span) -> Row:
        """The first day is an opening balance; only the broker's own daily fields say what the day brought."""
        held = span.end.held.get(instrument)
        row = Row("OPENING", None, quantity_of(held))
        is_paid = any(e.instrument_id == instrument and e.amount and e.day == span.day for e in self.evidence.events)
        row.income_estimate = None if is_paid else ZERO
        realized, change = daily_of(held.position) if held else (None, None)
        if realized is None or (self._since_cost(span) and realized != 0):
            return row
        change = change or ZERO
        row.realized_pnl, row.unrealized_change, row.total_pnl = realized, change, realized + change
        row.total_source = "REPORTED"
        return row

    def _rows(self, span: Span) -> dict[str, Row]:
        since_cost = self._since_cost(span)
        return {known.instrument: self._row(span, known, since_cost=since_cost) for known in self._known(span)}

    def _since_cost(self, span: Span) -> bool:
        """Whether daily_realized_pnl is measured from cost: as set, else as it was last proven for the account."""
        if self.book.realized != "auto":
            return self.book.realized == "since_cost"
        if span.prev is not None and len(span.sessions) == 1:
            verdict = self._verdict(span)
            self.proven |= {} if verdict is None else {span.account: verdict}
        return self.proven.get(span.account, False)

    def _verdict(self, span: Span) -> bool | None:
        """The reading that alone gives the broker's own total of the account, in balances or in its history."""
        readings = self._readings(span)
        if readings is None:
            return None
        from_cost, from_close, tolerance = readings
        said = [
            answer.daily_pnl
            for evening in self.evidence.days[span.day]
            if (answer := evening.answers.get(span.account)) and answer.daily_pnl is not None
        ]
        for total in (said[-1] if said else None, self.evidence.history(span)):
            if total is not None:
                cost_fits, close_fits = abs(from_cost - total) <= tolerance, abs(from_close - total) <= tolerance
                if cost_fits != close_fits:
                    return cost_fits
        return None

    def _readings(self, span: Span) -> tuple[Decimal, Decimal, Decimal] | None:
        """The account's day in both readings, and how near is near; None where a row doesn't say."""
        from_cost = from_close = ZERO
        rows = self._rows_without_totals(span)
        for instrument, change in rows.items():
            held = span.end.held.get(instrument)
            realized, unrealized = daily_of(held.position) if held else (None, None)
            if realized is None or change is None:
                return None
            from_cost += realized + change
            from_close += realized + (unrealized or ZERO)
        return from_cost, from_close, max(Decimal("0.05"), CENT * len(rows))

    def _rows_without_totals(self, span: Span) -> dict[str, Decimal | None]:
        return {known.instrument: known.unrealized_change for known in self._known(span)}

    def _known(self, span: Span) -> list[Known]:
        """Everything held at either end, traded, moved, or closed within the day as the broker's figure tells."""
        fills = self.evidence.fills(span)
        moves = self.lifecycle.moves(span, fills)
        today = {i for i, h in span.end.held.items() if h.quantity != 0 or h.position.daily_realized_pnl}
        before = {i for i, h in span.start.held.items() if h.quantity != 0}
        before |= {i for account, day, i in self.lifecycle.open if (account, day) == (span.account, span.day)}
        return [
            Known(
                self.evidence,
                span,
                instrument,
                fills.get(instrument, []),
                moves.get(instrument, []),
                is_open=(span.account, span.day, instrument) in self.lifecycle.open,
            )
            for instrument in sorted(today | before | fills.keys() | moves.keys())
        ]

    def _row(self, span: Span, known: Known, *, since_cost: bool) -> Row:
        before, q1 = quantity_of(known.start), quantity_of(known.end)
        row = Row(_status(before, q1), before, q1, moved=bool(known.moves))
        known.measure(row, before * known.ratio, q1, since_cost=since_cost)
        known.split_by_time(row, before * known.ratio, self._other_price(span, known.instrument))
        row.income_estimate = self._income(span, known.instrument, before)
        return row

    def _other_price(self, span: Span, instrument: str) -> Decimal | None:
        """The day's official price of an instrument, from any account that still holds it."""
        for (_, day), eod in self.evidence.eods.items():
            held = eod.held.get(instrument)
            if day == span.day and held is not None and held.position.closing_price_date == day:
                return held.position.closing_price
        return None

    def _income(self, span: Span, instrument: str, quantity: Decimal) -> Decimal:
        """What each ex-date pays on what was held by then, in the shares of then."""
        way = self.evidence.way(span, instrument)
        income = ZERO
        for event in self.evidence.events:
            if event.instrument_id != instrument or event.amount is None or event.day not in span.sessions:
                continue
            held = quantity * way.ratio(None, event.day)
            for fill in way.fills:
                traded = self.evidence.trading_date(fill.at)
                held += fill.quantity * way.ratio(traded, event.day) if traded < event.day else ZERO
            for line in self.evidence.said(span):
                if line.instrument_id == instrument and line.day < event.day:
                    held += (line.quantity or ZERO) * way.ratio(line.day, event.day)
            income += held * event.amount
        return income


def _status(q0: Decimal, q1: Decimal) -> str:
    if q0 == 0:
        return "OPENED" if q1 != 0 else "INTRADAY_ROUND_TRIP"
    if q1 == 0:
        return "CLOSED"
    return "HELD" if q0 * q1 > 0 else "FLIPPED"


def _give_residual(rows: Mapping[str, Row], history: Decimal | None) -> None:
    """One unknown row is what the broker's own total leaves over."""
    unknown = [row for row in rows.values() if row.total_pnl is None]
    if history is None or len(unknown) != 1:
        return
    row, change = unknown[0], unknown[0].open_change
    row.total_pnl = history - sum((each.total_pnl for each in rows.values() if each.total_pnl is not None), ZERO)
    row.unrealized_change, row.realized_pnl = change, None if change is None else row.total_pnl - change
    row.total_source = "ACCOUNT_RESIDUAL"


def _account(rows: Iterable[Row], history: Decimal | None, span: Span) -> AccountDay:
    """The sum; where a row is unknown, or the fills that could tell of others, the broker's own total. A flat account's
    first day is unknown too, unless its fills were read."""
    rows = list(rows)
    known = [row.total_pnl for row in rows if row.total_pnl is not None]
    unknown = len(rows) - len(known)
    all_known = not unknown and (span.prev is not None or bool(rows) or span.loaded)
    left: Decimal | None = ZERO
    if not all_known or (not span.loaded and history is not None):
        left = None if history is None else history - sum(known, ZERO)
    total = None if left is None else sum(known, ZERO) + left
    parts = [row.realized_pnl for row in rows]
    if not all_known or left != 0 or None in parts:
        return AccountDay(None, None, total, left, unknown)
    realized = sum((part for part in parts if part is not None), ZERO)
    return AccountDay(realized, sum(known, ZERO) - realized, total, left, 0)
