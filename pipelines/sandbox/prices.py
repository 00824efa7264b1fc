"""The real closes and corporate actions that the sandbox replays, read from the two CSV files beside this module."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """What a holder gets on `on`, the ex-date: kind SPLIT (`value` shares for one) or DIVIDEND (USD a share)."""

    symbol: str
    on: date
    kind: str
    value: Decimal


class Prices:
    """Closes as traded (not adjusted), USD a share, and the corporate actions inside their range."""

    def __init__(self) -> None:
        self._closes = {(row["symbol"], _day(row["date"])): Decimal(row["close"]) for row in _rows("prices.csv")}
        self.actions = tuple(
            CorporateAction(row["symbol"], _day(row["date"]), row["kind"], Decimal(row["value"]))
            for row in _rows("corporate_actions.csv")
        )
        days = sorted({day for _, day in self._closes})
        self.first, self.last = days[0], days[-1]

    def close(self, symbol: str, day: date) -> Decimal:
        """The close of a session. KeyError where there was none."""
        return self._closes[symbol, day]

    def on(self, day: date, kind: str) -> dict[str, Decimal]:
        """Symbol to value of the actions of one kind whose ex-date is `day`."""
        return {action.symbol: action.value for action in self.actions if action.on == day and action.kind == kind}


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(line for line in lines if not line.startswith("#"))


def _day(text: str) -> date:
    return date.fromisoformat(text)
