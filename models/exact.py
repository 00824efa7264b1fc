"""Numbers that keep every digit: JSON in and out without floats, and decimals made to fit a column.

What belongs here: the handful of functions that know how a number is written. Nothing here knows the broker.
"""

import json
import re
from collections import Counter
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


class Repeated(dict[str, Any]):
    """A JSON object that has a key more than once. As a dict it has the last value of each; `pairs` has them all."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    @property
    def repeated_keys(self) -> list[str]:
        """The keys that came more than once."""
        return [key for key, times in Counter(key for key, _ in self.pairs).items() if times > 1]


def loads_exact(body: bytes) -> Any:
    """Decode JSON with every number as `Number`, and an object with a key more than once as `Repeated`.

    Bytes that are not UTF-8 become lone surrogates, as escapes of such do: `models.text` makes text of them.
    Raises ValueError for anything that is not JSON, RecursionError included: nesting that deep is not a reply.
    """
    encoding = json.detect_encoding(body)
    text = body.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "surrogatepass")
    try:
        return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else Repeated(pairs)


def dumps_exact(value: Any) -> str:
    """Encode as JSON text, in ASCII, with the digits of every `Number` as they were sent, however deep it is nested.

    Raises ValueError for a float: one that was decoded elsewhere has already lost digits.
    """
    done: list[str] = []
    waiting: list[Any] = [value]  # what is still to be written, last first; a `_Mark` is written as it stands
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list):
            waiting += reversed(_opened(item))
        else:
            done.append(_scalar(item))
    return "".join(done)


class _Mark(str):
    """A piece of JSON that is written already: a bracket, a comma, a key."""

    __slots__ = ()


def _opened(value: dict[Any, Any] | list[Any]) -> list[Any]:
    """A list or an object as marks, with what it holds between them."""
    parts: list[Any] = []
    if isinstance(value, list):
        for item in value:
            parts += (_Mark(","), item)
        return [_Mark("["), *parts[1:], _Mark("]")]
    for key, item in value.pairs if isinstance(value, Repeated) else value.items():
        parts += (_Mark(f",{json.dumps(str(key))}:"), item)
    if parts:
        parts[0] = _Mark(parts[0][1:])
    return [_Mark("{"), *parts, _Mark("}")]


def _scalar(value: Any) -> str:
    if isinstance(value, Number | _Mark):
        return str(value)
    if value is None or isinstance(value, bool | str | int):
        return json.dumps(value)
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
