"""One row of the oracle's books: what is known of an instrument over a span, and the measures that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from tests.support.facts import Position, SignedFill
from tests.support.oracle_evidence import ONE, ZERO, Evidence, Span, cost_of, unrealized_of
from tests.support.oracle_lifecycle import Move


@dataclass
class Row:
    """What the books must say of an instrument on a day. None: unknown. `open_change` is U1 - U0 also where no total is
    known. `moved`: an event or a person moved quantity or value here, so position_pnl and day_pnl need not add up."""

    status: str
    quantity_prev: Decimal | None
    quantity: Decimal
    realized_pnl: Decimal | None = None
    unrealized_change: Decimal | None = None
    total_pnl: Decimal | None = None
    position_pnl: Decimal | None = None
    day_pnl: Decimal | None = None
    income_estimate: Decimal | None = None
    total_source: str | None = None
    open_change: Decimal | None = None
    moved: bool = False


class Known:
    """What is known about one row, and the measures that follow from it."""

    def __init__(
        self, evidence: Evidence, span: Span, instrument: str, fills: list[SignedFill], moves: list[Move]
    ) -> None:
        self.span = span
        self.instrument = instrument
        self.ratio = evidence.ratio(instrument, span)
        self.start, self.end = span.start.held.get(instrument), span.end.held.get(instrument)
        contract = evidence.contracts.get(instrument)
        held = next((h for h in (self.end, self.start) if h and h.quantity != 0), self.end)
        unheld = contract.multiplier if contract else _usual_multiplier(fills)
        self.multiplier = held.multiplier if held else unheld
        self.fills = fills if span.loaded else []
        self.half_known = bool(fills) and not span.loaded
        self.priced = all(fill.price is not None for fill in self.fills)
        self.traded = sum((f.quantity * evidence.ratio(instrument, span, f.at) for f in self.fills), ZERO)
        self.moves = moves
        self.moved = sum((move.quantity for move in moves), ZERO)
        self.value = sum((move.value for move in moves), ZERO)
        bases = [move.basis for move in moves]
        self.basis = None if None in bases else sum((basis for basis in bases if basis is not None), ZERO)
        self.cash = sum((move.cash for move in moves), ZERO)

    @property
    def cost_change(self) -> Decimal | None:
        b0, b1 = cost_of(self.start), cost_of(self.end)
        return None if b0 is None or b1 is None or self.basis is None else b1 - b0 - self.basis

    @property
    def unrealized_change(self) -> Decimal | None:
        u0, u1 = unrealized_of(self.start), unrealized_of(self.end)
        return None if u0 is None or u1 is None or self.basis is None else u1 - u0 - (self.value - self.basis)

    def measure(self, row: Row, q0: Decimal, q1: Decimal, *, since_cost: bool) -> None:
        """The best evidence that there is, or none."""
        rolls = q0 + self.traded + self.moved == q1
        known = self.cost_change is not None and self.unrealized_change is not None
        row.open_change = self.unrealized_change
        if self.span.loaded and rolls and self.priced and known:
            spent = sum((f.quantity * (f.price or ZERO) for f in self.fills), ZERO) * self.multiplier
            self._set(row, "EXECUTIONS", self.cash - spent + (self.cost_change or ZERO), self.unrealized_change)
        elif self._reported(row, q1, since_cost=since_cost):
            pass
        elif self.span.loaded and not rolls:
            if self._is_split_suspect(q0, q1):
                self._set(row, "SNAPSHOT", ZERO, self.unrealized_change)
        elif not self.half_known and self.moves and rolls and self.priced and known:
            self._set(row, "SNAPSHOT", self.cash + (self.cost_change or ZERO), self.unrealized_change)
        elif self._only_grew(q0, q1) or self._is_split_suspect(q0, q1):
            self._set(row, "SNAPSHOT", ZERO, self.unrealized_change)

    def _set(self, row: Row, source: str, realized: Decimal, change: Decimal | None) -> None:
        if change is not None:
            row.realized_pnl, row.unrealized_change, row.total_pnl = realized, change, realized + change
            row.total_source = source

    def _reported(self, row: Row, q1: Decimal, *, since_cost: bool) -> bool:
        if self.end is None or len(self.span.sessions) != 1:
            return False
        realized, change = daily_of(self.end.position)
        if realized is None or (change is None and q1 != 0):
            return False
        self._set(row, "REPORTED", realized, self.unrealized_change if since_cost else change or ZERO)
        return row.total_source is not None

    def _is_split_suspect(self, q0: Decimal, q1: Decimal) -> bool:
        same_cost = cost_of(self.start) is not None and cost_of(self.start) == cost_of(self.end)
        is_untouched = not self.fills and not self.half_known and not self.moves
        return is_untouched and q0 * q1 > 0 and q0 != q1 and same_cost

    def _only_grew(self, q0: Decimal, q1: Decimal) -> bool:
        """Nothing is known to have been closed, so nothing was realized."""
        reduced = any(fill.quantity * q1 <= 0 for fill in self.fills) or q0 * self.moved < 0
        if self.moves and q0 + self.moved == q1:
            return False
        return not self.half_known and not reduced and not _shrank(q0 + self.moved, q1)

    def split_by_time(self, row: Row, q0: Decimal, other_price: Decimal | None) -> None:
        """What was carried in moved with the price; what was traded moved from its own price."""
        p0 = self.start.price if self.start else None
        p1 = self.end.price if self.end and self.end.price is not None else other_price
        if q0 == 0:
            row.position_pnl = ZERO
        elif p0 is not None and p1 is not None:
            row.position_pnl = (q0 * p1 - q0 / self.ratio * p0) * self.multiplier
        rolls = q0 + self.traded + self.moved == row.quantity
        spent = sum((f.quantity * (f.price or ZERO) for f in self.fills), ZERO)
        if not self.span.loaded:
            row.day_pnl = ZERO if q0 == row.quantity and not self.half_known else None
        elif rolls and self.priced and self.traded == 0:
            row.day_pnl = -spent * self.multiplier
        elif rolls and self.priced and p1 is not None:
            row.day_pnl = (self.traded * p1 - spent) * self.multiplier


def daily_of(position: Position) -> tuple[Decimal | None, Decimal | None]:
    """daily_realized and daily_unrealized: both or neither, but of a flat position the first is enough."""
    realized, change = position.daily_realized_pnl, position.daily_unrealized_pnl
    if realized is None or (change is None and position.quantity != 0):
        return None, None
    return realized, change


def _shrank(q0: Decimal, q1: Decimal) -> bool:
    return q0 != 0 and (q0 * q1 < 0 or abs(q1) < abs(q0))


def _usual_multiplier(fills: Iterable[SignedFill]) -> Decimal:
    return Decimal(100) if any(fill.underlying_instrument_id for fill in fills) else ONE
