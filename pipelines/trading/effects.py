"""What an instruction would move: shares and cash at the strike, what that is worth, and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from models.trading import InstructionKind, InstructionRow
from pipelines.trading.prices import Quoted, Source

Row = dict[str, Any]
ZERO = Decimal(0)


@dataclass(frozen=True)
class Effect:
    """What an instruction would do at today's price. None is unknown, never zero.

    `held` is the position in contracts, `shares` what comes in (negative: goes out), `strike_cash` what is paid for it
    (negative) or received, `price` the underlying's per share, `moneyness` the gain per share (negative: out of the
    money), `worth` the same for all shares. DO_NOT_EXERCISE moves nothing: its `worth` is what would be given up.
    `standing`: what was instructed of the same contract before, in words.
    """

    instruction_type: InstructionKind
    symbol: str
    instrument_id: str
    contracts: Decimal
    held: Decimal | None
    expiry: str | None = None
    shares: Decimal | None = None
    strike_cash: Decimal | None = None
    price: Decimal | None = None
    price_source: Source | None = None
    price_as_of: str | None = None
    moneyness: Decimal | None = None
    worth: Decimal | None = None
    standing: str | None = None


def effect_of(
    row: InstructionRow,
    contract: Row | None,
    position: Row | None,
    prices: Mapping[str, Quoted | None],
    standing: str | None = None,
) -> Effect:
    """What an instruction would do, as far as its contract, the position and the underlyings' prices are known."""
    known = Effect(
        instruction_type=row.instruction_type,
        symbol=(position or contract or {}).get("symbol") or row.instrument_id,
        instrument_id=row.instrument_id,
        contracts=Decimal(row.quantity),
        held=Decimal(position["quantity"]) if position else None,
        expiry=(contract or {}).get("expiry"),
        standing=standing,
    )
    terms = _terms(contract)
    if terms is None or contract is None:
        return known
    return _moved(known, terms, prices.get(contract.get("underlying_instrument_id") or ""))


def _terms(contract: Row | None) -> tuple[int, Decimal, Decimal] | None:
    """Direction (1 for a call, -1 for a put), strike and multiplier; None unless all are known."""
    if contract is None:
        return None
    direction = {"CALL": 1, "PUT": -1}.get(contract.get("contract_type") or "")
    strike, multiplier = contract.get("strike_price"), contract.get("multiplier")
    if direction is None or strike is None or multiplier is None:
        return None
    return direction, Decimal(strike), Decimal(multiplier)


def _moved(known: Effect, terms: tuple[int, Decimal, Decimal], quote: Quoted | None) -> Effect:
    direction, strike, multiplier = terms
    units = known.contracts * multiplier
    lapses = known.instruction_type == "DO_NOT_EXERCISE"
    moneyness = direction * (quote.price - strike) if quote else None
    return replace(
        known,
        shares=ZERO if lapses else direction * units,
        strike_cash=ZERO if lapses else -direction * units * strike,
        price=quote.price if quote else None,
        price_source=quote.source if quote else None,
        price_as_of=quote.as_of if quote else None,
        moneyness=moneyness,
        worth=moneyness * units if moneyness is not None else None,
    )


def age_of(line: Effect) -> list[str]:
    """Of when the price is that a line is valued at."""
    if line.price_source == "LAST_TRADE":
        told = f"of {line.price_as_of}" if line.price_as_of else "of which the broker tells no time"
        return [f"{line.symbol}: the underlying's price is that of its last trade, {told}."]
    if line.price_source == "POSITION":
        return [f"{line.symbol}: the underlying's price is that in its position, of which the broker tells no time."]
    return []


def doubts_of(line: Effect) -> list[str]:
    """What speaks against an instruction. The broker decides; the person should know."""
    doubts = []
    if line.shares is None:
        doubts.append(f"{line.symbol}: its contract is not known, so neither is what this would move.")
    if line.held is None or line.held < line.contracts:
        has = "none" if line.held is None else f"{line.held.normalize():f}"
        doubts.append(f"{line.symbol}: {line.contracts.normalize():f} contracts, and the account holds {has}.")
    if line.standing:
        doubts.append(f"{line.symbol} was instructed already: {line.standing}.")
    if line.price_source == "PREVIOUS_CLOSE":
        doubts.append(f"{line.symbol}: the underlying's price is that of its previous close.")
    if line.instruction_type != "EXERCISE" and line.expiry:
        doubts.append(f"{line.symbol}: {line.instruction_type} is taken on the expiration date only, {line.expiry}.")
    return _price_warnings(line) + doubts


def _price_warnings(line: Effect) -> list[str]:
    """Warnings about an instruction that loses money at today's price."""
    if line.moneyness is None or line.worth is None:
        return []
    lapses = line.instruction_type == "DO_NOT_EXERCISE"
    if line.moneyness < 0 and not lapses:
        return [f"{line.symbol} is out of the money: exercising it costs {-line.worth:,.2f} at today's price."]
    if line.moneyness > 0 and lapses:
        return [f"{line.symbol} is in the money: letting it lapse gives up {line.worth:,.2f} at today's price."]
    return []
