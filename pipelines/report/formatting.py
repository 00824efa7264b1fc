"""How values are written: for people (cents, thousands apart, a dash for the unknown), for spreadsheets, and safely."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

Kind = Literal[
    "text", "symbol", "day", "instant", "money", "quantity", "price", "percent", "share", "ratio", "integer", "prose"
]

#: Written to the right, and red below zero.
NUMBERS: frozenset[Kind] = frozenset({"money", "quantity", "price", "percent", "share", "ratio", "integer"})
UNKNOWN = "\N{EN DASH}"
#: The value where there is nothing to know, such as a month before an account was opened.
NOTHING = ""
#: So much of a text is shown on a page; extracts have it whole.
SHOWN = 48
#: What a spreadsheet takes for the beginning of a formula, in full width too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def format_value(value: Any, kind: Kind) -> str:
    """A value for a page. Money to the cent and per cent to two places, half-even; quantities with all their digits.

    A `percent` is a change and has a sign, a `share` is part of something. Prose may be longer than a name.
    """
    if value is None:
        return UNKNOWN
    if value == NOTHING:
        return ""
    if kind in ("money", "ratio"):
        return f"{value:,.2f}"
    if kind == "percent":
        return f"{value:+,.2f} %" if value else "0.00 %"
    if kind == "share":
        return f"{value:,.2f} %"
    if kind in ("quantity", "price"):
        return trimmed(value, least=2 if kind == "price" else 0)
    if kind == "instant":
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if kind == "integer":
        return f"{value:,}"
    return short(str(value), 4 * SHOWN if kind == "prose" else SHOWN)


def trimmed(value: Decimal, *, least: int = 0) -> str:
    """A number with its digits and no others, thousands apart; at least so many after the point."""
    whole, _, fraction = f"{value:,f}".partition(".")
    fraction = fraction.rstrip("0").ljust(least, "0")
    return f"{whole}.{fraction}" if fraction else whole


def short(text: str, most: int = SHOWN) -> str:
    """A text that fits a cell and is only text: cut with an ellipsis, controls written out.

    Whoever names an instrument may put anything in it; directions of writing are named, lest they reorder the page.
    """
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(_plain(letter) for letter in cut)


def _plain(letter: str) -> str:
    if unicodedata.category(letter) in ("Cc", "Cs", "Cf", "Zl", "Zp") and letter != "\u200d":  # joins emoji
        return f"\\u{ord(letter):04x}"
    return letter


def exact(value: Any) -> str:
    """A value for CSV: numbers with every digit, instants in ISO 8601 UTC, nothing for what is not known.

    A text that a spreadsheet would take for a formula gets an apostrophe in front; a negative number is no text.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def tone(value: Any, kind: Kind) -> str:
    """Whether a value is below zero, above or neither: what colours it."""
    if value is None or value == NOTHING or kind not in NUMBERS:
        return ""
    return "loss" if value < 0 else ""
