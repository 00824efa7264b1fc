"""One row of the oracle's books: what is known of an instrument over a span, and the measures that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from tests.support.facts import Position, SignedFill
from tests.support.oracle_evidence import CENT, ONE, ZERO, Evidence, Span, cost_of, unrealized_of
from tests.support.oracle_lifecycle import Move

MILLIONTH = Decimal("0.000001")


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
        self,
        evidence: Evidence,
        span: Span,
        instrument: str,
        fills: list[SignedFill],
        moves: list[Move],
        *,
        is_open: bool = False,
    ) -> None:
        self.span = span
        self.instrument = instrument
        self.ratio = evidence.ratio(instrument, span)
        self.start, self.end = span.start.held.get(instrument), span.end.held.get(instrument)
        contract = evidence.contracts.get(instrument)
        held = next((h for h in (self.end, self.start) if h and h.quantity != 0), self.end)
        unheld = contract.multiplier if contract else _usual_multiplier(fills)
        self.multiplier = held.multiplier if held else unheld
        self.fills = fills
        self.matched = evidence.way(span, instrument).matched
        self.priced = all(fill.price is not None for fill in self.fills)
        self.traded = sum((f.quantity * evidence.ratio(instrument, span, f.at) for f in self.fills), ZERO)
        self.moves = moves
        self.is_open = is_open
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

    @property
    def value_change(self) -> Decimal:
        """V1 - V0 - F: with the cash it is the whole total, whatever is known of the cost."""
        return (self.end.value if self.end else ZERO) - (self.start.value if self.start else ZERO) - self.value

    @property
    def spent(self) -> Decimal:
        return sum((f.quantity * (f.price or ZERO) for f in self.fills), ZERO) * self.multiplier

    def measure(self, row: Row, q0: Decimal, q1: Decimal, *, since_cost: bool) -> None:
        """The best evidence that there is, or none."""
        rolls = q0 + self.traded + self.moved == q1
        unread = q1 - q0 - self.traded - self.moved
        cost = self.cost_change
        row.open_change = self.unrealized_change
        if self.span.loaded and rolls and self.priced and not self.is_open:
            realized = None if cost is None else self.cash - self.spent + cost
            if cost is not None and self._only_opened(q0, q1):
                realized = ZERO
            self._set(row, "EXECUTIONS", realized, self.value_change + self.cash - self.spent)
        elif self._reported(row, q0, q1, since_cost=since_cost) or self.is_open:
            pass
        elif self._is_split_suspect(q0, q1):
            self._set(row, "SNAPSHOT", ZERO, self.value_change)
        elif (self.span.loaded and not rolls) or self._closed_something(q1, unread):
            pass  # what it realized is not known
        elif q0 + self.moved == q1:
            closed = self.cash + (cost or ZERO) if self.moves else self.cash
            self._set(row, "SNAPSHOT", None if cost is None else closed, self.value_change + self.cash)
        elif cost is not None and self._only_grew(q0, q1):
            realized = self.cash if self.moved == 0 else ZERO
            self._set(row, "SNAPSHOT", realized, realized + self.value_change - cost)

    def _set(self, row: Row, source: str, realized: Decimal | None, total: Decimal) -> None:
        row.realized_pnl, row.total_pnl, row.total_source = realized, total, source
        row.unrealized_change = None if realized is None else total - realized

    def _closed_something(self, q1: Decimal, unread: Decimal) -> bool:
        """A known fill did, or what was traded beside the known ones."""
        return unread * q1 < 0 or any(
            (fill.quantity < 0 and q1 >= 0) or (fill.quantity > 0 and q1 <= 0) for fill in self.fills
        )

    def _only_opened(self, q0: Decimal, q1: Decimal) -> bool:
        """Nothing that was held was closed, so nothing was realized, however the cost was restated."""
        sides = [1 if fill.quantity > 0 else -1 for fill in self.fills]
        long, short = min(q0, q1) >= 0 and -1 not in sides, max(q0, q1) <= 0 and 1 not in sides
        return not self.moves and (long or short)

    def _reported(self, row: Row, q0: Decimal, q1: Decimal, *, since_cost: bool) -> bool:
        if self.end is None or len(self.span.sessions) != 1:
            return False
        realized, change = daily_of(self.end.position)
        if realized is None or (change is None and q1 != 0):
            return False
        since = change or ZERO
        if since_cost:
            untouched = q0 == q1 and not self.moves and not self.fills and realized == 0
            own = self.value_change if untouched else self.unrealized_change
            if own is None or self.unrealized_change is None:
                return False
            since = own
        self._set(row, "REPORTED", realized, realized + since)
        return True

    def _is_split_suspect(self, q0: Decimal, q1: Decimal) -> bool:
        same_cost = cost_of(self.start) is not None and cost_of(self.start) == cost_of(self.end)
        is_untouched = not self.fills and not self.moves
        return is_untouched and q0 * q1 > 0 and q0 != q1 and same_cost

    def _only_grew(self, q0: Decimal, q1: Decimal) -> bool:
        """Nothing is known to have been closed, so nothing was realized: not by what came for cash and went either."""
        went = any(one.cash and one.quantity * other.quantity < 0 for one in self.moves for other in self.moves)
        return q0 * self.moved >= 0 and not went and not _shrank(q0 + self.moved, q1)

    def split_by_time(self, row: Row, q0: Decimal, other_price: Decimal | None) -> None:
        """What was carried in moved with the price that the value follows; the rest was traded."""
        same_cost = cost_of(self.start) is not None and cost_of(self.start) == cost_of(self.end)
        jumped = q0 * row.quantity > 0 and q0 != row.quantity and self.traded == 0 and self.moved == 0 and same_cost
        if jumped or not self.matched:  # never across a split that nobody has told of, or that does not fit
            return
        v0 = self.start.value if self.start else ZERO
        price = self._value_price() if self.end and self.end.price is not None else other_price
        if q0 == 0:
            row.position_pnl = ZERO
        elif q0 == row.quantity and self.end:
            row.position_pnl = self.end.value - v0
        elif price is not None:
            row.position_pnl = q0 * price * self.multiplier - v0
        if row.position_pnl is None or row.total_pnl is None:
            return
        if row.total_source == "EXECUTIONS":
            row.day_pnl = row.total_pnl - row.position_pnl
        elif not self.span.loaded and q0 == row.quantity and not self.fills:
            row.day_pnl = ZERO if abs(row.total_pnl - row.position_pnl) <= MILLIONTH else None

    def _value_price(self) -> Decimal | None:
        """The price of the day, or the one that the value follows instead."""
        end = self.end
        if end is None or end.price is None or end.quantity == 0:
            return end.price if end else None
        if abs(end.value - end.quantity * end.price * end.multiplier) > CENT:
            return end.value / (end.quantity * end.multiplier)
        return end.price


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
