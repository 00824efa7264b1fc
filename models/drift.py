"""What the broker sends that no model knows: counted column-wise, so that the hot path pays almost nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from models.fields import model_columns, wire_names
from models.shapes import Shape


@dataclass(slots=True)
class Observed:
    """The field set of some rows. `unknown_fields` counts rows per field, `unknown_enums` rows per (field, value)."""

    fields: set[str] = field(default_factory=set)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    unknown_enums: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __iadd__(self, other: "Observed") -> "Observed":
        """Take in what another page had. In place: each page may bring thousands of names that none before it had."""
        self.fields |= other.fields
        self.unknown_fields.update(other.unknown_fields)
        self.unknown_enums.update(other.unknown_enums)
        return self


def observe(shape: Shape, rows: Sequence[dict[str, Any]]) -> Observed:
    """The fields that the rows have, and the ones and the enum members that no documented state of the API names."""
    known, enums = _known(shape.model)
    layouts = Counter(map(tuple, rows))  # rows of a page share a handful of layouts
    seen: Counter[str] = Counter()
    for layout, count in layouts.items():
        for name in layout:
            seen[name] += count
    members: Counter[tuple[str, str]] = Counter()
    for name, values in enums:
        for value, count in Counter(row.get(name) for row in rows).items():
            if value is not None and value not in values:
                members[name, value] += count
    unknown = Counter({name: count for name, count in seen.items() if name not in known})
    return Observed(set(seen), unknown, members)


@cache
def _known(model: type) -> tuple[frozenset[str], tuple[tuple[str, frozenset[str]], ...]]:
    enums = tuple((column.name, column.members) for column in model_columns(model) if column.members is not None)
    return frozenset(wire_names(model)), enums
