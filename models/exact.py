"""Numbers that keep every digit: JSON in and out without floats, and decimals made to fit a column.

What belongs here: the handful of functions that know how a number is written. Nothing here knows the broker.
"""

import json
import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

#: kind of column -> (precision, scale) of its DECIMAL. The landing and the SQL use the same numbers.
DECIMALS: dict[str, tuple[int, int]] = {
    "price": (24, 8),
    "quantity": (24, 8),
    "average": (24, 8),
    "money": (28, 10),
    "percent": (18, 8),
    "ratio": (24, 8),
}

#: Kinds that are quotients anyway: digits beyond the scale are rounded half-even and reported, not refused.
ROUNDED = frozenset({"average", "percent"})

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")


class Number(str):
    """A JSON number by the digits it was sent with. A `str`, so that nothing can turn it into a float unseen."""

    __slots__ = ()


def loads_exact(body: bytes) -> Any:
    """Decode JSON with every number as `Number`.

    Raises ValueError for anything that is not JSON, RecursionError included: nesting that deep is not a reply.
    """
    try:
        return json.loads(body, parse_float=Number, parse_int=Number, parse_constant=Number)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def dumps_exact(value: Any) -> str:
    """Encode as JSON text with the digits of every `Number` as they were sent.

    Raises ValueError for a float: one that was decoded elsewhere has already lost digits.
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str | int):
        return json.dumps(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{dumps_exact(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps_exact, value)) + "]"
    raise ValueError(f"{type(value).__name__} has no exact JSON text")


def decimal_pattern(kind: str) -> str:
    """The texts that a column of this kind holds as they stand: plain digits, no exponent, no zeros in front."""
    precision, scale = DECIMALS[kind]
    return rf"^-?(0|[1-9][0-9]{{0,{precision - scale - 1}}})(\.[0-9]{{1,{scale}}})?$"


_PLAIN = {kind: re.compile(decimal_pattern(kind)) for kind in DECIMALS}


def fit_decimal(text: str, kind: str) -> tuple[str, bool]:
    """The text as a column of `kind` holds it, and whether that equals exactly what was sent.

    Exponents, plus signs and trailing zeros are rewritten, digits beyond the scale are rounded half-even (and the
    second value is False). Raises ValueError, worded to follow the field's name, for what no rounding would fit.
    """
    if _PLAIN[kind].fullmatch(text):
        return str(text), True  # a plain str: `Number` ends here
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a decimal number")
    precision, scale = DECIMALS[kind]
    try:
        value = Decimal(text)
        # one context digit per column digit: rounding up into a digit that the column has not got is refused, too
        held = value.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_EVEN, context=Context(prec=precision))
    except InvalidOperation:
        raise ValueError(f"has more than {precision - scale} digits before the decimal point") from None
    exponent = int(value.as_tuple().exponent)
    shown = held.to_integral_value() if exponent > 0 else value if exponent >= -scale else held
    return format(shown, "f"), held == value
