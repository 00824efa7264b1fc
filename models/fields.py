"""The column types that the models are written in, and how to read them back from a model.

Each alias is what a field looks like on the wire plus a `ColumnKind` saying what it is in a table, so that the landing,
the data dictionary and the drift check all derive from the models alone. Values stay the broker's own text.

A row that passed validation can be cast to its column without loss: decimals have at most the column's digits, days
and instants exist in the calendar. Kind "json" holds JSON text already.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Annotated, Any, NotRequired, get_args, get_origin

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, StringConstraints, with_config
from pydantic.config import ConfigDict
from pydantic.fields import FieldInfo
from typing_extensions import get_type_hints, is_typeddict

from models.exact import decimal_pattern, dumps_exact

#: Decorates every wire shape: fields that we don't know are kept (and counted by `models.drift`), never fatal.
as_sent = with_config(ConfigDict(extra="allow"))


@dataclass(frozen=True, slots=True)
class ColumnKind:
    """What a field is in a table. `kind` is one of price, quantity, average, money, percent, ratio (decimals, see
    `models.exact.DECIMALS`), instant, day, integer, flag, text, json. `number`: a JSON number is its normal form."""

    kind: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """The values of an open enum that some documented state of the API names. Others are kept and counted."""

    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class ModelColumn:
    """One field of a model, read back. `nullable`: may be null or absent. `names` are the wire names in order of
    precedence, the current one first."""

    name: str
    kind: str
    nullable: bool
    description: str
    names: tuple[str, ...]
    number: bool
    members: frozenset[str] | None


@lru_cache(maxsize=4096)
def _real_day(text: str) -> str:
    date.fromisoformat(text)  # ValueError for 30 February: it would poison the load of the whole table
    return text


def _real_instant(text: str) -> str:
    try:
        datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:  # the last hour of year 9999, in the west
        raise ValueError("is outside the years 1 to 9999") from None
    return text


_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,18})?(Z|[+-][0-9]{2}:[0-9]{2})$"
#: What an account id looks like, as text. A fraction or an exponent is not one.
ACCOUNT_ID = r"^[A-Za-z0-9_-]{1,64}$"

Price = Annotated[str, StringConstraints(pattern=decimal_pattern("price")), ColumnKind("price")]
Quantity = Annotated[str, StringConstraints(pattern=decimal_pattern("quantity")), ColumnKind("quantity")]
Average = Annotated[str, StringConstraints(pattern=decimal_pattern("average")), ColumnKind("average")]
Money = Annotated[str, StringConstraints(pattern=decimal_pattern("money")), ColumnKind("money")]
Percent = Annotated[str, StringConstraints(pattern=decimal_pattern("percent")), ColumnKind("percent")]
Ratio = Annotated[str, StringConstraints(pattern=decimal_pattern("ratio")), ColumnKind("ratio")]
Day = Annotated[str, StringConstraints(pattern=_DAY), AfterValidator(_real_day), ColumnKind("day")]
Instant = Annotated[str, StringConstraints(pattern=_INSTANT), AfterValidator(_real_instant), ColumnKind("instant")]
Integer = Annotated[int, Field(ge=-(2**63), lt=2**63), ColumnKind("integer", number=True)]
Flag = Annotated[bool, ColumnKind("flag")]
Text = Annotated[str, ColumnKind("text")]
Id = Annotated[str, StringConstraints(min_length=1), ColumnKind("text")]
#: An id that the wire sends as an integer and daybook holds as text everywhere.
NumberId = Annotated[str, Field(coerce_numbers_to_str=True, pattern=ACCOUNT_ID), ColumnKind("text", number=True)]
#: Nested things, kept whole as JSON text.
Json = Annotated[str, BeforeValidator(dumps_exact), ColumnKind("json")]


def about(description: str, *, names: tuple[str, ...] = ()) -> Any:
    """A field's description, and where it has had other names, all of them, the current one first."""
    return Field(description=description, validation_alias=AliasChoices(*names) if names else None)


@cache
def model_columns(model: type) -> tuple[ModelColumn, ...]:
    """The fields of a model in order. Raises TypeError for a field without a `ColumnKind` or a description."""
    if not is_typeddict(model):
        raise TypeError(f"{model.__name__} is not a wire shape")
    hints = get_type_hints(model, include_extras=True)
    return tuple(_column(model, name, hint) for name, hint in hints.items())


def _column(model: type, name: str, hint: Any) -> ModelColumn:
    found: list[Any] = []
    nullable = _walk(hint, found) or get_origin(hint) is NotRequired
    column = next((item for item in found if isinstance(item, ColumnKind)), None)
    info = next((item for item in found if isinstance(item, FieldInfo) and item.description), None)
    members = next((item.values for item in found if isinstance(item, Members)), None)
    if column is None or info is None:
        raise TypeError(f"{model.__name__}.{name} has no column kind or no description")
    alias = info.validation_alias
    names = tuple(str(choice) for choice in alias.choices) if isinstance(alias, AliasChoices) else (name,)
    description = " ".join(str(info.description).split())
    return ModelColumn(name, column.kind, nullable, description, names, column.number, members)


def _walk(hint: Any, found: list[Any]) -> bool:
    """Collect a hint's metadata into `found`, through NotRequired, Annotated and unions; whether it may be null."""
    if hint is type(None):
        return True
    found.extend(getattr(hint, "__metadata__", ()))
    inner = (hint.__origin__,) if hasattr(hint, "__metadata__") else get_args(hint)
    nullable = [_walk(item, found) for item in inner]  # all of them, not up to the first
    return any(nullable)


_FRACTION = re.compile(r"(\.[0-9]{6})[0-9]+")


def parse_instant(text: str) -> datetime:
    """An `Instant`'s text as an aware datetime, cut to microseconds. Raises ValueError for any other text."""
    return datetime.fromisoformat(_FRACTION.sub(r"\1", text))


def wire_names(model: type) -> Mapping[str, str]:
    """Every name that a field of the model has on the wire, old ones too, to its name in the table."""
    return {wire: column.name for column in model_columns(model) for wire in column.names}
