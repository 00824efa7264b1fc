"""One `Shape` per endpoint that the sync reads: its model, its key, and how its rows lie in the reply."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter

from models.account import Account
from models.balance import Balances
from models.contract import OptionContract
from models.envelope import Envelope
from models.event import CorporateEvent, unfold_events, unfold_events_by_date
from models.execution import Execution
from models.fields import ModelColumn, model_columns
from models.history import PortfolioHistory, PortfolioHistorySegment
from models.instruction import PositionInstruction
from models.market import Clock, MarketHours, MarketSnapshot, Version
from models.order import Order
from models.position import Position


@dataclass(frozen=True)
class Shape:
    """What an endpoint answers with.

    `name` is also the raw table's. `key` identifies a row within one account. `rows_of` finds the rows in `data` and
    raises ValueError where they can't be; `reply` is the type of a whole reply, and None where rows have to be
    rearranged first.
    """

    name: str
    model: type
    key: tuple[str, ...]
    rows_of: Callable[[Any], list[Any]]
    reply: Any

    @cached_property
    def envelope(self) -> TypeAdapter[Any] | None:
        """Decodes a whole reply in one pass."""
        return TypeAdapter(self.reply) if self.reply is not None else None

    @cached_property
    def row(self) -> TypeAdapter[Any]:
        """Validates a row."""
        return TypeAdapter(self.model)

    @property
    def columns(self) -> tuple[ModelColumn, ...]:
        """The fields of the model, in order."""
        return model_columns(self.model)


def _listed(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise ValueError("data is not a list")  # noqa: TRY004  (one kind of error for whatever isn't understood)
    return data


def _single(data: Any) -> list[Any]:
    if not isinstance(data, dict):
        raise ValueError("data is not an object")  # noqa: TRY004
    return [data]


def _segments(data: Any) -> list[Any]:
    return _listed(_single(data)[0].get("segments"))


def _listing(name: str, model: Any, key: tuple[str, ...]) -> Shape:
    return Shape(name, model, key, _listed, Envelope[list[model]])


def _object(name: str, model: Any, key: tuple[str, ...]) -> Shape:
    return Shape(name, model, key, _single, Envelope[model])


ACCOUNTS = _listing("accounts", Account, ("id",))
POSITIONS = _listing("positions", Position, ("account_id", "instrument_id"))
INSTRUCTIONS = _listing("position_instructions", PositionInstruction, ("id",))
ORDERS = _listing("orders", Order, ("id",))
EXECUTIONS = _listing("executions", Execution, ("id",))
BALANCES = _object("balances", Balances, ("account_id",))
PORTFOLIO_HISTORY = Shape(
    "portfolio_history", PortfolioHistorySegment, ("date",), _segments, Envelope[PortfolioHistory]
)
OPTION_CONTRACTS = _listing("option_contracts", OptionContract, ("id",))
_EVENT_KEY = ("instrument_id", "event_type", "event_date", "sequence")
INSTRUMENT_EVENTS = Shape("corporate_events", CorporateEvent, _EVENT_KEY, unfold_events, None)
#: The same events from the listing of all instruments.
EVENTS_BY_DATE = Shape("corporate_events", CorporateEvent, _EVENT_KEY, unfold_events_by_date, None)
MARKET_HOURS = _listing("market_hours", MarketHours, ("market", "date"))
MARKET_SNAPSHOT = _listing("market_snapshot", MarketSnapshot, ("instrument_id",))
CLOCK = _object("clock", Clock, ())
VERSION = _object("version", Version, ())

#: Every shape that is landed in a table of `raw`.
LANDED = (
    ACCOUNTS,
    POSITIONS,
    INSTRUCTIONS,
    ORDERS,
    EXECUTIONS,
    BALANCES,
    PORTFOLIO_HISTORY,
    OPTION_CONTRACTS,
    INSTRUMENT_EVENTS,
    MARKET_HOURS,
    MARKET_SNAPSHOT,
)
