"""What exists: every derived table, in the order of its making. A new table is one .sql file and one line here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent

Kind = Literal["kept", "whole", "days", "working", "versions", "view"]


@dataclass(frozen=True)
class Table:
    """A table and its select. Folder = schema, file = table.

    Kinds: `kept` is written by a command and only ever made, `whole` is small and made anew; `days` has its
    trading dates replaced; `working` is there for a build alone;
    `versions` gains a version of each row that changed (the name is the view of current ones); `view` is
    computed when asked.
    """

    name: str
    kind: Kind

    @property
    def schema(self) -> str:
        """The schema of its name."""
        return self.name.partition(".")[0]

    @property
    def bare(self) -> str:
        """Its name without the schema."""
        return self.name.partition(".")[2]

    @property
    def working(self) -> str:
        """Where a build has its rows: those of a working table, and those that versions are compared with."""
        return self.bare if self.kind == "working" else f"new_{self.bare}"

    @property
    def versions(self) -> str:
        """The table of every version of a row."""
        return f"{self.name}_version"

    @property
    def path(self) -> Path:
        """Where its .sql file lies."""
        return HERE / f"{self.name.replace('.', '/')}.sql"

    @cached_property
    def select(self) -> str:
        """The one select of the file, without the comment on top."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        first = next(number for number, line in enumerate(lines) if not line.startswith("--"))
        return "\n".join(lines[first:])

    @cached_property
    def description(self) -> str:
        """The comment on top of the file, as one paragraph."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        first = next(number for number, line in enumerate(lines) if not line.startswith("--"))
        return " ".join(line.removeprefix("--").strip() for line in lines[:first])


TABLES = (
    Table("core.period_lock", "kept"),
    Table("core.calendar", "whole"),
    Table("core.run", "days"),
    Table("core.snapshot_grade", "days"),
    Table("core.account_eod", "days"),
    Table("core.position_eod", "days"),
    Table("core.trade_flow", "days"),
    Table("core.position_adjustment", "days"),
    Table("core.broker_day", "days"),
    Table("core.position_change", "working"),
    Table("core.lifecycle_event", "days"),
    Table("pnl.position_daily", "versions"),
    Table("pnl.account_daily", "versions"),
    Table("core.expected_day", "days"),
    Table("core.instruction_history", "view"),
    Table("core.trade_request", "view"),
    Table("pnl.prior_period_adjustment", "view"),
    Table("pnl.period", "view"),
    Table("pnl.exposure_daily", "view"),
    Table("quality.row_check", "working"),
    Table("quality.invariant", "working"),
    Table("quality.finding", "days"),
    Table("quality.comparison", "days"),
    Table("quality.gap", "view"),
    Table("quality.day", "view"),
    Table("quality.reconciliation", "view"),
    Table("quality.drift", "view"),
    Table("pnl.firm_daily", "view"),
    Table("pnl.group_daily", "view"),
)

#: What selects call: what a quantity is worth at a price, rounded once. To round 128 bits takes a microsecond, so what
#: has no more than four places is guessed in floating point, and the guess proven by the exact product. What no column
#: could hold is unknown, for one absurd row of a broker's must not keep the rest of the book from being built.
VALUE_OF = """
    create or replace temporary macro value_guess(quantity, price, multiplier) as
    try_cast(cast(quantity as double) * cast(price as double) * cast(multiplier as double) as decimal(18, 4));

    create or replace temporary macro value_of(quantity, price, multiplier) as
    case
        when value_guess(quantity, price, multiplier) = try(quantity * price * multiplier)
            then cast(value_guess(quantity, price, multiplier) as decimal(28, 10))
        -- in another order: DuckDB takes a common part of two expressions out of the try() that guards it
        else try(cast(round(multiplier * price * quantity, 10) as decimal(28, 10)))
    end
"""

#: All selects as one fingerprint: what a warehouse remembers to know whether its tables are of this daybook.
SELECTS = hashlib.sha256(
    "\n".join([VALUE_OF, *(f"{table.name} {table.kind} {table.select}" for table in TABLES)]).encode()
).hexdigest()
