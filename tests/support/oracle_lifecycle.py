"""What became of quantities without a trade: what people said, and options exercised, assigned or expired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext

from tests.support.facts import Adjustment, Contract, SignedFill
from tests.support.oracle_evidence import CENT, ONE, ZERO, Evidence, Span, cost_of, quantity_of

SHARE_OF_MONEY = Decimal("1e-10")
Fills = Mapping[str, list[SignedFill]]
#: One that is to be cancelled, or could not be, stands until it is cancelled.
IN_FORCE = ("ACCEPTED", "CANCEL_REQUESTED", "CANCEL_FAILED")


@dataclass(frozen=True)
class Move:
    """Quantity, cash, value and basis that an event or a person moved, in +, out -. None: unknown."""

    quantity: Decimal = ZERO
    cash: Decimal = ZERO
    value: Decimal = ZERO
    basis: Decimal | None = ZERO


@dataclass(frozen=True)
class Premium:
    """What so many contracts were worth at the start of the span and had cost. None: unknown."""

    contracts: Decimal
    value: Decimal | None
    cost: Decimal | None

    def value_of(self, contracts: Decimal) -> Decimal:
        return ZERO if self.value is None else _money(self.value * contracts / self.contracts)

    def cost_of(self, contracts: Decimal) -> Decimal | None:
        return None if self.cost is None else _money(self.cost * contracts / self.contracts)


@dataclass(frozen=True)
class _Gone:
    """Contracts that left a position without a trade: `count` of them, from the `side` (1 long, -1 short) that was
    held; what an accepted instruction asked for them; and what is known of the price. `contract` None: no terms."""

    instrument: str
    contract: Contract | None
    side: Decimal
    count: Decimal
    exercise: Decimal
    lapse: Decimal
    in_the_money: bool | None
    far_out: bool
    is_expired: bool
    is_over: bool
    was_loaded: bool
    premium: Premium

    @property
    def shares(self) -> Decimal:
        """Shares that come in (+) or go out (-) with one of the contracts."""
        return _deliverable(self.contract, self.side) if self.contract is not None else ZERO

    @property
    def is_sellable(self) -> bool:
        """A long option that has not expired may have been sold, where nobody knows the fills."""
        return self.side > 0 and not self.is_expired and not self.was_loaded

    def expected(self) -> tuple[Decimal, Decimal]:
        """The fewest and the most that delivered if price and instructions had their way."""
        if self.is_expired and self.in_the_money:
            return self.count - self.lapse, self.count - self.lapse
        is_worthless = (self.is_expired and self.in_the_money is False) or self.far_out or self.is_sellable
        return self.exercise, self.exercise if is_worthless else self.count - self.lapse

    def possible(self) -> tuple[Decimal, Decimal]:
        """The fewest and the most that can have delivered at all."""
        return ZERO, self.exercise if self.far_out or self.is_sellable else self.count - self.lapse


class Lifecycle:
    """Finds the moves of each span, which have to be asked for in the order of days: an instruction is spent once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.calendar = evidence.calendar
        self.spent: dict[tuple[str, str], date] = {}
        #: Account, day and instrument of what an expiry left open.
        self.open: set[tuple[str, date, str]] = set()

    def moves(self, span: Span, fills: Fills) -> dict[str, list[Move]]:
        moves: dict[str, list[Move]] = {}
        for line in self.evidence.said(span):
            for instrument, move in _adjusted(line, span):
                moves.setdefault(instrument, []).append(move)
            if line.kind == "CASH_IN_LIEU" and line.quantity is None:
                fraction = self._unexplained(span, fills, moves, line.instrument_id)
                before = quantity_of(span.start.held.get(line.instrument_id))
                if abs(fraction) < 1 and fraction * before < 0:
                    moves[line.instrument_id].append(Move(fraction))
        groups: dict[str, list[_Gone]] = {}
        for instrument in sorted(span.start.held.keys() | fills.keys()):
            if (each := self._gone(span, fills, moves, instrument)) is not None:
                groups.setdefault(self._linked_to(fills, each), []).append(each)
        for stock, options in groups.items():
            is_alone = any(each.instrument == stock for each in options)
            unexplained = ZERO if is_alone else self._unexplained(span, fills, moves, stock)
            ends = self._ends(span, stock, options, unexplained)
            for instrument, move in self._legs(span, fills, stock, ends):
                moves.setdefault(instrument, []).append(move)
        return moves

    def _gone(self, span: Span, fills: Fills, moves: Mapping[str, list[Move]], instrument: str) -> _Gone | None:
        """The option's contracts that what was held, traded and said do not account for; None where there are none."""
        before = self._before(span, fills, moves, instrument)
        left = before - quantity_of(span.end.held.get(instrument))
        if not self._is_option(span, fills, instrument) or not 0 < left * before <= before * before:
            return None
        side = ONE if before > 0 else -ONE
        contract = self._contract(span, instrument)
        asked = self._accepted(span, instrument) if side > 0 else {}
        exercise = min(asked.get("EXERCISE", ZERO), abs(left))
        lapse = min(asked.get("DO_NOT_EXERCISE", ZERO), abs(left) - exercise)
        money, far_out = self._moneyness(span, instrument, contract) if contract else (None, False)
        is_expired = contract is not None and contract.expiry <= span.day
        is_over = is_expired and contract is not None and (span.loaded or self._was_last(span, contract))
        premium = self._premium(span, fills, instrument, before)
        return _Gone(
            *(instrument, contract, side, abs(left), exercise, lapse, money),
            *(far_out, is_expired, is_over, span.loaded, premium),
        )

    def _before(self, span: Span, fills: Fills, moves: Mapping[str, list[Move]], instrument: str) -> Decimal:
        """What was held, as splits left it, with everything traded and said since."""
        held = quantity_of(span.start.held.get(instrument)) * self.evidence.ratio(instrument, span)
        return held + quantity_of(span.end.held.get(instrument)) - self._unmoved(span, fills, moves, instrument)

    def _is_option(self, span: Span, fills: Fills, instrument: str) -> bool:
        held = span.end.held.get(instrument) or span.start.held.get(instrument)
        if held is not None:
            return held.position.instrument_type == "OPTION"
        is_traded_as_one = any(fill.underlying_instrument_id for fill in fills.get(instrument, ()))
        return is_traded_as_one or instrument in self.evidence.contracts

    def _contract(self, span: Span, instrument: str) -> Contract | None:
        """Its terms; a row that went flat tells nothing of the multiplier."""
        rows = [held for end in (span.end, span.start) if (held := end.held.get(instrument))]
        held = next((each for each in rows if each.quantity != 0), rows[0] if rows else None)
        return self.evidence.contract(held.position) if held else self.evidence.contracts.get(instrument)

    def _linked_to(self, fills: Fills, each: _Gone) -> str:
        """The stock that its contracts deliver; itself where nobody knows one."""
        if each.contract is not None and each.contract.underlying_instrument_id:
            return each.contract.underlying_instrument_id
        named = (fill.underlying_instrument_id for fill in fills.get(each.instrument, ()))
        return next((name for name in named if name), each.instrument)

    def _premium(self, span: Span, fills: Fills, instrument: str, before: Decimal) -> Premium:
        """Of yesterday's contracts where some were sold, with those that came since, or of what was traded alone where
        the position turned round."""
        held = span.start.held.get(instrument)
        q0 = quantity_of(held)
        contract = self.evidence.contracts.get(instrument)
        multiplier = held.multiplier if held else contract.multiplier if contract else Decimal(100)
        traded = [fill for fill in fills.get(instrument, ()) if fill.price is not None]
        if q0 * before < 0:
            same = [fill for fill in traded if fill.quantity * before > 0]
            count = sum((fill.quantity for fill in fills.get(instrument, ()) if fill.quantity * before > 0), ZERO)
            paid = sum((fill.quantity * (fill.price or ZERO) for fill in same), ZERO) * multiplier
            return Premium(count, paid, paid)
        value, cost = (held.value if held else ZERO), cost_of(held)
        if abs(before) <= abs(q0):
            return Premium(q0, value, cost)
        paid = sum((fill.quantity * (fill.price or ZERO) for fill in traded), ZERO) * multiplier
        return Premium(before, value + paid, None if cost is None else cost + paid)

    def _moneyness(self, span: Span, instrument: str, contract: Contract) -> tuple[bool | None, bool]:
        """Whether it was in the money, None where nothing tells; and whether it closed so far out of it that nobody
        exercises."""
        assert span.prev is not None
        near = contract.strike / 100
        is_expired = contract.expiry <= span.day
        last = self._last_session(contract) if is_expired else span.day
        at_last = self._inside(last, contract)
        before, after = self._inside(span.prev, contract), self._inside(span.day, contract)
        if self.evidence.ratio(contract.underlying_instrument_id, span) != 1:
            before = after = None
        both = before is not None and after is not None
        if is_expired:
            far_out = at_last is not None and at_last[1] and at_last[0] < -near
        else:
            far_out = all(each is not None and each[1] and each[0] < -near for each in (before, after))
        # a last trade is no close: so near the strike it may have been on the other side of it
        if at_last is not None and (at_last[1] or abs(at_last[0]) > contract.strike / 1000):
            return at_last[0] > 0, far_out
        own = span.start.held.get(instrument)
        if own is not None and span.prev == last and own.position.closing_price_date == last:
            close = own.position.closing_price
            if close is not None and close <= Decimal("0.05"):
                return False, far_out
            if close is not None and close >= near:
                return True, far_out
        if at_last is None and is_expired and both and (before[0] > 0) == (after[0] > 0):  # type: ignore[index]
            return before[0] > 0, far_out  # type: ignore[index]
        return None, far_out

    def _inside(self, day: date, contract: Contract) -> tuple[Decimal, bool] | None:
        """How far the stock stood inside the strike that day, and whether an official close says so."""
        rows = [
            held
            for (_, of), eod in self.evidence.eods.items()
            if of == day and (held := eod.held.get(contract.underlying_instrument_id))
        ]
        closes = [each.position.closing_price for each in rows if each.position.closing_price_date == day]
        official = [close for close in closes if close is not None]
        # what it trades at in the night is a price of the next session
        prices = [each.position.instrument_price for each in rows if not each.is_late]
        shown = [price for price in prices if price is not None]
        if not official and not shown:
            return None
        over = max(official or shown) - contract.strike
        return over * (1 if contract.contract_type == "CALL" else -1), bool(official)

    def _last_session(self, contract: Contract) -> date:
        expiry = contract.expiry
        return expiry if self.calendar.is_session(expiry) else self.calendar.previous(expiry)

    def _was_last(self, span: Span, contract: Contract) -> bool:
        return span.prev is not None and span.prev >= self._last_session(contract)

    def _ends(self, span: Span, stock: str, options: list[_Gone], moved: Decimal) -> list[tuple[_Gone, str, Decimal]]:
        """What became of contracts that left without a trade, all of them on one stock, where one answer fits."""
        answers, has_several = _answers(options, moved)
        ends: list[tuple[_Gone, str, Decimal]] = []
        for each, delivered in zip(options, answers, strict=True):
            told = delivered or ZERO
            if told:
                ends.append((each, "DELIVERED", told))
            if each.is_over and (delivered is not None or each.far_out):
                left = each.count - told - (each.exercise if delivered is None else ZERO)
                ends.append((each, "EXPIRED", left))
                told += left
            elif each.is_over and each.lapse:
                ends.append((each, "EXPIRED", each.lapse))
                told += each.lapse
            if each.is_expired and told < each.count:
                self.open.add((span.account, span.day, each.instrument))
        if has_several and all(each.instrument != stock for each in options):
            self.open.add((span.account, span.day, stock))
        return [(each, how, contracts) for each, how, contracts in ends if contracts]

    def _legs(
        self, span: Span, fills: Fills, stock: str, ends: list[tuple[_Gone, str, Decimal]]
    ) -> Iterable[tuple[str, Move]]:
        """Both legs of every exercise or assignment: stock against the strike, and the premium with it unless the
        stock's own cost shows the strike alone. What expired leaves at nothing."""
        delivered = [(each, contracts) for each, how, contracts in ends if how == "DELIVERED"]
        shares = sum((each.shares * contracts for each, contracts in delivered), ZERO)
        strike = sum((each.shares * contracts * _strike(each) for each, contracts in delivered), ZERO)
        premiums = [self._basis(span, fills, each, contracts) for each, contracts in delivered]
        known = [each for each in premiums if each is not None]
        premium = sum(known, ZERO) if known else None
        alone = self._shows_strike_alone(span, fills, stock, shares, strike, premium)
        for each, how, contracts in ends:
            signed = contracts * each.side
            if how == "EXPIRED" or alone:
                yield each.instrument, Move(-signed)
            else:
                value = each.premium.value_of(signed)
                basis = self._basis(span, fills, each, contracts)
                yield each.instrument, Move(-signed, ZERO, -value, None if basis is None else -basis)
                yield stock, Move(ZERO, ZERO, value, basis)
            if how == "DELIVERED":
                moved = each.shares * contracts
                yield stock, Move(moved, -moved * _strike(each))

    def _basis(self, span: Span, fills: Fills, each: _Gone, contracts: Decimal) -> Decimal | None:
        """What contracts that went had cost: where nothing else happened, by how much the position's cost fell."""
        before, after = span.start.held.get(each.instrument), span.end.held.get(each.instrument)
        traded = sum((fill.quantity for fill in fills.get(each.instrument, ())), ZERO)
        if traded == 0 and contracts * each.side == quantity_of(before) - quantity_of(after):
            spent = cost_of(after)
            cost = cost_of(before)
            return None if spent is None or cost is None else cost - spent
        return each.premium.cost_of(contracts * each.side)

    def _unmoved(self, span: Span, fills: Fills, moves: Mapping[str, list[Move]], instrument: str) -> Decimal:
        """Today's quantity less what known trades and adjustments brought."""
        traded = ZERO
        for fill in fills.get(instrument, ()):
            traded += fill.quantity * self.evidence.ratio(instrument, span, fill.at)
        moved = sum((move.quantity for move in moves.get(instrument, ())), ZERO)
        return quantity_of(span.end.held.get(instrument)) - traded - moved

    def _unexplained(self, span: Span, fills: Fills, moves: Mapping[str, list[Move]], instrument: str) -> Decimal:
        before = quantity_of(span.start.held.get(instrument)) * self.evidence.ratio(instrument, span)
        return self._unmoved(span, fills, moves, instrument) - before

    def _accepted(self, span: Span, option: str) -> dict[str, Decimal]:
        """Contracts of instructions accepted within the last five sessions, by type, as last seen; each is spent on the
        first evening that shows fewer contracts."""
        seen = {
            instruction.id: instruction
            for _, answer in self.evidence.answers(span.account)
            for instruction in answer.instructions or ()
        }
        assert span.prev is not None
        first = span.prev
        for _ in range(5):
            first = self.calendar.previous(first)
        accepted: dict[str, Decimal] = {}
        for each in seen.values():
            in_time = self.calendar.session(first).close <= each.updated_at <= span.end.captured_at
            if each.instrument_id != option or each.status not in IN_FORCE or not in_time:
                continue
            if self.spent.setdefault((span.account, each.id), span.day) == span.day:
                quantity = each.accepted_quantity or ZERO
                accepted[each.instruction_type] = accepted.get(each.instruction_type, ZERO) + quantity
        return accepted

    def _shows_strike_alone(
        self,
        span: Span,
        fills: Fills,
        stock: str,
        shares: Decimal,
        strike: Decimal,
        premium: Decimal | None,
    ) -> bool:
        """Only stock that grew by nothing else tells: its cost grew by the strike, or by strike and premium."""
        before, after = span.start.held.get(stock), span.end.held.get(stock)
        if after is None or after.quantity * shares <= 0 or quantity_of(before) * shares < 0:
            return False
        is_alone = not fills.get(stock) and all(line.instrument_id != stock for line in self.evidence.said(span))
        if after.cost is None or cost_of(before) is None or not is_alone:
            return False
        grown = after.cost - (cost_of(before) or ZERO)
        apart = abs(grown - strike)
        return apart < CENT if premium is None else apart < abs(grown - strike - premium)


def _adjusted(line: Adjustment, span: Span) -> Iterable[tuple[str, Move]]:
    if line.kind == "ID_CHANGE":
        held = span.start.held.get(line.instrument_id)
        if held is not None and line.to_instrument_id is not None:
            cost = held.cost
            yield line.instrument_id, Move(-held.quantity, ZERO, -held.value, None if cost is None else -cost)
            new = held.quantity if line.quantity is None else line.quantity
            yield line.to_instrument_id, Move(new, ZERO, held.value, cost)
        return
    yield (
        line.instrument_id,
        Move(line.quantity or ZERO, line.cash or ZERO, line.value or ZERO, line.cost_basis or ZERO),
    )


def _answers(options: list[_Gone], moved: Decimal) -> tuple[list[Decimal | None], bool]:
    """How many contracts of each option delivered, where the stock's move leaves one number for each of them; and
    whether it leaves several: as the price expects it, or if the stock can't have moved so, as is possible at all."""
    ranges = [each.expected() for each in options]
    low, high = _hull(options, ranges)
    is_expected = low <= moved <= high
    if not is_expected:
        ranges = [each.possible() for each in options]
    fitting = []
    for index, each in enumerate(options):
        rest = [other for other in range(len(options)) if other != index]
        low, high = _hull([options[other] for other in rest], [ranges[other] for other in rest])
        first, last = ranges[index]
        numbers = [first + step for step in range(int(last - first) + 1)]
        fitting.append([number for number in numbers if low <= moved - number * each.shares <= high])
    has_several = any(len(numbers) > 1 for each, numbers in zip(options, fitting, strict=True) if each.contract)
    if any(each.contract is None for each in options) or any(len(numbers) != 1 for numbers in fitting):
        return [None] * len(options), has_several
    told = [numbers[0] for numbers in fitting]
    if sum((each.shares * number for each, number in zip(options, told, strict=True)), ZERO) != moved:
        return [None] * len(options), has_several
    left = [
        each.is_expired and not number and each.count > each.lapse for each, number in zip(options, told, strict=True)
    ]
    if not is_expected and any(is_left and each.in_the_money for each, is_left in zip(options, left, strict=True)):
        return [None] * len(options), has_several  # exercise by exception says otherwise
    return [
        None if is_left and each.in_the_money is None and moved == 0 else number
        for each, number, is_left in zip(options, told, left, strict=True)
    ], has_several


def _hull(options: list[_Gone], ranges: list[tuple[Decimal, Decimal]]) -> tuple[Decimal, Decimal]:
    """The least and the most that the stock can have moved for them."""
    moves = [sorted((low * o.shares, high * o.shares)) for o, (low, high) in zip(options, ranges, strict=True)]
    return sum((low for low, _ in moves), ZERO), sum((high for _, high in moves), ZERO)


def _strike(each: _Gone) -> Decimal:
    return each.contract.strike if each.contract is not None else ZERO


def _deliverable(contract: Contract, quantity: Decimal) -> Decimal:
    """Shares that come in (+) or go out (-) when `quantity` contracts, short ones negative, are exercised."""
    return quantity * contract.multiplier * (1 if contract.contract_type == "CALL" else -1)


def _money(amount: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return amount.quantize(SHARE_OF_MONEY)
