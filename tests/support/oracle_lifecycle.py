"""What became of quantities without a trade: what people said, and options exercised, assigned or expired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext

from tests.support.facts import Adjustment, Contract, SignedFill
from tests.support.oracle_evidence import CENT, ONE, ZERO, Evidence, Held, Span, cost_of, quantity_of

SHARE_OF_MONEY = Decimal("1e-10")
Fills = Mapping[str, list[SignedFill]]


@dataclass(frozen=True)
class Move:
    """Quantity, cash, value and basis that an event or a person moved, in +, out -. None: unknown."""

    quantity: Decimal = ZERO
    cash: Decimal = ZERO
    value: Decimal = ZERO
    basis: Decimal | None = ZERO


@dataclass(frozen=True)
class _Gone:
    """Contracts (signed like the position) that left it without a trade, and the instructions that were accepted."""

    held: Held
    contract: Contract
    contracts: Decimal
    instructed: Mapping[str, Decimal]
    in_the_money: bool | None

    @property
    def lapses(self) -> bool:
        return self.contracts > 0 and "DO_NOT_EXERCISE" in self.instructed

    def part(self, amount: Decimal | None, contracts: Decimal) -> Decimal | None:
        """The share of an amount of the whole position that `contracts` of it have."""
        return None if amount is None else _money(amount * contracts / self.held.quantity)


class Lifecycle:
    """Finds the moves of each span, which have to be asked for in the order of days: an instruction is spent once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.calendar = evidence.calendar
        self.spent: dict[tuple[str, str], date] = {}

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
        gone: dict[str, list[_Gone]] = {}
        for instrument, held in sorted(span.start.held.items()):
            contract = self.evidence.contract(held.position)
            side = ONE if held.quantity > 0 else -ONE
            left = (held.quantity - self._unmoved(span, fills, moves, instrument)) * side
            if contract is not None and 0 < left <= abs(held.quantity):
                money = self._in_the_money(span, contract)
                each = _Gone(held, contract, side * left, self._accepted(span, instrument), in_the_money=money)
                gone.setdefault(contract.underlying_instrument_id, []).append(each)
        for stock, options in gone.items():
            unexplained = self._unexplained(span, fills, moves, stock)
            ends = self._ends(span, options, unexplained)
            for instrument, move in self._legs(span, fills, stock, ends):
                moves.setdefault(instrument, []).append(move)
        return moves

    def _in_the_money(self, span: Span, contract: Contract) -> bool | None:
        """By the stock's price when the option was last held, if it has expired, else by today's; None: no price."""
        assert span.prev is not None
        expiry = min(max(span.prev, contract.expiry), span.day)
        days = (expiry, span.prev, span.day) if contract.expiry <= span.day else (span.day,)
        prices = [
            held.price
            for day in days
            for (_, of), eod in self.evidence.eods.items()
            if of == day and (held := eod.held.get(contract.underlying_instrument_id)) and held.price is not None
        ]
        if not prices:
            return None
        return prices[0] > contract.strike if contract.contract_type == "CALL" else prices[0] < contract.strike

    def _ends(self, span: Span, options: list[_Gone], unexplained: Decimal) -> list[tuple[_Gone, str, Decimal]]:
        """What became of contracts that left without a trade, all of them on one stock: exercised as instructed;
        exercised or assigned as the stock's own move shows; or expired, if that is all that can have happened."""
        ends: list[tuple[_Gone, str, Decimal]] = []
        rest: list[tuple[_Gone, Decimal]] = []
        for each in options:
            asked = min(each.instructed.get("EXERCISE", ZERO), each.contracts) if each.contracts > 0 else ZERO
            if asked:
                ends.append((each, "DELIVERED", asked))
                unexplained -= _deliverable(each.contract, asked)
            if each.contracts != asked:
                rest.append((each, each.contracts - asked))
        delivered = self._delivered(span, rest, unexplained)
        for each, contracts in rest:
            if each in delivered:
                ends.append((each, "DELIVERED", contracts))
            elif self._has_expired(span, each, stock_is_explained=bool(delivered) or unexplained == 0):
                ends.append((each, "EXPIRED", contracts))
        return ends

    def _delivered(self, span: Span, rest: list[tuple[_Gone, Decimal]], unexplained: Decimal) -> list[_Gone]:
        """Those whose shares make up the stock's move: all in the money, or the only one that fits, or all."""
        possible = [
            (each, _deliverable(each.contract, contracts))
            for each, contracts in rest
            if contracts < 0 or each.contract.expiry <= span.day or span.loaded
        ]
        ripe = [(each, shares) for each, shares in possible if each.in_the_money and not each.lapses]
        if unexplained == 0:  # a spread in the money on both legs delivers to itself
            ripe = [(each, shares) for each, shares in ripe if self._is_over(span, each)]
            return [each for each, _ in ripe] if sum(shares for _, shares in ripe) == 0 else []
        fitting = [(each, shares) for each, shares in possible if shares == unexplained]
        for some in (ripe, fitting if len(fitting) == 1 else [], possible):
            if some and sum(shares for _, shares in some) == unexplained:
                return [each for each, _ in some]
        return []

    def _is_over(self, span: Span, each: _Gone) -> bool:
        """Expired, and not sold before: held at the close of its last session, or every fill is known."""
        return each.contract.expiry <= span.day and (self._was_last(span, each) or span.loaded)

    def _was_last(self, span: Span, each: _Gone) -> bool:
        expiry = each.contract.expiry
        assert span.prev is not None
        return span.prev >= (expiry if self.calendar.is_session(expiry) else self.calendar.previous(expiry))

    def _has_expired(self, span: Span, each: _Gone, *, stock_is_explained: bool) -> bool:
        """Nobody delivers stock for what closed out of the money; else the stock's move has to be explained."""
        is_worthless = self._was_last(span, each) and each.in_the_money is False
        return self._is_over(span, each) and (stock_is_explained or is_worthless)

    def _legs(
        self, span: Span, fills: Fills, stock: str, ends: list[tuple[_Gone, str, Decimal]]
    ) -> Iterable[tuple[str, Move]]:
        """Both legs of every exercise or assignment: stock against the strike, and the premium with it unless the
        stock's own cost shows the strike alone. What expired leaves at nothing."""
        delivered = [(each, contracts) for each, how, contracts in ends if how == "DELIVERED"]
        shares = sum((_deliverable(each.contract, contracts) for each, contracts in delivered), ZERO)
        strike = sum((_deliverable(e.contract, contracts) * e.contract.strike for e, contracts in delivered), ZERO)
        premiums = [self._basis(span, fills, each, contracts) for each, contracts in delivered]
        known = [each for each in premiums if each is not None]
        premium = sum(known, ZERO) if known else None
        alone = self._shows_strike_alone(span, fills, stock, shares, strike, premium)
        for each, how, contracts in ends:
            option = each.held.position.instrument_id
            if how == "EXPIRED" or alone:
                yield option, Move(-contracts)
            else:
                value = each.part(each.held.value, contracts) or ZERO
                basis = self._basis(span, fills, each, contracts)
                yield option, Move(-contracts, ZERO, -value, None if basis is None else -basis)
                yield stock, Move(ZERO, ZERO, value, basis)
            if how == "DELIVERED":
                moved = _deliverable(each.contract, contracts)
                yield stock, Move(moved, -moved * each.contract.strike)

    def _basis(self, span: Span, fills: Fills, each: _Gone, contracts: Decimal) -> Decimal | None:
        """What contracts that went had cost: where nothing else happened, by how much the position's cost fell."""
        option = each.held.position.instrument_id
        after = span.end.held.get(option)
        if not fills.get(option) and contracts == each.held.quantity - quantity_of(after):
            spent = cost_of(after)
            return None if spent is None or each.held.cost is None else each.held.cost - spent
        return each.part(each.held.cost, contracts)

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
            if each.instrument_id != option or each.status != "ACCEPTED" or not in_time:
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
            yield line.to_instrument_id, Move(held.quantity, ZERO, held.value, cost)
        return
    yield (
        line.instrument_id,
        Move(line.quantity or ZERO, line.cash or ZERO, line.value or ZERO, line.cost_basis or ZERO),
    )


def _deliverable(contract: Contract, quantity: Decimal) -> Decimal:
    """Shares that come in (+) or go out (-) when `quantity` contracts, short ones negative, are exercised."""
    return quantity * contract.multiplier * (1 if contract.contract_type == "CALL" else -1)


def _money(amount: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return amount.quantize(SHARE_OF_MONEY)
