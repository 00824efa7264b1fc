"""The named rule that prices options: Black-Scholes, European, no dividends, one volatility and one rate for all."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from math import exp, log, sqrt
from statistics import NormalDist

from pipelines.sandbox.instruments import CALL

VOLATILITY = 0.30
RATE = 0.025
CENT = Decimal("0.01")
_N = NormalDist().cdf


def intrinsic(contract_type: str, spot: Decimal, strike: Decimal) -> Decimal:
    """What exercising one share's worth would bring, USD; never negative."""
    return max(spot - strike if contract_type == CALL else strike - spot, Decimal(0))


@lru_cache(maxsize=65536)
def option_price(contract_type: str, spot: Decimal, strike: Decimal, days: int) -> Decimal:
    """USD a share, half-even to the cent; `days` calendar days before the last session: at 0 the intrinsic value."""
    worth = intrinsic(contract_type, spot, strike)
    if days <= 0:
        return worth.quantize(CENT, ROUND_HALF_EVEN)
    # The model is a formula in real numbers; its result becomes money only by rounding, so floats end here.
    model = Decimal(black_scholes(contract_type, float(spot), float(strike), days / 365))
    # These contracts can be exercised at any time, so none is worth less than that.
    return max(model, worth).quantize(CENT, ROUND_HALF_EVEN)


def black_scholes(contract_type: str, spot: float, strike: float, years: float) -> float:
    """The European value of an option on a stock without dividends; `years` > 0."""
    spread = VOLATILITY * sqrt(years)
    d1 = (log(spot / strike) + (RATE + VOLATILITY**2 / 2) * years) / spread
    d2 = d1 - spread
    discounted = strike * exp(-RATE * years)
    if contract_type == CALL:
        return spot * _N(d1) - discounted * _N(d2)
    return discounted * _N(-d2) - spot * _N(-d1)
